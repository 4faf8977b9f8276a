/**
 * Shorten: a notification with less in it, for a receiver that takes no more. Pure.
 *
 * What matters to whoever is woken stays: rule, group, level, the beginning of what is said, how many there are.
 */
import type { Notification, ToldAlert } from '../notification.ts'
import { shortened } from './receiver.ts'

export interface Bounds {
  alertsMax: number
  /** Characters of each text. */
  textMax: number
  /** Values, tags and group names of each alert. */
  namesMax: number
}

/** What is sent at most. */
export const fullBounds: Bounds = { alertsMax: 200, textMax: 2_000, namesMax: 50 }
/** What is sent to a receiver that found that too much. */
export const shortBounds: Bounds = { alertsMax: 5, textMax: 200, namesMax: 5 }

export function shortenedNotification(notification: Notification, bounds: Bounds): Notification {
  const { alerts, moreCount, rule } = notification
  const kept = alerts.slice(0, bounds.alertsMax)
  return {
    ...notification,
    rule: shortened(rule, bounds.textMax),
    alerts: kept.map((alert) => shortenedAlert(alert, bounds)),
    moreCount: moreCount + alerts.length - kept.length,
  }
}

function shortenedAlert(alert: ToldAlert, { textMax, namesMax }: Bounds): ToldAlert {
  const text = (value: string) => shortened(value, textMax)
  const { runbook, end } = alert
  return {
    ...alert,
    fingerprint: text(alert.fingerprint),
    rule: text(alert.rule),
    groupKey: text(alert.groupKey),
    say: text(alert.say),
    reason: text(alert.reason),
    group: alert.group.slice(0, namesMax).map(({ name, value }) => ({ name: text(name), value: text(value) })),
    tags: Object.fromEntries(
      Object.entries(alert.tags)
        .slice(0, namesMax)
        .map(([name, value]) => [text(name), text(value)]),
    ),
    values: alert.values
      .slice(0, namesMax)
      .map((value) => ({ ...value, name: text(value.name), text: text(value.text) })),
    ...(runbook !== undefined && { runbook: text(runbook) }),
    ...(end && { end: { ...end, reason: text(end.reason), say: text(end.say) } }),
  }
}
