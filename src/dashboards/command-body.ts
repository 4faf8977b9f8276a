/** Command body: what a person's request says, made into a command; every mistake is named at once. */
import { type ArgumentProblem, type ArgumentValue, type Command, readCommand, silenceMsMax } from '../model/command.ts'
import { parseDuration } from '../model/duration.ts'
import type { Planned } from '../model/maintenance.ts'
import { type Matchers, matchesAll, reach } from '../model/match.ts'
import { err, ok, type Result } from '../model/result.ts'
import { readWhen } from '../runtime/config-alerts.ts'
import { BadRequest } from './request.ts'
import type { SilenceView } from './view.ts'

export type Body = Readonly<Record<string, unknown>>
type Given = Pick<Command, 'id' | 'by' | 'atMs'>

const critWithoutConfirmMs = 7 * 86_400_000
const quietByDefault = '5m'

export function bodyOf(body: unknown): Body {
  if (body === undefined) return {}
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body
  throw new BadRequest('expected a JSON object')
}

/** `{note, sticky, for}` */
export function acknowledgeCommand(given: Given, fingerprint: string, body: Body): Command {
  const { for: lasts, by: _, ...rest } = body
  const problems: ArgumentProblem[] = []
  const lastsMs = lasts === undefined ? undefined : lengthOf(lasts, 'for', problems)
  const args = { ...rest, fingerprint, ...(lastsMs !== undefined && { untilMs: given.atMs + lastsMs }) }
  return checked({ ...given, kind: 'acknowledge', arguments: args as Record<string, ArgumentValue> }, problems)
}

export function plainCommand(given: Given, kind: string, args: Body): Command {
  const { by: _, ...rest } = args
  return checked({ ...given, kind, arguments: rest as Record<string, ArgumentValue> }, [])
}

/** `{matchers, reason, for or endsMs, startsMs, endWhenQuiet, confirm}` */
export function silenceCommand(given: Given, body: Body): Command {
  const { for: lasts, by: _, confirm, endWhenQuiet, startsMs = given.atMs, ...rest } = body
  const problems: ArgumentProblem[] = []
  const lastsMs = lasts === undefined ? undefined : lengthOf(lasts, 'for', problems)
  const quiet = endWhenQuiet === true ? quietByDefault : endWhenQuiet === false ? undefined : endWhenQuiet
  const quietMs = quiet === undefined ? undefined : lengthOf(quiet, 'endWhenQuiet', problems)
  const args = {
    ...rest,
    startsMs,
    ...(lastsMs !== undefined && { endsMs: Number(startsMs) + lastsMs }),
    ...(quietMs !== undefined && { quietMs }),
  }
  if (lasts === undefined && rest.endsMs === undefined) {
    problems.push({ path: 'for', message: 'expected how long it lasts, such as "2h" (or endsMs)' })
  }
  const command = checked({ ...given, kind: 'silence', arguments: args as Record<string, ArgumentValue> }, problems)
  const { startsMs: fromMs, endsMs } = command.arguments
  const inAllMs = Number(endsMs) - Number(fromMs)
  confirmed({ what: 'silence', matchers: command.arguments.matchers as Matchers, lastsMs: inAllMs }, confirm)
  return command
}

/** `{for}`: so much longer. */
export function extendCommand(given: Given, silence: SilenceView, body: Body): Command {
  const { for: lasts, by: _, confirm, ...rest } = body
  const problems: ArgumentProblem[] = []
  const lastsMs = lengthOf(lasts, 'for', problems) ?? 0
  const endsMs = Math.max(silence.endsMs, given.atMs) + lastsMs
  if (endsMs - silence.startsMs > silenceMsMax) {
    problems.push({ path: 'for', message: 'expected at most a year in all' })
  }
  const args = { ...rest, silence: silence.id, endsMs } as Record<string, ArgumentValue>
  const command = checked({ ...given, kind: 'extend', arguments: args }, problems)
  confirmed({ what: 'silence', matchers: silence.matchers, lastsMs: endsMs - given.atMs }, confirm)
  return command
}

