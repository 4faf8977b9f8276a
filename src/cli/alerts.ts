/** `tocsin alerts`, `tocsin alerts why`, `tocsin ack`: what fires, why who was told, and taking it in hand. */
import { err, ok, type Result } from '../model/result.ts'
import { formatUtc } from '../runtime/clock.ts'
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
}

interface Detail {
  alert: ListedAlert
  notes: { by: string; atMs: number; text: string }[]
  decisions: { atMs: number; change: string; notify: boolean; reason: string; receivers: string[] }[]
  receipts: { atMs: number; receiver: string; outcome: string; detail: string }[]
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
  const { state, level, rule, groupKey, say, text } = alert
  const mark = state === 'firing' ? level.toUpperCase() : state
  return `${mark.padEnd(9)} ${rule} ${groupKey}  ${say || (text ?? '')}${handled(alert)}`
}

function handled({ acknowledged, silenced, hidden }: ListedAlert): string {
  const words = [
    acknowledged && `acknowledged by ${acknowledged.by}${acknowledged.note ? `: ${acknowledged.note}` : ''}`,
    silenced && `silenced by ${silenced.id} (${silenced.by})`,
    hidden && 'explained by another alert',
  ].filter(Boolean)
  return words.length > 0 ? `  [${words.join('; ')}]` : ''
}

/** Every decision about one alert with its reason, and what became of what was sent. */
export async function whyAlert(console: Console, id: string, flags: { json?: boolean | undefined }): Promise<Outcome> {
  const found = await findAlerts(console, [id])
  if (!found.ok) return found.error
  const answer = await ask<Detail>(console, 'GET', addressOf(found.value[0] as string))
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  return { exitCode: 0, text: told(answer.value) }
}

function told({ alert, notes, decisions, receipts }: Detail): string {
  const lines = decisions.map(({ atMs, change, notify, reason, receivers }) => ({
    atMs,
    text: notify
      ? `told ${receivers.join(', ')}: ${reason}`
      : `${change === 'command' ? 'by hand' : 'not told'}: ${reason}`,
  }))
  const sent = receipts.map(({ atMs, receiver, outcome, detail }) => ({
    atMs,
    text: `${receiver}: ${outcome}${detail ? ` (${detail})` : ''}`,
  }))
  const said = notes.map(({ atMs, by, text }) => ({ atMs, text: `note by ${by}: ${text}` }))
  const all = [...lines.reverse(), ...said, ...sent.reverse()].sort((a, b) => a.atMs - b.atMs)
  const none = `nothing was decided about it in the time that is kept; "tocsin rules test" and the rule's page tell whether it fires`
  const rows = all.map(({ atMs, text }) => `  ${formatUtc(atMs)}  ${text}`)
  return [line(alert), ...(rows.length > 0 ? rows : [`  ${none}`])].join('\n')
}

export interface AckFlags {
  note?: string | undefined
  for?: string | undefined
  sticky?: boolean | undefined
  json?: boolean | undefined
}

/** Acknowledges each alert named; all are tried, whatever becomes of one. */
export async function acknowledge(console: Console, ids: readonly string[], flags: AckFlags): Promise<Outcome> {
  const found = await findAlerts(console, ids)
  if (!found.ok) return found.error
  const done: ListedAlert[] = []
  const failed: Outcome[] = []
  for (const fingerprint of found.value) {
    const body = {
      note: flags.note ?? '',
      sticky: flags.sticky ?? false,
      ...(flags.for !== undefined && { for: flags.for }),
    }
    const answer = await ask<Detail>(console, 'POST', `${addressOf(fingerprint)}/acknowledge`, body)
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
