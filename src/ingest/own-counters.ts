/**
 * Own counters: what an ingest daemon counts of itself under the names of etsy's daemon, for whoever has graphs of them:
 *
 *     statsd.packets_received · statsd.metrics_received (lines) · statsd.bad_lines_seen
 *
 * They travel beside the series of the bucket in which they grew, so that the figures of several daemons add up. A bucket
 * in which nothing came has none.
 */
import { emptyMetrics, type MetricsMessage, ownCounters } from '../model/metric.ts'
import type { Stats } from '../runtime/stats.ts'

export class OwnCounters {
  readonly #stats: Stats
  #before = new Map<string, number>()

  constructor(stats: Stats) {
    this.#stats = stats
  }

  /** What they grew by since the last asking, as a message; none when they did not. */
  take(source: string, bucketMs: number, stepMs: number): MetricsMessage[] {
    const totals = [badStatsdLines(this.#stats), this.#stats.get('packets_total'), this.#stats.get('lines_total')]
    const now = new Map(ownCounters.map((name, i) => [name, totals[i] as number]))
    const grown = [...now].map(([name, total]): [string, number] => [name, total - (this.#before.get(name) ?? 0)])
    this.#before = now
    const fed = grown.filter(([, sum]) => sum > 0)
    if (fed.length === 0) return []
    const names = fed.map(([name]) => name)
    const sums = Float64Array.from(fed, ([, sum]) => sum)
    return [{ ...emptyMetrics(source, bucketMs, stepMs), counters: { names, sums, samples: sums } }]
  }
}

/** Bad lines of statsd since the start, whatever the reason; those of Graphite are others. */
export function badStatsdLines(stats: Stats): number {
  let sum = 0
  for (const [name, count] of Object.entries(stats.snapshot())) {
    if (/^bad_lines_total\{reason="(?!graphite_)/.test(name)) sum += count
  }
  return sum
}
