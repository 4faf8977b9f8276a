/**
 * Aggregate: one flush interval of statsd lines, by series, and its form as metrics messages.
 *
 * Counters add up scaled by their sample rate, gauges keep their last value (also from interval to interval, as the base
 * of relative changes), timers collect a distribution, sets their members. `take` ends an interval: it returns only what
 * arrived in it, and what comes afterwards belongs to the next.
 *
 * Series stand in order of first appearance, a fixed block of slots to a message, so that an unchanged set of series
 * gives the very same `names` arrays flush after flush.
 */
import { type Distribution, DistributionBuilder } from '../model/distribution.ts'
import { emptyMetrics, type MetricsMessage, setMembersMax } from '../model/metric.ts'
import { setBytesMax, splitHeavy } from './batch.ts'
import type { TagStyle } from './name.ts'
import { counter, gauge, type Line, type LineKind, set, timer } from './parse.ts'
import { grown, SeriesTable } from './series.ts'

/** Series in one message. */
export const batchSeriesMax = 1000
/** Set members kept in one interval, all sets together. */
const allMembers = 2_000_000

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

interface Members {
  values: Set<string>
  bytes: number
  overflowed: boolean
}

/** What one block of slots last looked like in one column, so that its names can be reused. */
interface Names {
  slots: readonly number[]
  names: readonly string[]
}

export class Aggregate {
  readonly #membersMax: number
  readonly #allMembersMax: number
  #series: SeriesTable
  /** By slot: the interval in which it was last fed. */
  #fedIn = new Uint32Array(1024)
  /** By slot: sum of a counter, level of a gauge. */
  #values = new Float64Array(1024)
  #samples = new Float64Array(1024)
  #timers: (DistributionBuilder | undefined)[] = []
  #sets: (Members | undefined)[] = []
  #allMembers = 0
  #interval = 1
  #names = new Map<string, Names>()

  constructor({
    seriesMax,
    membersMax = setMembersMax,
    allMembersMax = allMembers,
    tags = 'dogstatsd',
  }: AggregateOptions) {
    this.#allMembersMax = allMembersMax
    this.#series = new SeriesTable(seriesMax, tags)
    this.#membersMax = membersMax
  }

  /** Series known now. */
  get seriesCount(): number {
    return this.#series.size
  }

  /** Whether the line's series is known, whatever its spelling was. */
  knows(bytes: Buffer, line: Line): boolean {
    return this.#series.has(bytes, line)
  }

