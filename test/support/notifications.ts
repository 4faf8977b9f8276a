/** Notifications for tests of receivers, made by the real steps. */
import type { Notification } from '../../src/alerts/notification.ts'
import { told } from '../../src/alerts/notification.ts'
import { type Alert, stepAlert } from '../../src/model/alert.ts'
import type { Transition } from '../../src/model/transition.ts'

/** What would be sent after these transitions, one alert per group, in one notification. */
export function notificationOf(transitions: readonly Transition[], given: Partial<Notification> = {}): Notification {
  const alerts = new Map<string, Alert>()
  for (const transition of transitions) {
    const { alert } = stepAlert(alerts.get(transition.groupKey), transition)
    if (alert) alerts.set(transition.groupKey, alert)
  }
  const all = [...alerts.values()]
  const [first] = all as [Alert, ...Alert[]]
  const ended = first.state === 'firing' ? undefined : first.state
  return {
    key: '0123456789abcdef0123456789abcdef',
    receiver: 'oncall',
    kind: ended ?? 'firing',
    rule: first.rule,
    level: all.some(({ level }) => level === 'crit') ? 'crit' : 'warn',
    alerts: all.map((alert) => told(alert, all.length > 1)),
    moreCount: 0,
    reason: 'raised',
    threads: [],
    after: [],
    ends: [],
    hops: {},
    atMs: first.raisedMs,
    transition: first.episode,
    state: 'due',
    attempt: 0,
    ...given,
  }
}
