/**
 * Slot: everything that arrived in ten seconds, one number per series and a distribution per timer.
 *
 * While a slot is open its timers and sets still grow; closing packs them. Missing is NaN, never 0: what an absence means
 * depends on the kind of the series and on whether its source was alive, see query.ts.
 */
import { type Distribution, DistributionBuilder } from '../model/distribution.ts'
import { setMembersMax } from '../model/metric.ts'
import { PackedTimers, reduceTimer, type TimerPoints } from './packed-timers.ts'
import { PackedValues } from './packed-values.ts'

export const slotMs = 10_000

export class Slot {
  /** Nominal end, epoch ms; the slot covers (endMs − slotMs, endMs]. */
  readonly endMs: number
  /** The newest bucket heard of in this slot. */
  lastBucketMs = 0
  /** Lasting names of the sources that marked a bucket in this slot. */
  readonly sources = new Set<string>()
  /** While the slot is written to; packed otherwise. */
  #values: Float32Array | undefined
  #packedValues: PackedValues | undefined
  /** By series, while the slot is open: when a gauge was last written, counted from the slot's end. */
  #written: Float32Array | undefined
  #builders: Map<number, DistributionBuilder> | undefined = new Map()
  #members: Map<number, Set<string>> | undefined = new Map()
  #packedTimers: PackedTimers | undefined

  /** `spare` is memory that a closed slot left behind. */
  constructor(endMs: number, capacity: number, spare?: Float32Array) {
    this.endMs = endMs
    const isLargeEnough = spare !== undefined && spare.length >= capacity
    this.#values = (isLargeEnough ? spare : new Float32Array(capacity)).fill(Number.NaN)
  }

  get isOpen(): boolean {
    return this.#builders !== undefined
  }

  get bytes(): number {
    const values = this.#values?.byteLength ?? this.#packedValues?.bytes ?? 0
    return values + (this.#written?.byteLength ?? 0) + (this.#packedTimers?.bytes ?? 0)
  }

  /** NaN where nothing arrived. */
  value(id: number): number {
    return this.#values ? (this.#values[id] ?? Number.NaN) : (this.#packedValues as PackedValues).get(id)
  }

  timer(id: number): TimerPoints | undefined {
    const builder = this.#builders?.get(id)
    return builder ? reduceTimer(builder.build()) : this.#packedTimers?.get(id)
  }

  add(id: number, value: number): void {
    const before = this.value(id)
    this.set(id, Number.isNaN(before) ? value : before + value)
  }

  set(id: number, value: number): void {
    let values = this.#values ?? (this.#packedValues as PackedValues).unpack()
    if (id >= values.length) values = grown(values, id)
    this.#values = values
    values[id] = value
  }

  /** A gauge that several daemons sent is what was written last; once the slot is closed, what comes last. */
  setGauge(id: number, value: number, writtenMs: number): void {
    if (this.isOpen) {
      let written = this.#written
      if (!written || id >= written.length) written = grown(written ?? new Float32Array(0), id)
      this.#written = written
      const offsetMs = writtenMs - this.endMs
      if ((written[id] as number) > offsetMs) return
      written[id] = offsetMs
    }
    this.set(id, value)
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

  /** Packs what was written since the last time; returns memory that is not needed any more. */
  close(): Float32Array | undefined {
    const spare = this.#values
    if (spare) this.#packedValues = new PackedValues(spare)
    this.#values = undefined
    this.#written = undefined
    if (this.#builders) this.#closeTimers(this.#builders)
    return spare
  }

  #closeTimers(builders: ReadonlyMap<number, DistributionBuilder>): void {
    this.#packedTimers = new PackedTimers(new Map([...builders].map(([id, builder]) => [id, builder.build()])))
    this.#builders = undefined
    this.#members = undefined
  }
}

function grown(values: Float32Array, id: number): Float32Array {
  const larger = new Float32Array(Math.ceil((id + 1) * 1.25)).fill(Number.NaN)
  larger.set(values)
  return larger
}
