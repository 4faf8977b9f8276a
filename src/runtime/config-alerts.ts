/**
 * Config of alert decisions: routes, limits, maintenance, flapping and silences; the receivers themselves stand in
 * config.ts. Everything wrong is found at load, with its place and a cure.
 */
import { z } from 'zod'
import { parseDuration } from '../model/duration.ts'
import type { HandlingPolicy } from '../model/handling.ts'
import type { Planned } from '../model/maintenance.ts'
import type { Matchers } from '../model/match.ts'
import { type RecurrenceText, readMoment, readRecurrence } from '../model/schedule.ts'
import { readSpan } from '../model/span.ts'
import { duration, matchers } from './config-values.ts'
import { type Problem, suggest } from './problem.ts'

/** The receiver of what is meant to be told to nobody. */
export const nobody = 'nobody'

export interface Route {
  receiver?: string | undefined
  match?: Matchers | undefined
  /** Hours of the week, such as `mon-fri 09:00-17:00 Europe/Berlin`. */
  during?: string | undefined
  /** What still fires is told again so often, where the rule has no `remind` of its own; ms. */
  repeat?: number | undefined
  /** The siblings that follow are looked at too. */
  continue?: boolean | undefined
  routes?: Route[] | undefined
}

const during = z.string().superRefine((text, context) => {
  const read = readSpan(text)
  if (!read.ok)
    context.addIssue({ code: 'custom', message: withZoneMeant(read.error, text.trim().split(/\s+/).at(-1)) })
})

export const route: z.ZodType<Route> = z.lazy(() =>
  z.strictObject({
    receiver: z.string().optional(),
    match: matchers.optional(),
    during: during.optional(),
    repeat: duration.optional(),
    continue: z.boolean().optional(),
    routes: z.array(route).optional(),
  }),
)

/** At most `count` notifications in `withinMs`; what is more is gathered into summaries. */
export interface Limit {
  count: number
  withinMs: number
}

export const limitCountMax = 1_000

/** `30 per 10m` */
export const limit = z.string({ error: 'expected a limit such as "30 per 10m"' }).superRefine((text, context) => {
  if (readLimit(text) === undefined) {
    context.addIssue({ code: 'custom', message: `expected a limit from 2 to ${limitCountMax} such as "30 per 10m"` })
  }
})

export function readLimit(text: string): Limit | undefined {
  const [, count, length = ''] = /^(\d{1,4}) per (\S+)$/.exec(text.trim()) ?? []
  const withinMs = parseDuration(length)
  const isFine = Number(count) >= 2 && Number(count) <= limitCountMax && withinMs !== undefined && withinMs > 0
  return isFine ? { count: Number(count), withinMs } : undefined
}

const plan = z
  .strictObject({
    match: matchers.refine((given) => Object.keys(given).length > 0, { error: 'expected at least one pattern' }),
    reason: z.string().min(1),
    by: z.string().min(1).default('tocsin.yaml'),
    zone: z.string().optional(),
    every: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
    at: z.string().optional(),
    from: z.string().optional(),
    until: z.string().optional(),
    for: z.string().optional(),
  })
  .superRefine((given, context) => {
    const when = readWhen(given)
    if (Array.isArray(when)) for (const { path, message } of when) addAt(context, path, message)
  })

export type Plan = z.output<typeof plan>

function addAt(context: z.RefinementCtx, path: string, message: string): void {
  context.addIssue({ code: 'custom', path: path === '' ? [] : [path], message })
}

export const maintenance = z.record(z.string().regex(/^[A-Za-z0-9_-]+$/), plan).default({})

/** As the decisions use it. */
export function plannedOf(plans: Readonly<Record<string, Plan>>): Planned[] {
  return Object.entries(plans).flatMap(([id, given]) => {
    const when = readWhen(given)
    return Array.isArray(when) ? [] : [{ id, by: given.by, reason: given.reason, matchers: given.match, when }]
  })
}

interface Muting {
  maintenance?: Readonly<Record<string, Plan>>
  silences?: { warnBefore: number }
}

/** What of the configuration is about silences and maintenance. */
export function handlingPolicyOf({ maintenance, silences }: Muting): HandlingPolicy {
  return { maintenance: maintenance && plannedOf(maintenance), expiryLeadMs: silences?.warnBefore }
}

/** `every at for zone`, or `from`, `until` or `for`, `zone`; otherwise what is wrong. */
export function readWhen(
  given: Partial<Omit<Plan, 'match' | 'reason' | 'by'>>,
): Planned['when'] | { path: string; message: string }[] {
  const { every, at = '', zone, from, for: lasts = '' } = given
  if (every === undefined && from === undefined) {
    return [{ path: '', message: 'expected "every" (with at, for, zone) or "from" (with until or for)' }]
  }
  if (every === undefined) return readOnce(given)
  const twice = from !== undefined ? 'from' : given.until !== undefined ? 'until' : undefined
  if (twice) return [{ path: twice, message: `expected "every" or "${twice}", got both` }]
  const text: RecurrenceText = {
    every: typeof every === 'string' ? every : every.join(', '),
    at,
    for: lasts,
    zone: zone ?? '',
  }
  const read = readRecurrence(text)
  if (read.ok) return text
  return read.error.map(({ path, message }) => ({
    path,
    message: path === 'zone' ? withZoneMeant(message, zone) : message,
  }))
}

