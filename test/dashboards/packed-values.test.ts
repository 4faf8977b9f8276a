import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PackedValues } from '../../src/dashboards/packed-values.ts'

const value = fc.oneof(
  fc.constant(Number.NaN),
  fc.constantFrom(0, -0, 254, 255, 65_534, 65_535, -1, 0.5),
  fc.nat({ max: 300 }),
  fc.float({ noNaN: true }),
)

test('every value comes back as it was, missing ones too', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 400 }), (numbers) => {
      const values = Float32Array.from(numbers)
      const packed = new PackedValues(values)
      values.forEach((number, id) => {
        expect(packed.get(id)).toBe(number)
      })
      expect(packed.get(values.length + 100)).toBeNaN()
      expect([...packed.unpack().slice(0, values.length)]).toEqual([...values])
    }),
  )
})

test('a hundred thousand small counters take a byte each, and those where nothing arrived next to none', () => {
  const values = new Float32Array(100_000).fill(Number.NaN)
  expect(new PackedValues(values).bytes).toBeLessThan(10_000)
  expect(new PackedValues(values.fill(7)).bytes).toBeLessThan(110_000)
  expect(new PackedValues(values.fill(0.7)).bytes).toBeLessThan(410_000)
})