/** `{matchers, reason, for, startsMs}`, or `every, at, for, zone`, or `from, until or for, zone`; `confirm`. */
export function maintainCommand(given: Given, body: Body): Command {
  const { by: _, confirm, every, at, for: lasts, zone, from, until, startsMs, ...rest } = body
  const when = whenOf({ every, at, for: lasts, zone, from, until, startsMs }, given.atMs)
  const times = !when.ok ? {} : 'every' in when.value ? { recurrence: when.value } : when.value
  const args = { ...rest, ...(when.ok ? times : { startsMs: 1, endsMs: 2 }) } as Record<string, ArgumentValue>
  const command = checked({ ...given, kind: 'maintain', arguments: args }, when.ok ? [] : when.error)
  const lastsMs = when.ok && !('every' in when.value) ? when.value.endsMs - when.value.startsMs : 0
  confirmed({ what: 'maintenance window', matchers: command.arguments.matchers as Matchers, lastsMs }, confirm)
  return command
}

/** When maintenance is, as a person says it; without `every` and `from` it begins at `startsMs` or now. */
export function whenOf(said: Body, nowMs: number): Result<Planned['when'], ArgumentProblem[]> {
  const given = Object.entries(said).filter(([, value]) => value !== undefined)
  const wrong = given.filter(
    ([name, value]) => name !== 'startsMs' && typeof value !== 'string' && !Array.isArray(value),
  )
  if (wrong.length > 0) return err(wrong.map(([path]) => ({ path, message: 'expected a text' })))
  const { startsMs = nowMs, ...texts } = Object.fromEntries(given)
  if (texts.every !== undefined || texts.from !== undefined) {
    const when = readWhen(texts)
    return Array.isArray(when) ? err(when) : ok(when)
  }
  const problems: ArgumentProblem[] = []
  const lastsMs = lengthOf(texts.for, 'for', problems) ?? 0
  if (typeof startsMs !== 'number') problems.push({ path: 'startsMs', message: 'expected milliseconds' })
  const stray = Object.keys(texts).filter((name) => name !== 'for')
  for (const path of stray) problems.push({ path, message: 'expected it with "every" or "from"' })
  return problems.length > 0 ? err(problems) : ok({ startsMs: Number(startsMs), endsMs: Number(startsMs) + lastsMs })
}

/** Refuses what a person may not have meant, until they say that they do. */
function confirmed(about: { what: string; matchers: Matchers; lastsMs: number }, confirm: unknown): void {
  const why = needsConfirmation(about)
  if (why !== undefined && confirm !== true) throw new BadRequest(`${why}; send "confirm": true if you mean it`, 409)
}

function needsConfirmation({ what, matchers, lastsMs }: Parameters<typeof confirmed>[0]): string | undefined {
  const all = reach(matchers)
  if (all !== undefined) return `this ${what} matches ${all}`
  const { severity } = matchers
  const anyCrit = { rule: '', level: 'crit' as const, group: [], tags: {} }
  const mayHideCrit = severity === undefined || matchesAll({ severity }, anyCrit)
  return mayHideCrit && lastsMs >= critWithoutConfirmMs
    ? `this ${what} hides critical alerts for a week or longer`
    : undefined
}

function lengthOf(value: unknown, path: string, problems: ArgumentProblem[]): number | undefined {
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined && ms > 0) return ms
  problems.push({ path, message: `expected a duration such as "2h", got ${JSON.stringify(value)?.slice(0, 60)}` })
  return undefined
}

/** Problems of times that stand for `for` are told once, by the name that the caller used. */
function checked(command: Command, before: readonly ArgumentProblem[]): Command {
  const read = readCommand(command)
  const more = read.ok ? [] : read.error.filter(({ path }) => before.length === 0 || path !== 'endsMs')
  const problems = [...before, ...more]
  if (problems.length === 0) return command
  throw new BadRequest(problems.map(({ path, message }) => `${path}: ${message}`).join('; '))
}