  /** Adds a parsed line; below 0 when it was not taken: `refused` (no room for its series) or `nameless`. */
  add(bytes: Buffer, line: Line): number {
    const { kind } = line
    const slot = this.#series.slotOf(bytes, line)
    if (slot < 0) return slot
    if (slot >= this.#fedIn.length) this.#grow()
    if (this.#fedIn[slot] !== this.#interval) this.#begin(slot, kind)
    if (kind === counter) {
      this.#values[slot] = (this.#values[slot] as number) + line.value / line.sampleRate
      this.#samples[slot] = (this.#samples[slot] as number) + 1
    } else if (kind === timer) (this.#timers[slot] as DistributionBuilder).add(line.value, line.sampleRate)
    else if (kind === gauge)
      this.#values[slot] = line.isRelative ? (this.#values[slot] as number) + line.value : line.value
    else this.#addMember(slot, bytes.toString('utf8', line.valueStart, line.valueEnd))
    return slot
  }

  /** Ends the interval and returns what arrived in it, in batches. */
  take(source: string, bucketMs: number, stepMs: number): MetricsMessage[] {
    const messages: MetricsMessage[] = []
    for (let first = 0; first < this.#series.size; first += batchSeriesMax) {
      const message = this.#takeBlock(first, emptyMetrics(source, bucketMs, stepMs))
      if (message) messages.push(...splitHeavy(message))
    }
    this.#interval++
    this.#allMembers = 0
    return messages
  }

  /** What has come of each series of a kind in the present interval; gauges have their level. */
  *now(kind: LineKind): Generator<SeriesNow> {
    const series = this.#series
    for (let slot = 0; slot < series.size; slot++) {
      if (series.kinds[slot] !== kind) continue
      const isFed = this.#fedIn[slot] === this.#interval
      const value = isFed || kind === gauge ? (this.#values[slot] as number) : 0
      const seen = isFed ? this.#timers[slot]?.build() : undefined
      yield { name: series.names[slot] as string, value, ...(seen && { seen }) }
    }
  }

  /** Forgets the series of a kind whose names are wanted gone, with what came of them in this interval; returns their names. */
  forget(kind: LineKind, isGone: (name: string) => boolean): string[] {
    const { names, kinds } = this.#series
    const gone = names.filter((name, slot) => kinds[slot] === kind && isGone(name))
    if (gone.length > 0) this.#keep((slot) => kinds[slot] !== kind || !isGone(names[slot] as string))
    return gone
  }

  /** Forgets series that have not been fed for this many intervals (gauges lose their level). Returns how many. */
  forgetIdle(intervals: number): number {
    return this.#keep((slot) => this.#interval - (this.#fedIn[slot] as number) <= intervals)
  }

  /** Keeps the slots that are wanted and returns how many are gone. */
  #keep(isKept: (slot: number) => boolean): number {
    const before = this.#series.size
    const { table, kept } = this.#series.filter(isKept)
    if (kept.length === before) return 0
    this.#series = table
    kept.forEach((from, to) => {
      this.#fedIn[to] = this.#fedIn[from] as number
      this.#values[to] = this.#values[from] as number
      this.#samples[to] = this.#samples[from] as number
    })
    this.#fedIn.fill(0, kept.length)
    this.#values.fill(0, kept.length)
    this.#timers = kept.map((slot) => this.#timers[slot])
    this.#sets = kept.map((slot) => this.#sets[slot])
    this.#names.clear()
    return before - kept.length
  }

  #begin(slot: number, kind: Line['kind']): void {
    this.#fedIn[slot] = this.#interval
    if (kind === counter) {
      this.#values[slot] = 0
      this.#samples[slot] = 0
    } else if (kind === timer) this.#timers[slot] = new DistributionBuilder()
    else if (kind === set) this.#sets[slot] = { values: new Set(), bytes: 0, overflowed: false }
  }

  #addMember(slot: number, text: string): void {
    const members = this.#sets[slot] as Members
    const member = text === '' ? '0' : text
    if (members.values.has(member)) return
    const isFull = members.values.size >= this.#membersMax || members.bytes + member.length > setBytesMax
    if (isFull || this.#allMembers >= this.#allMembersMax) members.overflowed = true
    else {
      members.values.add(member)
      members.bytes += member.length
      this.#allMembers++
    }
  }

  #grow(): void {
    this.#fedIn = grown(this.#fedIn, Uint32Array)
    this.#values = grown(this.#values, Float64Array)
    this.#samples = grown(this.#samples, Float64Array)
  }

  #takeBlock(first: number, message: MetricsMessage): MetricsMessage | undefined {
    const end = Math.min(first + batchSeriesMax, this.#series.size)
    const fed: number[][] = [[], [], [], []]
    for (let slot = first; slot < end; slot++) {
      if (this.#fedIn[slot] === this.#interval) fed[this.#series.kinds[slot] as number]?.push(slot)
    }
    const [counters, gauges, timers, sets] = fed as [number[], number[], number[], number[]]
    if (counters.length + gauges.length + timers.length + sets.length === 0) return undefined
    const names = (kind: number) => this.#namesOf(`${first} ${kind}`, fed[kind] as number[])
    message.counters = {
      names: names(counter),
      sums: pick(this.#values, counters),
      samples: pick(this.#samples, counters),
    }
    message.gauges = { names: names(gauge), values: pick(this.#values, gauges) }
    message.timers = { names: names(timer), distributions: timers.map((slot) => this.#takeTimer(slot)) }
    const members = sets.map((slot) => this.#takeSet(slot))
    message.sets = {
      names: names(set),
      members: members.map(({ values }) => [...values]),
      overflowed: members.map(({ overflowed }) => overflowed),
    }
    return message
  }

  #takeTimer(slot: number): Distribution {
    const builder = this.#timers[slot] as DistributionBuilder
    this.#timers[slot] = undefined
    return builder.build()
  }

  #takeSet(slot: number): Members {
    const members = this.#sets[slot] as Members
    this.#sets[slot] = undefined
    return members
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
