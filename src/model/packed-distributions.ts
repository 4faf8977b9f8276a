/**
 * Packed distributions: many distributions in four arrays, as they travel. An object with two arrays for each of a hundred
 * thousand timers costs several times what is in it.
 *
 *     figures  count, sum, sum of squares, min, max of each
 *     pairs    values and then counts of each, one distribution after another; no counts where every value came once
 */
import type { Distribution } from './distribution.ts'

export const figuresEach = 5

export interface PackedDistributions {
  /** Distinct values of each. */
  sizes: Int32Array
  /** 1 where values are exact. */
  exact: Uint8Array
  /** 1 where every count is 1 and counts are left out. */
  once: Uint8Array
  figures: Float64Array
  pairs: Float64Array
}

/** Distributions whose arrays are views, most of them into the pairs; for reading only. */
export function unpacked({ sizes, exact, once, figures, pairs }: PackedDistributions): Distribution[] {
  let at = 0
  return Array.from(sizes, (size, i) => {
    const figure = (place: number) => figures[i * figuresEach + place] as number
    const values = pairs.subarray(at, at + size)
    const isPlain = once[i] === 1
    const counts = isPlain ? countsOfOne(size) : pairs.subarray(at + size, at + 2 * size)
    at += pairsSize(size, isPlain)
    const [count, sum, sumSquares, min, max] = [figure(0), figure(1), figure(2), figure(3), figure(4)]
    return { count, sum, sumSquares, min, max, exact: exact[i] === 1, values, counts }
  })
}

const ones = new Float64Array(512).fill(1)

/** So many counts of 1, for reading only. */
export function countsOfOne(size: number): Float64Array {
  return size <= ones.length ? ones.subarray(0, size) : new Float64Array(size).fill(1)
}

/** Whether every value came once, so that counts need not be told. */
export function isOnce(counts: Float64Array): boolean {
  return counts.every((count) => count === 1)
}

/** Numbers that a distribution has in the pairs. */
export function pairsSize(size: number, once: boolean): number {
  return once ? size : 2 * size
}
