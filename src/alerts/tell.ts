/**
 * Tell: makes notifications out of what decide.ts lets through, and remembers whom we told of what.
 *
 * A receiver hears of an alert again only when it is worse than what it has heard of this episode. The memory of whom we
 * told is what ends are addressed by, so it outlives restarts, silences and the rule itself.
 */
import type { Alert } from '../model/alert.ts'
import { acknowledgementOf, silenceOf } from '../model/handling.ts'
import { formatUtc } from '../runtime/clock.ts'
import { deadLettersMax } from './dead-letters.ts'
import type { Member } from './group.ts'
import {
  isDeadLetter,
  isOpen,
  type Notification,
  type NotificationKind,
  notificationKey,
  summaryAlertsMax,
  told,
} from './notification.ts'
import { type Routing, route } from './route.ts'
import { type AlertsState, type Changes, keysToldMax, queueMax, settledMax, type ToldReceiver } from './state.ts'

/** A member of a notification and its alert as it is now. */
interface Telling {
  member: Member
  alert: Alert
}

export class Teller {
  readonly #state: AlertsState
  readonly #routing: Routing
  readonly #changes: Changes

  constructor(state: AlertsState, routing: Routing, changes: Changes) {
    this.#state = state
    this.#routing = routing
    this.#changes = changes
  }

