/**
 * Wording: a notification in words, for every receiver that people read. Pure; the time of sending comes in.
 */

import type { BadLevel } from '../../model/alert.ts'
import { formatDuration } from '../../model/duration.ts'
import { runbookAddress } from '../../model/runbook.ts'
import { formatIso, formatLocal, formatUtc } from '../../runtime/clock.ts'
import { figure, graphAlt, graphCaption } from '../graph/describe.ts'
import type { Notification, ToldAlert } from '../notification.ts'
import { shortened } from './receiver.ts'

export interface WordingContext {
  /** Without a slash at its end. */
  consoleUrl: string
  sendMs: number
  /** IANA zone for local times; the machine's by default. */
  timeZone?: string | undefined
}

/** One labelled line; a link where `href` is set. */
export interface Line {
  label: string
  text: string
  href?: string
}

export interface Wording {
  subject: string
  /** `CRIT`, `OK after 4m10s`, … */
  status: string
  /** Colours go by this. */
  tone: BadLevel | 'ok' | 'gone'
  /** Rule, and group where there is one. */
  title: string
  /** The compared value; '' where there is none, at an end, and of a summary. */
  value: string
  /** What the rule says, or its reason. */
  say: string
  lines: Line[]
  /** What the picture of the values shows, where there is something to draw. */
  graph?: { alt: string; caption: string }
  /** Members of a summary, one line each. */
  members: string[]
  /** packet → flush → rule → send. */
  path: string
}

export const trendLabel = 'Trend'
export const subjectCharactersMax = 150
const nameCharactersMax = 50
const linkCharactersMax = 2_000
const titleCharactersMax = 300
const textCharactersMax = 2_000
export const membersShownMax = 100

export function wording(notification: Notification, context: WordingContext): Wording {
  const [alert] = notification.alerts as [ToldAlert, ...ToldAlert[]]
  const isSummary = notification.alerts.length > 1
  const status = statusOf(notification, context)
  return {
    subject: shortened(oneLine(subjectOf(notification, alert, status)), subjectCharactersMax),
    status,
    tone: toneOf(notification),
    title: shortened(titleOf(notification, alert), titleCharactersMax),
    value: isSummary || isEnd(notification) || notification.kind === 'notice' ? '' : valueText(alert),
    say: isSummary ? '' : sayOf(alert),
    ...(!isSummary && graphOf(alert)),
    lines: isSummary ? summaryLines(notification, alert, context) : lines(notification, alert, context),
    members: isSummary ? memberLines(notification) : [],
    path: hopPath(notification, context.sendMs),
  }
}

function titleOf(notification: Notification, { rule, groupKey }: ToldAlert): string {
  if (isMixed(notification)) return `Summary · ${countOf(notification)} alerts`
  if (notification.alerts.length > 1) return `${notification.rule} · ${countOf(notification)} groups`
  return groupKey === 'all' ? rule : `${rule} · ${groupKey}`
}

function subjectOf(notification: Notification, alert: ToldAlert, status: string): string {
  if (notification.kind === 'notice') return `NOTE ${notification.remark?.split(';')[0] ?? ''}`
  if (isMixed(notification)) return mixedSubject(notification)
  return notification.alerts.length > 1 ? summarySubject(notification) : subject(notification, alert, status)
}

/** Of several rules: what was over a receiver's limit, or what a silence hides. */
function isMixed({ alerts, turn, kind }: Notification): boolean {
  return alerts.length > 1 && (turn === 'digest' || kind === 'notice')
}

function isEnd({ kind }: Notification): boolean {
  return kind === 'resolved' || kind === 'forgotten'
}

function toneOf({ kind, level, alerts, isTest }: Notification): Wording['tone'] {
  if (kind === 'forgotten' || isTest) return 'gone'
  return kind === 'resolved' || alerts.every(({ state }) => state !== 'firing') ? 'ok' : level
}

