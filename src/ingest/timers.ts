/**
 * Timers: the samples of many timers in one interval, by slot, without an object for each.
 *
 * A timer's first `fewMax` samples are a linked list in arrays that all timers share; whoever gets more has a
 * DistributionBuilder from then on.
 *
 *     heads[slot] → entry → next entry → … → 0        values[entry], nexts[entry]
 */
import { type Distribution, DistributionBuilder } from '../model/distribution.ts'
import { grown } from './series.ts'

/** Samples of one timer before it gets a builder. */
export const fewMax = 32

/** Samples of several timers, one timer after another, and the distributions of those with many. */
export interface TimerList {
  slots: Int32Array
  sizes: Int32Array
  /** What the samples of each stand for. */
  scaledCounts: Float64Array
  samples: Float64Array
  large: readonly { slot: number; seen: Distribution }[]
}

const none = new Float64Array(0)
const nothing: Distribution = {
  count: 0,
  sum: 0,
  sumSquares: 0,
  min: Number.POSITIVE_INFINITY,
  max: Number.NEGATIVE_INFINITY,
  exact: true,
  values: none,
  counts: none,
}

export class Timers {
  #heads = new Int32Array(1024)
  #sizes = new Uint8Array(1024)
  #scaledCounts = new Float64Array(1024)
  /** Entry 0 is the end of every list. */
  #values = new Float64Array(1024)
  #nexts = new Int32Array(1024)
  #end = 1
  readonly #builders = new Map<number, DistributionBuilder>()

  /** Forgets all samples; every slot is to be begun anew. */
  clear(): void {
    this.#end = 1
    this.#builders.clear()
  }

  /** The slot's first sample of the interval is about to come. */
  begin(slot: number): void {
    while (slot >= this.#heads.length) {
      this.#heads = grown(this.#heads, Int32Array)
      this.#sizes = grown(this.#sizes, Uint8Array)
      this.#scaledCounts = grown(this.#scaledCounts, Float64Array)
    }
    this.#heads[slot] = 0
    this.#sizes[slot] = 0
    this.#scaledCounts[slot] = 0
  }

  /** Adds one finite sample that stands for `1 / sampleRate`. */
  add(slot: number, sample: number, sampleRate: number): void {
    const size = this.#sizes[slot] as number
    if (size === fewMax) {
      this.#builderOf(slot).add(sample, sampleRate)
      return
    }
    const entry = this.#end++
    if (entry === this.#values.length) {
      this.#values = grown(this.#values, Float64Array)
      this.#nexts = grown(this.#nexts, Int32Array)
    }
    this.#values[entry] = sample + 0 // turns -0 into 0
    this.#nexts[entry] = this.#heads[slot] as number
    this.#heads[slot] = entry
    this.#sizes[slot] = size + 1
    this.#scaledCounts[slot] = (this.#scaledCounts[slot] as number) + 1 / sampleRate
  }

  /** What samples that came with rate infinity (for nothing) stand for. */
  addCount(slot: number, scaledCount: number): void {
    const builder = this.#builders.get(slot)
    if (builder) builder.merge({ ...nothing, count: scaledCount })
    else this.#scaledCounts[slot] = (this.#scaledCounts[slot] as number) + scaledCount
  }

  /** Adds what somebody else saw. */
  merge(slot: number, seen: Distribution): void {
    this.#builderOf(slot).merge(seen)
    this.#sizes[slot] = fewMax
  }

  build(slot: number): Distribution {
    return this.buildAll([slot])[0] as Distribution
  }

