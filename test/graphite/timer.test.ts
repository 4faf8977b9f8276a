import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { etsysDefault, type TimerWishes, timerFigures } from '../../src/graphite/timer.ts'
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

describe('as wished', () => {
  const wished = (values: readonly number[], wishes: Partial<TimerWishes>, name = 'api.render.time') =>
    Object.fromEntries(timerFigures(distribution(values), 10_000, { ...etsysDefault, ...wishes }, name))
  const ten = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100]

  test('each percentage has its figures; a negative one is over the greatest values', () => {
    expect(wished(ten, { percents: [50, 99.9, -20] })).toMatchObject({
      ...{ count_50: 5, mean_50: 3, upper_50: 5, sum_50: 15, sum_squares_50: 55 },
      ...{ count_99_9: 10, upper_99_9: 100 },
      ...{ count_top20: 2, mean_top20: 54.5, lower_top20: 9, sum_top20: 109, sum_squares_top20: 10_081 },
    })
    expect(wished(ten, { percents: [50] })).not.toHaveProperty('upper_90')
  })

  test('a percentage of no value at all is not written; of one value every percentage is that one', () => {
    expect(wished([1, 2, 3], { percents: [10] })).not.toHaveProperty('count_10')
    expect(wished([7], { percents: [10, -10] })).toMatchObject({
      count_10: 1,
      upper_10: 7,
      lower_top10: 7,
      sum_top10: 7,
    })
  })

  test('the first histogram whose metric is in the name says the bins, whose limits are exclusive', () => {
    const histogram = [
      { metric: 'render', bins: [2, 5.5, 'inf' as const] },
      { metric: '', bins: [1] },
    ]
    const bins = (name: string) =>
      Object.entries(wished(ten, { histogram }, name)).filter(([figure]) => figure.startsWith('histogram'))
    expect(bins('api.render.time')).toEqual([
      ['histogram.bin_2', 1],
      ['histogram.bin_5_5', 4],
      ['histogram.bin_inf', 5],
    ])
    expect(bins('other')).toEqual([['histogram.bin_1', 0]])
  })

  test('without bins there is no histogram', () => {
    const histogram = [{ metric: 'render', bins: [] }]
    expect(Object.keys(wished(ten, { histogram })).join()).not.toContain('histogram')
  })

  test('only the figures that are named are written, upper_percent standing for every percentage', () => {
    const only = new Set(['upper_percent', 'median', 'histogram'])
    const histogram = [{ metric: '', bins: [10] }]
    const names = Object.keys(wished(ten, { only, percents: [50, 99.9, -10], histogram }))
    expect(names).toEqual(['upper_50', 'upper_99_9', 'median', 'histogram.bin_10'])
    expect(timerFigures(undefined, 10_000, { ...etsysDefault, only })).toEqual([])
  })

  test('percentages and bins of more than 512 distinct values are within 1 %', () => {
    const many = Array.from({ length: 5000 }, (_, i) => 1 + i / 10)
    const figures = wished(many, { percents: [-10], histogram: [{ metric: '', bins: [101, 'inf'] }] })
    expect(figures.count_top10).toBe(500)
    expect(Math.abs((figures.sum_top10 as number) / plainly(many.slice(4500)).sum - 1)).toBeLessThan(0.01)
    expect(Math.abs((figures['histogram.bin_101'] as number) - 1000)).toBeLessThanOrEqual(0.01 * 1010 * 10)
    expect((figures['histogram.bin_101'] as number) + (figures['histogram.bin_inf'] as number)).toBe(5000)
  })
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
