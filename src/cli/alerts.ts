/** `tocsin alerts`, `tocsin alerts why`, `tocsin ack`, `tocsin unack`: what fires, why who was told, and taking it in hand. */
import { err, ok, type Result } from '../model/result.ts'
import { formatIso, formatUtc, systemClock } from '../runtime/clock.ts'
import { suggest } from '../runtime/problem.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'

export interface ListedAlert {
  fingerprint: string
  state: string
  level: string
  rule: string
  groupKey: string
  sinceMs: number
  say: string
  text?: string
  hidden?: boolean
  acknowledged?: { by: string; note: string }
  silenced?: { id: string; by: string }
  maintenance?: { id: string; by: string }
  flaps?: boolean
}

interface Detail {
  alert: ListedAlert
  quietWhy?: string[]
  rulesWhy?: string
  notes: { by: string; atMs: number; text: string }[]
  decisions: { atMs: number; change: string; notify: boolean; reason: string; receivers: string[] }[]
  receipts: { atMs: number; receiver: string; outcome: string; detail: string; fallback?: string }[]
}

export interface ListFlags {
  all?: boolean | undefined
  json?: boolean | undefined
  rule?: string | undefined
  group?: string | undefined
  tag?: string | undefined
  text?: string | undefined
}

export async function listAlerts(console: Console, flags: ListFlags): Promise<Outcome> {
  const query = new URLSearchParams({ limit: '50000' })
  for (const name of ['rule', 'group', 'tag', 'text'] as const) {
    const value = flags[name]
    if (value !== undefined) query.set(name, value)
  }
  const answer = await ask<{ alerts: ListedAlert[] }>(console, 'GET', `/api/alerts?${query}`)
  if (!answer.ok) return answer.error
  const { alerts } = answer.value
  const firing = alerts.filter((alert) => alert.state === 'firing')
  const shown = flags.all ? alerts : firing
  const exitCode = firing.length > 0 ? 1 : 0
  if (flags.json) return { exitCode, text: JSON.stringify({ alerts: shown }, null, 2) }
  if (shown.length === 0) return { exitCode, text: 'nothing is firing' }
  return { exitCode, text: shown.map(line).join('\n') }
}

function line(alert: ListedAlert): string {
  const { state, level, fingerprint, say, text } = alert
  const mark = state === 'firing' ? level.toUpperCase() : state
  return `${mark.padEnd(9)} ${fingerprint}  ${say || (text ?? '')}${lasted(alert)}${handled(alert)}`
}

function lasted({ state, sinceMs }: ListedAlert): string {
  return state === 'firing' ? `  (since ${formatUtc(sinceMs)})` : ''
}

function handled({ acknowledged, silenced, maintenance, hidden, flaps }: ListedAlert): string {
  const words = [
    acknowledged && `acknowledged by ${acknowledged.by}${acknowledged.note ? `: ${acknowledged.note}` : ''}`,
    silenced && `silenced by ${silenced.id} (${silenced.by})`,
    maintenance && `in maintenance ${maintenance.id} (${maintenance.by})`,
    hidden && 'explained by another alert',
    flaps && 'flaps',
  ].filter(Boolean)
  return words.length > 0 ? `  [${words.join('; ')}]` : ''
}

export interface WhyFlags {
  /** When a page was missed. */
  at?: string | undefined
  /** As it was named here, so that the command which is told reads the same. */
  config?: string | undefined
  json?: boolean | undefined
}

/** Every decision about one alert with its reason, and what became of what was sent; where there is none, who knows more. */
export async function whyAlert(console: Console, id: string, flags: WhyFlags): Promise<Outcome> {
  const found = await findAlerts(console, [id])
  if (!found.ok) return found.error.exitCode === 2 ? found.error : askRules(console, id, found.error, flags)
  const answer = await ask<Detail>(console, 'GET', addressOf(found.value[0] as string))
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  return { exitCode: 0, text: told(answer.value, flags) }
}

/** No alert by this name: where there is such a rule, the engine's journal tells why it did not fire. */
async function askRules(console: Console, id: string, unknown: Outcome, { at, config }: WhyFlags): Promise<Outcome> {
  const slash = id.indexOf('/')
  const [rule, group] = slash === -1 ? [id, undefined] : [id.slice(0, slash), id.slice(slash + 1)]
  const answer = await ask<{ rules: { name: string }[]; nowMs?: number }>(console, 'GET', '/api/rules')
  if (!answer.ok) return answer.error
  const names = answer.value.rules.map(({ name }) => name)
  if (!names.includes(rule)) {
    const meant = suggest(rule, names)
    return meant === undefined ? unknown : { ...unknown, error: `${unknown.error}\n    did you mean "${meant}"?` }
  }
  if (group === undefined && unknown.error?.includes('which one')) return unknown
  const when = at ?? formatIso(systemClock.now()).replace(/\.\d+Z$/, 'Z')
  const command =
    ['tocsin', 'rules', 'why', quoted(rule), quoted(group ?? 'all'), '--at', quoted(when)].join(' ') +
    withConfig(config)
  const text = `no alert of ${rule}${group === undefined ? '' : ` ${group}`} in the time that is kept: nothing was to be told`
  return { exitCode: 1, text: `${text}\n  why the rule did not fire:  ${command}` }
}

