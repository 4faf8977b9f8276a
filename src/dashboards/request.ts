/** Request: reads what a caller asked for, and says what was expected where it is wrong. */
import { parseDuration } from '../model/duration.ts'
import { parseTarget, type Target } from './target.ts'

export const targetsMax = 300
const defaultRangeMs = 3_600_000
const rangeMsMax = 7 * 24 * 3_600_000

/** Answered as `{"error": …}` with its status. */
export class BadRequest extends Error {
  readonly status: number

  constructor(message: string, status = 400) {
    super(message)
    this.status = status
  }
}

export type Query = Readonly<Record<string, unknown>>

/** One value of a parameter; undefined when it is absent. */
export function textOf(query: Query, name: string): string | undefined {
  const value = query[name]
  if (value === undefined || typeof value === 'string') return value
  throw new BadRequest(`${name}: expected it once`)
}

export function targetsOf(query: Query): Target[] {
  const given = query.target
  const texts = given === undefined ? [] : Array.isArray(given) ? given : [given]
  if (texts.length > targetsMax) throw new BadRequest(`target: ${texts.length} of them; at most ${targetsMax}`)
  return texts.map((text) => {
    const target = parseTarget(String(text))
    if (!target.ok) throw new BadRequest(`target: ${target.error}`)
    return target.value
  })
}

/** `from` and `until` as epoch ms or as a duration before now (`-15m`); the last hour by default. */
export function rangeOf(query: Query, nowMs: number): { fromMs: number; untilMs: number } {
  const untilMs = timeOf(textOf(query, 'until'), nowMs, 'until') ?? nowMs
  const fromMs = timeOf(textOf(query, 'from'), nowMs, 'from') ?? untilMs - defaultRangeMs
  if (fromMs > untilMs) throw new BadRequest('from: expected a time before "until"')
  if (untilMs - fromMs > rangeMsMax) throw new BadRequest('from: expected at most a week before "until"')
  return { fromMs, untilMs }
}

function timeOf(text: string | undefined, nowMs: number, name: string): number | undefined {
  if (text === undefined || text === '') return undefined
  if (text === 'now') return nowMs
  const ago = text.startsWith('-') ? parseDuration(text.slice(1)) : undefined
  if (ago !== undefined) return nowMs - ago
  if (/^\d{1,16}$/.test(text)) return Number(text)
  throw new BadRequest(
    `${name}: expected epoch milliseconds, "now" or a duration such as "-15m", got "${text.slice(0, 40)}"`,
  )
}
