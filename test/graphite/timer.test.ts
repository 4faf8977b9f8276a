import fc from 'fast-check'
import { expect, test } from 'vitest'
import { timerFigures } from '../../src/graphite/timer.ts'
import { mergeDistributions } from '../../src/model/distribution.ts'
import { distribution } from './pipeline.ts'

const figures = (values: readonly number[], sampleRate = 1) =>
  Object.fromEntries(timerFigures(distribution(values, sampleRate), 10_000))

test('ten values: the 90 figures are over the nine least', () => {
  expect(figures([1, 2, 3, 4, 5, 6, 7, 8, 9, 100])).toEqual({
    count_90: 9,
    mean_90: 5,
    upper_90: 9,
    sum_90: 45,
    sum_squares_90: 285,
    std: Math.sqrt(818.25),
    upper: 100,
    lower: 1,
    count: 10,
    count_ps: 1,
    sum: 145,
    sum_squares: 10285,
    mean: 14.5,
    median: 5.5,
  })
})

test('one value is its own percentile', () => {
  expect(figures([7])).toMatchObject({ count_90: 1, mean_90: 7, upper_90: 7, sum_90: 7, std: 0, median: 7 })
})

test('of five values, 0.9 of them are 4.5, which rounds up to all', () => {
  expect(figures([5, 1, 4, 2, 3])).toMatchObject({ count_90: 5, upper_90: 5, median: 3 })
})

test('count and count_ps are scaled by the sample rate, nothing else is', () => {
  expect(figures([10, 20], 0.1)).toMatchObject({ count: 20, count_ps: 2, count_90: 2, sum: 30, mean: 15 })
})

test('a timer that saw nothing has only its two counts', () => {
  expect(timerFigures(undefined, 10_000)).toEqual([
    ['count', 0],
    ['count_ps', 0],
  ])
})

const milliseconds = fc.integer({ min: 0, max: 300 }).map((value) => value / 4)

test('the buckets of many sources give the figures of all values sorted in one list', () => {
  fc.assert(
    fc.property(fc.array(fc.array(milliseconds, { minLength: 1 }), { minLength: 1, maxLength: 10 }), (parts) => {
      const merged = mergeDistributions(parts.map((part) => distribution(part)))
      const ours = Object.fromEntries(timerFigures(merged, 10_000))
      const expected = plainly(parts.flat())
      for (const [name, value] of Object.entries(expected)) expect(ours[name], name).toBeCloseTo(value, 9)
    }),
  )
})

test('above 512 distinct values sums and extremes stay exact and percentiles within 1 %', () => {
  const values = Array.from({ length: 5000 }, (_, i) => 1 + ((i * 7919) % 5000) / 3)
  const ours = figures(values)
  const expected = plainly(values)
  for (const name of ['sum', 'mean', 'upper', 'lower', 'count_90'] as const)
    expect(ours[name]).toBeCloseTo(expected[name], 6)
  for (const name of ['upper_90', 'median', 'mean_90', 'sum_90'] as const) {
    expect(Math.abs((ours[name] as number) / expected[name] - 1), name).toBeLessThan(0.01)
  }
})

/** The definitions, over a sorted list. */
function plainly(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b)
  const sum = (list: readonly number[]) => list.reduce((total, value) => total + value, 0)
  const n = sorted.length
  const within = sorted.slice(0, n === 1 ? 1 : Math.round(0.9 * n))
  const mean = sum(sorted) / n
  const middle = Math.floor(n / 2)
  return {
    count_90: within.length,
    mean_90: sum(within) / within.length,
    upper_90: within.at(-1) as number,
    sum_90: sum(within),
    sum_squares_90: sum(within.map((value) => value * value)),
    std: Math.sqrt(sum(sorted.map((value) => (value - mean) ** 2)) / n),
    upper: sorted.at(-1) as number,
    lower: sorted[0] as number,
    sum: sum(sorted),
    mean,
    median: n % 2 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2,
  }
}
