/**
 * Distribution: what a timer saw, mergeable without order mattering.
 *
 * Up to `exactValuesMax` distinct values are kept as exact value → count pairs. Above that every value is replaced by the
 * representative of its DDSketch bin (Masson, Rim and Lee, "DDSketch", VLDB 2019) with relative accuracy 1 %. A
 * representative lies inside its own bin, so a sketch is again value → count pairs and merging is adding counts.
 *
 * Bins come from the float's exponent and a cubic in its significand (the paper's "cubic interpolation"), with no
 * logarithm: every machine and every replay puts a value into the same bin.
 */
export const exactValuesMax = 512
/** Bins kept per sketch; beyond it the lowest are folded into the lowest kept one (the paper's collapsing store). */
export const sketchBinsMax = 4096

const relativeAccuracy = 0.01
// Bins per unit of `cubicLog2`: 7 / (10 · ln(γ)), γ = 1.01 / 0.99, which keeps every bin narrower than γ.
const binsPerOctave = 34.998833317

export interface Distribution {
  /** Samples scaled by their sample rate: one sample at rate 0.1 counts as 10. */
  count: number
  /** Sum, sum of squares, least and greatest of the values as received, unscaled. */
  sum: number
  sumSquares: number
  min: number
  max: number
  /** False once values have been replaced by bin representatives. */
  exact: boolean
  /** Distinct values in ascending order and how often each was received (unscaled). */
  values: Float64Array
  counts: Float64Array
}

/** Distinct values that are looked for one by one; a map of so few would be slower and larger. */
const fewMax = 16

/** Collects samples into a Distribution; the mutable side, one per timer and flush. */
export class DistributionBuilder {
  /** While there are few distinct values; afterwards they are in the pairs. */
  readonly #fewValues: number[] = []
  readonly #fewCounts: number[] = []
  #pairs: Map<number, number> | undefined
  #exact = true
  #count = 0
  #sum = 0
  #sumSquares = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY

  /** Adds one finite value that stands for `1 / sampleRate` samples. */
  add(sample: number, sampleRate = 1): void {
    const value = sample + 0 // turns -0 into 0
    this.#count += 1 / sampleRate
    this.#sum += value
    this.#sumSquares += value * value
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    this.#put(value, 1)
  }

  /** Adds everything another builder's distribution saw. */
  merge(other: Distribution): void {
    this.#count += other.count
    this.#sum += other.sum
    this.#sumSquares += other.sumSquares
    if (other.min < this.#min) this.#min = other.min
    if (other.max > this.#max) this.#max = other.max
    if (!other.exact) this.#quantise()
    for (let i = 0; i < other.values.length; i++) this.#put(other.values[i] as number, other.counts[i] as number)
  }

  build(): Distribution {
    const { values, counts } = this.#pairs ? sortedPairs(this.#pairs) : sortedFew(this.#fewValues, this.#fewCounts)
    return {
      count: this.#count,
      sum: this.#sum,
      sumSquares: this.#sumSquares,
      min: this.#min,
      max: this.#max,
      exact: this.#exact,
      values,
      counts,
    }
  }

  #put(value: number, count: number): void {
    if (this.#pairs) this.#putPair(this.#pairs, value, count)
    else if (!this.#putFew(value, count)) this.#putPair(this.#openPairs(), value, count)
  }

  /** False when there is no room for another value. */
  #putFew(value: number, count: number): boolean {
    const values = this.#fewValues
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== value) continue
      this.#fewCounts[i] = (this.#fewCounts[i] as number) + count
      return true
    }
    if (values.length === fewMax) return false
    values.push(value)
    this.#fewCounts.push(count)
    return true
  }

  #putPair(pairs: Map<number, number>, value: number, count: number): void {
    const key = this.#exact ? value : representative(value)
    pairs.set(key, (pairs.get(key) ?? 0) + count)
    if (this.#exact && pairs.size > exactValuesMax) this.#quantise()
    // Folding now and then keeps hostile values from filling the memory; what is folded would be so at the end as well.
    else if (pairs.size > 2 * sketchBinsMax) this.#pairs = collapseLowest(pairs)
  }

  #openPairs(): Map<number, number> {
    this.#pairs ??= new Map(this.#fewValues.map((value, i) => [value, this.#fewCounts[i] as number]))
    return this.#pairs
  }

  #quantise(): void {
    if (!this.#exact) return
    const exact = this.#openPairs()
    this.#exact = false
    const pairs = new Map<number, number>()
    this.#pairs = pairs
    for (const [value, count] of exact) this.#putPair(pairs, value, count)
  }
}

