/**
 * What is written to Graphite, and under which names: `graphite.statsd` in `tocsin.yaml`.
 *
 * The keys are those of etsy's daemon (its top level and its `graphite` section in one), with the same defaults, so that
 * people carry theirs over.
 */
import { z } from 'zod'

const percentText = 'expected a percentage such as 90 or 99.9, or -10 for the top tenth'
const percent = z
  .number({ error: percentText })
  .refine((value) => value !== 0 && Math.abs(value) <= 100, { error: percentText })

const binsText = 'expected upper limits that ascend, such as [10, 100, inf]'
const bins = z
  .array(z.union([z.number(), z.literal('inf'), z.literal(Number.POSITIVE_INFINITY)], { error: binsText }), {
    error: binsText,
  })
  .transform((limits): Bin[] => limits.map((limit) => (limit === Number.POSITIVE_INFINITY ? 'inf' : limit)))
  .refine((limits) => limits.every((limit, i) => i === 0 || upTo(limit) > upTo(limits[i - 1] as Bin)), {
    error: binsText,
  })

/** The limit of a histogram's bin, exclusive; `inf` takes the rest. */
export type Bin = number | 'inf'

function upTo(bin: Bin): number {
  return bin === 'inf' ? Number.POSITIVE_INFINITY : bin
}

/** Figures of a timer; the five of each percentage go by `…_percent`. */
const figures = [
  ...['count_percent', 'mean_percent', 'upper_percent', 'lower_percent', 'sum_percent', 'sum_squares_percent'],
  ...['std', 'upper', 'lower', 'count', 'count_ps', 'sum', 'sum_squares', 'mean', 'median', 'histogram'],
]
const figure = z.string().refine((name) => figures.includes(name), { error: `expected one of ${figures.join(', ')}` })

/** Part of a Graphite path, or nothing. */
const folder = z
  .string()
  .regex(/^([\w-]+(\.[\w-]+)*)?$/, { error: 'expected words with dots between, such as "stats"' })

export const statsdOutput = z.strictObject({
  percentThreshold: z
    .union([percent, z.array(percent)], { error: percentText })
    .transform((given) => [...new Set([given].flat())])
    .prefault(90),
  /** The first whose `metric` is in the timer's name says its bins; without bins it has none. */
  histogram: z.array(z.strictObject({ metric: z.string(), bins })).default([]),
  /** All by default. */
  calculatedTimerMetrics: z.array(figure).default([]),
  deleteIdleStats: z.boolean().default(false),
  deleteCounters: z.boolean().optional(),
  deleteTimers: z.boolean().optional(),
  deleteSets: z.boolean().optional(),
  deleteGauges: z.boolean().optional(),
  /** Flushes that a gauge is written after it came, where idle gauges are deleted. */
  gaugesMaxTTL: z.number().int().positive().default(1),
  flush_counts: z.boolean().default(true),
  legacyNamespace: z.boolean().default(true),
  globalPrefix: folder.default('stats'),
  prefixCounter: folder.default('counters'),
  prefixTimer: folder.default('timers'),
  prefixGauge: folder.default('gauges'),
  prefixSet: folder.default('sets'),
  prefixStats: folder.min(1, { error: 'expected a name such as "statsd"' }).default('statsd'),
  globalSuffix: folder.default(''),
})

/** `graphite.statsd` as it is in force. */
export type StatsdOutput = z.output<typeof statsdOutput>
