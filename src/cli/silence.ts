/** `tocsin silence`: mute for a time, see what is muted, let it last longer, end it, and see first what it would hide. */
import { type Matchers, matchersText, readMatches } from '../model/match.ts'
import { err, type Result } from '../model/result.ts'
import { formatUtc } from '../runtime/clock.ts'
import type { ListedAlert } from './alerts.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'

export interface SilenceFlags {
  match?: string[] | undefined
  for?: string | undefined
  reason?: string | undefined
  'end-when-quiet'?: string | undefined
  yes?: boolean | undefined
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
  warnedMs?: number
  hides: number
}

export const silenceWords = ['add', 'list', 'extend', 'end', 'preview'] as const

export async function silence(
  console: Console,
  word: (typeof silenceWords)[number],
  ids: readonly string[],
  flags: SilenceFlags,
): Promise<Outcome> {
  if (word === 'list') return list(console, flags)
  if (word === 'end') return end(console, ids, flags)
  if (word === 'extend') return extend(console, ids, flags)
  const matchers = matchersOf(flags.match)
  if (!matchers.ok) return matchers.error
  return word === 'add' ? add(console, matchers.value, flags) : preview(console, flags)
}

/** What `--match` says, or how it should have. */
export function matchersOf(match: readonly string[] | undefined): Result<Matchers, Outcome> {
  if (match === undefined)
    return err({ exitCode: 2, error: 'tocsin: expected --match name=pattern such as --match rule=http_*' })
  const read = readMatches(match)
  return read.ok ? read : err({ exitCode: 2, error: `tocsin: --match: ${read.error}` })
}

async function add(console: Console, matchers: Matchers, flags: SilenceFlags): Promise<Outcome> {
  const body = {
    matchers,
    reason: flags.reason ?? '',
    ...(flags.for !== undefined && { for: flags.for }),
    ...(flags['end-when-quiet'] !== undefined && { endWhenQuiet: flags['end-when-quiet'] }),
    ...((flags.yes || flags.confirm) && { confirm: true }),
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

/** So much longer, each of them; all are tried until one is refused. */
async function extend(console: Console, ids: readonly string[], flags: SilenceFlags): Promise<Outcome> {
  if (flags.for === undefined) return { exitCode: 2, error: 'tocsin: expected how much longer, such as --for 2h' }
  const body = { for: flags.for, ...((flags.yes || flags.confirm) && { confirm: true }) }
  const done: Silence[] = []
  for (const id of ids) {
    const address = `/api/silences/${encodeURIComponent(id)}/extend`
    const answer = await ask<{ silence: Silence }>(console, 'POST', address, body)
    if (!answer.ok) return { ...answer.error, text: done.map(line).join('\n') }
    done.push(answer.value.silence)
  }
  return { exitCode: 0, text: flags.json ? JSON.stringify({ silences: done }, null, 2) : done.map(line).join('\n') }
}

async function preview(console: Console, flags: SilenceFlags): Promise<Outcome> {
  const query = new URLSearchParams(flags.match?.map((text) => ['match', text]))
  const answer = await ask<Preview>(console, 'GET', `/api/silences/preview?${query}`)
  if (!answer.ok) return answer.error
  if (flags.json) return { exitCode: 0, text: JSON.stringify(answer.value, null, 2) }
  return { exitCode: 0, text: previewText(answer.value) }
}

export interface Preview {
  total: number
  lately: number
  reach?: string
  alerts: ListedAlert[]
}

export function previewText({ total, lately, reach, alerts }: Preview): string {
  const all = reach === undefined ? '' : `it matches ${reach}; `
  const past = lately === 0 ? '' : `; of what ended lately it matches ${lately}`
  const head = `${all}${total === 0 ? `it would hide nothing now${past}` : `it would hide ${total} now${past}:`}`
  return [head, ...alerts.map(({ level, fingerprint }) => `  ${level} ${fingerprint}`)].join('\n')
}

function line({ id, state, by, matchers, reason, startsMs, endsMs, endedWhy, warnedMs, hides }: Silence): string {
  const what = matchersText(matchers)
  const when = state === 'waiting' ? `from ${formatUtc(startsMs)} ` : ''
  const soon = warnedMs === undefined ? '' : ', ends soon'
  const hidden = state === 'active' ? `, hides ${hides}${soon}` : endedWhy === undefined ? '' : `, ${endedWhy}`
  return `${id}  ${state.padEnd(7)} ${what}  ${when}until ${formatUtc(endsMs)}${hidden}  (${by}: ${reason})`
}
