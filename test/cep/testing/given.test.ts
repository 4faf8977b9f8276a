import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Item, parseGiven, type Quantity, type Segment } from '../../../src/cep/testing/given.ts'
import { formatDuration } from '../../../src/model/duration.ts'

const number = (value: number, unit = ''): Item => ({ kind: 'number', quantity: { value, unit } })

describe('what is given for a series', () => {
  it('is values for a time, gaps, and a last value that runs to the end', () => {
    expect(parseGiven('100 for 5m, 3 for 4m, nothing for 2m, 100')).toEqual({
      ok: true,
      value: [
        { kind: 'hold', item: number(100), durationMs: 300_000 },
        { kind: 'hold', item: number(3), durationMs: 240_000 },
        { kind: 'hold', item: { kind: 'nothing' }, durationMs: 120_000 },
        { kind: 'hold', item: number(100), durationMs: undefined },
      ],
    })
  })

  it('is one value a step in brackets, with _ for a gap', () => {
    expect(parseGiven('[0, 0.4, _, 1.2], 0')).toEqual({
      ok: true,
      value: [
        { kind: 'list', items: [number(0), number(0.4), { kind: 'nothing' }, number(1.2)] },
        { kind: 'hold', item: number(0), durationMs: undefined },
      ],
    })
  })

  it('is a ramp, noise, samples, states, and numbers with units', () => {
    expect(parseGiven('100 to 40 for 10h, 40 ± 2').ok).toBe(true)
    expect(parseGiven('95x100ms + 5x900ms')).toEqual({
      ok: true,
      value: [
        {
          kind: 'hold',
          item: {
            kind: 'samples',
            groups: [
              { count: 95, quantity: { value: 100, unit: 'ms' } },
              { count: 5, quantity: { value: 900, unit: 'ms' } },
            ],
          },
          durationMs: undefined,
        },
      ],
    })
    expect(parseGiven('ok for 5m, crit for 10m, ok').ok).toBe(true)
    expect(parseGiven('[ok, crit, _, unknown, warn], ok').ok).toBe(true)
    expect(parseGiven('4GiB for 10m, nothing for 8m, 4GiB').ok).toBe(true)
    expect(parseGiven('-1.5 for 1h30m, 2e3').ok).toBe(true)
    expect(parseGiven('0 to 90000MB for 1h, 0 to 90000MB for 1h').ok).toBe(true)
  })

  it.each([
    ['', 0, 'expected a value'],
    ['100 for 5m, abc for 4m', 12, 'expected a value, found "abc"'],
    ['100 for 5m,', 11, 'expected a value, found nothing more'],
    ['100, 3', 0, 'only the last value may go without "for"'],
    ['1 for 1m, 5 ± 2, 3', 10, 'only the last value may go without "for"'],
    ['100 to 40', 9, 'a ramp needs a time'],
    ['100 for', 7, 'expected a time'],
    ['100 for 5', 8, 'expected a time'],
    ['100 for 0s, 1', 11, 'expected a time'],
    ['[1, 2 for 5m', 6, 'expected "," or "]"'],
    ['[1, 2] for 5m', 11, 'takes no "for"'],
    ['4 GiB', 2, 'expected "," or the end'],
    ['4gib', 0, 'expected a value'],
    ['95x100ms + 900ms', 11, 'expected a number of samples'],
  ])('is refused with its place: %j', (text, at, message) => {
    const parsed = parseGiven(text)
    expect(parsed.ok).toBe(false)
    if (parsed.ok) return
    expect(parsed.error.message).toContain(message)
    expect([at, at - 1, at + 1]).toContain(parsed.error.at)
  })

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseGiven(text)))
    const pieces = fc.array(
      fc.constantFrom('100', ' for ', '5m', ',', '[', ']', '_', 'to', '±', '+', '3x', 'ms', 'ok', ' '),
    )
    fc.assert(fc.property(pieces, (parts) => void parseGiven(parts.join(''))))
  })

  it('means the same when printed and parsed again', () => {
    fc.assert(
      fc.property(
        givens,
        (segments) => void expect(parseGiven(print(segments))).toEqual({ ok: true, value: segments }),
      ),
    )
  })
})

const quantity: fc.Arbitrary<Quantity> = fc.record({
  value: fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 })
    .map((value) => Number(value.toFixed(4)) + 0),
  unit: fc.constantFrom(
    '',
    '%',
    'ms',
    's',
    'm',
    'h',
    'd',
    'w',
    'B',
    'kB',
    'MB',
    'GB',
    'TB',
    'KiB',
    'MiB',
    'GiB',
    'TiB',
    'bit',
    'kbit',
    'Mbit',
    'Gbit',
  ),
})
const time = fc.integer({ min: 1, max: 400 }).map((n) => n * 1000)
const item: fc.Arbitrary<Item> = fc.oneof(
  quantity.map((value): Item => ({ kind: 'number', quantity: value })),
  fc.constantFrom('ok', 'warn', 'crit', 'unknown').map((state) => ({ kind: 'state', state }) as Item),
  fc.constant<Item>({ kind: 'nothing' }),
  fc
    .array(fc.record({ count: fc.integer({ min: 0, max: 999 }), quantity }), { minLength: 1, maxLength: 3 })
    .map((groups): Item => ({ kind: 'samples', groups })),
)
const timed: fc.Arbitrary<Segment> = fc.oneof(
  fc.array(item, { minLength: 1, maxLength: 5 }).map((items): Segment => ({ kind: 'list', items })),
  fc.record({ kind: fc.constant('hold' as const), item, durationMs: time }),
  fc.record({ kind: fc.constant('ramp' as const), from: quantity, to: quantity, durationMs: time }),
  fc.record({ kind: fc.constant('noise' as const), centre: quantity, spread: quantity, durationMs: time }),
)
const last: fc.Arbitrary<Segment> = fc.oneof(
  timed,
  item.map((value): Segment => ({ kind: 'hold', item: value, durationMs: undefined })),
)
const givens = fc.tuple(fc.array(timed, { maxLength: 4 }), last).map(([before, end]) => [...before, end])

function print(segments: readonly Segment[]): string {
  return segments.map(printSegment).join(', ')
}

function printSegment(segment: Segment): string {
  if (segment.kind === 'list') return `[${segment.items.map(printItem).join(', ')}]`
  const time = segment.durationMs === undefined ? '' : ` for ${formatDuration(segment.durationMs)}`
  if (segment.kind === 'ramp') return `${printQuantity(segment.from)} to ${printQuantity(segment.to)}${time}`
  if (segment.kind === 'noise') return `${printQuantity(segment.centre)} ± ${printQuantity(segment.spread)}${time}`
  return printItem(segment.item) + time
}

function printItem(value: Item): string {
  if (value.kind === 'number') return printQuantity(value.quantity)
  if (value.kind === 'state') return value.state
  if (value.kind === 'nothing') return '_'
  return value.groups.map(({ count, quantity }) => `${count}x${printQuantity(quantity)}`).join(' + ')
}

function printQuantity({ value, unit }: Quantity): string {
  return `${value}${unit}`
}
