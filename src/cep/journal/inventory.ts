/**
 * Inventory: which series a recording holds: of which kinds they came, how often, and, for numbers of gauges and Graphite
 * lines, whether they ever fell. Bounded; what goes beyond is counted.
 */
import type { LogEntry } from '../../model/message.ts'
import type { MetricKind, MetricsMessage } from '../../model/metric.ts'

/** Series that are kept, of all kinds together. */
export const inventorySeriesMax = 500_000

export interface SeriesSeen {
  name: string
  kind: MetricKind | 'check' | 'event'
  /** How often it came. */
  points: number
  /** The step of the messages it came in; of checks how often they are probed. */
  stepMs: number
  lastMs: number
  /** The time between two points that most of them have. */
  gapMs: number
  /** How many more points have that gap than another, about; at most 0 where there is none such. */
  gapVotes: number
  rose: number
  fell: number
  lastValue: number
}

export class Inventory {
  /** Series over the bound. */
  overflow = 0
  readonly #series = new Map<string, SeriesSeen>()
  /** Sources repeat the same array of names, so series are found by it. */
  readonly #byNames = new WeakMap<readonly string[], readonly (SeriesSeen | undefined)[]>()

  readonly #seriesMax: number

  constructor(seriesMax = inventorySeriesMax) {
    this.#seriesMax = seriesMax
  }

  get series(): Iterable<SeriesSeen> {
    return this.#series.values()
  }

  get size(): number {
    return this.#series.size
  }

  /** Notes what an entry brings. */
  add(entry: LogEntry): void {
    if (entry.kind === 'metrics') this.#metrics(entry.message)
    else if (entry.kind === 'checks') {
      const { bucketMs, results } = entry.message
      for (const { name, stepMs } of results) this.#note(this.#find(name, 'check', stepMs), bucketMs)
    } else if (entry.kind === 'events') {
      this.#note(this.#find(entry.message.name, 'event', 0), entry.message.bucketMs)
    }
  }

  #metrics({ bucketMs, stepMs, counters, gauges, timers, sets, untyped }: MetricsMessage): void {
    this.#column(counters.names, 'count', bucketMs, stepMs)
    this.#column(gauges.names, 'gauge', bucketMs, stepMs, gauges.values)
    this.#column(timers.names, 'timer', bucketMs, stepMs)
    this.#column(sets.names, 'set', bucketMs, stepMs)
    this.#column(untyped.names, 'untyped', bucketMs, stepMs, untyped.values)
  }

  #column(names: readonly string[], kind: MetricKind, bucketMs: number, stepMs: number, values?: Float64Array): void {
    if (names.length === 0) return
    let all = this.#byNames.get(names)
    if (!all) {
      all = names.map((name) => this.#find(name, kind, stepMs))
      this.#byNames.set(names, all)
    }
    all.forEach((series, i) => {
      this.#note(series, bucketMs)
      if (series && values) noteValue(series, values[i] as number)
    })
  }

  #find(name: string, kind: SeriesSeen['kind'], stepMs: number): SeriesSeen | undefined {
    const key = `${kind} ${name}`
    const known = this.#series.get(key)
    if (known) {
      known.stepMs = Math.max(known.stepMs, stepMs)
      return known
    }
    if (this.#series.size >= this.#seriesMax) {
      this.overflow++
      return undefined
    }
    const counts = { points: 0, lastMs: 0, gapMs: 0, gapVotes: 0, rose: 0, fell: 0, lastValue: Number.NaN }
    const series = { name, kind, stepMs, ...counts }
    this.#series.set(key, series)
    return series
  }

  #note(series: SeriesSeen | undefined, atMs: number): void {
    if (!series) return
    series.points++
    const gapMs = atMs - series.lastMs
    if (series.lastMs > 0 && gapMs > 0) {
      if (gapMs === series.gapMs) series.gapVotes++
      else if (--series.gapVotes <= 0) Object.assign(series, { gapMs, gapVotes: 1 })
    }
    series.lastMs = Math.max(series.lastMs, atMs)
  }
}

function noteValue(series: SeriesSeen, value: number): void {
  if (value > series.lastValue) series.rose++
  else if (value < series.lastValue) series.fell++
  series.lastValue = value
}
