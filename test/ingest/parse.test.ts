import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanName } from '../../src/ingest/name.ts'
import { parseNumber } from '../../src/ingest/number.ts'
import {
  type BadReason,
  counter,
  explainBadLine,
  gauge,
  Line,
  lineBytesMax,
  nameBytesMax,
  parseLine,
  set,
  timer,
} from '../../src/ingest/parse.ts'

/** A line as values; an error as `column reason`. */
function parse(text: string | Buffer) {
  const bytes = Buffer.from(text)
  const line = new Line()
  if (!parseLine(bytes, 0, bytes.length, line)) return `${line.badAt + 1} ${line.badReason}`
  const { kind, nameStart, nameEnd, valueStart, valueEnd, value, isRelative, sampleRate } = line
  return {
    kind,
    name: bytes.toString('utf8', nameStart, nameEnd),
    ...(kind === set ? { member: bytes.toString('utf8', valueStart, valueEnd) } : { value }),
    ...(isRelative && { isRelative }),
    ...(sampleRate !== 1 && { sampleRate }),
  }
}

describe('lines that must parse', () => {
  const lines: [text: string, parsed: object][] = [
    ['api.hits:1|c', { kind: counter, name: 'api.hits', value: 1 }],
    ['api.hits:12|c|@0.1', { kind: counter, name: 'api.hits', value: 12, sampleRate: 0.1 }],
    ['api.hits:-3|c', { kind: counter, name: 'api.hits', value: -3 }],
    ['a:0.25|c|@1', { kind: counter, name: 'a', value: 0.25 }],
    ['a:1e3|c', { kind: counter, name: 'a', value: 1000 }],
    ['a:.5|c', { kind: counter, name: 'a', value: 0.5 }],
    ['a:5.|c', { kind: counter, name: 'a', value: 5 }],
    ['load:3.5|g', { kind: gauge, name: 'load', value: 3.5 }],
    ['load:+3.5|g', { kind: gauge, name: 'load', value: 3.5, isRelative: true }],
    ['load:-3.5|g', { kind: gauge, name: 'load', value: -3.5, isRelative: true }],
    ['time:320|ms', { kind: timer, name: 'time', value: 320 }],
    ['time:320|ms|@0.5', { kind: timer, name: 'time', value: 320, sampleRate: 0.5 }],
    ['time:0|h', { kind: timer, name: 'time', value: 0 }],
    ['time:7|d', { kind: timer, name: 'time', value: 7 }],
    ['users:ann|s', { kind: set, name: 'users', member: 'ann' }],
    ['users:fe80::1 ü|s', { kind: set, name: 'users', member: 'fe80::1 ü' }],
    ['users:|s', { kind: set, name: 'users', member: '' }],
    ['with space/slash:1|c', { kind: counter, name: 'with space/slash', value: 1 }],
    ['n:12345678901234567890123|c', { kind: counter, name: 'n', value: Number('12345678901234567890123') }],
    [`${'n'.repeat(nameBytesMax)}:1|c`, { kind: counter, name: 'n'.repeat(nameBytesMax), value: 1 }],
  ]
  test.each(lines)('%s', (text, parsed) => {
    expect(parse(text)).toEqual(parsed)
  })
})

describe('lines that must not', () => {
  const lines: [text: string, column: number, reason: BadReason][] = [
    ['', 1, 'colon'],
    ['api.hits', 9, 'colon'],
    [':1|c', 1, 'name'],
    [`${'n'.repeat(nameBytesMax + 1)}:1|c`, 1, 'name'],
    ['api.hits:|c', 10, 'value'],
    ['api.hits:x|c', 10, 'value'],
    ['api.hits:1x|c', 10, 'value'],
    ['api.hits: 1|c', 10, 'value'],
    ['api.hits:1,5|c', 10, 'value'],
    ['api.hits:0x10|c', 10, 'value'],
    ['api.hits:NaN|c', 10, 'value'],
    ['api.hits:Infinity|c', 10, 'value'],
    ['api.hits:1e999|c', 10, 'value'],
    ['api.hits:-|g', 10, 'value'],
    ['api.hits:.|g', 10, 'value'],
    ['api.hits:1.2.3|g', 10, 'value'],
    ['api.hits:1', 11, 'type'],
    ['api.hits:1|', 11, 'type'],
    ['api.hits:1|x', 11, 'type'],
    ['api.hits:1|cc', 11, 'type'],
    ['api.hits:1|m', 11, 'type'],
    ['api.hits:1|msx', 11, 'type'],
    ['time:-1|ms', 6, 'negative'],
    ['api.hits:1|c|@', 15, 'rate'],
    ['api.hits:1|c|@0', 15, 'rate'],
    ['api.hits:1|c|@1.5', 15, 'rate'],
    ['api.hits:1|c|@-0.1', 15, 'rate'],
    ['api.hits:1|c|@x', 15, 'rate'],
    ['api.hits:1|c|0.1', 14, 'section'],
    ['api.hits:1|c|', 14, 'section'],
    [`${'n'.repeat(lineBytesMax)}:1|c`, 1, 'length'],
  ]
  test.each(lines)('%s', (text, column, reason) => {
    expect(parse(text)).toBe(`${column} ${reason}`)
  })
})

