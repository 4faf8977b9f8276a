/**
 * Schedule: moments and recurrences as people write them, in a time zone, with its daylight saving. Pure: the present
 * comes in.
 *
 *     every: sunday, at: "02:00", for: 2h, zone: Europe/Amsterdam
 *
 * A recurrence begins at a wall-clock time and lasts so long by a stopwatch. Where its beginning is skipped in spring it
 * begins as much later (02:30 → 03:30); where it comes twice in autumn it begins at the first. Zone rules are those of
 * the running Node.
 */
import { parseDuration } from './duration.ts'
import { err, ok, type Result } from './result.ts'

/** As written and as it travels; `for` is a duration. */
export interface RecurrenceText extends Readonly<Record<string, string>> {
  every: string
  at: string
  for: string
  zone: string
}

export interface Occurrence {
  startsMs: number
  endsMs: number
}

export interface ScheduleProblem {
  /** The key that is wrong. */
  path: string
  message: string
}

interface Recurrence {
  isDay: (date: Temporal.PlainDate) => boolean
  at: Temporal.PlainTime
  lastsMs: number
  zone: string
}

export const lastsMsMax = 31 * 86_400_000
/** "the 31st" and "last friday" come within this. */
const daysAheadMax = 70

const recurrences = new WeakMap<RecurrenceText, Recurrence | undefined>()

/** The occurrence that `atMs` is in: the one that ends last. */
export function occurrenceAt(text: RecurrenceText, atMs: number): Occurrence | undefined {
  const recurrence = known(text)
  if (!recurrence) return undefined
  const date = dateAt(atMs, recurrence.zone)
  const daysBack = Math.ceil(recurrence.lastsMs / 86_400_000) + 1
  for (let back = 0; back <= daysBack; back++) {
    const one = occurrenceOn(recurrence, date.subtract({ days: back }))
    if (one && one.startsMs <= atMs && atMs < one.endsMs) return one
  }
  return undefined
}

/** The first that begins after `atMs`. */
export function occurrenceAfter(text: RecurrenceText, atMs: number): Occurrence | undefined {
  const recurrence = known(text)
  if (!recurrence) return undefined
  const date = dateAt(atMs, recurrence.zone)
  for (let ahead = 0; ahead <= daysAheadMax; ahead++) {
    const one = occurrenceOn(recurrence, date.add({ days: ahead }))
    if (one && one.startsMs > atMs) return one
  }
  return undefined
}

/** Every problem at once. */
export function readRecurrence({ every, at, for: lasts, zone }: RecurrenceText): Result<Recurrence, ScheduleProblem[]> {
  const isDay = readDays(every)
  const time = readTime(at)
  const lastsMs = parseDuration(lasts)
  const problems: ScheduleProblem[] = []
  if (!isDay) problems.push({ path: 'every', message: `expected ${daysHelp}, got "${every.slice(0, 60)}"` })
  if (!time) problems.push({ path: 'at', message: `expected a time of day such as "02:00", got "${at.slice(0, 40)}"` })
  if (!lastsMs || lastsMs > lastsMsMax) {
    problems.push({
      path: 'for',
      message: `expected a duration of at most 31d such as "2h", got "${lasts.slice(0, 40)}"`,
    })
  }
  if (!isZone(zone)) problems.push({ path: 'zone', message: zoneProblem(zone) })
  if (!isDay || !time || !lastsMs || problems.length > 0) return err(problems)
  return ok({ isDay, at: time, lastsMs, zone })
}

/** A moment such as `2026-03-01 02:00` in the zone, or with its own offset (`…+01:00`, `…Z`); undefined when it is none. */
export function readMoment(text: string, zone: string | undefined): number | undefined {
  const iso = text.trim().replace(' ', 'T')
  try {
    if (/(Z|[+-]\d\d:?\d\d)$/i.test(iso)) return Temporal.Instant.from(iso).epochMilliseconds
    return zone === undefined
      ? undefined
      : Temporal.PlainDateTime.from(iso).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds
  } catch {
    return undefined
  }
}

export function isZone(zone: string): boolean {
  try {
    dateAt(0, zone)
    return zone !== ''
  } catch {
    return false
  }
}

export function zoneProblem(zone: string): string {
  return `expected a time zone such as "Europe/Amsterdam", got "${zone.slice(0, 60)}"`
}

export const daysHelp = '"day", "weekday", "sunday", "mon-fri", "mon, thu", "first sunday", "last friday" or "15th"'

function known(text: RecurrenceText): Recurrence | undefined {
  if (recurrences.has(text)) return recurrences.get(text)
  const read = readRecurrence(text)
  const recurrence = read.ok ? read.value : undefined
  recurrences.set(text, recurrence)
  return recurrence
}

function occurrenceOn({ isDay, at, lastsMs, zone }: Recurrence, date: Temporal.PlainDate): Occurrence | undefined {
  if (!isDay(date)) return undefined
  const startsMs = date.toPlainDateTime(at).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds
  return { startsMs, endsMs: startsMs + lastsMs }
}

function dateAt(atMs: number, zone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone).toPlainDate()
}

export type IsDay = (date: Temporal.PlainDate) => boolean

const dayNames = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']
const ordinals = ['first', 'second', 'third', 'fourth', 'last']

/** Days separated by commas; undefined when one of them is none. */
export function readDays(text: string): IsDay | undefined {
  const parts = text.split(',').map((part) => readDay(part.trim().toLowerCase()))
  return parts.includes(undefined) ? undefined : (date) => parts.some((part) => part?.(date))
}

function readDay(text: string): IsDay | undefined {
  if (text === 'day') return () => true
  if (text === 'weekday') return ({ dayOfWeek }) => dayOfWeek <= 5
  if (text === 'weekend') return ({ dayOfWeek }) => dayOfWeek > 5
  const [, ofMonth] = /^([1-9]|[12]\d|3[01])(?:st|nd|rd|th)$/.exec(text) ?? []
  if (ofMonth !== undefined) return ({ day }) => day === Number(ofMonth)
  const [first = '', second, ...more] = text.split(/\s+/)
  if (second !== undefined) return more.length > 0 ? undefined : readOrdinal(first, second)
  const [from = '', to = from, ...others] = first.split('-')
  const [begin, end] = [dayNumber(from), dayNumber(to)]
  if (begin === undefined || end === undefined || others.length > 0) return undefined
  return ({ dayOfWeek }) =>
    begin <= end ? begin <= dayOfWeek && dayOfWeek <= end : begin <= dayOfWeek || dayOfWeek <= end
}

function readOrdinal(ordinal: string, name: string): IsDay | undefined {
  const week = ordinals.indexOf(ordinal)
  const wanted = dayNumber(name)
  if (week === -1 || wanted === undefined) return undefined
  if (ordinal === 'last') return ({ dayOfWeek, day, daysInMonth }) => dayOfWeek === wanted && day + 7 > daysInMonth
  return ({ dayOfWeek, day }) => dayOfWeek === wanted && Math.ceil(day / 7) === week + 1
}

/** 1 is Monday. */
function dayNumber(text: string): number | undefined {
  const found = text.length < 3 ? -1 : dayNames.findIndex((name) => name === text || name.slice(0, 3) === text)
  return found === -1 ? undefined : found + 1
}

export function readTime(text: string): Temporal.PlainTime | undefined {
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text.trim()) ?? []
  return hour === undefined ? undefined : new Temporal.PlainTime(Number(hour), Number(minute))
}