  /** The distributions of slots that have samples; those with few share one block of memory. */
  buildAll(slots: readonly number[]): Distribution[] {
    let few = 0
    for (const slot of slots) few += this.#sizes[slot] as number
    const room = new Room(2 * few)
    return slots.map((slot) => this.#builders.get(slot)?.build() ?? this.#buildFew(slot, room))
  }

  /** The samples of slots that have some, as they came. */
  list(slots: readonly number[]): TimerList {
    const large = slots.filter((slot) => this.#builders.has(slot))
    const few = slots.filter((slot) => !this.#builders.has(slot))
    const sizes = Int32Array.from(few, (slot) => this.#sizes[slot] as number)
    const samples = new Float64Array(sizes.reduce((sum, size) => sum + size, 0))
    let end = 0
    few.forEach((slot, i) => {
      end += sizes[i] as number
      let entry = this.#heads[slot] as number
      for (let at = end - 1; entry !== 0; at--) {
        samples[at] = this.#values[entry] as number
        entry = this.#nexts[entry] as number
      }
    })
    const scaledCounts = Float64Array.from(few, (slot) => this.#scaledCounts[slot] as number)
    const seen = large.map((slot) => ({ slot, seen: (this.#builders.get(slot) as DistributionBuilder).build() }))
    return { slots: Int32Array.from(few), sizes, scaledCounts, samples, large: seen }
  }

  #builderOf(slot: number): DistributionBuilder {
    let builder = this.#builders.get(slot)
    if (!builder) {
      builder = new DistributionBuilder()
      if (this.#sizes[slot] !== 0) builder.merge(this.#buildFew(slot, new Room(2 * fewMax)))
      this.#builders.set(slot, builder)
    }
    return builder
  }

  #buildFew(slot: number, room: Room): Distribution {
    const size = this.#sizes[slot] as number
    let entry = this.#heads[slot] as number
    for (let i = size - 1; i >= 0; i--) {
      scratch[i] = this.#values[entry] as number
      entry = this.#nexts[entry] as number
    }
    let sum = 0
    let sumSquares = 0
    for (let i = 0; i < size; i++) {
      const value = scratch[i] as number
      sum += value
      sumSquares += value * value
    }
    sortScratch(size)
    const { values, counts } = pairsOfScratch(size, room)
    const [min, max] = [scratch[0] as number, scratch[size - 1] as number]
    return { count: this.#scaledCounts[slot] as number, sum, sumSquares, min, max, exact: true, values, counts }
  }
}

/** One block of zeros, given away piece by piece: an array of its own for each timer would cost more than its values. */
class Room {
  readonly #buffer: ArrayBuffer
  #at = 0

  constructor(length: number) {
    this.#buffer = new ArrayBuffer(8 * length)
  }

  take(length: number): Float64Array {
    const piece = new Float64Array(this.#buffer, this.#at, length)
    this.#at += piece.byteLength
    return piece
  }
}

const scratch = new Float64Array(fewMax)
/** Counts of samples that all differ, by how many there are; nobody changes a distribution. */
const ones = Array.from({ length: fewMax + 1 }, (_, length) => new Float64Array(length).fill(1))

/** Insertion sort: quick for so few, and most come nearly in order or nearly alike. */
function sortScratch(size: number): void {
  for (let i = 1; i < size; i++) {
    const value = scratch[i] as number
    let at = i - 1
    for (; at >= 0 && (scratch[at] as number) > value; at--) scratch[at + 1] = scratch[at] as number
    scratch[at + 1] = value
  }
}

/** Distinct values of the sorted scratch and how often each is there. */
function pairsOfScratch(size: number, room: Room): { values: Float64Array; counts: Float64Array } {
  let distinct = size > 0 ? 1 : 0
  for (let i = 1; i < size; i++) if (scratch[i] !== scratch[i - 1]) distinct++
  const values = room.take(distinct)
  const counts = distinct === size ? (ones[size] as Float64Array) : room.take(distinct)
  let at = -1
  for (let i = 0; i < size; i++) {
    if (i === 0 || scratch[i] !== scratch[i - 1]) values[++at] = scratch[i] as number
    if (distinct !== size) counts[at] = (counts[at] as number) + 1
  }
  return { values, counts }
}
