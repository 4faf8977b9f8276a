/**
 * Timer: the figures that etsy's statsd writes for one timer and one flush, in its order and by its definitions.
 *
 * With n values received, the 90 figures are over the `round(0.9 n)` least of them (over the one, when n is 1); `std` is
 * the population's; `median` of an even number is the mean of the middle two. `count` and `count_ps` are scaled by sample
 * rate, everything else is over the values as received. All are exact up to 512 distinct values in a flush; above that,
 * sum, sum of squares, upper, lower and std stay exact and the rest is within 1 % (see model/distribution.ts).
 */
import type { Distribution } from '../model/distribution.ts'

export type TimerFigure = readonly [name: string, value: number]

const percent = 90

/** `flushMs` is what `count_ps` is per second of. A timer that saw nothing has only its two zero counts, as etsy's has. */
export function timerFigures(distribution: Distribution | undefined, flushMs: number): TimerFigure[] {
  const n = distribution?.counts.reduce((sum, count) => sum + count, 0) ?? 0
  if (!distribution || n === 0) {
    return [
      ['count', 0],
      ['count_ps', 0],
    ]
  }
  const { count, min, max } = distribution
  const total = distribution.exact ? lowest(distribution, n) : { ...distribution, last: max }
  const mean = total.sum / n
  const within = Math.max(1, Math.round((percent / 100) * n))
  const part = within === n ? total : lowest(distribution, within)
  return [
    [`count_${percent}`, within],
    [`mean_${percent}`, part.sum / within],
    [`upper_${percent}`, clamp(part.last, distribution)],
    [`sum_${percent}`, part.sum],
    [`sum_squares_${percent}`, part.sumSquares],
    ['std', distribution.exact ? deviation(distribution, mean, n) : deviationFromSums(total, mean, n)],
    ['upper', max],
    ['lower', min],
    ['count', count],
    ['count_ps', count / (flushMs / 1000)],
    ['sum', total.sum],
    ['sum_squares', total.sumSquares],
    ['mean', mean],
    ['median', median(distribution, n)],
  ]
}

/** Sums over the `wanted` least values, and the greatest of them. */
function lowest({ values, counts }: Distribution, wanted: number): { sum: number; sumSquares: number; last: number } {
  let sum = 0
  let sumSquares = 0
  let last = values[0] as number
  for (let i = 0, left = wanted; left > 0 && i < values.length; i++) {
    last = values[i] as number
    const taken = Math.min(left, counts[i] as number)
    sum += last * taken
    sumSquares += last * last * taken
    left -= taken
  }
  return { sum, sumSquares, last }
}

function deviation({ values, counts }: Distribution, mean: number, n: number): number {
  let squares = 0
  for (let i = 0; i < values.length; i++) {
    const difference = (values[i] as number) - mean
    squares += difference * difference * (counts[i] as number)
  }
  return Math.sqrt(squares / n)
}

function deviationFromSums({ sumSquares }: { sumSquares: number }, mean: number, n: number): number {
  return Math.sqrt(Math.max(0, sumSquares / n - mean * mean))
}

function median(distribution: Distribution, n: number): number {
  const upper = clamp(lowest(distribution, Math.floor(n / 2) + 1).last, distribution)
  return n % 2 === 1 ? upper : (clamp(lowest(distribution, n / 2).last, distribution) + upper) / 2
}

/** A bin's representative may lie just outside what was seen. */
function clamp(value: number, { min, max }: Distribution): number {
  return Math.min(max, Math.max(min, value))
}