describe('a bad line explains itself', () => {
  const explain = (text: string) => {
    const bytes = Buffer.from(text)
    const line = new Line()
    expect(parseLine(bytes, 0, bytes.length, line)).toBe(false)
    return explainBadLine(bytes, 0, bytes.length, line)
  }

  test('with column, what was expected and what came', () => {
    expect(explain('api.hits:|c')).toBe('column 10: expected a number after ":", got "|": "api.hits:|c"')
    expect(explain('time:-5|ms')).toBe('column 6: expected a time of at least 0, got "-5": "time:-5|ms"')
    expect(explain('a')).toBe('column 2: expected ":" and a value after the name, got the end of the line: "a"')
    expect(explain('a:1|c|@7')).toContain('column 8: expected a sample rate above 0 and at most 1 after "@", got "7"')
  })

  test('shortened and without raw control characters', () => {
    expect(explain('\u0000\u001b[2J')).toContain('"\\u0000\\u001b[2J"')
    expect(explain('x'.repeat(5000)).length).toBeLessThan(300)
  })
})

test('any bytes at all never throw, and a position lies within the line', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc
      .string({ maxLength: 60, unit: fc.constantFrom(...'ab.:|@cgmshd0123456789-+eE \n') })
      .map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(bytes, fc.nat(5), (packet, offset) => {
      const line = new Line()
      const start = Math.min(offset, packet.length)
      if (parseLine(packet, start, packet.length, line)) {
        expect(Number.isFinite(line.value)).toBe(true)
        expect(line.nameStart).toBe(start)
        expect(line.nameEnd).toBeGreaterThan(start)
        expect(line.valueEnd).toBeLessThanOrEqual(packet.length)
      } else {
        expect(line.badAt).toBeGreaterThanOrEqual(start)
        expect(line.badAt).toBeLessThanOrEqual(packet.length)
        explainBadLine(packet, start, packet.length, line)
      }
    }),
    { numRuns: 5000 },
  )
})

test('what is printed parses to the same', () => {
  const name = fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...'abcXYZ019._-/ ;=%') })
  const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  const sample = fc.oneof(
    fc.record({ kind: fc.constant(counter), type: fc.constant('c'), value: number }),
    fc.record({ kind: fc.constant(gauge), type: fc.constant('g'), value: number }),
    fc.record({ kind: fc.constant(timer), type: fc.constantFrom('ms', 'h', 'd'), value: number.map(Math.abs) }),
  )
  const rate = fc.double({ min: 1e-6, max: 1, noNaN: true })
  fc.assert(
    fc.property(name, sample, rate, (name, { kind, type, value }, sampleRate) => {
      const text = `${value}`
      const isRelative = kind === gauge && text.startsWith('-')
      expect(parse(`${name}:${text}|${type}|@${sampleRate}`)).toEqual({
        kind,
        name,
        value: value + 0,
        ...(isRelative && { isRelative }),
        ...(sampleRate !== 1 && { sampleRate }),
      })
    }),
    { numRuns: 3000 },
  )
})

test('numbers are read to the same float that the language itself reads', () => {
  const decimal = fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 20 }),
      fc.boolean(),
      fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 20 }),
    )
    .map(([sign, whole, dot, fraction]) => `${sign}${whole}${dot ? '.' : ''}${dot ? fraction : ''}`)
  fc.assert(
    fc.property(decimal, (text) => {
      const bytes = Buffer.from(text)
      const expected = /\d/.test(text) ? Number(text) : Number.NaN
      expect(parseNumber(bytes, 0, bytes.length)).toBe(expected)
    }),
    { numRuns: 5000 },
  )
})

test('a name is cleaned as the old daemon does it', () => {
  expect(cleanName('a  b\tc/d')).toBe('a_b_c-d')
  expect(cleanName('zürich.50%{x}')).toBe('zrich.50x')
  expect(cleanName('%%')).toBe('')
})
