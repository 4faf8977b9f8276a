/**
 * Aggregate: one flush interval of statsd lines, by series, and its form as metrics messages.
 *
 * Counters add up scaled by their sample rate, gauges keep their last value (also from interval to interval, as the base
 * of relative changes), timers collect a distribution, sets their members. A flush ends an interval: it returns only what
 * arrived in it, and what comes afterwards belongs to the next. It may take its time, block by block (`drain`).
 *
 * Series stand in order of their slots, a fixed block of slots to a message, so that an unchanged set of series gives the
 * very same `names` arrays flush after flush.
 */
import type { Distribution } from '../model/distribution.ts'
import { emptyMetrics, type MetricsMessage, packedSets, packedTimers, setMembersMax } from '../model/metric.ts'
import { eachMember, type PackedMembers } from '../model/packed-members.ts'
import { splitHeavy } from './batch.ts'
import { Interval } from './interval.ts'
import type { MemberBounds } from './members.ts'
import type { TagStyle } from './name.ts'
import { counter, gauge, type Line, type LineKind, set, timer } from './parse.ts'
import { grown, SeriesTable } from './series.ts'
import { SamplePool } from './timers.ts'

/** Series in one message. */
export const batchSeriesMax = 1000
/** Set members kept in one interval, all sets together. */
export const allMembers = 2_000_000

export interface AggregateOptions {
  /** Series known at a time; further ones are refused. */
  seriesMax: number
  /** Members kept of one set; more only mark it as overflowed. */
  membersMax?: number
  /** Members kept of all sets together, in one interval. */
  allMembersMax?: number
  /** How tags may stand in names. */
  tags?: TagStyle
}

/** One series in the present interval. */
export interface SeriesNow {
  name: string
  /** Sum of a counter, level of a gauge. */
  value: number
  /** Of a timer, when something came. */
  seen?: Distribution
}

/** A flush under way. */
export interface Drain {
  readonly messages: readonly MetricsMessage[]
  /** Does the next block; false when there is no more. */
  step(): boolean
}

/** What one block of slots last looked like in one column, so that its names can be reused. */
interface Names {
  slots: readonly number[]
  names: readonly string[]
}

export class Aggregate {
  readonly #bounds: MemberBounds
  readonly #series: SeriesTable
  /** By slot: levels of gauges. */
  #levels = new Float64Array(1024)
  /** By slot: when a gauge last got a level rather than a change, as told by `changeLevel`. */
  #levelAtMs = new Float64Array(1024)
  /** Changes when slots are given to other series. */
  generation = 0
  readonly #samples = new SamplePool()
  #open = new Interval(this.#samples)
  #closed = new Interval(this.#samples)
  #draining: Drain | undefined
  readonly #names = new Map<string, Names>()

  constructor({
    seriesMax,
    membersMax = setMembersMax,
    allMembersMax = allMembers,
    tags = 'dogstatsd',
  }: AggregateOptions) {
    this.#bounds = { membersMax, allMembersMax }
    this.#series = new SeriesTable(seriesMax, tags)
    this.#open.open(1)
  }

  /** Series known now. */
  get seriesCount(): number {
    return this.#series.size
  }

  /** Lines whose set had no room for their member, since the last asking. */
  takeMembersRefused(): number {
    return this.#open.sets.takeRefused() + this.#closed.sets.takeRefused()
  }

  /** Whether the line's series is known, whatever its spelling was. */
  knows(bytes: Buffer, line: Line): boolean {
    return this.#series.has(bytes, line)
  }

