/**
 * Shard: one worker's share of a flush interval, in a form that can be put together with the others' (merge.ts).
 *
 * A shard knows its own slots only; a series is named in the first report in which it appears. What can be added up or
 * united is sent as it is; gauges are sent as their changes with the moments of these.
 */
import { setMembersMax } from '../model/metric.ts'
import type { PackedMembers } from '../model/packed-members.ts'
import { allMembers } from './aggregate.ts'
import { type GaugeChangeList, GaugeChanges } from './gauge-changes.ts'
import { Interval } from './interval.ts'
import type { TagStyle } from './name.ts'
import { counter, gauge, type Line, type LineKind, set, timer } from './parse.ts'
import { grown, SeriesTable } from './series.ts'
import type { TimerList } from './timers.ts'

/** What came since the last report. It travels between threads; its arrays are given away. */
export interface ShardReport {
  /** Series that were not in any report before, or whose slot was another's. */
  fresh: { slots: number[]; kinds: LineKind[]; names: string[] }
  counters: { slots: Int32Array; sums: Float64Array; samples: Float64Array }
  gauges: GaugeChangeList
  timers: TimerList
  sets: { slots: Int32Array; overflowed: Uint8Array; members: PackedMembers }
}

export interface ShardOptions {
  seriesMax: number
  tags?: TagStyle
}

const bounds = { membersMax: setMembersMax, allMembersMax: allMembers }

export class Shard {
  readonly #series: SeriesTable
  readonly #interval = new Interval()
  readonly #changes = new GaugeChanges()
  /** By slot: whether a report has named it. */
  #isNamed = new Uint8Array(1024)

  constructor({ seriesMax, tags = 'dogstatsd' }: ShardOptions) {
    this.#series = new SeriesTable(seriesMax, tags)
    this.#interval.open(1)
  }

  get seriesCount(): number {
    return this.#series.size
  }

  /** As Aggregate's. */
  takeMembersRefused(): number {
    return this.#interval.sets.takeRefused()
  }

  /** As Aggregate's add. */
  add(bytes: Buffer, line: Line, atMs: number): number {
    const { kind } = line
    const slot = this.#series.slotOf(bytes, line)
    if (slot < 0) return slot
    const interval = this.#interval
    if (interval.fedIn[slot] !== interval.number) this.#begin(slot, kind)
    if (kind === counter) {
      interval.values[slot] = (interval.values[slot] as number) + line.value / line.sampleRate
      interval.samples[slot] = (interval.samples[slot] as number) + 1
    } else if (kind === timer) interval.timers.add(slot, line.value, line.sampleRate)
    else if (kind === gauge) this.#changes.add(slot, line.value, line.isRelative, atMs)
    else interval.sets.add(slot, bytes, line.valueStart, line.valueEnd, bounds)
    return slot
  }

  /** Ends the interval. */
  take(): ShardReport {
    const fed = this.#fed()
    const report = this.#report(fed)
    this.#interval.open(this.#interval.number + 1)
    this.#changes.clear()
    return report
  }

  /** Forgets series of a kind; what came of them since the last report does not count. */
  forget(kind: LineKind, names: readonly string[]): void {
    this.#remove(names.map((name) => this.#series.find(kind, name)).filter((slot) => slot !== undefined))
  }

  /** Forgets series that have not been fed for this many intervals. */
  forgetIdle(intervals: number): void {
    const oldest = this.#interval.number - intervals
    const gone: number[] = []
    for (let slot = 0; slot < this.#series.slots; slot++) {
      if (this.#series.names[slot] !== '' && (this.#interval.fedIn[slot] ?? 0) < oldest) gone.push(slot)
    }
    this.#remove(gone)
  }

  #remove(gone: readonly number[]): void {
    if (gone.length === 0) return
    for (const slot of gone) {
      this.#interval.forget(slot)
      this.#isNamed[slot] = 0
    }
    this.#series.remove(gone)
  }

  #begin(slot: number, kind: LineKind): void {
    this.#interval.begin(slot, kind)
    if (kind === gauge) this.#changes.begin(slot)
  }

  #fed(): readonly [number[], number[], number[], number[]] {
    const fed: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let slot = 0; slot < this.#series.slots; slot++) {
      if (this.#interval.isFed(slot)) fed[this.#series.kinds[slot] as LineKind].push(slot)
    }
    return fed
  }

  #report(fed: readonly [number[], number[], number[], number[]]): ShardReport {
    const { values, samples, timers, sets } = this.#interval
    const counters = Int32Array.from(fed[counter])
    return {
      fresh: this.#fresh(fed.flat()),
      counters: {
        slots: counters,
        sums: Float64Array.from(counters, (slot) => values[slot] as number),
        samples: Float64Array.from(counters, (slot) => samples[slot] as number),
      },
      gauges: this.#changes.list(fed[gauge]),
      timers: timers.list(fed[timer]),
      sets: {
        slots: Int32Array.from(fed[set]),
        overflowed: Uint8Array.from(fed[set], (slot) => Number(sets.overflowed(slot))),
        members: sets.pack(fed[set]),
      },
    }
  }

  #fresh(fed: readonly number[]): ShardReport['fresh'] {
    const { names, kinds, slots: count } = this.#series
    if (this.#isNamed.length < count) this.#isNamed = grown(this.#isNamed, Uint8Array, count)
    const slots = fed.filter((slot) => this.#isNamed[slot] === 0)
    for (const slot of slots) this.#isNamed[slot] = 1
    return {
      slots,
      kinds: slots.map((slot) => kinds[slot] as LineKind),
      names: slots.map((slot) => names[slot] as string),
    }
  }
}

/** The buffers of a report, which may be given away instead of copied. */
export function buffersOf({ counters, gauges, timers, sets }: ShardReport): ArrayBuffer[] {
  const arrays = [
    ...[counters.slots, counters.sums, counters.samples],
    ...[gauges.slots, gauges.sizes, gauges.values, gauges.atMs, gauges.isRelative],
    ...[timers.slots, timers.sizes, timers.scaledCounts, timers.samples],
    ...[sets.slots, sets.overflowed, sets.members.sizes, sets.members.ends, sets.members.text],
  ]
  return arrays.map(({ buffer }) => buffer as ArrayBuffer)
}
