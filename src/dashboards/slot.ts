/**
 * Slot: everything that arrived in ten seconds, one number per series and a distribution per timer.
 *
 * While a slot is open its timers and sets still grow; closing packs them. Missing is NaN, never 0: what an absence means
 * depends on the kind of the series and on whether its source was alive, see query.ts.
 */
import { type Distribution, DistributionBuilder } from '../model/distribution.ts'
import { setMembersMax } from '../model/metric.ts'
import { PackedTimers, reduceTimer, type TimerPoints } from './packed-timers.ts'

export const slotMs = 10_000

export class Slot {
  /** Nominal end, epoch ms; the slot covers (endMs − slotMs, endMs]. */
  readonly endMs: number
  /** The newest bucket heard of in this slot. */
  lastBucketMs = 0
  /** Lasting names of the sources that marked a bucket in this slot. */
  readonly sources = new Set<string>()
  #values: Float32Array
  #builders: Map<number, DistributionBuilder> | undefined = new Map()
  #members: Map<number, Set<string>> | undefined = new Map()
  #packed: PackedTimers | undefined

  /** Takes over the memory of `former`, a slot that is not used any more. */
  constructor(endMs: number, capacity: number, former?: Slot) {
    this.endMs = endMs
    const reused = former && former.#values.length >= capacity ? former.#values : undefined
    this.#values = (reused ?? new Float32Array(capacity)).fill(Number.NaN)
    if (former) former.#values = new Float32Array(0)
  }

  get isOpen(): boolean {
    return this.#builders !== undefined
  }

  get bytes(): number {
    return this.#values.byteLength + (this.#packed?.bytes ?? 0)
  }

  /** NaN where nothing arrived. */
  value(id: number): number {
    return this.#values[id] ?? Number.NaN
  }

  timer(id: number): TimerPoints | undefined {
    const builder = this.#builders?.get(id)
    return builder ? reduceTimer(builder.build()) : this.#packed?.get(id)
  }

  add(id: number, value: number): void {
    const before = this.value(id)
    this.set(id, Number.isNaN(before) ? value : before + value)
  }

  set(id: number, value: number): void {
    if (id >= this.#values.length) this.#grow(id)
    this.#values[id] = value
  }

  /** False when the slot is closed and the timer comes too late. */
  addTimer(id: number, distribution: Distribution): boolean {
    if (!this.#builders) return false
    let builder = this.#builders.get(id)
    if (!builder) {
      builder = new DistributionBuilder()
      this.#builders.set(id, builder)
    }
    builder.merge(distribution)
    return true
  }

  /** False when the slot is closed. Beyond `setMembersMax` members more of them are not told apart. */
  addMembers(id: number, members: readonly string[]): boolean {
    if (!this.#members) return false
    const known = this.#members.get(id) ?? new Set()
    for (const member of members) if (known.size < setMembersMax) known.add(member)
    this.#members.set(id, known)
    this.set(id, known.size)
    return true
  }

  close(): void {
    if (!this.#builders) return
    this.#packed = new PackedTimers(new Map([...this.#builders].map(([id, builder]) => [id, builder.build()])))
    this.#builders = undefined
    this.#members = undefined
  }

  #grow(id: number): void {
    const grown = new Float32Array(Math.ceil((id + 1) * 1.25)).fill(Number.NaN)
    grown.set(this.#values)
    this.#values = grown
  }
}
