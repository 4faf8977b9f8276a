import fc from 'fast-check'
import { expect, test } from 'vitest'
import { batches, matches, queriesOf } from '../../src/cloudwatch2graphite/query.ts'
import type { Watch } from '../../src/cloudwatch2graphite/settings.ts'

const watch: Watch = {
  namespace: 'AWS/ApplicationELB',
  dimension: 'LoadBalancer',
  names: [],
  rename: { 'app/new/1': 'prod.web' },
  metrics: [{ name: 'RequestCount', statistics: ['Sum'], unit: 'Count/Second', kind: 'count' }],
}

test('what Graphite gives a meaning becomes an underscore, a given name keeps its dots', () => {
  const names = queriesOf(watch, ['app/old lb/0', 'app/new/1']).map(({ graphiteName }) => graphiteName)
  expect(names).toEqual([
    'aws.applicationelb.app_old_lb_0.requestcount.sum.count_second',
    'aws.applicationelb.prod.web.requestcount.sum.count_second',
  ])
})

test('to rules a name is one level, so that one path means every load balancer', () => {
  const series = queriesOf(watch, ['app/old lb/0', 'app/new/1']).map((query) => query.series)
  expect(series).toEqual(['aws:applicationelb.app_old_lb_0.requestcount', 'aws:applicationelb.prod_web.requestcount'])
})

test('whatever CloudWatch calls a thing, its Graphite name is one word of six levels', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'binary' }), (name) => {
      const [query] = queriesOf({ ...watch, rename: {} }, [name])
      expect(query?.graphiteName).toMatch(/^aws\.applicationelb\.[\w-]+\.requestcount\.sum\.count_second$/)
    }),
  )
})

test('a star stands for any characters, everything else for itself', () => {
  expect(matches('browserid-*', 'browserid-prod')).toBe(true)
  expect(matches('browserid-*', 'my-browserid-prod')).toBe(false)
  expect(matches('a.b*', 'axb')).toBe(false)
  expect(matches('*', 'app/x/1')).toBe(true)
})

test('batches hold everything once, in order, and none is larger than asked', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 20 }), (all, size) => {
      const parts = batches(all, size)
      expect(parts.flat()).toEqual(all)
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(size)
    }),
  )
})
