import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Distribution,
  DistributionBuilder,
  exactValuesMax,
  mergeDistributions,
  percentile,
  representative,
  sketchBinsMax,
} from '../../src/model/distribution.ts'

function distributionOf(values: Iterable<number>, sampleRate = 1): Distribution {
  const builder = new DistributionBuilder()
  for (const value of values) builder.add(value, sampleRate)
  return builder.build()
}

/** What merging must not change; sums of floats depend on their order in the last digits. */
function shape({ values, counts, exact, min, max }: Distribution) {
  return { values: [...values], counts: [...counts], exact, min, max }
}

function nearestRank(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-9)) - 1] as number
}

// Below the smallest normal float there are no bins of 1 %.
const milliseconds = fc.double({ min: 0, max: 1e7, noNaN: true }).map((value) => (value < 1e-300 ? 0 : value))
const anyFinite = fc.double({ noNaN: true, noDefaultInfinity: true })
const manyMilliseconds = fc.array(milliseconds, { minLength: 600, maxLength: 1500, size: 'max' })
const percents = [0.1, 1, 25, 50, 90, 95, 99, 99.9, 100]

describe('up to 512 distinct values', () => {
  test('all values are kept as they came, in order, with how often they came', () => {
    expect(shape(distributionOf([5, 1, 5, -0, 0.1, 5]))).toEqual({
      values: [0, 0.1, 1, 5],
      counts: [1, 1, 1, 3],
      exact: true,
      min: 0,
      max: 5,
    })
  })

  test('percentiles are exact: the nearest rank of the values themselves', () => {
    fc.assert(
      fc.property(fc.array(anyFinite, { minLength: 1, maxLength: 500 }), (values) => {
        const distribution = distributionOf(values)
        expect(distribution.exact).toBe(true)
        for (const percent of percents) expect(percentile(distribution, percent)).toBe(nearestRank(values, percent) + 0)
      }),
    )
  })

  test('the 512th distinct value is still exact, the 513th is not, repeats do not matter', () => {
    const at = (count: number) => Array.from({ length: count }, (_, i) => i + 1)
    expect(distributionOf([...at(exactValuesMax), ...at(exactValuesMax)]).exact).toBe(true)
    expect(distributionOf(at(exactValuesMax + 1)).exact).toBe(false)
  })
})

describe('above 512 distinct values', () => {
  test('every percentile is within 1 % of the true one, and within least and greatest', () => {
    fc.assert(
      fc.property(manyMilliseconds, (values) => {
        const distribution = distributionOf(values)
        for (const percent of percents) {
          const wanted = nearestRank(values, percent)
          const got = percentile(distribution, percent) as number
          expect(Math.abs(got - wanted)).toBeLessThanOrEqual(wanted * 0.01 * (1 + 1e-9))
          expect(got).toBeGreaterThanOrEqual(distribution.min)
          expect(got).toBeLessThanOrEqual(distribution.max)
        }
      }),
      { numRuns: 30, endOnFailure: true },
    )
  })

  test('the representative of any value is within 1 % of it, and stands for itself', () => {
    fc.assert(
      fc.property(anyFinite, (value) => {
        const stands = representative(value)
        const floor = Math.abs(value) < 2.3e-308 ? 2.3e-308 : 0
        expect(Math.abs(stands - value)).toBeLessThanOrEqual(Math.abs(value) * 0.01 * (1 + 1e-9) + floor)
        expect(representative(stands)).toBe(stands)
      }),
      { numRuns: 5000 },
    )
  })

  test('larger values never have smaller representatives', () => {
    fc.assert(
      fc.property(milliseconds, milliseconds, (a, b) => {
        expect(representative(Math.min(a, b))).toBeLessThanOrEqual(representative(Math.max(a, b)))
      }),
      { numRuns: 2000 },
    )
  })

  test('bins are bounded: the lowest are folded into the lowest kept, nothing is uncounted, the top stays right', () => {
    const values = Array.from({ length: 4 * sketchBinsMax }, (_, i) => 1.02 ** (i - 2 * sketchBinsMax))
    const distribution = distributionOf(values)
    expect(distribution.values.length).toBe(sketchBinsMax)
    expect(distribution.counts.reduce((a, b) => a + b)).toBe(values.length)
    const wanted = nearestRank(values, 99)
    expect(Math.abs((percentile(distribution, 99) as number) - wanted)).toBeLessThanOrEqual(wanted * 0.01)
    expect(shape(distributionOf(values.toReversed()))).toEqual(shape(distribution))
  })
})

describe('merging', () => {
  const parts = fc.array(
    fc.oneof(
      fc.array(milliseconds, { maxLength: 40 }),
      fc.array(milliseconds, { minLength: 300, maxLength: 700, size: 'max' }),
    ),
    { minLength: 1, maxLength: 5 },
  )

  test('what several saw, merged, is what one would have seen', () => {
    fc.assert(
      fc.property(parts, (lists) => {
        const merged = mergeDistributions(lists.map((list) => distributionOf(list))) as Distribution
        const single = distributionOf(lists.flat())
        expect(shape(merged)).toEqual(shape(single))
        expect(merged.count).toBe(single.count)
        expect(merged.sum).toBeCloseTo(single.sum, 3)
        expect(merged.sumSquares / (single.sumSquares || 1)).toBeCloseTo(single.sumSquares ? 1 : 0, 9)
      }),
      { numRuns: 60, endOnFailure: true },
    )
  })

  test('the order does not matter, nor does merging in steps', () => {
    fc.assert(
      fc.property(parts, (lists) => {
        const all = lists.map((list) => distributionOf(list))
        const forwards = mergeDistributions(all) as Distribution
        const backwards = mergeDistributions(all.toReversed()) as Distribution
        const inSteps = all.reduce((a, b) => mergeDistributions([a, b]) as Distribution)
        expect(shape(backwards)).toEqual(shape(forwards))
        expect(shape(inSteps)).toEqual(shape(forwards))
      }),
      { numRuns: 60, endOnFailure: true },
    )
  })

  test('folded sketches merge to the same bins as one sketch of everything', () => {
    const spread = (from: number) => Array.from({ length: 3 * sketchBinsMax }, (_, i) => 1.021 ** (i + from - 6000))
    const [low, high] = [spread(0), spread(700)]
    const merged = mergeDistributions([distributionOf(low), distributionOf(high)]) as Distribution
    expect(shape(merged)).toEqual(shape(distributionOf([...low, ...high])))
  })

  test('nothing merges to nothing, and one to itself', () => {
    expect(mergeDistributions([])).toBeUndefined()
    const one = distributionOf([1, 2])
    expect(mergeDistributions([one])).toBe(one)
  })
})

test('a sampled value stands for several in the count, and for itself in everything else', () => {
  const distribution = distributionOf([10, 20, 20], 0.1)
  expect(distribution.count).toBeCloseTo(30)
  expect(distribution).toMatchObject({ sum: 50, sumSquares: 900, min: 10, max: 20 })
  expect([...distribution.counts]).toEqual([1, 2])
})

test('an empty distribution has no percentiles', () => {
  expect(percentile(distributionOf([]), 50)).toBeUndefined()
})
