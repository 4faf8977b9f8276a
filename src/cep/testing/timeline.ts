/**
 * Timeline: everything that a group is expected to do, or did, from second 0 to the end of a test.
 *
 *     ok, warn at 7m40s, crit hidden at 8m, ok at 11m10s
 *
 * The first state has no time; every change after it has, to the millisecond. Pure values and their text.
 */
import { formatDuration, parseDuration } from '../../model/duration.ts'
import { err, ok, type Result } from '../../model/result.ts'
import type { Level, Transition } from '../../model/transition.ts'
import type { GivenError } from './given.ts'

export interface State {
  level: Level
  hidden: boolean
  blind: boolean
}

export interface Change extends State {
  atMs: number
}

export interface Timeline {
  first: Level
  changes: readonly Change[]
}

export const alwaysOk: Timeline = { first: 'ok', changes: [] }

const changePattern = /^(ok|warn|crit|nodata|forgotten)( hidden)?( blind)? at (\S+)$/

export function parseTimeline(text: string): Result<Timeline, GivenError> {
  const parts = [...text.matchAll(/[^,]+/g)].map((match) => ({
    text: match[0].trim(),
    at: match.index + (match[0].length - match[0].trimStart().length),
  }))
  const [first, ...rest] = parts
  if (!first || (first.text !== 'ok' && first.text !== 'nodata')) {
    return err(problem(first ?? { text, at: 0 }, 'a timeline begins with the state at the start: ok or nodata'))
  }
  const changes: Change[] = []
  for (const part of rest) {
    const change = parseChange(part.text)
    if (!change)
      return err(
        problem(
          part,
          `expected a change such as "warn at 7m40s", found "${part.text}"`,
          'states: ok, warn, crit, nodata; after warn and crit also "hidden" or "blind"',
        ),
      )
    if (change.atMs <= (changes.at(-1)?.atMs ?? -1))
      return err(problem(part, `${formatDuration(change.atMs)} is not after the change before it`))
    changes.push(change)
  }
  return ok({ first: first.text, changes })
}

function parseChange(text: string): Change | undefined {
  const match = changePattern.exec(text)
  const atMs = match && parseDuration(match[4] as string)
  if (!match || atMs === undefined || atMs === null) return undefined
  return { level: match[1] as Level, hidden: match[2] !== undefined, blind: match[3] !== undefined, atMs }
}

function problem(part: { text: string; at: number }, message: string, help?: string): GivenError {
  return { at: part.at, length: Math.max(1, part.text.length), message, ...(help && { help }) }
}

export function formatTimeline(timeline: Timeline): string {
  return [timeline.first, ...timeline.changes.map(formatChange)].join(', ')
}

export function formatChange(change: Change): string {
  return `${change.level}${change.hidden ? ' hidden' : ''}${change.blind ? ' blind' : ''} at ${formatDuration(change.atMs)}`
}

/** What a group did, from its transitions in order; `startMs` is the test's second 0. */
export function timelineOf(transitions: readonly Transition[], startMs: number): Timeline {
  return {
    first: transitions[0]?.from ?? 'ok',
    changes: transitions.map(({ to, hidden, blind, bucketMs }) => ({
      level: to,
      hidden,
      blind,
      atMs: bucketMs - startMs,
    })),
  }
}

export function sameTimeline(a: Timeline, b: Timeline): boolean {
  return formatTimeline(a) === formatTimeline(b)
}

/**
 * Both timelines in columns, one change a line, those that differ marked:
 *
 *         expected         came
 *         ok               ok
 *         warn at 7m40s    warn at 7m40s
 *       ✗ crit at 11m10s   crit at 11m
 *       ✗ –                ok at 12m
 */
export function diffTimelines(expected: Timeline, came: Timeline): string[] {
  const rows: [string, string][] = [
    ['expected', 'came'],
    [expected.first, came.first],
  ]
  const left = [...expected.changes]
  const right = [...came.changes]
  while (left.length > 0 || right.length > 0) {
    const [a, b] = [left[0], right[0]]
    if (a && b && (pairs(a, b) || formatChange(a) === formatChange(b)))
      rows.push([formatChange(shift(left)), formatChange(shift(right))])
    else if (!b || (a && a.atMs <= b.atMs)) rows.push([formatChange(shift(left)), '–'])
    else rows.push(['–', formatChange(shift(right))])
  }
  const width = Math.max(...rows.map(([a]) => a.length))
  return rows.map(([a, b], i) => `${i > 0 && a !== b ? '✗' : ' '} ${a.padEnd(width)}   ${b}`)
}

/** The same change at another time, or another change at the same time, stand beside each other. */
function pairs(a: Change, b: Change): boolean {
  return a.atMs === b.atMs || (a.level === b.level && a.hidden === b.hidden)
}

function shift<T>(items: T[]): T {
  return items.shift() as T
}
