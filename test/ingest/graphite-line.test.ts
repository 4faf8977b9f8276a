import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type GraphiteReason, parseGraphiteLine } from '../../src/ingest/graphite-line.ts'

describe('lines that must parse', () => {
  const lines: [line: string, series: string, value: number, atMs: number | undefined][] = [
    ['a.b 1 1700000000', 'a.b', 1, 1_700_000_000_000],
    ['a.b 1.5e3 1700000000.5', 'a.b', 1500, 1_700_000_000_500],
    ['a.b -0.25 -1', 'a.b', -0.25, undefined],
    ['a.b 7 N', 'a.b', 7, undefined],
    ['  a.b \t 7   1700000000 ', 'a.b', 7, 1_700_000_000_000],
    ['disk.used;host=web1;dc=west 3 1700000000', 'disk.used;dc=west;host=web1', 3, 1_700_000_000_000],
    ['x;a-b=1;a=2 3 N', 'x;a=2;a-b=1', 3, undefined],
    ['a.b 1 -1.0', 'a.b', 1, undefined],
    ['a.b 1 1.7e9', 'a.b', 1, 1_700_000_000_000],
    ['a.b\t1\t1700000000\t', 'a.b', 1, 1_700_000_000_000],
    ['\u00a0a.b\v1\f+1700000000\r', 'a.b', 1, 1_700_000_000_000],
    ['interface-eth1/if_octets.rx% 3 N', 'interface-eth1/if_octets.rx%', 3, undefined],
  ]
  test.each(lines)('%s', (line, series, value, atMs) => {
    const graphiteName = line.trim().split(/\s/)[0]
    expect(parseGraphiteLine(line)).toEqual({ ok: true, value: { series, graphiteName, value, atMs } })
  })
})

describe('lines that must not', () => {
  const lines: [line: string, column: number, reason: GraphiteReason][] = [
    ['', 1, 'fields'],
    ['a.b', 4, 'fields'],
    ['a.b 1', 6, 'fields'],
    ['a.b 1 2 3', 9, 'fields'],
    ['a.b one 1700000000', 5, 'value'],
    ['a.b 0x1 1700000000', 5, 'value'],
    ['a.b inf 1700000000', 5, 'value'],
    ['a.b 1e999 1700000000', 5, 'value'],
    ['a.b nan 1700000000', 5, 'nan'],
    ['a.b 1 yesterday', 7, 'timestamp'],
    ['a.b 1 n', 7, 'timestamp'],
    ['a.b 1 nan', 7, 'timestamp'],
    ['a.b 1 -7', 7, 'timestamp'],
    ['a.b 1 99999999999999', 7, 'timestamp'],
    ['a;host 1 N', 1, 'tag'],
    ['a;host= 1 N', 1, 'tag'],
    ['a;=web1 1 N', 1, 'tag'],
    ['a;host=x;host=y 1 N', 1, 'tag'],
    [';host=x 1 N', 1, 'name'],
    ['a\u0000b 1 N', 1, 'name'],
    [`${'n'.repeat(1025)} 1 N`, 1, 'name'],
  ]
  test.each(lines)('%s', (line, column, reason) => {
    const parsed = parseGraphiteLine(line)
    expect(parsed.ok ? 'parsed' : [parsed.error.column, parsed.error.reason]).toEqual([column, reason])
  })
})

test('any text never throws and any answer is finite', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (line) => {
      const parsed = parseGraphiteLine(line)
      if (parsed.ok) expect(Number.isFinite(parsed.value.value)).toBe(true)
    }),
    { numRuns: 3000 },
  )
})

test('what is printed parses to the same', () => {
  const word = fc.string({ minLength: 1, maxLength: 10, unit: fc.constantFrom(...'abcXYZ019_-./%') })
  const space = fc.constantFrom(' ', '\t', '  ', ' \t ')
  const value = fc.double({ noNaN: true, noDefaultInfinity: true })
  const tags = fc.dictionary(word, word, { maxKeys: 3 })
  fc.assert(
    fc.property(word, tags, value, fc.nat(2_000_000_000), space, (name, tags, value, seconds, space) => {
      const written = [name, ...Object.entries(tags).map(([key, tag]) => `${key}=${tag}`)].join(';')
      const series = [
        name,
        ...Object.keys(tags)
          .sort()
          .map((key) => `${key}=${tags[key]}`),
      ].join(';')
      const parsed = parseGraphiteLine([written, value, seconds].join(space))
      expect(parsed).toEqual({
        ok: true,
        value: { series, graphiteName: written, value: value + 0, atMs: seconds * 1000 },
      })
    }),
    { numRuns: 1000 },
  )
})
