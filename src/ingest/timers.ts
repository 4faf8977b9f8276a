/**
 * Timers: the samples of many timers in one interval, by slot, without an object for each.
 *
 * A timer's first `fewMax` samples are a linked list in arrays that all timers share; whoever gets more has a
 * DistributionBuilder from then on.
 *
 *     heads[slot] → entry → next entry → … → 0        values, nexts of entries, in pieces
 *
 * Pieces come from a pool that the open interval and the one that is being flushed share: what one lets go of the other
 * takes, and nothing is copied when it grows.
 */
import { type Distribution, DistributionBuilder } from '../model/distribution.ts'
import { figuresEach, isOnce, type PackedDistributions, pairsSize, unpacked } from '../model/packed-distributions.ts'
import { grown } from './series.ts'

/** Samples of one timer before it gets a builder, which would be larger than so many. */
export const fewMax = 250
/** Samples that are sorted by insertion: quick for so few, and most come nearly in order or nearly alike. */
const insertionMax = 32

/** Samples of several timers, one timer after another, and the distributions of those with many. */
export interface TimerList {
  slots: Int32Array
  sizes: Int32Array
  /** What the samples of each stand for. */
  scaledCounts: Float64Array
  samples: Float64Array
  large: readonly { slot: number; seen: Distribution }[]
}

const pieceBits = 14
const pieceMask = (1 << pieceBits) - 1

interface Piece {
  values: Float64Array
  nexts: Int32Array
}

export class SamplePool {
  readonly #free: Piece[] = []

  take(): Piece {
    const size = 1 << pieceBits
    return this.#free.pop() ?? { values: new Float64Array(size), nexts: new Int32Array(size) }
  }

  giveBack(pieces: readonly Piece[]): void {
    this.#free.push(...pieces)
  }
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
  #end = 1
  readonly #pieces: Piece[] = []
  readonly #pool: SamplePool
  readonly #builders = new Map<number, DistributionBuilder>()

  /** The pool may be shared with others. */
  constructor(pool = new SamplePool()) {
    this.#pool = pool
  }

  /** Forgets all samples; every slot is to be begun anew. */
  clear(): void {
    this.#end = 1
    this.#pool.giveBack(this.#pieces.splice(0))
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
    let piece = this.#pieces[entry >>> pieceBits]
    if (piece === undefined) {
      piece = this.#pool.take()
      this.#pieces.push(piece)
    }
    const at = entry & pieceMask
    piece.values[at] = sample + 0 // turns -0 into 0
    piece.nexts[at] = this.#heads[slot] as number
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
    return unpacked(this.pack([slot]))[0] as Distribution
  }

