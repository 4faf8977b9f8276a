/**
 * Interval: what came in one flush interval, by slot. There are two, one that is open and one that is being flushed, so
 * that a flush can take its time.
 */
import { setBytesMax } from './batch.ts'
import { counter, gauge, type LineKind, set, timer } from './parse.ts'
import { grown } from './series.ts'
import { SamplePool, Timers } from './timers.ts'

/** Members of one set. Few are looked for one by one: a Set for each of very many sets would be several times as large. */
export class Members {
  bytes = 0
  overflowed = false
  #values: string[] | Set<string> = []

  get size(): number {
    return Array.isArray(this.#values) ? this.#values.length : this.#values.size
  }

  has(member: string): boolean {
    return Array.isArray(this.#values) ? this.#values.includes(member) : this.#values.has(member)
  }

  /** Adds one that is not there. */
  add(member: string): void {
    this.bytes += member.length
    if (!Array.isArray(this.#values)) this.#values.add(member)
    else if (this.#values.length < fewMembersMax) this.#values.push(member)
    else this.#values = new Set([...this.#values, member])
  }

  list(): string[] {
    return [...this.#values]
  }
}

const fewMembersMax = 8

/** Members kept of one set, and of all sets together. */
export interface MemberBounds {
  membersMax: number
  allMembersMax: number
}

export class Interval {
  /** By slot: the number of the interval in which it was last fed here. */
  fedIn = new Uint32Array(1024)
  /** By slot: sum of a counter, level of a gauge. */
  values = new Float64Array(1024)
  samples = new Float64Array(1024)
  /** By slot: when a gauge was last written, epoch ms. */
  writtenMs = new Float64Array(1024)
  readonly timers: Timers
  readonly sets = new Map<number, Members>()
  /** Members of all sets. */
  memberCount = 0
  number = 0

  constructor(samples = new SamplePool()) {
    this.timers = new Timers(samples)
  }

  /** Begins anew, as interval `number`. */
  open(number: number): void {
    this.number = number
    this.release()
  }

  /** Lets go of what came, which is elsewhere by now. */
  release(): void {
    this.timers.clear()
    this.sets.clear()
    this.memberCount = 0
  }

  isFed(slot: number): boolean {
    return this.fedIn[slot] === this.number
  }

  /** The first line of the slot in this interval is about to be added. */
  begin(slot: number, kind: LineKind): void {
    while (slot >= this.fedIn.length) this.#grow()
    this.fedIn[slot] = this.number
    if (kind === counter) {
      this.values[slot] = 0
      this.samples[slot] = 0
    } else if (kind === gauge) this.writtenMs[slot] = Number.NEGATIVE_INFINITY
    else if (kind === timer) this.timers.begin(slot)
    else if (kind === set) this.sets.set(slot, new Members())
  }

  /** Adds a member to the slot's set; false when there is no room, which marks the set. */
  addMember(slot: number, member: string, { membersMax, allMembersMax }: MemberBounds): boolean {
    const members = this.sets.get(slot) as Members
    if (members.has(member)) return true
    const isFull = members.size >= membersMax || members.bytes + member.length > setBytesMax
    if (isFull || this.memberCount >= allMembersMax) {
      members.overflowed = true
      return false
    }
    members.add(member)
    this.memberCount++
    return true
  }

  /** What came of the slot does not count. */
  forget(slot: number): void {
    if (slot < this.fedIn.length) this.fedIn[slot] = 0
  }

  #grow(): void {
    this.fedIn = grown(this.fedIn, Uint32Array)
    this.values = grown(this.values, Float64Array)
    this.samples = grown(this.samples, Float64Array)
    this.writtenMs = grown(this.writtenMs, Float64Array)
  }
}
