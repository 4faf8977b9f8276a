/**
 * Alertmanager: the body that Alertmanager posts to its webhooks (version 4), so that receivers written for it work.
 *
 * Labels are `alertname` (the rule), `severity`, the group's kept names and the rule's tags; what its label names do not
 * allow becomes `_`. What fires has the end that Alertmanager gives it, the year 1.
 */

import { createHash } from 'node:crypto'
import { runbookAddress } from '../../model/runbook.ts'
import { formatIso } from '../../runtime/clock.ts'
import type { Notification, ToldAlert } from '../notification.ts'
import { consoleLink } from './wording.ts'

type Labels = Readonly<Record<string, string>>

export interface AlertmanagerBody {
  version: '4'
  groupKey: string
  truncatedAlerts: number
  status: 'firing' | 'resolved'
  receiver: string
  groupLabels: Labels
  commonLabels: Labels
  commonAnnotations: Labels
  externalURL: string
  alerts: readonly {
    status: 'firing' | 'resolved'
    labels: Labels
    annotations: Labels
    startsAt: string
    endsAt: string
    generatorURL: string
    fingerprint: string
  }[]
}

const notEnded = '0001-01-01T00:00:00Z'

export function alertmanagerBody(notification: Notification, consoleUrl: string): AlertmanagerBody {
  const alerts = notification.alerts.map((alert) => alertmanagerAlert(alert, consoleUrl))
  const only = notification.alerts.length === 1 ? notification.alerts[0] : undefined
  const groupLabels = { ...(only && groupOf(only)), alertname: notification.rule }
  return {
    version: '4',
    groupKey: `{}:{${Object.entries(groupLabels)
      .sort()
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(', ')}}`,
    truncatedAlerts: notification.moreCount,
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    receiver: notification.receiver,
    groupLabels,
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: consoleUrl,
    alerts,
  }
}

function alertmanagerAlert(alert: ToldAlert, consoleUrl: string): AlertmanagerBody['alerts'][number] {
  const { fingerprint, state, rule, level, tags, say, reason, runbook, sinceMs, endedMs } = alert
  return {
    status: state === 'firing' ? 'firing' : 'resolved',
    labels: { ...labelled(Object.entries(tags)), ...groupOf(alert), alertname: rule, severity: level },
    annotations: {
      summary: say || reason,
      description: reason,
      ...(runbook !== undefined && { runbook_url: runbookAddress(runbook, consoleUrl) }),
    },
    startsAt: formatIso(sinceMs),
    endsAt: state === 'firing' || endedMs === undefined ? notEnded : formatIso(endedMs),
    generatorURL: consoleLink(alert, consoleUrl),
    fingerprint: createHash('sha256').update(fingerprint).digest('hex').slice(0, 16),
  }
}

function groupOf({ group }: ToldAlert): Labels {
  return labelled(group.map(({ name, value }) => [name, value]))
}

function labelled(entries: readonly (readonly [string, string])[]): Labels {
  const label = (name: string) => name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_')
  return Object.fromEntries(entries.map(([name, value]) => [label(name), value]))
}

/** What all of them say alike. */
function common([first = {}, ...others]: readonly Labels[]): Labels {
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((other) => other[name] === value)),
  )
}