interface Pairs {
  values: Float64Array
  counts: Float64Array
}

function sortedFew(values: readonly number[], counts: readonly number[]): Pairs {
  if (values.length === 1)
    return { values: Float64Array.of(values[0] as number), counts: Float64Array.of(counts[0] as number) }
  const order = values.map((_, i) => i).sort((a, b) => (values[a] as number) - (values[b] as number))
  return {
    values: Float64Array.from(order, (i) => values[i] as number),
    counts: Float64Array.from(order, (i) => counts[i] as number),
  }
}

function sortedPairs(pairs: Map<number, number>): Pairs {
  const kept = [...(pairs.size > sketchBinsMax ? collapseLowest(pairs) : pairs)].sort((a, b) => a[0] - b[0])
  return { values: Float64Array.from(kept, (pair) => pair[0]), counts: Float64Array.from(kept, (pair) => pair[1]) }
}

/** Merges what several daemons or buckets saw; undefined for none. */
export function mergeDistributions(parts: readonly Distribution[]): Distribution | undefined {
  if (parts.length <= 1) return parts[0]
  const builder = new DistributionBuilder()
  for (const part of parts) builder.merge(part)
  return builder.build()
}

/** The nearest-rank percentile, 0 < percent ≤ 100, clamped to the exact least and greatest value. Undefined when empty. */
export function percentile(distribution: Distribution, percent: number): number | undefined {
  let total = 0
  for (const count of distribution.counts) total += count
  if (total === 0) return undefined
  const rank = Math.max(1, Math.ceil((percent / 100) * total - 1e-9))
  let seen = 0
  for (let i = 0; i < distribution.values.length; i++) {
    seen += distribution.counts[i] as number
    if (seen >= rank) return Math.min(distribution.max, Math.max(distribution.min, distribution.values[i] as number))
  }
  return distribution.max
}

/** The value that stands for all values in the same bin; within 1 % of each of them. */
export function representative(value: number): number {
  const magnitude = Math.abs(value)
  // Below the smallest normal float a bin would be wider than 1 %; such values count as zero.
  if (magnitude < 2.2250738585072014e-308) return 0
  const bin = binOf(magnitude)
  let known = representatives.get(bin)
  if (known === undefined) {
    known = Math.min(lowerBound(bin) * (1 + relativeAccuracy), Number.MAX_VALUE)
    if (representatives.size < 65_536) representatives.set(bin, known)
  }
  return value < 0 ? -known : known
}

const representatives = new Map<number, number>()
const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

function binOf(magnitude: number): number {
  return Math.floor(cubicLog2(magnitude) * binsPerOctave)
}

/** A stand-in for log2: exact at powers of two, a cubic between them (coefficients from the paper's reference code). */
function cubicLog2(magnitude: number): number {
  float[0] = magnitude
  const high = words[1] as number
  const exponent = ((high >>> 20) & 0x7ff) - 1023
  words[1] = (high & 0x000fffff) | 0x3ff00000
  const s = (float[0] as number) - 1
  return exponent + ((6 / 35) * s - 3 / 5) * s * s + (10 / 7) * s
}

/** The least magnitude that falls into `bin`, by bisection: plain arithmetic, so equal everywhere. */
function lowerBound(bin: number): number {
  const exponent = Math.floor(bin / binsPerOctave)
  let low = 2 ** exponent
  let high = Math.min(2 ** (exponent + 1), Number.MAX_VALUE)
  if (binOf(low) >= bin) return low
  for (let i = 0; i < 60; i++) {
    const middle = low + (high - low) / 2
    if (binOf(middle) >= bin) high = middle
    else low = middle
  }
  return high
}

/** Keeps the highest `sketchBinsMax` pairs and folds the counts of the others into the lowest of them. */
function collapseLowest(pairs: Map<number, number>): Map<number, number> {
  const sorted = [...pairs].sort((a, b) => a[0] - b[0])
  const folded = sorted.length - sketchBinsMax
  const [lowest, lowestCount] = sorted[folded] as [number, number]
  const count = sorted.slice(0, folded).reduce((sum, pair) => sum + pair[1], lowestCount)
  return new Map([[lowest, count], ...sorted.slice(folded + 1)])
}