function statusOf(notification: Notification, { sendMs }: WordingContext): string {
  const { kind, level, alerts, isTest, turn } = notification
  const [alert] = alerts as [ToldAlert, ...ToldAlert[]]
  if (isTest) return 'TEST'
  if (kind === 'notice') return 'NOTE'
  if (turn === 'flapping') return `${level.toUpperCase()}, flapping`
  if (turn === 'calm' && kind === 'reminder') return `${level.toUpperCase()}, no longer flapping`
  if (kind === 'reminder') return `${level.toUpperCase()}, still, for ${age(sendMs - alert.sinceMs)}`
  if (!isEnd(notification)) return toneOf(notification) === 'ok' ? 'OK again already' : level.toUpperCase()
  const lasted = age((alert.endedMs ?? sendMs) - alert.sinceMs)
  return kind === 'forgotten' ? `GONE after ${lasted}` : `OK after ${lasted}`
}

/**
 * `CRIT verifier: 6.3% of requests fail · http_5xx_spike`, `OK verifier after 5m · http_5xx_spike`: what matters within a
 * phone's first 40 characters.
 */
function subject(notification: Notification, alert: ToldAlert, status: string): string {
  const word = status.split(/[ ,]/)[0] as string
  const aside = asideOf(notification, status.slice(word.length))
  const said =
    sayOf(alert)
      .split('\n')[0]
      ?.replace(/[.\s]+$/, '') ?? ''
  // Each has its share, so that a long one leaves room for the others.
  const rest = ` · ${shortened(alert.rule, nameCharactersMax)}`
  const key = shortened(alert.groupKey, nameCharactersMax)
  if (isEnd(notification)) return `${word}${key === 'all' ? '' : ` ${key}`}${aside}${rest}`
  // Many a `say` begins with its group; once is enough on a phone.
  const isNamed = key === 'all' || (aside === '' && startsWithWord(said, key))
  const group = isNamed ? '' : ` ${key}`
  const colon = isNamed && aside === '' && key !== 'all' ? '' : ':'
  const value = valueText(alert)
  const figure = value === '' || said.includes(value) ? '' : ` (${value})`
  const room = subjectCharactersMax - rest.length - figure.length
  return `${shortened(`${word}${group}${aside}${colon} ${said}`, room)}${figure}${rest}`
}

/** What was compared, as the engine wrote it; '' where nothing was. */
function valueText({ comparison, values }: ToldAlert): string {
  const compared = comparison && values.find(({ name }) => name === comparison.expression)
  return shortened(oneLine(compared?.text ?? ''), 20)
}

function asideOf(notification: Notification, more: string): string {
  if (notification.turn === 'flapping' || notification.turn === 'calm') return more.replace(',', '')
  return notification.kind === 'reminder' ? ' still' : isEnd(notification) ? more : ''
}

function startsWithWord(text: string, word: string): boolean {
  return text.startsWith(word) && !/^[\w./-]/.test(text.slice(word.length))
}

function summarySubject(notification: Notification): string {
  const word = { crit: 'CRIT', warn: 'WARN', ok: 'OK', gone: 'GONE' }[toneOf(notification)]
  const still = notification.kind === 'reminder' ? ' still' : ''
  const names = notification.alerts.slice(0, 5).map(({ groupKey }) => groupKey)
  const more = countOf(notification) > names.length ? ', …' : ''
  const rule = shortened(notification.rule, nameCharactersMax)
  return `${word} ${countOf(notification)} groups${still}: ${rule} (${names.join(', ')}${more})`
}

function mixedSubject(notification: Notification): string {
  const word = { crit: 'CRIT', warn: 'WARN', ok: 'OK', gone: 'GONE' }[toneOf(notification)]
  return `${word} ${countOf(notification)} alerts, summary: ${rulesOf(notification, 5)}`
}

function rulesOf({ alerts }: Notification, count: number): string {
  const rules = [...new Set(alerts.map(({ rule }) => rule))]
  return `${rules.slice(0, count).join(', ')}${rules.length > count ? ', …' : ''}`
}

function countOf({ alerts, moreCount }: Notification): number {
  return alerts.length + moreCount
}

function sayOf({ say, reason }: ToldAlert): string {
  return shortened((say || reason).trim(), textCharactersMax)
}

