/**
 * Fallback: what a receiver did not take is told to another, and so is its end.
 *
 * A pure step behind receipts: the outbox names the fallback on the log, so every node and every replay makes the same
 * notification, with a key of its own made of the first one's. Whoever is told of a page instead is remembered as told,
 * so the end goes there too; an end that was under way already follows the page. Where the fallback is told of the same
 * by itself, nothing is added.
 *
 *     page → ops ──refused──→ page → oncall (instead of ops)
 *                             end  → oncall
 */
import { worse } from '../model/alert.ts'
import type { Receipt } from '../model/delivery.ts'
import { isOpen, type Notification, notificationKey } from './notification.ts'
import type { AlertsState } from './state.ts'
import type { Teller } from './tell.ts'

/** What follows from a notification that is delivered or dead. */
export function settle(state: AlertsState, teller: Teller, notification: Notification, receipt: Receipt): void {
  const passing = new Passing(state, teller)
  if (receipt.outcome === 'dead') {
    teller.untell(notification)
    if (receipt.fallback !== undefined) passing.pass(notification, receipt.fallback, receipt.detail)
  }
  if (receipt.outcome !== 'failed') passing.followPages(notification)
}

class Passing {
  readonly #state: AlertsState
  readonly #teller: Teller

  constructor(state: AlertsState, teller: Teller) {
    this.#state = state
    this.#teller = teller
  }

  pass(notification: Notification, fallback: string, detail: string): void {
    const key = keyInstead(notification, fallback)
    if (!this.#isToldAlready(notification, fallback)) {
      const ends = notification.ends.flatMap((page) => this.#insteadOf(page, fallback) ?? [])
      this.#queue(notification, fallback, key, detail, ends)
      if (directionOf(notification) === 'page') this.#remember(notification, fallback, key)
    }
    for (const open of [...this.#state.notifications.values()]) {
      if (isOpen(open) && open.ends.includes(notification.key)) this.followPages(open)
    }
  }

  /** The end of pages that somebody else was told of is told to them. */
  followPages(end: Notification): void {
    for (const fallback of new Set(end.ends.flatMap((page) => this.#passedTo(page) ?? []))) {
      const ends = end.ends.flatMap((page) => this.#insteadOf(page, fallback) ?? [])
      if (ends.length > 0) this.#queue(end, fallback, keyInstead(end, fallback), undefined, ends)
    }
  }

  #queue(given: Notification, receiver: string, key: string, detail: string | undefined, ends: readonly string[]) {
    const { kind, rule, level, alerts, moreCount, reason, hops, transition, turn, remark, insteadOf = [] } = given
    const words = { ...(turn !== undefined && { turn }), ...(remark !== undefined && { remark }) }
    const what = { kind, rule, level, alerts, moreCount, reason, hops, transition, ...words }
    const chain = [...insteadOf, { receiver: given.receiver, key: given.key, detail: detail ?? '' }]
    this.#teller.queue({ ...what, key, receiver, threads: ends.slice(0, 1), ends, insteadOf: chain })
  }

  /** From now on the fallback is who was told, as long as the alert goes on. */
  #remember({ alerts }: Notification, fallback: string, key: string): void {
    for (const { fingerprint, episode, level } of alerts) {
      const alert = this.#state.book.firing.get(fingerprint)
      if (alert?.episode !== episode) continue
      const before = this.#teller.toldTo(alert, fallback)?.level ?? level
      this.#teller.tell({ ...alert, level: worse(before, level) }, fallback, key)
    }
  }

  /** Something of its own tells it the same, of every alert and no milder. */
  #isToldAlready(notification: Notification, fallback: string): boolean {
    if (notification.turn !== undefined) return false
    const own = [...this.#state.notifications.values()].filter(
      (other) =>
        other.receiver === fallback && other.state !== 'dead' && directionOf(other) === directionOf(notification),
    )
    return notification.alerts.every(({ episode, level }) =>
      own.some(({ alerts }) =>
        alerts.some((told) => told.episode === episode && worse(told.level, level) === told.level),
      ),
    )
  }

  #passedTo(page: string): string | undefined {
    return this.#state.notifications.get(page)?.fallback
  }

  /** The notification that tells `fallback` what the page should have told. */
  #insteadOf(page: string, fallback: string): string | undefined {
    const given = this.#state.notifications.get(page)
    const key = given && keyInstead(given, fallback)
    return key !== undefined && this.#state.notifications.has(key) ? key : undefined
  }
}

/** A notice, such as of a silence that is about to end, tells nobody that something fires. */
function directionOf({ kind }: Notification): 'page' | 'end' | 'notice' {
  if (kind === 'notice') return 'notice'
  return kind === 'resolved' || kind === 'forgotten' ? 'end' : 'page'
}

function keyInstead({ kind, key }: Notification, fallback: string): string {
  return notificationKey(kind, fallback, ['instead of', key])
}
