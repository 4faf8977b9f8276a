import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PackedTimers, pointsMax, pooledPercentile, reduceTimer } from '../../src/dashboards/packed-timers.ts'
import { type Distribution, DistributionBuilder, percentile } from '../../src/model/distribution.ts'

const samples = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 400 })

function distributionOf(values: readonly number[]): Distribution {
  const builder = new DistributionBuilder()
  for (const value of values) builder.add(value)
  return builder.build()
}

test('the percentiles that people draw come out exactly, however many samples there were', () => {
  fc.assert(
    fc.property(samples, fc.constantFrom(50, 75, 90, 95, 98, 99, 99.9), (values, percent) => {
      const distribution = distributionOf(values)
      expect(pooledPercentile([reduceTimer(distribution)], percent)).toBe(percentile(distribution, percent))
    }),
  )
})

test('any other percentile stays between the neighbouring ranks that are kept', () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 99 }), (values, percent) => {
      const distribution = distributionOf(values)
      const answer = pooledPercentile([reduceTimer(distribution)], percent) as number
      expect(answer).toBeGreaterThanOrEqual(percentile(distribution, percent) as number)
      expect(answer).toBeLessThanOrEqual(distribution.max)
    }),
  )
})

test('weights add up to the samples, and packing gives back what was put in', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.nat({ max: 5000 }).map(String), samples, { maxKeys: 8 }), (timers) => {
      const distributions = new Map(Object.entries(timers).map(([id, values]) => [Number(id), distributionOf(values)]))
      const packed = new PackedTimers(distributions)
      for (const [id, distribution] of distributions) {
        const timer = packed.get(id)
        const reduced = reduceTimer(distribution)
        expect(timer?.points).toEqual(reduced.points)
        expect(timer?.points.length).toBeLessThanOrEqual(pointsMax)
        const weights = timer?.points.reduce((sum, [, weight]) => sum + weight, 0)
        expect(weights).toBe(timers[String(id)]?.length)
      }
      expect(packed.get(6000)).toBeUndefined()
    }),
  )
})
