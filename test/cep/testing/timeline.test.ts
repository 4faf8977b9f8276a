import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Change,
  diffTimelines,
  formatTimeline,
  parseTimeline,
  type Timeline,
} from '../../../src/cep/testing/timeline.ts'

const timeline = (text: string): Timeline => {
  const parsed = parseTimeline(text)
  if (!parsed.ok) throw new Error(parsed.error.message)
  return parsed.value
}

describe('a timeline', () => {
  it('begins with a state and goes on with changes at exact times', () => {
    expect(parseTimeline('ok, warn at 7m40s, crit hidden at 8m, ok at 1h10s')).toEqual({
      ok: true,
      value: {
        first: 'ok',
        changes: [
          { level: 'warn', hidden: false, blind: false, atMs: 460_000 },
          { level: 'crit', hidden: true, blind: false, atMs: 480_000 },
          { level: 'ok', hidden: false, blind: false, atMs: 3_610_000 },
        ],
      },
    })
    expect(parseTimeline('nodata, ok at 3m, crit blind at 5m').ok).toBe(true)
  })

  it.each([
    ['', 0, 'begins with'],
    ['warn at 3m', 0, 'begins with'],
    ['ok, warning at 3m', 4, 'expected a change'],
    ['ok, warn', 4, 'expected a change'],
    ['ok, warn at noon', 4, 'expected a change'],
    ['ok, warn at 3m, ok at 3m', 16, 'is not after'],
  ])('is refused with its place: %j', (text, at, message) => {
    expect(parseTimeline(text)).toMatchObject({ ok: false, error: { at, message: expect.stringContaining(message) } })
  })

  it('means the same when printed and parsed again', () => {
    fc.assert(fc.property(timelines, (value) => void expect(timeline(formatTimeline(value))).toEqual(value)))
  })

  it('stands beside the one that came, changes paired, differences marked', () => {
    const lines = diffTimelines(
      timeline('ok, warn at 7m40s, crit at 11m10s'),
      timeline('ok, warn at 7m40s, crit at 11m, ok at 12m'),
    )
    expect(lines).toEqual([
      '  expected         came',
      '  ok               ok',
      '  warn at 7m40s    warn at 7m40s',
      '✗ crit at 11m10s   crit at 11m',
      '✗ –                ok at 12m',
    ])
  })

  it('loses no change in a diff', () => {
    fc.assert(
      fc.property(timelines, timelines, (expected, came) => {
        const text = diffTimelines(expected, came).join('\n')
        expect(text.split(' at ').length - 1).toBe(expected.changes.length + came.changes.length)
      }),
    )
  })
})

const change: fc.Arbitrary<Change> = fc.record({
  level: fc.constantFrom('ok' as const, 'warn' as const, 'crit' as const, 'nodata' as const),
  hidden: fc.boolean(),
  blind: fc.boolean(),
  atMs: fc.integer({ min: 1, max: 100_000 }).map((n) => n * 1000),
})
const timelines: fc.Arbitrary<Timeline> = fc.record({
  first: fc.constantFrom('ok' as const, 'nodata' as const),
  changes: fc
    .uniqueArray(change, { selector: (value) => value.atMs, maxLength: 6 })
    .map((changes) => changes.sort((a, b) => a.atMs - b.atMs)),
})
