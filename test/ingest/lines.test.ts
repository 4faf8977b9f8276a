import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineBuffer } from '../../src/ingest/lines.ts'

function joined(buffer: LineBuffer, chunks: readonly Buffer[]): string {
  return Buffer.concat([...chunks.map((chunk) => buffer.push(chunk)), buffer.end()]).toString('latin1')
}

test('however a stream is cut, its lines are the same', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'é'), maxLength: 200 })
  fc.assert(
    fc.property(text, fc.array(fc.nat(20)), (text, sizes) => {
      const bytes = Buffer.from(text)
      const chunks: Buffer[] = []
      let at = 0
      for (const size of sizes) {
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      chunks.push(bytes.subarray(Math.min(at, bytes.length)))
      const buffer = new LineBuffer(1000, () => expect.unreachable('no line is too long'))
      expect(joined(buffer, chunks)).toBe(bytes.toString('latin1'))
    }),
  )
})

test('only whole lines come out; the rest waits for its newline or for the end', () => {
  const buffer = new LineBuffer(100, () => {})
  expect(String(buffer.push(Buffer.from('one\ntw')))).toBe('one\n')
  expect(String(buffer.push(Buffer.from('o')))).toBe('')
  expect(String(buffer.push(Buffer.from('\nthree')))).toBe('two\n')
  expect(String(buffer.end())).toBe('three')
  expect(String(buffer.end())).toBe('')
})

test('an unfinished line over the bound is told once, dropped to its end, and not held in memory', () => {
  const told: number[] = []
  const buffer = new LineBuffer(10, (beginning) => told.push(beginning.length))
  expect(String(buffer.push(Buffer.from('ok\n12345678901')))).toBe('ok\n')
  for (let i = 0; i < 100; i++) expect(String(buffer.push(Buffer.alloc(1000, 'x')))).toBe('')
  expect(String(buffer.push(Buffer.from('end\nfine\n')))).toBe('fine\n')
  expect(told).toEqual([11])
})
