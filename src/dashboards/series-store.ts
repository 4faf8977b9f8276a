/**
 * Series store: the last two hours of every series in ten-second slots, in memory.
 *
 * Bounded in three ways, each counted: `seriesMax` series (more are refused), `slotsMax` slots, and `historyBytesMax`
 * bytes (the oldest slots go first). A series that has been silent for the whole history gives up its place. Time comes
 * with the messages; only a bucket from the future is refused by the clock.
 */
import type { CheckState, ChecksMessage } from '../model/check.ts'
import { gaugeWrittenMs, type MetricsMessage } from '../model/metric.ts'
import { matchPath, type PathPattern } from '../model/path.ts'
import { bucketEnd, type Marker } from '../model/time.ts'
import type { Stats } from '../runtime/stats.ts'
import { Slot, slotMs } from './slot.ts'

export const slotsMax = 720
const futureMsMax = 60_000
const sweepSlots = 30
const matchesMax = 256

export type SeriesKind = 'count' | 'gauge' | 'timer' | 'set' | 'untyped' | 'check'

export interface Series {
  id: number
  /** As on the bus; checks with `check:`. */
  name: string
  kind: SeriesKind
  /** Lasting name of the source it last came from. */
  source: string
  stepMs: number
  firstMs: number
  lastMs: number
}

export interface Match {
  series: Series
  /** The holes' values. */
  kept: readonly string[]
}

export interface SeriesStoreOptions {
  seriesMax: number
  historyBytesMax?: number
  stats: Stats
  now: () => number
}

const checkValue: Readonly<Record<CheckState, number>> = { ok: 0, warn: 1, crit: 2, unknown: 3 }

