/**
 * Self: the pipeline's own counters through the pipeline itself, so that rules can page on them and Graphite keeps them.
 *
 * One source per process. What the parts of this process say in their status becomes series `tocsin.<part>.<name>`:
 * names ending in `_total` are counters and travel as the difference to the second before, all others are gauges.
 * A label goes to the end of the name: `bad_lines_total{reason="type"}` → `tocsin.ingest.bad_lines_total.type`.
 */
import type { Context, Part } from '../bus/part.ts'
import { Source } from '../bus/source.ts'
import { emptyMetrics, type MetricsMessage } from '../model/metric.ts'
import { bucketEnd } from '../model/time.ts'
import { aligned } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'

const intervalMs = 1000
/** With a lateness, rules on other series do not wait for this source: the death of any process would hold them up. */
const latenessMs = 1000

export async function startSelf(_config: Config, { bus, clock, log, instance, host }: Context): Promise<Part> {
  const source = new Source(bus, { name: `tocsin-${host}`, startedMs: clock.now(), intervalMs, latenessMs })
  const situation = new Situation(log)
  const latest = new Map<string, Readonly<Record<string, number>>>()
  const before = new Map<string, number>()
  const statuses = bus.onStatus((status) => {
    if (status.instance === instance) latest.set(status.part, status.counters)
  })
  const take = (bucketMs: number) => selfMetrics(source.id, bucketMs, latest, before)
  const flushes = aligned(intervalMs, clock).subscribe((bucketMs) => {
    source.flush(bucketMs, { metrics: [take(bucketMs)] }).then(
      () => situation.good('own metrics are published again'),
      (error: Error) => situation.bad(`own metrics cannot be published: ${error.message}`),
    )
  })
  return {
    async stop() {
      flushes.unsubscribe()
      await statuses.stop()
      const bucketMs = bucketEnd(clock.now(), intervalMs)
      await source.bye(bucketMs, { metrics: [take(bucketMs)] }).catch(() => {})
    },
  }
}

/** One message of what the counters grew by since the last call (kept in `before`) and where the gauges stand. */
export function selfMetrics(
  source: string,
  bucketMs: number,
  latest: ReadonlyMap<string, Readonly<Record<string, number>>>,
  before: Map<string, number>,
): MetricsMessage {
  const counters: [string, number][] = []
  const gauges: [string, number][] = []
  for (const [part, values] of latest) {
    for (const [counter, value] of Object.entries(values)) {
      const name = seriesName(part, counter)
      if (!/_total(\{|$)/.test(counter)) gauges.push([name, value])
      else {
        counters.push([name, value - (before.get(name) ?? 0)])
        before.set(name, value)
      }
    }
  }
  const message = emptyMetrics(source, bucketMs, intervalMs)
  return {
    ...message,
    counters: {
      names: counters.map(([name]) => name),
      sums: Float64Array.from(counters, ([, grown]) => grown),
      samples: new Float64Array(counters.length).fill(1),
    },
    gauges: { names: gauges.map(([name]) => name), values: Float64Array.from(gauges, ([, value]) => value) },
  }
}

function seriesName(part: string, counter: string): string {
  const [name, labels] = counter.split('{') as [string, string | undefined]
  const values = [...(labels ?? '').matchAll(/="([^"]*)"/g)].map(
    ([, value]) => `.${value?.replace(/[^A-Za-z0-9_-]+/g, '_')}`,
  )
  return `tocsin.${part}.${name}${values.join('')}`
}