function readOnce({ at, zone, from = '', until, for: lasts }: Partial<Plan>) {
  const problems: { path: string; message: string }[] = []
  const complain = (path: string, message: string) => problems.push({ path, message })
  const moment = 'expected a time such as "2026-03-01 02:00" with a zone, or "2026-03-01T02:00Z"'
  const startsMs = readMoment(from, zone)
  if (startsMs === undefined) complain('from', `${moment}, got "${from.slice(0, 60)}"`)
  if (at !== undefined) complain('at', 'expected it with "every"; "from" has its time in it')
  if ((until === undefined) === (lasts === undefined)) complain('', 'expected "until" or "for"')
  const lastsMs = lasts === undefined ? undefined : parseDuration(lasts)
  if (lasts !== undefined && !lastsMs) complain('for', `expected a duration such as "2h", got "${lasts.slice(0, 40)}"`)
  const endsMs = until === undefined ? (startsMs ?? 0) + (lastsMs ?? 1) : readMoment(until, zone)
  if (until !== undefined && endsMs === undefined) complain('until', `${moment}, got "${until.slice(0, 60)}"`)
  else if (endsMs !== undefined && startsMs !== undefined && endsMs <= startsMs)
    complain('until', 'expected a time after "from"')
  return problems.length > 0 ? problems : { startsMs: startsMs ?? 0, endsMs: endsMs ?? 0 }
}

/** It flaps with so many episodes within so long, until nothing has changed for `calm`. */
export const flapping = z
  .union([
    z.literal(false),
    z.strictObject({
      episodes: z.number().int().min(3).max(50).default(5),
      within: duration.prefault('30m'),
      calm: duration.prefault('15m'),
    }),
  ])
  .prefault({})

export const silences = z
  .strictObject({
    /** How long before its end a silence that still hides something is told of. */
    warnBefore: duration.prefault('15m'),
  })
  .prefault({})

interface Routed {
  receivers: Readonly<Record<string, unknown>>
  route?: Route | undefined
}

/** Routes to nowhere, unknown receivers, and routes that nothing reaches. */
export function routeProblems(
  { receivers, route }: Routed,
  file: string,
  locate: (path: PropertyKey[]) => { line: number; column: number },
): Problem[] {
  const problems: Problem[] = []
  const known = Object.keys(receivers)
  const complain = (at: PropertyKey[], message: string, help: string) =>
    problems.push({ file, ...locate(at), message: `${dotted(at)}: ${message}`, help })
  const visit = (node: Route, at: PropertyKey[], inherited: string | undefined) => {
    const { receiver = inherited, routes = [] } = node
    if (node.receiver !== undefined && node.receiver !== nobody && !known.includes(node.receiver)) {
      const meant = node.receiver.length > 3 ? suggest(node.receiver, known) : undefined
      const names = known.length > 0 ? `known: ${known.join(', ')}` : 'name one under alerts.receivers'
      const help = meant ? `did you mean "${meant}"?` : names
      complain([...at, 'receiver'], `there is no receiver "${node.receiver}"`, help)
    }
    const takesAll = routes.findIndex((child) => isOpen(child) && !child.continue)
    if (receiver === undefined && takesAll === -1) {
      complain(at, 'it leads to no receiver', `name one, or "receiver: ${nobody}" where nobody is to be told`)
    }
    if (takesAll !== -1 && takesAll < routes.length - 1) {
      complain(
        [...at, 'routes', takesAll + 1],
        'nothing comes here',
        `routes[${takesAll}] before it takes everything; give that one a match`,
      )
    }
    for (const [i, child] of routes.entries()) visit(child, [...at, 'routes', i], receiver)
  }
  if (known.includes(nobody)) {
    complain(['alerts', 'receivers', nobody], 'routes call nobody by this name', 'choose another name')
  }
  if (route) visit(route, ['alerts', 'route'], undefined)
  return problems
}

function isOpen({ match, during }: Route): boolean {
  return during === undefined && Object.keys(match ?? {}).length === 0
}

function dotted(at: PropertyKey[]): string {
  return at
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? String(step) : `.${String(step)}`))
    .join('')
}

function withZoneMeant(message: string, zone = ''): string {
  const meant = message.includes('time zone') ? suggest(zone, Intl.supportedValuesOf('timeZone')) : undefined
  return meant ? `${message}; did you mean "${meant}"?` : message
}
