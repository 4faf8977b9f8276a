/** Recurrences and spans; the nights on which clocks change stand here with their wall-clock times. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { occurrences } from '../../src/model/maintenance.ts'
import { occurrenceAfter, occurrenceAt, readMoment, readRecurrence } from '../../src/model/schedule.ts'
import { isWithin, readSpan } from '../../src/model/span.ts'

const zone = 'Europe/Amsterdam'
const at = (text: string) => readMoment(text, zone) as number
const local = (atMs: number, where = zone) =>
  Temporal.Instant.fromEpochMilliseconds(atMs)
    .toZonedDateTimeISO(where)
    .toString({ timeZoneName: 'never' })
    .slice(0, 25)
const recurrence = (every: string, time: string, lasts: string, where = zone) => ({
  every,
  at: time,
  for: lasts,
  zone: where,
})

function next(text: ReturnType<typeof recurrence>, from: string, count = 3): string[] {
  return occurrences(text, at(from), count).map(
    ({ startsMs, endsMs }) => `${local(startsMs, text.zone)} to ${local(endsMs, text.zone)}`,
  )
}

describe('a recurrence', () => {
  test.each([
    ['every day', recurrence('day', '22:00', '1h'), ['2026-06-10', '2026-06-11', '2026-06-12']],
    ['on a weekday', recurrence('sunday', '02:00', '2h'), ['2026-06-14', '2026-06-21', '2026-06-28']],
    ['on several', recurrence('mon, thu', '02:00', '2h'), ['2026-06-11', '2026-06-15', '2026-06-18']],
    ['in a range over the weekend', recurrence('sat-mon', '02:00', '2h'), ['2026-06-13', '2026-06-14', '2026-06-15']],
    ['on the first of a kind', recurrence('first sunday', '02:00', '2h'), ['2026-07-05', '2026-08-02', '2026-09-06']],
    ['on the last of a kind', recurrence('last friday', '02:00', '2h'), ['2026-06-26', '2026-07-31', '2026-08-28']],
    [
      'on a day that not every month has',
      recurrence('31st', '02:00', '2h'),
      ['2026-07-31', '2026-08-31', '2026-10-31'],
    ],
    ['on workdays', recurrence('weekday', '02:00', '2h'), ['2026-06-11', '2026-06-12', '2026-06-15']],
  ])('comes %s', (_when, text, days) => {
    expect(next(text, '2026-06-10 12:00').map((one) => one.slice(0, 10))).toEqual(days)
  })

  test('in the hour that is skipped in spring it begins as much later, and lasts as long as always', () => {
    expect(next(recurrence('sunday', '02:30', '2h'), '2026-03-25 00:00', 2)).toEqual([
      '2026-03-29T03:30:00+02:00 to 2026-03-29T05:30:00+02:00',
      '2026-04-05T02:30:00+02:00 to 2026-04-05T04:30:00+02:00',
    ])
  })

  test('over the hour that is skipped it lasts by the stopwatch', () => {
    expect(next(recurrence('sunday', '01:00', '2h'), '2026-03-25 00:00', 1)).toEqual([
      '2026-03-29T01:00:00+01:00 to 2026-03-29T04:00:00+02:00',
    ])
  })

  test('in the hour that comes twice in autumn it begins at the first, once', () => {
    const text = recurrence('sunday', '02:30', '2h')
    expect(next(text, '2026-10-24 00:00', 2)).toEqual([
      '2026-10-25T02:30:00+02:00 to 2026-10-25T03:30:00+01:00',
      '2026-11-01T02:30:00+01:00 to 2026-11-01T04:30:00+01:00',
    ])
    const second = readMoment('2026-10-25T02:45+01:00', zone) as number
    expect(occurrenceAt(text, second)).toEqual(occurrenceAt(text, second - 3_600_000))
  })

  test('it is found while it lasts and not at its end', () => {
    const text = recurrence('sunday', '02:00', '2h')
    const found = (time: string) => occurrenceAt(text, at(time)) !== undefined
    const times = ['2026-06-14 01:59', '2026-06-14 02:00', '2026-06-14 03:59', '2026-06-14 04:00']
    expect(times.map(found)).toEqual([false, true, true, false])
  })

  test('one that lasts over days is found on each of them', () => {
    const text = recurrence('friday', '20:00', '3d')
    expect(occurrenceAt(text, at('2026-06-15 19:00'))).toEqual(occurrenceAt(text, at('2026-06-12 20:00')))
  })

  test('whenever one is asked, what is found contains the moment and what comes next begins later', () => {
    const fromMs = at('2026-01-01 00:00')
    const text = fc.record({
      every: fc.constantFrom('day', 'sunday', 'mon-fri', 'last sunday', '29th'),
      at: fc.constantFrom('00:00', '02:30', '23:59'),
      for: fc.constantFrom('30m', '2h', '26h'),
      zone: fc.constantFrom(zone, 'America/New_York', 'Australia/Lord_Howe', 'UTC', 'Asia/Kathmandu'),
    })
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 366 * 24 * 60 }), (recurring, minute) => {
        const nowMs = fromMs + minute * 60_000
        const present = occurrenceAt(recurring, nowMs)
        const later = occurrenceAfter(recurring, nowMs)
        if (present) expect(present.startsMs <= nowMs && nowMs < present.endsMs).toBe(true)
        expect(later?.startsMs).toBeGreaterThan(nowMs)
        expect(occurrenceAt(recurring, later?.startsMs ?? 0)).toBeDefined()
      }),
      { numRuns: 300 },
    )
  })

  test.each(['someday', 'mon-', '32nd', 'fifth sunday', 'first', 'monday sunday monday', ''])('not "%s"', (every) => {
    expect(readRecurrence(recurrence(every, '02:00', '2h')).ok).toBe(false)
  })
})

describe('a moment', () => {
  test('is read in its zone, or with the offset that it names', () => {
    expect(at('2026-07-01 02:00')).toBe(Date.UTC(2026, 6, 1, 0, 0))
    expect(readMoment('2026-07-01T02:00Z', undefined)).toBe(Date.UTC(2026, 6, 1, 2, 0))
    expect(readMoment('2026-07-01 02:00', undefined)).toBeUndefined()
    expect(readMoment('tomorrow', zone)).toBeUndefined()
  })
})

describe('a span', () => {
  const within = (span: string, time: string) => {
    const read = readSpan(span)
    if (!read.ok) throw new Error(read.error)
    return isWithin(read.value, at(time))
  }

  test.each([
    ['mon-fri 09:00-17:00 Europe/Amsterdam', '2026-06-10 09:00'],
    ['09:00-17:00 UTC', '2026-06-10 18:59'],
    ['mon-thu 18:00-08:00, fri Europe/Amsterdam', '2026-06-12 07:59'],
    ['mon-thu 18:00-08:00, fri Europe/Amsterdam', '2026-06-12 12:00'],
    ['sat, sun Europe/Amsterdam', '2026-06-13 00:00'],
    ['sat, sun 10:00-12:00 Europe/Amsterdam', '2026-06-13 10:00'],
    ['not sat, sun 10:00-12:00 Europe/Amsterdam', '2026-06-13 09:00'],
    ['fri 20:00-24:00 Europe/Amsterdam', '2026-06-12 23:59'],
  ])('%s holds at %s', (span, time) => expect(within(span, time)).toBe(true))

  test.each([
    ['mon-fri 09:00-17:00 Europe/Amsterdam', '2026-06-10 17:00'],
    ['mon-fri 09:00-17:00 Europe/Amsterdam', '2026-06-13 12:00'],
    ['mon-thu 18:00-08:00 Europe/Amsterdam', '2026-06-12 18:00'],
    ['sat, sun 10:00-12:00 Europe/Amsterdam', '2026-06-13 09:00'],
    ['not mon-fri Europe/Amsterdam', '2026-06-10 12:00'],
  ])('%s does not hold at %s', (span, time) => expect(within(span, time)).toBe(false))

  test('a skipped hour is never in it, a doubled one twice', () => {
    const span = readSpan('02:00-03:00 Europe/Amsterdam')
    const minutes = (from: string) => {
      const fromMs = at(from)
      const all = Array.from({ length: 25 * 60 }, (_, minute) => fromMs + minute * 60_000)
      return all.filter((atMs) => span.ok && isWithin(span.value, atMs)).length
    }
    expect([minutes('2026-03-29 00:00'), minutes('2026-10-25 00:00'), minutes('2026-06-10 00:00')]).toEqual([
      0, 120, 60,
    ])
  })

  test.each(['mon-fri 09:00-17:00', 'Europe/Berlin', 'mon-fri 17:00-17:00 UTC', 'noon UTC', 'mon,, tue UTC', ''])(
    'not "%s"',
    (span) => {
      expect(readSpan(span).ok).toBe(false)
    },
  )
})