export class SeriesStore {
  readonly #options: SeriesStoreOptions
  readonly #byName: Record<SeriesKind, Map<string, Series>> = {
    count: new Map(),
    gauge: new Map(),
    timer: new Map(),
    set: new Map(),
    untyped: new Map(),
    check: new Map(),
  }
  #series: Series[] = []
  readonly #freeIds: number[] = []
  #nextId = 0
  #slots: Slot[] = []
  /** Memory that a closed slot left behind; the next one takes it over. */
  #spare: Float32Array | undefined
  #sinceSweep = 0
  /** Changes when series are given up, which voids what is remembered about matches and names. */
  #generation = 0
  readonly #matches = new Map<string, { generation: number; seen: number; found: Match[] }>()
  #nameLists = new WeakMap<readonly string[], (Series | undefined)[]>()

  constructor(options: SeriesStoreOptions) {
    this.#options = options
    options.stats.observe('series', () => this.#series.length)
    options.stats.observe('history_bytes', () => this.bytes)
    options.stats.observe('history_seconds', () => this.#slots.length * (slotMs / 1000))
  }

  /** Oldest first, without gaps in between. */
  get slots(): readonly Slot[] {
    return this.#slots
  }

  /** The newest bucket heard of; undefined before the first. */
  get lastBucketMs(): number | undefined {
    return this.#slots.at(-1)?.lastBucketMs
  }

  get bytes(): number {
    return this.#slots.reduce((bytes, slot) => bytes + slot.bytes, 0)
  }

  addMetrics(message: MetricsMessage): void {
    const { bucketMs, counters, gauges, timers, sets, untyped } = message
    const slot = this.#slotOf(bucketMs)
    const points = counters.names.length + gauges.names.length + timers.names.length + sets.names.length
    if (!slot) {
      this.#options.stats.count('points_out_of_range_total', points + untyped.names.length)
      return
    }
    slot.lastBucketMs = Math.max(slot.lastBucketMs, bucketMs)
    this.#each(message, 'count', counters.names, (id, i) => slot.add(id, counters.sums[i] as number))
    this.#each(message, 'gauge', gauges.names, (id, i) =>
      slot.setGauge(id, gauges.values[i] as number, gaugeWrittenMs(message, i)),
    )
    this.#each(message, 'untyped', untyped.names, (id, i) => slot.set(id, untyped.values[i] as number))
    this.#each(message, 'timer', timers.names, (id, i) => slot.addTimer(id, timers.distributions[i] as never))
    this.#each(message, 'set', sets.names, (id, i) => slot.addMembers(id, sets.members[i] as readonly string[]))
  }

  /** The worst result of a slot stands. */
  addChecks({ source, bucketMs, results }: ChecksMessage): void {
    const slot = this.#slotOf(bucketMs)
    if (!slot) {
      this.#options.stats.count('points_out_of_range_total', results.length)
      return
    }
    slot.lastBucketMs = Math.max(slot.lastBucketMs, bucketMs)
    for (const { name, state, stepMs } of results) {
      const series = this.#find('check', `check:${name}`, { source, bucketMs, stepMs })
      if (!series) continue
      const before = slot.value(series.id)
      slot.set(series.id, Math.max(checkValue[state], Number.isNaN(before) ? 0 : before))
    }
  }

  mark({ name, bucketMs }: Marker): void {
    const slot = this.#slotOf(bucketMs)
    slot?.sources.add(name)
    if (slot) slot.lastBucketMs = Math.max(slot.lastBucketMs, bucketMs)
  }

  /** Series that a path matches, remembered and brought up to date with what is new. */
  match(pattern: PathPattern): readonly Match[] {
    const known = this.#matches.get(pattern.text)
    const entry = known?.generation === this.#generation ? known : { generation: this.#generation, seen: 0, found: [] }
    for (; entry.seen < this.#series.length; entry.seen++) {
      const series = this.#series[entry.seen] as Series
      const kept = matchSeries(pattern, series)
      if (kept) entry.found.push({ series, kept })
    }
    this.#matches.delete(pattern.text)
    this.#matches.set(pattern.text, entry)
    if (this.#matches.size > matchesMax) this.#matches.delete(this.#matches.keys().next().value as string)
    return entry.found
  }

  #each(
    { source, bucketMs, stepMs }: MetricsMessage,
    kind: SeriesKind,
    names: readonly string[],
    put: (id: number, i: number) => unknown,
  ): void {
    if (names.length === 0) return
    let known = this.#nameLists.get(names)
    if (!known) {
      known = []
      this.#nameLists.set(names, known)
    }
    for (let i = 0; i < names.length; i++) {
      const series = known[i] ?? this.#find(kind, names[i] as string, { source, bucketMs, stepMs })
      known[i] = series
      if (!series) continue
      if (bucketMs > series.lastMs) series.lastMs = bucketMs
      if (put(series.id, i) === false) this.#options.stats.count('points_late_total')
    }
  }

  #find(kind: SeriesKind, name: string, from: { source: string; bucketMs: number; stepMs: number }) {
    const known = this.#byName[kind].get(name)
    const source = lastingName(from.source)
    if (known) {
      known.lastMs = Math.max(known.lastMs, from.bucketMs)
      known.source = source
      known.stepMs = from.stepMs
      return known
    }
    if (this.#series.length >= this.#options.seriesMax) {
      this.#options.stats.count('points_over_series_max_total')
      return undefined
    }
    const { bucketMs, stepMs } = from
    const id = this.#freeIds.pop() ?? this.#nextId++
    const series = { id, name, kind, source, stepMs, firstMs: bucketMs, lastMs: bucketMs }
    this.#byName[kind].set(name, series)
    this.#series.push(series)
    return series
  }

  /** The slot of a bucket, made when it is new; undefined for one too old or in the future. */
  #slotOf(bucketMs: number): Slot | undefined {
    if (!(bucketMs <= this.#options.now() + futureMsMax)) return undefined
    const endMs = bucketEnd(bucketMs, slotMs)
    const newest = this.#slots.at(-1)
    if (!newest || endMs > newest.endMs) return this.#open(endMs)
    const index = this.#slots.length - 1 - (newest.endMs - endMs) / slotMs
    if (index < 0 && this.#slots.length < slotsMax && -index < slotsMax) return this.#prepend(endMs)
    return this.#slots[index]
  }

  #open(endMs: number): Slot {
    const newest = this.#slots.at(-1)
    const startMs = Math.max(newest ? newest.endMs + slotMs : endMs, endMs - (slotsMax - 1) * slotMs)
    for (let at = startMs; at <= endMs; at += slotMs) {
      this.#slots.push(at === endMs ? new Slot(at, this.#nextId, this.#spare) : new Slot(at, 0))
    }
    this.#spare = undefined
    for (const slot of this.#slots) {
      if (slot.endMs <= endMs - 2 * slotMs) this.#spare = slot.close() ?? this.#spare
    }
    this.#trim()
    return this.#slots.at(-1) as Slot
  }

  /** A source that lags behind the first one heard. */
  #prepend(endMs: number): Slot | undefined {
    const oldest = this.#slots[0] as Slot
    const more = (oldest.endMs - endMs) / slotMs
    if (this.#slots.length + more > slotsMax) return undefined
    const before = Array.from({ length: more }, (_, i) => new Slot(endMs + i * slotMs, 0))
    this.#slots.unshift(...before)
    return before[0]
  }

  #trim(): void {
    while (this.#slots.length > slotsMax) this.#slots.shift()
    const bytesMax = this.#options.historyBytesMax ?? 96 * 1024 ** 2
    for (let bytes = this.bytes; bytes > bytesMax && this.#slots.length > 2; ) {
      bytes -= (this.#slots.shift() as Slot).bytes
      this.#options.stats.count('slots_over_bytes_max_total')
    }
    this.#sinceSweep++
    if (this.#sinceSweep >= sweepSlots || this.#series.length >= this.#options.seriesMax) this.#sweep()
  }

  /** Gives up the places of series that are nowhere in the history any more. */
  #sweep(): void {
    this.#sinceSweep = 0
    const oldestMs = (this.#slots[0] as Slot).endMs - slotMs
    const kept = this.#series.filter(({ lastMs }) => lastMs > oldestMs)
    if (kept.length === this.#series.length) return
    for (const { id, kind, name, lastMs } of this.#series) {
      if (lastMs > oldestMs) continue
      this.#byName[kind].delete(name)
      this.#freeIds.push(id)
    }
    this.#series = kept
    this.#generation++
    this.#nameLists = new WeakMap()
  }
}

function matchSeries(pattern: PathPattern, { name, kind }: Series): readonly string[] | undefined {
  if ((kind === 'check') !== (pattern.prefix === 'check')) return undefined
  return matchPath(pattern, kind === 'check' ? name.slice('check:'.length) : name)
}

/** A source id is the source's lasting name and its start time. */
function lastingName(source: string): string {
  return source.slice(0, source.lastIndexOf('-'))
}
