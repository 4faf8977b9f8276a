/**
 * History: what was, per group: `x 1w ago`, what is usual, and where a line through the past leads.
 *
 * Values are kept by absolute bucket number, so that what is remembered depends on the time alone. Beyond 360 values of a
 * window every n-th bucket is kept.
 */
import { refill } from './saved.ts'

const samplesMax = 360

/** The values of the last `slots` buckets and the current one. */
export class Ring {
  readonly #slots: number
  readonly #groups: Float64Array[] = []

  constructor(slots: number) {
    this.#slots = slots + 1
  }

  reset(group: number): void {
    this.#groups[group] = new Float64Array(this.#slots).fill(Number.NaN)
  }

  put(group: number, bucket: number, value: number): void {
    this.#of(group)[bucket % this.#slots] = value
  }

  /** The value `back` buckets ago; back ≤ slots. */
  get(group: number, bucket: number, back: number): number {
    return bucket < back ? Number.NaN : (this.#of(group)[(bucket - back) % this.#slots] as number)
  }

  save() {
    return this.#groups
  }

  restore(saved: ReturnType<Ring['save']>): void {
    refill(
      this.#groups,
      saved.map((values) => values.slice()),
    )
  }

  #of(group: number): Float64Array {
    if (!this.#groups[group]) this.reset(group)
    return this.#groups[group] as Float64Array
  }
}

/** A window's samples: how far apart they are, in buckets, and how many there can be. */
export function sampling(lengthMs: number, stepMs: number): { every: number; count: number } {
  const buckets = Math.max(1, Math.floor(lengthMs / stepMs))
  const every = Math.ceil(buckets / samplesMax)
  return { every, count: Math.floor(buckets / every) }
}

/** Even medians are the mean of the two middle values. `sorted` is ascending and not empty. */
export function median(sorted: ArrayLike<number>): number {
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle] as number
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

export interface Usual {
  expected: number
  deviation: number
}

/** Median and interquartile range / 1.349 (quartiles by nearest rank) of the values before, ascending; undefined below half. */
export function usualLately(sorted: Float64Array, wanted: number): Usual | undefined {
  if (sorted.length * 2 < wanted || sorted.length === 0) return undefined
  const quartile = (share: number) => sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] as number
  return { expected: median(sorted), deviation: (quartile(0.75) - quartile(0.25)) / 1.349 }
}

/** Median of the same slot of earlier seasons and their median absolute deviation × 1.4826; undefined below two. */
export function usualSeason(earlier: readonly number[]): Usual | undefined {
  if (earlier.length < 2) return undefined
  const expected = median(Float64Array.from(earlier).sort())
  const distances = Float64Array.from(earlier, (value) => Math.abs(value - expected)).sort()
  return { expected, deviation: median(distances) * 1.4826 }
}

/** How many deviations a value is from what was expected; a deviation of 0 gives missing. */
export function deviations(value: number, { expected, deviation }: Usual, floor: number): number {
  const least = Math.max(deviation, Math.abs(expected) * 0.05, floor)
  return least === 0 ? Number.NaN : (value - expected) / least
}

/** The least-squares line through (x, y) read at `at`; NaN below 3 points. */
export function lineAt(points: readonly (readonly [number, number])[], at: number): number {
  if (points.length < 3) return Number.NaN
  let [sumX, sumY] = [0, 0]
  for (const [x, y] of points) {
    sumX += x
    sumY += y
  }
  const [meanX, meanY] = [sumX / points.length, sumY / points.length]
  let [sxx, sxy] = [0, 0]
  for (const [x, y] of points) {
    sxx += (x - meanX) * (x - meanX)
    sxy += (x - meanX) * (y - meanY)
  }
  return meanY + (sxy / sxx) * (at - meanX)
}