  /** Receivers that have not heard of this level yet, or the reason why there are none. */
  newsFor(alert: Alert): readonly string[] | string {
    const routed = route(alert, this.#routing)
    if (routed.length === 0) return 'no receiver'
    const news = routed.filter((receiver) => {
      const heard = this.toldTo(alert, receiver)?.level
      return heard === undefined || (heard === 'warn' && alert.level === 'crit')
    })
    return news.length > 0 ? news : `${routed.join(', ')} was told of this level already`
  }

  /** Why people asked not to hear of it now, if they did. */
  mutedWhy(alert: Alert): string | undefined {
    const { handling } = this.#state
    const silence = silenceOf(handling, alert)
    if (silence) return `silenced by silence ${silence.id} (${silence.by}, until ${formatUtc(silence.endsMs)})`
    const acknowledgement = acknowledgementOf(handling, alert)
    if (!acknowledgement) return undefined
    const { by, untilMs, sticky } = acknowledgement
    const until = untilMs === undefined ? '' : `, until ${formatUtc(untilMs)}`
    return `acknowledged by ${by}${sticky ? ' (sticky)' : ''}${until}`
  }

  /** One notification for each receiver that any of the members goes to. */
  send(members: readonly Member[]): void {
    const byReceiver = new Map<string, Map<string, Telling>>()
    for (const member of members) {
      const alert = this.#alertOf(member)
      if (!alert) continue
      for (const receiver of this.#receiversOf(member, alert)) {
        const tellings = byReceiver.get(receiver) ?? new Map<string, Telling>()
        byReceiver.set(receiver, tellings)
        // An alert that was raised and then worsened while it waited is told once.
        if (!tellings.has(alert.episode)) tellings.set(alert.episode, { member, alert })
      }
    }
    for (const [receiver, tellings] of byReceiver) this.#notify(receiver, [...tellings.values()])
  }

  /** Repeats what still fires; what falls due for one rule and receiver at the same time is one notification. */
  remind(): void {
    const due = new Map<string, { receiver: string; tellings: Telling[] }>()
    for (const [fingerprint, { episode, receivers }] of this.#state.told) {
      const alert = this.#state.book.firing.get(fingerprint)
      if (alert?.remindMs === undefined || alert.episode !== episode || alert.hidden || alert.blind) continue
      const isMuted = once(() => this.mutedWhy(alert) !== undefined)
      for (const [receiver, { atMs, keys }] of Object.entries(receivers)) {
        if (this.#state.nowMs - atMs < alert.remindMs || this.#isOpen(keys.at(-1)) || isMuted()) continue
        const name = JSON.stringify([alert.rule, receiver])
        const group = due.get(name) ?? { receiver, tellings: [] }
        due.set(name, group)
        group.tellings.push({
          alert,
          member: { fingerprint, episode, transition: episode, reason: 'remind', hops: {} },
        })
      }
    }
    for (const { receiver, tellings } of due.values()) this.#remindOf(receiver, tellings, 'it still fires')
  }

  /** Tells those who know of it again, for a reason of its own; false when nobody does. */
  remindOf(alert: Alert, reason: string): boolean {
    const { fingerprint, episode } = alert
    const before = this.#state.told.get(fingerprint)
    const receivers = before?.episode === episode ? Object.keys(before.receivers) : []
    const member = { fingerprint, episode, transition: episode, reason: 'remind', hops: {} }
    for (const receiver of receivers) this.#remindOf(receiver, [{ alert, member }], reason)
    return receivers.length > 0
  }

  /** A page that will never arrive told nobody; so its end is not told either. */
  untell({ key, receiver }: Notification): void {
    for (const [fingerprint, before] of this.#state.told) {
      const mine = before.receivers[receiver]
      if (!mine?.keys.includes(key)) continue
      const keys = mine.keys.filter((other) => other !== key)
      const { [receiver]: _, ...others } = before.receivers
      const receivers = keys.length > 0 ? { ...others, [receiver]: { ...mine, keys } } : others
      this.#state.told.set(fingerprint, { ...before, receivers })
      this.#changes.fingerprints.add(fingerprint)
    }
  }

  put(notification: Notification): void {
    this.#state.notifications.set(notification.key, notification)
    this.#changes.notifications.add(notification.key)
  }

  trimSettled(): void {
    const { notifications } = this.#state
    if (notifications.size <= settledMax) return
    let kept = 0
    for (const [key, notification] of notifications) {
      // Dead letters wait for a person, as long as they are not too many.
      if (isOpen(notification) || (isDeadLetter(notification) && kept++ < deadLettersMax)) continue
      notifications.delete(key)
      this.#changes.notifications.add(key)
      if (notifications.size <= settledMax) return
    }
  }

  #receiversOf(member: Member, alert: Alert): readonly string[] {
    if (member.ends) return Object.keys(member.ends)
    const isHiddenNow = alert.state === 'firing' && alert.hidden
    const mutedWhy = alert.state === 'firing' ? this.mutedWhy(alert) : undefined
    const receivers = isHiddenNow ? 'hidden while it was being collected' : (mutedWhy ?? this.newsFor(alert))
    if (typeof receivers !== 'string') return receivers
    const { fingerprint, transition } = member
    const decision = { atMs: this.#state.nowMs, fingerprint, transition, reason: receivers, receivers: [] }
    this.#changes.decisions.push({ ...decision, change: 'same', notify: false })
    return []
  }

  #notify(receiver: string, tellings: readonly Telling[]): void {
    const [{ member, alert }] = tellings as [Telling, ...Telling[]]
    const isEnd = member.ends !== undefined
    const kind: NotificationKind = isEnd ? (alert.state === 'forgotten' ? 'forgotten' : 'resolved') : 'firing'
    const about = tellings.map((telling) => telling.member.transition)
    const key = notificationKey(kind, receiver, about)
    const earlier = tellings.map((telling) =>
      isEnd ? (telling.member.ends?.[receiver] ?? []) : (this.toldTo(telling.alert, receiver)?.keys ?? []),
    )
    const ends = isEnd ? earlier.flat() : []
    this.queue({ key, receiver, kind, reason: member.reason, threads: firsts(earlier), ends, ...content(tellings) })
    if (isEnd) return
    for (const telling of tellings) if (telling.alert.state === 'firing') this.tell(telling.alert, receiver, key)
  }

  #remindOf(receiver: string, tellings: readonly Telling[], why: string): void {
    const earlier = tellings.map(({ alert }) => this.toldTo(alert, receiver)?.keys ?? [])
    // The last thing told is part of the key, so every repetition has its own.
    const about = earlier.map((keys) => keys.at(-1) ?? '')
    const key = notificationKey('reminder', receiver, about)
    const kind = 'reminder'
    this.queue({ key, receiver, kind, reason: 'remind', threads: firsts(earlier), ends: [], ...content(tellings) })
    for (const { alert, member } of tellings) {
      this.tell(alert, receiver, key)
      const { fingerprint, transition } = member
      const decision = { atMs: this.#state.nowMs, fingerprint, transition, receivers: [receiver] }
      this.#changes.decisions.push({ ...decision, change: 'remind', notify: true, reason: why })
    }
  }

  /** Puts one notification into the outbox, behind what the receiver has yet to hear of the same alerts. */
  queue(given: Omit<Notification, 'state' | 'attempt' | 'after' | 'atMs'>): void {
    const { key, receiver, alerts, ends } = given
    if (this.#state.notifications.has(key)) return
    const about = new Set(alerts.map(({ fingerprint }) => fingerprint))
    const open = [...this.#state.notifications.values()].filter((other) => other.receiver === receiver && isOpen(other))
    const after = open
      .filter((other) => ends.includes(other.key) || other.alerts.some((alert) => about.has(alert.fingerprint)))
      .map((other) => other.key)
    const doomed = open.length >= queueMax ? `${queueMax} notifications wait for this receiver already` : undefined
    const { nowMs: atMs } = this.#state
    this.put({ ...given, after, atMs, state: 'due', attempt: 0, ...(doomed !== undefined && { doomed }) })
  }

  tell(alert: Alert, receiver: string, key: string): void {
    const { fingerprint, episode, level } = alert
    const before = this.#state.told.get(fingerprint)
    const receivers = before?.episode === episode ? before.receivers : {}
    const [first, ...others] = [...(receivers[receiver]?.keys ?? []), key]
    const keys = [first as string, ...others.slice(1 - keysToldMax)]
    const mine: ToldReceiver = { level, keys, atMs: this.#state.nowMs }
    this.#state.told.set(fingerprint, { episode, receivers: { ...receivers, [receiver]: mine } })
    this.#changes.fingerprints.add(fingerprint)
  }

  toldTo({ fingerprint, episode }: Alert, receiver: string): ToldReceiver | undefined {
    const before = this.#state.told.get(fingerprint)
    return before?.episode === episode ? before.receivers[receiver] : undefined
  }

  /** The member's alert as it is now; where a newer episode has begun, as it ended. */
  #alertOf({ fingerprint, episode }: Member): Alert | undefined {
    const { firing, ended, history } = this.#state.book
    const alert = firing.get(fingerprint) ?? ended.get(fingerprint)
    return alert?.episode === episode ? alert : history.findLast((past) => past.episode === episode)
  }

  #isOpen(key: string | undefined): boolean {
    const notification = key === undefined ? undefined : this.#state.notifications.get(key)
    return notification !== undefined && isOpen(notification)
  }
}

function once(ask: () => boolean): () => boolean {
  let answer: boolean | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}

const threadsMax = 20

function firsts(keys: readonly (readonly string[])[]): string[] {
  return [...new Set(keys.flatMap((own) => own.slice(0, 1)))].slice(0, threadsMax)
}

function content(tellings: readonly Telling[]) {
  const [{ alert, member }] = tellings as [Telling, ...Telling[]]
  const isSummary = tellings.length > 1
  return {
    rule: alert.rule,
    level: tellings.some((telling) => telling.alert.level === 'crit') ? ('crit' as const) : ('warn' as const),
    alerts: tellings.slice(0, summaryAlertsMax).map((telling) => told(telling.alert, isSummary)),
    moreCount: Math.max(0, tellings.length - summaryAlertsMax),
    hops: member.hops,
    transition: member.transition,
  }
}