  /**
   * Adds a parsed line of the moment `atMs` (only gauges mind); below 0 when it was not taken: `refused` (no room for its
   * series) or `nameless`.
   */
  add(bytes: Buffer, line: Line, atMs: number): number {
    const { kind } = line
    const slot = this.#series.slotOf(bytes, line)
    if (slot < 0) return slot
    const open = this.#open
    if (open.fedIn[slot] !== open.number) open.begin(slot, kind)
    if (kind === counter) {
      open.values[slot] = (open.values[slot] as number) + line.value / line.sampleRate
      open.samples[slot] = (open.samples[slot] as number) + 1
    } else if (kind === timer) open.timers.add(slot, line.value, line.sampleRate)
    else if (kind === gauge) this.#setLevel(slot, line, atMs)
    else open.sets.add(slot, bytes, line.valueStart, line.valueEnd, this.#bounds)
    return slot
  }

  /** The slot of a series by its name on the bus; `refused` when it is new and there is no room. */
  slotNamed(kind: LineKind, name: string): number {
    return this.#series.slotNamed(kind, name)
  }

  /** Adds what somebody else counted. */
  addCounts(slot: number, sum: number, samples: number): void {
    const open = this.#begun(slot)
    open.values[slot] = (open.values[slot] as number) + sum
    open.samples[slot] = (open.samples[slot] as number) + samples
  }

  /** Adds samples that somebody else got; `scaledCount` is what they all stand for. */
  addSamples(slot: number, samples: Float64Array, scaledCount: number): void {
    const { timers } = this.#begun(slot)
    for (const sample of samples) timers.add(slot, sample, Number.POSITIVE_INFINITY)
    timers.addCount(slot, scaledCount)
  }

  addDistribution(slot: number, seen: Distribution): void {
    this.#begun(slot).timers.merge(slot, seen)
  }

  /** Adds the members of the i-th of packed sets, of which `first` is the first. */
  addMembers(slot: number, packed: PackedMembers, i: number, first: number, overflowed: boolean): void {
    const { sets } = this.#begun(slot)
    eachMember(packed, i, first, (start, end) => void sets.add(slot, packed.text, start, end, this.#bounds))
    if (overflowed) sets.markOverflowed(slot)
  }

  /** A level or a signed change that somebody else got at `atMs`; older than the last level, it does not count. */
  changeLevel(slot: number, value: number, isRelative: boolean, atMs: number, nowMs: number): void {
    this.#levelRoom(slot)
    const levelAtMs = this.#levelAtMs[slot] as number
    // A level from the future is one from before the machine's time was set back.
    if (atMs < levelAtMs && levelAtMs <= nowMs) return
    const open = this.#begun(slot)
    const level = isRelative ? (this.#levels[slot] as number) + value : value
    if (!isRelative) this.#levelAtMs[slot] = atMs
    this.#levels[slot] = open.values[slot] = level
    open.writtenMs[slot] = Math.max(open.writtenMs[slot] as number, atMs)
  }

  /** Ends the interval and returns what arrived in it, in batches. */
  take(source: string, bucketMs: number, stepMs: number): readonly MetricsMessage[] {
    const drain = this.drain(source, bucketMs, stepMs)
    while (drain.step());
    return drain.messages
  }

  /** Ends the interval now; the answer's steps make the messages of what arrived in it. */
  drain(source: string, bucketMs: number, stepMs: number): Drain {
    this.#finishDraining()
    const closed = this.#open
    this.#open = this.#closed
    this.#closed = closed
    this.#open.open(closed.number + 1)
    const messages: MetricsMessage[] = []
    const slots = this.#series.slots
    let first = 0
    const step = () => {
      if (first >= slots) return false
      const message = this.#takeBlock(first, Math.min(first + batchSeriesMax, slots), source, bucketMs, stepMs)
      if (message) messages.push(...splitHeavy(message))
      first += batchSeriesMax
      if (first >= slots) closed.release()
      return first < slots
    }
    this.#draining = { messages, step }
    return this.#draining
  }

  /** What has come of each series of a kind in the present interval; gauges have their level. */
  *now(kind: LineKind): Generator<SeriesNow> {
    const { names, kinds } = this.#series
    for (let slot = 0; slot < names.length; slot++) {
      const name = names[slot] as string
      if (kinds[slot] !== kind || name === '') continue
      const open = this.#open
      const isFed = open.isFed(slot)
      const sum = isFed ? (open.values[slot] as number) : 0
      const value = kind === gauge ? (this.#levels[slot] as number) : sum
      yield { name, value, ...(isFed && kind === timer && { seen: open.timers.build(slot) }) }
    }
  }

  /** Forgets the series of a kind whose names are wanted gone, with what came of them in this interval; returns their names. */
  forget(kind: LineKind, isGone: (name: string) => boolean): string[] {
    const { names, kinds } = this.#series
    const gone: string[] = []
    this.#remove((slot) => {
      const name = names[slot] as string
      const isOurs = kinds[slot] === kind && isGone(name)
      if (isOurs) gone.push(name)
      return isOurs
    })
    return gone
  }

  /** Forgets series that have not been fed for this many intervals (gauges lose their level). Returns how many. */
  forgetIdle(intervals: number): number {
    const oldest = this.#open.number - intervals
    return this.#remove((slot) => this.#lastFed(slot) < oldest)
  }

  #lastFed(slot: number): number {
    return Math.max(this.#open.fedIn[slot] ?? 0, this.#closed.fedIn[slot] ?? 0)
  }

  #remove(isGone: (slot: number) => boolean): number {
    this.#finishDraining()
    const gone: number[] = []
    for (let slot = 0; slot < this.#series.slots; slot++) {
      if (this.#series.names[slot] !== '' && isGone(slot)) gone.push(slot)
    }
    if (gone.length === 0) return 0
    for (const slot of gone) {
      this.#open.forget(slot)
      this.#levels[slot] = this.#levelAtMs[slot] = 0
    }
    this.generation++
    this.#series.remove(gone)
    this.#names.clear()
    return gone.length
  }

  /** A flush that is still under way is ended at once, into its own messages. */
  #finishDraining(): void {
    while (this.#draining?.step());
    this.#draining = undefined
  }

  #levelRoom(slot: number): void {
    if (slot < this.#levels.length) return
    this.#levels = grown(this.#levels, Float64Array, slot)
    this.#levelAtMs = grown(this.#levelAtMs, Float64Array, slot)
  }

  /** The open interval, in which the slot has been fed. */
  #begun(slot: number): Interval {
    const open = this.#open
    if (open.fedIn[slot] !== open.number) open.begin(slot, this.#series.kinds[slot] as LineKind)
    return open
  }

  /** The last writer by time stands; of what has one time, the last to come. */
  #setLevel(slot: number, { value, isRelative }: Line, atMs: number): void {
    const open = this.#open
    if (atMs < (open.writtenMs[slot] as number)) return
    open.writtenMs[slot] = atMs
    this.#levelRoom(slot)
    const level = isRelative ? (this.#levels[slot] as number) + value : value
    this.#levels[slot] = level
    open.values[slot] = level
  }

  #takeBlock(first: number, end: number, source: string, bucketMs: number, stepMs: number): MetricsMessage | undefined {
    const closed = this.#closed
    const fed: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let slot = first; slot < end; slot++) {
      if (closed.isFed(slot)) fed[this.#series.kinds[slot] as LineKind].push(slot)
    }
    const [counters, gauges, timers, sets] = fed
    if (counters.length + gauges.length + timers.length + sets.length === 0) return undefined
    const message = emptyMetrics(source, bucketMs, stepMs)
    const names = (kind: LineKind) => this.#namesOf(`${first} ${kind}`, fed[kind])
    message.counters = {
      names: names(counter),
      sums: pick(closed.values, counters),
      samples: pick(closed.samples, counters),
    }
    message.gauges = {
      names: names(gauge),
      values: pick(closed.values, gauges),
      offsetsMs: pick(closed.writtenMs, gauges).map((writtenMs) => writtenMs - (bucketMs - stepMs)),
    }
    if (timers.length > 0) message.timers = packedTimers(names(timer), closed.timers.pack(timers))
    if (sets.length > 0) {
      const overflowed = sets.map((slot) => closed.sets.overflowed(slot))
      message.sets = packedSets(names(set), closed.sets.pack(sets), overflowed)
    }
    return message
  }

  #namesOf(key: string, slots: readonly number[]): readonly string[] {
    const last = this.#names.get(key)
    if (last && last.slots.length === slots.length && last.slots.every((slot, i) => slot === slots[i]))
      return last.names
    const names = slots.map((slot) => this.#series.names[slot] as string)
    this.#names.set(key, { slots, names })
    return names
  }
}

function pick(values: Float64Array, slots: readonly number[]): Float64Array {
  const picked = new Float64Array(slots.length)
  for (let i = 0; i < slots.length; i++) picked[i] = values[slots[i] as number] as number
  return picked
}