  /** The distributions of slots that have samples. */
  pack(slots: readonly number[]): PackedDistributions {
    const packer = new Packer(slots.length)
    for (const slot of slots) {
      const seen = this.#builders.get(slot)?.build()
      if (seen) packer.put(seen)
      else packer.putSamples(this.#fill(slot), this.#scaledCounts[slot] as number)
    }
    return packer.packed()
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
      this.#copy(slot, samples, end)
    })
    const scaledCounts = Float64Array.from(few, (slot) => this.#scaledCounts[slot] as number)
    const seen = large.map((slot) => ({ slot, seen: (this.#builders.get(slot) as DistributionBuilder).build() }))
    return { slots: Int32Array.from(few), sizes, scaledCounts, samples, large: seen }
  }

  #builderOf(slot: number): DistributionBuilder {
    let builder = this.#builders.get(slot)
    if (!builder) {
      builder = new DistributionBuilder()
      if (this.#sizes[slot] !== 0) builder.merge(this.build(slot))
      this.#builders.set(slot, builder)
    }
    return builder
  }

  /** Copies the slot's samples to the scratch, as they came, and returns how many there are. */
  #fill(slot: number): number {
    const size = this.#sizes[slot] as number
    this.#copy(slot, scratch, size)
    return size
  }

  /** Copies the slot's samples, as they came, to before `end`. */
  #copy(slot: number, to: Float64Array, end: number): void {
    let entry = this.#heads[slot] as number
    for (let at = end - 1; entry !== 0; at--) {
      const { values, nexts } = this.#pieces[entry >>> pieceBits] as Piece
      to[at] = values[entry & pieceMask] as number
      entry = nexts[entry & pieceMask] as number
    }
  }
}

const scratch = new Float64Array(fewMax)
/** Where pairs are put before it is known how many there are; one packer at a time. */
let pairsScratch = new Float64Array(16_384)

/** Puts distributions behind one another. */
class Packer {
  readonly #sizes: Int32Array
  readonly #exact: Uint8Array
  readonly #once: Uint8Array
  readonly #figures: Float64Array
  #count = 0
  #at = 0

  constructor(count: number) {
    this.#sizes = new Int32Array(count)
    this.#exact = new Uint8Array(count)
    this.#once = new Uint8Array(count)
    this.#figures = new Float64Array(count * figuresEach)
  }

  put({ values, counts, exact, count, sum, sumSquares, min, max }: Distribution): void {
    const pairs = this.#room(2 * values.length)
    const once = isOnce(counts)
    pairs.set(values, this.#at)
    if (!once) pairs.set(counts, this.#at + values.length)
    this.#end(values.length, exact, once, count, sum, sumSquares, min, max)
  }

  /** The first `size` samples of the scratch; `scaledCount` is what they stand for. */
  putSamples(size: number, scaledCount: number): void {
    let sum = 0
    let sumSquares = 0
    for (let i = 0; i < size; i++) {
      const value = scratch[i] as number
      sum += value
      sumSquares += value * value
    }
    sortScratch(size)
    const distinct = distinctOfScratch(size)
    this.#putPairs(size, distinct)
    const once = distinct === size
    this.#end(distinct, true, once, scaledCount, sum, sumSquares, scratch[0] as number, scratch[size - 1] as number)
  }

  packed(): PackedDistributions {
    const pairs = pairsScratch.slice(0, this.#at)
    return { sizes: this.#sizes, exact: this.#exact, once: this.#once, figures: this.#figures, pairs }
  }

  #room(pairs: number): Float64Array {
    if (this.#at + pairs > pairsScratch.length) pairsScratch = grown(pairsScratch, Float64Array, this.#at + pairs)
    return pairsScratch
  }

  /** The samples of the scratch, in order by now: values, and counts unless all came once. */
  #putPairs(size: number, distinct: number): void {
    const pairs = this.#room(2 * size)
    let at = this.#at
    if (distinct === size) {
      for (let i = 0; i < size; i++) pairs[at++] = scratch[i] as number
      return
    }
    pairs.fill(0, at + distinct, at + 2 * distinct)
    for (let i = 0; i < size; i++) {
      if (i > 0 && scratch[i] !== scratch[i - 1]) at++
      pairs[at] = scratch[i] as number
      pairs[at + distinct] = (pairs[at + distinct] as number) + 1
    }
  }

  #end(
    size: number,
    exact: boolean,
    once: boolean,
    count: number,
    sum: number,
    sumSquares: number,
    min: number,
    max: number,
  ): void {
    const i = this.#count++
    this.#sizes[i] = size
    this.#exact[i] = Number(exact)
    this.#once[i] = Number(once)
    const figures = this.#figures
    const from = i * figuresEach
    figures[from] = count
    figures[from + 1] = sum
    figures[from + 2] = sumSquares
    figures[from + 3] = min
    figures[from + 4] = max
    this.#at += pairsSize(size, once)
  }
}

function distinctOfScratch(size: number): number {
  let distinct = size > 0 ? 1 : 0
  for (let i = 1; i < size; i++) if (scratch[i] !== scratch[i - 1]) distinct++
  return distinct
}

function sortScratch(size: number): void {
  if (size > insertionMax) {
    scratch.subarray(0, size).sort()
    return
  }
  for (let i = 1; i < size; i++) {
    const value = scratch[i] as number
    let at = i - 1
    for (; at >= 0 && (scratch[at] as number) > value; at--) scratch[at + 1] = scratch[at] as number
    scratch[at + 1] = value
  }
}
