import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Ring } from '../../src/cep/history.ts'
import { SortedSamples } from '../../src/cep/sorted-samples.ts'

const value = fc.oneof(fc.constantFrom(Number.NaN, 0, -0, 1, 1, 2), fc.double({ noNaN: true, noDefaultInfinity: true }))
/** A sample, and how many were passed over before it. */
const sample = fc.tuple(value, fc.constantFrom(1, 1, 1, 1, 2, 9))

test('sorted samples are the ring’s last ones, sorted, whatever was passed over', () => {
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 60 }), fc.integer({ min: 1, max: 12 }), (given, count) => {
      const ring = new Ring(count)
      const samples = new SortedSamples(ring, count)
      let newest = 100
      for (const [put, step] of given) {
        newest += step
        ring.put(0, newest, put)
        const last = Array.from({ length: count }, (_, back) => ring.get(0, newest, back))
        const expected = Float64Array.from(last.filter((one) => !Number.isNaN(one))).sort()
        expect([...samples.upTo(0, newest)]).toEqual([...expected])
      }
    }),
  )
})
