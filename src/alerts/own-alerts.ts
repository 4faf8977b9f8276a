/**
 * Own alerts: what the alerts part has to say of itself, as alerts like any other.
 *
 *     page_undelivered   crit, per receiver: there are dead letters
 *     template_failing   warn, per receiver: what a rule told last, within the hour, left without the person's template
 *
 * Which of them should fire follows from the state alone. The leader compares that with what does fire and publishes the
 * difference as transitions, so a change of leader in between loses nothing and every reader of the log knows them.
 * A receiver in trouble is not told of its own (route.ts), and letters about these alerts raise none, so nothing loops.
 */
import type { Transition } from '../model/transition.ts'
import { isDeadLetter, type Notification } from './notification.ts'
import type { AlertsState } from './state.ts'

export const undeliveredRule = 'page_undelivered'
export const templateRule = 'template_failing'
/** Told in our own words, and no cause of further alerts. */
export const ownRules: ReadonlySet<string> = new Set([undeliveredRule, templateRule])

interface Own {
  rule: string
  receiver: string
  level: 'warn' | 'crit'
  say: string
  reason: string
}

/** Transitions to be published now; none where all is as it should be. `nowMs` is log time. */
export function ownTransitions(state: AlertsState, nowMs: number): Transition[] {
  const wanted = new Map(wantedAlerts(state).map((own) => [`${own.rule}/${own.receiver}`, own]))
  const begun = [...wanted].flatMap(([fingerprint, own]) =>
    state.book.firing.has(fingerprint) ? [] : [transition(state, own, own.level, nowMs)],
  )
  const ended = [...state.book.firing.values()].flatMap(({ rule, group, groupKey, fingerprint, level }) => {
    // A rule of a file may have the same name; its groups are others.
    if (!ownRules.has(rule) || group[0]?.name !== 'receiver' || wanted.has(fingerprint)) return []
    const own = { rule, receiver: groupKey, level, say: '', reason: overReasons[rule] ?? '' }
    return [transition(state, own, 'ok', nowMs)]
  })
  return [...begun, ...ended]
}

const overReasons: Readonly<Record<string, string>> = {
  [undeliveredRule]: 'every dead letter was sent again or dismissed',
  [templateRule]: 'the template works again',
}

const templateMs = 3_600_000

function wantedAlerts({ notifications, nowMs }: AlertsState): Own[] {
  const letters = new Map<string, Notification[]>()
  const last = new Map<string, Notification>()
  for (const notification of notifications.values()) {
    const { receiver, rule, state, atMs } = notification
    if (ownRules.has(rule)) continue
    if (state === 'delivered' && nowMs - atMs < templateMs) last.set(JSON.stringify([receiver, rule]), notification)
    if (!isDeadLetter(notification)) continue
    letters.set(receiver, [...(letters.get(receiver) ?? []), notification])
  }
  return [
    ...[...letters].map(([receiver, all]) => undelivered(receiver, all)),
    ...[...last.values()].flatMap(({ receiver, templateProblem }) =>
      templateProblem === undefined ? [] : [failingTemplate(receiver, templateProblem)],
    ),
  ]
}

function undelivered(receiver: string, letters: readonly Notification[]): Own {
  const [first] = letters as [Notification, ...Notification[]]
  const what = letters.length === 1 ? 'a notification' : `${letters.length} notifications`
  const say = `${receiver} did not take ${what} and nobody was told instead. "tocsin alerts dead" lists what was lost.`
  return { rule: undeliveredRule, receiver, level: 'crit', say, reason: first.detail ?? 'no reason is known' }
}

function failingTemplate(receiver: string, problem: string): Own {
  const say = `The template for ${receiver} fails, so it is told in our own words. Mend alerts.templates.`
  return { rule: templateRule, receiver, level: 'warn', say, reason: problem }
}

function transition({ book }: AlertsState, own: Own, to: 'ok' | 'warn' | 'crit', nowMs: number): Transition {
  const { rule, receiver, say, reason } = own
  const known = book.firing.get(`${rule}/${receiver}`) ?? book.ended.get(`${rule}/${receiver}`)
  const bucketMs = Math.max(nowMs, (known?.bucketMs ?? 0) + 1)
  const about = { rule, group: [{ name: 'receiver', value: receiver }], groupKey: receiver }
  return {
    ...about,
    id: `${rule}/${receiver}/${bucketMs}/${to}/shown`,
    bucketMs,
    from: to === 'ok' ? own.level : 'ok',
    to,
    hidden: false,
    blind: false,
    sinceMs: to === 'ok' ? (known?.sinceMs ?? bucketMs) : bucketMs,
    say,
    reason,
    values: [],
    series: { stepMs: 1000, values: [] },
    tags: {},
  }
}
