/** Backtest text: alerts and their differences as people read them. */
import { formatDuration, roughDuration } from '../../model/duration.ts'
import { formatUtc } from '../../runtime/clock.ts'
import { type Alert, nameOf } from '../backtest/alerts.ts'
import type { Diff, Difference } from '../backtest/diff.ts'
import type { Ran } from './backtest.ts'
import { many } from './check.ts'

/** Alerts printed of one rule; the others are counted. */
const alertsMax = 200

export function alertLines(alerts: readonly Alert[]): string[] {
  const lines: string[] = []
  for (const [rule, ofRule] of Map.groupBy(alerts, (alert) => alert.rule)) {
    lines.push(rule, ...ofRule.slice(0, alertsMax).map((alert) => `  ${alert.group}  ${alertText(alert)}`))
    if (ofRule.length > alertsMax) lines.push(`  … and ${ofRule.length - alertsMax} more`)
    lines.push('')
  }
  return lines
}

/** `warn 2024-03-01 13:07:40 → crit 13:11:10 → ok 13:16:40 UTC (9m)` */
export function alertText({ changes, fromMs, toMs }: Alert): string {
  let day = ''
  const parts = changes.map((change) => {
    const [date, time] = formatUtc(change.atMs).split(' ') as [string, string]
    const shown = date === day ? time : `${date} ${time}`
    day = date
    return `${nameOf(change)} ${change.isBefore ? 'since before ' : ''}${shown}`
  })
  return `${parts.join(' → ')} UTC ${toMs === undefined ? '(not over)' : `(${roughDuration(toMs - fromMs)})`}`
}

export function diffLines({ differences, same }: Diff, against: string): string[] {
  const lines: string[] = []
  for (const [rule, ofRule] of Map.groupBy(differences, (one) => (one.after ?? one.before).rule)) {
    lines.push(rule, ...ofRule.flatMap(differenceLines), '')
  }
  const count = (kind: Difference['kind']) => differences.filter((one) => one.kind === kind).length
  const counts = (['added', 'lost', 'moved'] as const).map((kind) => `${count(kind)} ${kind}`).join(', ')
  lines.push(`compared with ${against}: ${same} the same, ${counts}`)
  return lines
}

function differenceLines(one: Difference): string[] {
  if (one.kind === 'added') return [`  + ${one.after.group}  ${alertText(one.after)}`]
  if (one.kind === 'lost') return [`  - ${one.before.group}  ${alertText(one.before)}`]
  const { before, after } = one
  return [
    `  ~ ${after.group}  ${alertText(before)}`,
    `    ${' '.repeat(after.group.length)}→ ${alertText(after)}${moved(one)}`,
  ]
}

function moved({ before, after }: Extract<Difference, { kind: 'moved' }>): string {
  const words = [
    shift('begins', after.fromMs - before.fromMs),
    before.toMs !== undefined && after.toMs !== undefined ? shift('ends', after.toMs - before.toMs) : '',
  ].filter(Boolean)
  return words.length > 0 ? `; ${words.join(', ')}` : ''
}

function shift(what: string, byMs: number): string {
  return byMs === 0 ? '' : `${what} ${formatDuration(Math.abs(byMs))} ${byMs > 0 ? 'later' : 'earlier'}`
}

export function ranLine({ loaded, replayed, tookMs }: Ran, alerts: number): string {
  const { fromMs, toMs, points } = replayed
  const speed = tookMs > 0 ? `, ${rough((points * 1000) / tookMs)} points/s` : ''
  const span = `${roughDuration(toMs - fromMs)} of traffic (${formatUtc(fromMs)} to ${formatUtc(toMs)})`
  return `${many(alerts, 'alert')} of ${many(loaded.rules.length, 'rule')} in ${span}: ${rough(points)} points in ${(tookMs / 1000).toFixed(1)}s${speed}`
}

/** 12345678 → `12.3 M`. */
function rough(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} M`
  return count >= 1e4 ? `${Math.round(count / 1e3)} k` : String(Math.round(count))
}