function lines(notification: Notification, alert: ToldAlert, context: WordingContext): Line[] {
  const all: (Line | undefined)[] = [
    { label: 'Rule', text: alert.rule },
    alert.group.length > 0
      ? { label: 'Group', text: alert.group.map(({ name, value }) => `${name} = ${value}`).join(', ') }
      : undefined,
    { label: 'Level', text: levelOf(alert) },
    { label: isEnd(notification) ? 'It was' : 'Why', text: alert.reason },
    isEnd(notification) && alert.end?.reason ? { label: 'Now', text: alert.end.reason } : undefined,
    valuesLine(isEnd(notification) ? (alert.end?.values ?? []) : alert.values),
    { label: 'Since', text: sinceOf(alert, context) },
    alert.endedMs === undefined ? undefined : { label: 'Until', text: times(alert.endedMs, context) },
    noteOf(notification, alert),
    trendLine(alert),
    alert.runbook === undefined ? undefined : linkLine('Runbook', runbookAddress(alert.runbook, context.consoleUrl)),
    linkLine('Console', consoleLink(alert, context.consoleUrl)),
  ]
  return all
    .filter((line) => line !== undefined)
    .map((line) => ({ ...line, text: shortened(line.text, textCharactersMax) }))
}

function summaryLines(notification: Notification, alert: ToldAlert, context: WordingContext): Line[] {
  const firing = notification.alerts.filter(({ state }) => state === 'firing').length
  const over = notification.alerts.length - firing
  const count = isEnd(notification)
    ? `${countOf(notification)} are over`
    : `${firing + notification.moreCount} firing${over > 0 ? `, ${over} over already` : ''}`
  const all: (Line | undefined)[] = [
    isMixed(notification)
      ? { label: 'Rules', text: rulesOf(notification, 20) }
      : { label: 'Rule', text: notification.rule },
    { label: isMixed(notification) ? 'Alerts' : 'Groups', text: count },
    { label: 'First', text: sinceOf(alert, context) },
    notification.insteadOf && { label: 'Note', text: insteadOfText(notification.insteadOf) },
    alert.runbook === undefined ? undefined : linkLine('Runbook', runbookAddress(alert.runbook, context.consoleUrl)),
    notification.remark === undefined ? undefined : { label: 'Note', text: notification.remark },
    isMixed(notification)
      ? linkLine('Console', context.consoleUrl)
      : linkLine('Console', `${context.consoleUrl}/rules/${encodeURIComponent(notification.rule)}`),
  ]
  return all.filter((line) => line !== undefined)
}

function memberLines(notification: Notification): string[] {
  const shown = notification.alerts.slice(0, membersShownMax).map((alert) => {
    const word = alert.state === 'firing' ? alert.level.toUpperCase() : alert.state === 'forgotten' ? 'GONE' : 'OK'
    return shortened(
      oneLine(`${word} ${isMixed(notification) ? `${alert.rule} ` : ''}${alert.groupKey}: ${sayOf(alert)}`),
      200,
    )
  })
  const more = countOf(notification) - shown.length
  return more > 0 ? [...shown, `… and ${more} more, see the console`] : shown
}

function levelOf({ level, worstLevel, state }: ToldAlert): string {
  const was = worstLevel === level ? '' : `, was ${worstLevel}`
  return state === 'firing' ? `${level}${was}` : `${worstLevel}, now ${state === 'resolved' ? 'ok' : 'forgotten'}`
}

function valuesLine(values: ToldAlert['values']): Line | undefined {
  if (values.length === 0) return undefined
  return { label: 'Values', text: values.map(({ name, text }) => `${name} = ${text}`).join(' · ') }
}

function graphOf(alert: ToldAlert): Pick<Wording, 'graph'> {
  const caption = graphCaption(alert)
  return caption === undefined ? {} : { graph: { alt: graphAlt(alert), caption } }
}

function trendLine({ series, comparison }: ToldAlert): Line | undefined {
  const drawn = sparkline(series.values)
  if (!drawn) return undefined
  const known = series.values.filter((value) => value !== null)
  const [least, greatest] = [Math.min(...known), Math.max(...known)].map((value) =>
    figure(value, comparison?.unit ?? ''),
  )
  return {
    label: trendLabel,
    text: `${drawn} ${least} to ${greatest} in ${formatDuration(series.values.length * series.stepMs)}`,
  }
}

