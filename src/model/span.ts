/**
 * Span: hours of the week in a time zone, for routes.
 *
 *     mon-fri 09:00-17:00 Europe/Berlin
 *     not sat, sun UTC
 *     mon-thu 18:00-08:00, fri, sat 20:00-24:00 Europe/Berlin
 *
 * It is what the wall clock shows: a skipped hour is never in it, a doubled one twice. Days before a comma belong to the
 * times that follow, or are whole days when none do. Times over midnight belong to the day on which they begin.
 */
import { err, ok, type Result } from './result.ts'
import { type IsDay, isZone, readDays, readTime, zoneProblem } from './schedule.ts'

export interface Span {
  isOutside: boolean
  pieces: readonly { isDay: IsDay; fromMinute: number; untilMinute: number }[]
  zone: string
}

export const spanHelp = 'expected days, times and a zone such as "mon-fri 09:00-17:00 Europe/Berlin"'

export function readSpan(text: string): Result<Span, string> {
  const words = text.trim().split(/\s+/)
  const zone = words.pop() ?? ''
  const isOutside = words[0] === 'not'
  const said = words.slice(isOutside ? 1 : 0).join(' ')
  if (said === '' || !/^[A-Z]/.test(zone)) return err(spanHelp)
  if (!isZone(zone)) return err(zoneProblem(zone))
  const pieces: Span['pieces'][number][] = []
  let days: string[] = []
  for (const part of said.split(',').map((one) => one.trim())) {
    const [, names = '', times] = /^(.*?)\s*(\d\S*)?$/.exec(part) ?? []
    const isDay = readDays([...days, names].filter(Boolean).join(',') || 'day')
    if (!isDay || part === '') return err(`${spanHelp}; "${part.slice(0, 40)}" is not understood`)
    days = times === undefined ? [...days, names] : []
    if (times === undefined) continue
    const minutes = readMinutes(times)
    if (!minutes) return err(`expected times such as 09:00-17:00, got "${times.slice(0, 40)}"`)
    pieces.push({ isDay, ...minutes })
  }
  const left = readDays(days.join(','))
  if (days.length > 0 && left) pieces.push({ isDay: left, fromMinute: 0, untilMinute: 1440 })
  return ok({ isOutside, pieces, zone })
}

export function isWithin({ isOutside, pieces, zone }: Span, atMs: number): boolean {
  const now = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone)
  const minute = now.hour * 60 + now.minute
  const today = now.toPlainDate()
  const isInside = pieces.some(({ isDay, fromMinute, untilMinute }) => {
    if (fromMinute < untilMinute) return isDay(today) && fromMinute <= minute && minute < untilMinute
    // Over midnight: it belongs to the day on which it begins.
    return (isDay(today) && minute >= fromMinute) || (isDay(today.subtract({ days: 1 })) && minute < untilMinute)
  })
  return isInside !== isOutside
}

function readMinutes(text: string): { fromMinute: number; untilMinute: number } | undefined {
  const [from = '', until = '', ...more] = text.split('-')
  const [start, end] = [readTime(from), until === '24:00' ? undefined : readTime(until)]
  if (!start || (!end && until !== '24:00') || more.length > 0) return undefined
  const fromMinute = start.hour * 60 + start.minute
  const untilMinute = end ? end.hour * 60 + end.minute : 1440
  return fromMinute === untilMinute ? undefined : { fromMinute, untilMinute }
}
