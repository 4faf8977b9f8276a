/** Command body: what a person's request says, made into a command; every mistake is named at once. */
import { type ArgumentProblem, type ArgumentValue, type Command, readCommand } from '../model/command.ts'
import { parseDuration } from '../model/duration.ts'
import { type Matchers, matchesAll, reach } from '../model/match.ts'
import { BadRequest } from './request.ts'

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
  const why = needsConfirmation(command)
  if (why !== undefined && confirm !== true) throw new BadRequest(`${why}; send "confirm": true if you mean it`, 409)
  return command
}

/** What a person may not have meant. */
function needsConfirmation({ arguments: args }: Command): string | undefined {
  const matchers = args.matchers as Matchers
  const all = reach(matchers)
  if (all !== undefined) return `this silence matches ${all}`
  const { severity } = matchers
  const anyCrit = { rule: '', level: 'crit' as const, group: [], tags: {} }
  const mayHideCrit = severity === undefined || matchesAll({ severity }, anyCrit)
  const lastsMs = Number(args.endsMs) - Number(args.startsMs)
  return mayHideCrit && lastsMs > critWithoutConfirmMs
    ? 'this silence hides critical alerts for over a week'
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