function sinceOf({ sinceMs, endedMs }: ToldAlert, context: WordingContext): string {
  return `${times(sinceMs, context)}, ${age((endedMs ?? context.sendMs) - sinceMs)}${endedMs === undefined ? ' before this mail' : ' long'}`
}

/** `2026-03-01 14:05:09 CET (2026-03-01 13:05:09 UTC)`, and UTC once where that is the local zone. */
function times(atMs: number, { timeZone }: WordingContext): string {
  const local = formatLocal(atMs, timeZone)
  const utc = formatUtc(atMs)
  return local === utc ? utc : `${local} (${utc})`
}

function noteOf({ kind, insteadOf, remark = '' }: Notification, told: ToldAlert): Line | undefined {
  const { state, nodata, partial, hidden } = told
  const notes = [
    remark,
    insteadOfText(insteadOf),
    kind === 'forgotten'
      ? 'nothing has come from this group for long, so it is no longer watched; nobody saw it recover'
      : '',
    nodata ? 'its data has stopped coming; this does not end the alert' : '',
    partial && state === 'firing' ? `${partial.alive} of ${partial.known} sources` : '',
    hidden ? 'another alert explains it' : '',
  ].filter(Boolean)
  return notes.length > 0 ? { label: 'Note', text: notes.join('; ') } : undefined
}

/** `instead of ops, which did not take it (HTTP 404)`. */
function insteadOfText(insteadOf: Notification['insteadOf'] = []): string {
  const last = insteadOf.at(-1)
  if (!last) return ''
  const names = insteadOf.map(({ receiver }) => receiver).join(' and ')
  return `told to you instead of ${names}${last.detail ? `, which did not take it (${last.detail})` : ''}`
}

/** Only web addresses become links; anything else stays text. */
function linkLine(label: string, text: string): Line {
  const isLink = text.length <= linkCharactersMax && /^https?:\/\/[^\s<>"]+$/i.test(text)
  return isLink ? { label, text, href: text } : { label, text }
}

/** To the rule's page, with the group; names that are too long for an address are left out of it. */
export function consoleLink({ rule, groupKey }: Pick<ToldAlert, 'rule' | 'groupKey'>, consoleUrl: string): string {
  const ofRule = `${consoleUrl}/rules/${encodeURIComponent(rule.toWellFormed())}`
  const ofGroup = `${ofRule}?group=${encodeURIComponent(groupKey.toWellFormed())}`
  return [ofGroup, ofRule].find((address) => address.length <= linkCharactersMax) ?? `${consoleUrl}/`
}

/** `packet 13:05:08.210 UTC → flush +290 ms → rule +302 ms → send +306 ms`; each hop in ms since the packet. */
function hopPath({ hops }: Notification, sendMs: number): string {
  const startMs = hops.packetMs ?? hops.flushMs ?? hops.ruleMs
  if (startMs === undefined) return ''
  const named = Object.entries({ packet: hops.packetMs, flush: hops.flushMs, rule: hops.ruleMs, send: sendMs })
  const passed = named.flatMap(([name, atMs]) => (atMs === undefined ? [] : [{ name, sinceMs: atMs - startMs }]))
  const [first, ...others] = passed as [{ name: string }, ...typeof passed]
  const steps = others.map(({ name, sinceMs }) => `${name} +${sinceMs} ms`)
  const start = `${first.name} ${formatIso(startMs).slice(11, 23)} UTC`
  return `${[start, ...steps].join(' → ')}: ${sendMs - startMs} ms in all`
}

/** Two units are enough for people: `2h5m`, `4m10s`, `12s`. */
export function age(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1000))
  const unitMs = seconds >= 86_400 ? 3_600_000 : seconds >= 3600 ? 60_000 : 1000
  return formatDuration(Math.floor((seconds * 1000) / unitMs) * unitMs)
}

/** Eight heights between the least and the greatest value; `·` where a value is missing; '' without values. */
export function sparkline(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return ''
  const least = Math.min(...known)
  const span = Math.max(...known) - least
  return values
    .map((value) =>
      value === null ? '·' : '▁▂▃▄▅▆▇█'[span === 0 ? 0 : Math.min(7, Math.floor(((value - least) / span) * 8))],
    )
    .join('')
}

/** Line breaks and control characters become single spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()
}
