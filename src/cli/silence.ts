/** `tocsin silence`: mute for a time, see what is muted, end it, and see first what it would hide. */
import { formatUtc } from '../runtime/clock.ts'
import type { ListedAlert } from './alerts.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'

export interface SilenceFlags {
  match?: string[] | undefined
  for?: string | undefined
  reason?: string | undefined
  'end-when-quiet'?: string | undefined
  confirm?: boolean | undefined
  all?: boolean | undefined
  json?: boolean | undefined
}

interface Silence {
  id: string
  by: string
  matchers: Record<string, string>
  reason: string
  startsMs: number
  endsMs: number
  state: string
  endedWhy?: string
  hides: number
}

export const silenceWords = ['add', 'list', 'end', 'preview'] as const

export async function silence(
  console: Console,
  word: (typeof silenceWords)[number],
  ids: readonly string[],
  flags: SilenceFlags,
): Promise<Outcome> {
  if (word === 'list') return list(console, flags)
  if (word === 'end') return end(console, ids, flags)
  const wrong = (flags.match ?? []).find((pair) => !/^[^=]+=./.test(pair))
  if (wrong !== undefined || !flags.match) {
    const got = wrong === undefined ? '' : `, got "${wrong}"`
    return { exitCode: 2, error: `tocsin: expected --match name=pattern such as --match rule=http_*${got}` }
  }
  return word === 'add' ? add(console, flags) : preview(console, flags.match, flags)
}

async function add(console: Console, flags: SilenceFlags): Promise<Outcome> {
  const matchers = Object.fromEntries((flags.match ?? []).map(pair))
  const body = {
    matchers,
    reason: flags.reason ?? '',
    ...(flags.for !== undefined && { for: flags.for }),
    ...(flags['end-when-quiet'] !== undefined && { endWhenQuiet: flags['end-when-quiet'] }),
    ...(flags.confirm && { confirm: true }),
  }
  const answer = await ask<{ silence: Silence }>(console, 'POST', '/api/silences', body)
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  return { exitCode: 0, text: line(answer.value.silence) }
}

async function list(console: Console, flags: SilenceFlags): Promise<Outcome> {
  const answer = await ask<{ silences: Silence[] }>(console, 'GET', '/api/silences')
  if (!answer.ok) return answer.error
  const silences = answer.value.silences.filter(({ state }) => flags.all || state !== 'ended')
  if (flags.json) return { exitCode: 0, text: JSON.stringify({ silences }, null, 2) }
  return { exitCode: 0, text: silences.length === 0 ? 'nothing is silenced' : silences.map(line).join('\n') }
}

async function end(console: Console, ids: readonly string[], flags: SilenceFlags): Promise<Outcome> {
  const ended: Silence[] = []
  for (const id of ids) {
    const answer = await ask<{ silence: Silence }>(console, 'DELETE', `/api/silences/${encodeURIComponent(id)}`, {})
    if (!answer.ok) return { ...answer.error, text: ended.map(line).join('\n') }
    ended.push(answer.value.silence)
  }
  return { exitCode: 0, text: flags.json ? JSON.stringify({ silences: ended }, null, 2) : ended.map(line).join('\n') }
}

async function preview(console: Console, match: readonly string[], flags: SilenceFlags): Promise<Outcome> {
  const query = new URLSearchParams(match.map((text) => ['match', text]))
  type Preview = { total: number; isEverything: boolean; alerts: ListedAlert[] }
  const answer = await ask<Preview>(console, 'GET', `/api/silences/preview?${query}`)
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  const { total, isEverything, alerts } = answer.value
  const head = `${isEverything ? 'it matches every alert; ' : ''}${total === 0 ? 'it would hide nothing now' : `it would hide ${total} now:`}`
  return {
    exitCode: 0,
    text: [head, ...alerts.map(({ level, fingerprint }) => `  ${level} ${fingerprint}`)].join('\n'),
  }
}

function line({ id, state, by, matchers, reason, startsMs, endsMs, endedWhy, hides }: Silence): string {
  const what = Object.entries(matchers)
    .map(([name, pattern]) => `${name}=${pattern}`)
    .join(' ')
  const when = state === 'waiting' ? `from ${formatUtc(startsMs)} ` : ''
  const hidden = state === 'active' ? `, hides ${hides}` : endedWhy === undefined ? '' : `, ${endedWhy}`
  return `${id}  ${state.padEnd(7)} ${what}  ${when}until ${formatUtc(endsMs)}${hidden}  (${by}: ${reason})`
}

function pair(text: string): [string, string] {
  const equals = text.indexOf('=')
  return [text.slice(0, equals), text.slice(equals + 1)]
}
