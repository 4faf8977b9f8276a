/**
 * Settings: `cloudwatch.yaml`, which metrics of what to ask CloudWatch for and what they are called in Graphite.
 *
 * For load balancers (`AWS/ELB`, the default namespace) nothing but names needs to be said; other namespaces name their
 * dimension and metrics in the same format. GetMetricData does not tell units, so each metric names its own: it is the
 * last part of the Graphite name.
 */
import fs from 'node:fs'
import { z } from 'zod'
import { err, type Result } from '../model/result.ts'
import { duration } from '../runtime/config.ts'
import type { Problem } from '../runtime/problem.ts'
import { readYaml } from '../runtime/yaml-file.ts'

const statistic = z.string().regex(/^(Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?)$/, {
  error: 'expected Sum, Average, Minimum, Maximum, SampleCount or a percentile such as p99',
})

const metric = z.strictObject({
  name: z.string().min(1),
  statistics: z.array(statistic).min(1),
  /** As CloudWatch writes it, such as Count, Seconds, Percent. */
  unit: z.string().min(1),
  /** What a Sum is to rules: `count` is 0 while nothing happens, a gauge is missing. Other statistics are gauges. */
  kind: z.enum(['count', 'gauge']).default('gauge'),
})

export type Metric = z.output<typeof metric>

const count = (name: string): Metric => ({ name, statistics: ['Sum'], unit: 'Count', kind: 'count' })

/** What is asked of a namespace when the file does not say. */
const known = new Map<string, { dimension: string; metrics: readonly Metric[] }>(
  Object.entries({
    'AWS/ELB': {
      dimension: 'LoadBalancerName',
      metrics: [
        { name: 'HealthyHostCount', statistics: ['Sum'], unit: 'Count', kind: 'gauge' },
        ...['2XX', '3XX', '4XX', '5XX'].map((status) => count(`HTTPCode_Backend_${status}`)),
        count('RequestCount'),
        { name: 'Latency', statistics: ['Average', 'Maximum'], unit: 'Seconds', kind: 'gauge' },
      ],
    },
    'AWS/ApplicationELB': {
      dimension: 'LoadBalancer',
      metrics: [
        ...['2XX', '3XX', '4XX', '5XX'].map((status) => count(`HTTPCode_Target_${status}_Count`)),
        count('HTTPCode_ELB_5XX_Count'),
        count('RequestCount'),
        { name: 'TargetResponseTime', statistics: ['Average', 'Maximum'], unit: 'Seconds', kind: 'gauge' },
      ],
    },
  }),
)

const watch = z
  .strictObject({
    namespace: z.string().min(1).default('AWS/ELB'),
    /** The dimension whose values are the names. */
    dimension: z.string().min(1).optional(),
    /** Names as CloudWatch has them; one with a star is found through ListMetrics. */
    names: z
      .array(z.string().min(1))
      .min(1, { error: 'expected at least one name, or none of this for all' })
      .default(['*']),
    /** CloudWatch's name → ours; a dot in it makes a level in Graphite, an underscore for rules. */
    rename: z.record(z.string(), z.string().regex(/^[\w-]+(\.[\w-]+)*$/)).default({}),
    /** Only in these regions; all of tocsin.yaml's by default. */
    regions: z.array(z.string().min(1)).optional(),
    metrics: z.array(metric).min(1).optional(),
  })
  .transform((given, context) => {
    const defaults = known.get(given.namespace)
    const dimension = given.dimension ?? defaults?.dimension
    const metrics = given.metrics ?? defaults?.metrics
    for (const [key, value] of Object.entries({ dimension, metrics })) {
      if (value !== undefined) continue
      const namespaces = [...known.keys()].join(' and ')
      context.addIssue({ code: 'custom', path: [key], message: `is missing; only ${namespaces} have a default` })
    }
    return { ...given, dimension: dimension ?? '', metrics: metrics ?? [] }
  })

export type Watch = z.output<typeof watch>

const schema = z.strictObject({
  /** How far behind the present rules look, because CloudWatch is late. */
  lateness: duration.prefault('3m'),
  /** Each poll asks again for this long, so that points that came late are picked up. */
  lookBack: duration.prefault('11m'),
  watch: z.array(watch).min(1).prefault([{}]),
})

export type Settings = z.output<typeof schema>

export function readSettings(file: string): Result<Settings, Problem[]> {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    return err([
      { file, message: `cannot be read: ${(error as Error).message}`, help: 'see cloudwatch2graphite.metrics' },
    ])
  }
  const read = readYaml(file, text, schema)
  return read.ok ? { ok: true, value: read.value.value } : read
}

/** Everything that is wrong with the file, for `tocsin config check`. */
export function checkCloudwatch(file: string): Problem[] {
  const read = readSettings(file)
  return read.ok ? [] : read.error
}
