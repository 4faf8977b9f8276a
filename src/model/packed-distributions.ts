/**
 * Packed distributions: many distributions in four arrays, as they travel. An object with two arrays for each of a hundred
 * thousand timers costs several times what is in it.
 *
 *     figures  count, sum, sum of squares, min, max of each
 *     pairs    values and then counts of each, one distribution after another
 */
import type { Distribution } from './distribution.ts'

export const figuresEach = 5

export interface PackedDistributions {
  /** Distinct values of each. */
  sizes: Int32Array
  /** 1 where values are exact. */
  exact: Uint8Array
  figures: Float64Array
  pairs: Float64Array
}

/** Distributions whose arrays are views into the pairs. */
export function unpacked({ sizes, exact, figures, pairs }: PackedDistributions): Distribution[] {
  let at = 0
  return Array.from(sizes, (size, i) => {
    const [count, sum, sumSquares, min, max] = figures.subarray(i * figuresEach) as unknown as Figures
    const values = pairs.subarray(at, at + size)
    const counts = pairs.subarray(at + size, at + 2 * size)
    at += 2 * size
    return { count, sum, sumSquares, min, max, exact: exact[i] === 1, values, counts }
  })
}

type Figures = [count: number, sum: number, sumSquares: number, min: number, max: number]