function withConfig(file: string | undefined): string {
  return file === undefined ? '' : ` --config ${quoted(file)}`
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

const byHand: ReadonlySet<string> = new Set(['command'])

function told({ alert, quietWhy = [], rulesWhy, notes, decisions, receipts }: Detail, { config }: WhyFlags): string {
  const lines = decisions.map(({ atMs, change, notify, reason, receivers }) => ({
    atMs,
    text: notify
      ? `told ${receivers.join(', ')}: ${reason}`
      : `${byHand.has(change) ? 'by hand' : 'not told'}: ${reason}`,
  }))
  const sent = receipts.map(({ atMs, receiver, outcome, detail, fallback }) => ({
    atMs,
    text: `${receiver}: ${fallback ? `not taken, ${fallback} is told instead` : outcome}${detail ? ` (${detail})` : ''}`,
  }))
  const said = notes.map(({ atMs, by, text }) => ({ atMs, text: `note by ${by}: ${text}` }))
  const all = [...lines.reverse(), ...said, ...sent.reverse()].sort((a, b) => a.atMs - b.atMs)
  const rows = all.map(({ atMs, text }) => `  ${formatUtc(atMs)}  ${text}`)
  const none = '  nothing was decided about it in the time that is kept'
  const quiet = quietWhy.map((why) => `  now quiet: ${why}`)
  const more = rulesWhy === undefined ? [] : [`  what the engine saw:  ${rulesWhy}${withConfig(config)}`]
  return [line(alert), ...(rows.length > 0 ? rows : [none]), ...quiet, ...more].join('\n')
}

/** Takes acknowledgements back: those who know are reminded again. All are tried, whatever becomes of one. */
export async function unacknowledge(console: Console, ids: readonly string[], flags: AckFlags): Promise<Outcome> {
  return forEach(console, ids, flags, (address) => ask<Detail>(console, 'DELETE', `${address}/acknowledge`, {}))
}

export interface AckFlags {
  note?: string | undefined
  for?: string | undefined
  sticky?: boolean | undefined
  json?: boolean | undefined
}

/** Acknowledges each alert named; all are tried, whatever becomes of one. */
export async function acknowledge(console: Console, ids: readonly string[], flags: AckFlags): Promise<Outcome> {
  const body = {
    note: flags.note ?? '',
    sticky: flags.sticky ?? false,
    ...(flags.for !== undefined && { for: flags.for }),
  }
  return forEach(console, ids, flags, (address) => ask<Detail>(console, 'POST', `${address}/acknowledge`, body))
}

async function forEach(
  console: Console,
  ids: readonly string[],
  flags: AckFlags,
  act: (address: string) => Promise<Result<Detail, Outcome>>,
): Promise<Outcome> {
  const found = await findAlerts(console, ids)
  if (!found.ok) return found.error
  const done: ListedAlert[] = []
  const failed: Outcome[] = []
  for (const fingerprint of found.value) {
    const answer = await act(addressOf(fingerprint))
    if (answer.ok) done.push(answer.value.alert)
    else failed.push({ ...answer.error, error: `${fingerprint}: ${answer.error.error}` })
  }
  const exitCode = failed.some((one) => one.exitCode === 2) ? 2 : failed.length > 0 ? 1 : 0
  const text = flags.json ? JSON.stringify({ alerts: done }, null, 2) : done.map(line).join('\n')
  const error = failed.map((one) => one.error).join('\n')
  return { exitCode, text, ...(error && { error }) }
}

/** Fingerprints of the alerts named: by fingerprint, or by rule where only one of its groups fires. */
async function findAlerts(console: Console, ids: readonly string[]): Promise<Result<string[], Outcome>> {
  const answer = await ask<{ alerts: ListedAlert[] }>(console, 'GET', '/api/alerts?limit=50000')
  if (!answer.ok) return answer
  const found: string[] = []
  for (const id of ids) {
    const { alerts } = answer.value
    const exact = alerts.find(({ fingerprint }) => fingerprint === id)
    const ofRule = alerts.filter(({ rule, state }) => rule === id && state === 'firing')
    const only = exact ?? (ofRule.length === 1 ? ofRule[0] : undefined)
    if (!only) return err({ exitCode: 1, error: `tocsin: ${noneOrMany(id, ofRule)}` })
    found.push(only.fingerprint)
  }
  return ok(found)
}

function noneOrMany(id: string, ofRule: readonly ListedAlert[]): string {
  if (ofRule.length === 0) return `there is no alert "${id}"\n    "tocsin alerts" lists them; an id is rule/group`
  const names = ofRule.slice(0, 10).map(({ fingerprint }) => `    ${fingerprint}`)
  return `${ofRule.length} groups of "${id}" fire; which one?\n${names.join('\n')}`
}

function addressOf(fingerprint: string): string {
  return `/api/alerts/${encodeURIComponent(fingerprint)}`
}
