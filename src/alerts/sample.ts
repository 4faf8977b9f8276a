/** Sample: a notification of an alert that never was, or of one that the console tells of, to be looked at. */
import type { Notification, ToldAlert } from './notification.ts'
import { notificationKey } from './notification.ts'

const stepMs = 1_000

/** A spike of errors, with everything that a notification may have. */
export function sampleAlert(nowMs: number): ToldAlert {
  const values = [
    ...Array.from({ length: 52 }, (_, i) => 0.004 + (i % 7) / 2_000),
    0.01,
    0.02,
    0.034,
    0.05,
    0.057,
    0.063,
  ]
  return {
    fingerprint: 'sample_errors/web1',
    rule: 'sample_errors',
    group: [{ name: 'host', value: 'web1' }],
    groupKey: 'web1',
    tags: { team: 'sample' },
    state: 'firing',
    level: 'crit',
    worstLevel: 'crit',
    episode: `sample/${nowMs}`,
    sinceMs: nowMs - 2 * stepMs,
    raisedMs: nowMs,
    hidden: false,
    blind: false,
    nodata: false,
    say: 'web1: 6.3% of requests fail (63 of 1000 in the last minute)',
    reason: 'errors / requests > 5% (errors / requests is 6.3%)',
    values: [
      { name: 'errors', value: 63, text: '63' },
      { name: 'errors / requests', value: 0.063, text: '6.3%' },
    ],
    comparison: {
      expression: 'errors / requests',
      value: 0.063,
      operator: '>',
      threshold: 0.05,
      unit: '%',
      overMs: 60_000,
    },
    series: { stepMs, values },
    runbook: 'https://wiki.example.org/runbooks/errors',
  }
}

/** What an alert is as the console's API tells it. */
export interface KnownAlert {
  id: string
  fingerprint: string
  state: ToldAlert['state']
  level: 'warn' | 'crit'
  worstLevel: 'warn' | 'crit'
  rule: string
  groupKey: string
  group: ToldAlert['group']
  sinceMs: number
  raisedMs: number
  endedMs?: number
  say: string
  reason: string
  endReason?: string
  text: string
  values: readonly (number | null)[]
  threshold: number | null
  hidden: boolean
  blind: boolean
  nodata: boolean
  partial?: { alive: number; known: number }
  runbook?: string
  tags: Readonly<Record<string, string>>
}

/** The console does not know the rule's named values, its operator and its unit; the rest is as it would be told. */
export function alertOfConsole(known: KnownAlert): ToldAlert {
  const { id, text, values, threshold, endReason, ...alert } = known
  const expression = 'the compared value'
  const value = values.at(-1) ?? null
  return {
    ...alert,
    episode: id,
    values: text === '' ? [] : [{ name: expression, value, text }],
    comparison: { expression, value, operator: '', threshold, unit: '', overMs: 0 },
    series: { stepMs, values },
    ...(endReason !== undefined && { end: { reason: endReason, values: [], say: '' } }),
  }
}

export function notificationAbout(alert: ToldAlert, receiver: string, nowMs: number): Notification {
  const kind = alert.state === 'firing' ? 'firing' : alert.state
  return {
    key: notificationKey(kind, receiver, [alert.episode]),
    receiver,
    kind,
    rule: alert.rule,
    level: alert.level,
    alerts: [alert],
    moreCount: 0,
    reason: 'raised',
    threads: [],
    after: [],
    ends: [],
    hops: {},
    atMs: nowMs,
    transition: alert.episode,
    state: 'due',
    attempt: 0,
  }
}
