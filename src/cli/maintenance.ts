/** `tocsin maintenance`: windows in which what they match is not told, once or recurring; with a look at what and when first. */
import { type Matchers, matchersText } from '../model/match.ts'
import { formatUtc } from '../runtime/clock.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'
import { matchersOf, type Preview, previewText } from './silence.ts'

export interface MaintenanceFlags {
  match?: string[] | undefined
  reason?: string | undefined
  for?: string | undefined
  every?: string | undefined
  at?: string | undefined
  zone?: string | undefined
  from?: string | undefined
  to?: string | undefined
  yes?: boolean | undefined
  confirm?: boolean | undefined
  all?: boolean | undefined
  json?: boolean | undefined
}

interface Window {
  id: string
  by: string
  reason: string
  matchers: Matchers
  isPlanned: boolean
  state: string
  startsMs: number
  endsMs: number
  recurs?: string
  endedWhy?: string
  hides: number
}

export const maintenanceWords = ['start', 'list', 'end', 'preview'] as const

export async function maintenance(
  console: Console,
  word: (typeof maintenanceWords)[number],
  ids: readonly string[],
  flags: MaintenanceFlags,
): Promise<Outcome> {
  if (word === 'list') return list(console, flags)
  if (word === 'end') return end(console, ids, flags)
  const matchers = matchersOf(flags.match)
  if (!matchers.ok) return matchers.error
  return word === 'start' ? start(console, matchers.value, flags) : preview(console, flags)
}

async function start(console: Console, matchers: Matchers, flags: MaintenanceFlags): Promise<Outcome> {
  const body = {
    matchers,
    reason: flags.reason ?? '',
    ...whenOf(flags),
    ...((flags.yes || flags.confirm) && { confirm: true }),
  }
  const answer = await ask<{ maintenance: Window }>(console, 'POST', '/api/maintenance', body)
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  return { exitCode: 0, text: line(answer.value.maintenance) }
}

function whenOf(flags: MaintenanceFlags): Record<string, string> {
  const { every, at, zone, from, to: until } = flags
  const said = { every, at, for: flags.for, zone, from, until }
  return Object.fromEntries(
    Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

async function list(console: Console, flags: MaintenanceFlags): Promise<Outcome> {
  const answer = await ask<{ maintenance: Window[] }>(console, 'GET', '/api/maintenance')
  if (!answer.ok) return answer.error
  const windows = answer.value.maintenance.filter(({ state }) => flags.all || state !== 'ended')
  if (flags.json) return { exitCode: 0, text: JSON.stringify({ maintenance: windows }, null, 2) }
  return { exitCode: 0, text: windows.length === 0 ? 'no maintenance is planned' : windows.map(line).join('\n') }
}

async function end(console: Console, ids: readonly string[], flags: MaintenanceFlags): Promise<Outcome> {
  const ended: Window[] = []
  for (const id of ids) {
    const address = `/api/maintenance/${encodeURIComponent(id)}`
    const answer = await ask<{ maintenance: Window }>(console, 'DELETE', address, {})
    if (!answer.ok) return { ...answer.error, text: ended.map(line).join('\n') }
    ended.push(answer.value.maintenance)
  }
  const text = flags.json ? JSON.stringify({ maintenance: ended }, null, 2) : ended.map(line).join('\n')
  return { exitCode: 0, text }
}

async function preview(console: Console, flags: MaintenanceFlags): Promise<Outcome> {
  const when = Object.entries(whenOf(flags))
  const query = new URLSearchParams([...(flags.match ?? []).map((text) => ['match', text]), ...when])
  type Windows = Preview & { occurrences?: { startsMs: number; endsMs: number }[] }
  const answer = await ask<Windows>(console, 'GET', `/api/maintenance/preview?${query}`)
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  const times = (answer.value.occurrences ?? []).map(
    ({ startsMs, endsMs }) => `  ${formatUtc(startsMs)} until ${formatUtc(endsMs)}`,
  )
  const next = times.length === 0 ? [] : ['it would last from', ...times]
  return { exitCode: 0, text: [previewText(answer.value), ...next].join('\n') }
}

function line({ id, state, by, matchers, reason, startsMs, endsMs, recurs, endedWhy, hides }: Window): string {
  const when = state === 'waiting' ? `from ${formatUtc(startsMs)} ` : ''
  const hidden = state === 'active' ? `, hides ${hides}` : state === 'ended' ? `, ${endedWhy ?? 'over'}` : ''
  const often = recurs === undefined ? '' : `  [${recurs}]`
  return `${id}  ${state.padEnd(7)} ${matchersText(matchers)}  ${when}until ${formatUtc(endsMs)}${hidden}${often}  (${by}: ${reason})`
}
