/**
 * Ledger: whom we told of what, and the notifications that wait or have left. Changed in place by those who tell.
 *
 * The memory of whom we told is what ends are addressed by, so it outlives restarts, silences and the rule itself. A
 * receiver that was told of an alert that flaps is remembered with the flapping too, beyond the episode.
 */
import { type Alert, worse } from '../model/alert.ts'
import type { Decision } from '../model/decision.ts'
import { deadLettersMax } from './dead-letters.ts'
import type { Member } from './group.ts'
import { isDeadLetter, isOpen, type Notification } from './notification.ts'
import { type AlertsState, type Changes, keysToldMax, queueMax, settledMax, type ToldReceiver } from './state.ts'

export class Ledger {
  protected readonly state: AlertsState
  protected readonly changes: Changes

  constructor(state: AlertsState, changes: Changes) {
    this.state = state
    this.changes = changes
  }

  /** Puts one notification into the outbox, behind what the receiver has yet to hear of the same alerts. */
  queue(given: Omit<Notification, 'state' | 'attempt' | 'after' | 'atMs'>): void {
    const { key, receiver, alerts, ends } = given
    const former = this.state.notifications.get(key)
    // What never arrived and is to be told after all is tried anew, under its key.
    if (former && former.state !== 'dead') return
    const about = new Set(alerts.map(({ fingerprint }) => fingerprint))
    const open = [...this.state.notifications.values()].filter((other) => other.receiver === receiver && isOpen(other))
    const after = open
      .filter((other) => ends.includes(other.key) || other.alerts.some((alert) => about.has(alert.fingerprint)))
      .map((other) => other.key)
    const doomed = open.length >= queueMax ? `${queueMax} notifications wait for this receiver already` : undefined
    const { nowMs: atMs } = this.state
    this.put({
      ...given,
      after,
      atMs,
      state: 'due',
      attempt: former?.attempt ?? 0,
      ...(doomed !== undefined && { doomed }),
    })
  }

  /** Remembers that the receiver was told of the alert as it is now. */
  tell(alert: Alert, receiver: string, key: string): void {
    const { fingerprint, episode, level } = alert
    const before = this.state.told.get(fingerprint)
    const receivers = before?.episode === episode ? before.receivers : {}
    const mine = toldOnce(receivers[receiver], level, key, this.state.nowMs)
    this.state.told.set(fingerprint, { episode, receivers: { ...receivers, [receiver]: mine } })
    this.changes.fingerprints.add(fingerprint)
    const flap = this.state.flaps.get(fingerprint)
    if (flap?.sinceMs === undefined) return
    const heard = flap.receivers[receiver]
    const always = toldOnce(heard, heard ? worse(heard.level, level) : level, key, this.state.nowMs)
    this.state.flaps.set(fingerprint, { ...flap, receivers: { ...flap.receivers, [receiver]: always } })
    this.changes.flaps.add(fingerprint)
  }

  /** What the receiver has heard of the present episode. */
  toldTo({ fingerprint, episode }: Alert, receiver: string): ToldReceiver | undefined {
    const before = this.state.told.get(fingerprint)
    return before?.episode === episode ? before.receivers[receiver] : undefined
  }

  /** A page that will never arrive told nobody; so its end is not told either. */
  untell({ key, receiver }: Notification): void {
    for (const [fingerprint, before] of this.state.told) {
      const receivers = without(before.receivers, receiver, key)
      if (!receivers) continue
      this.state.told.set(fingerprint, { ...before, receivers })
      this.changes.fingerprints.add(fingerprint)
    }
    for (const [fingerprint, flap] of this.state.flaps) {
      const receivers = without(flap.receivers, receiver, key)
      if (!receivers) continue
      this.state.flaps.set(fingerprint, { ...flap, receivers })
      this.changes.flaps.add(fingerprint)
    }
  }

  put(notification: Notification): void {
    this.state.notifications.set(notification.key, notification)
    this.changes.notifications.add(notification.key)
  }

  trimSettled(): void {
    const { notifications } = this.state
    if (notifications.size <= settledMax) return
    let kept = 0
    for (const [key, notification] of notifications) {
      // Dead letters wait for a person, as long as they are not too many.
      if (isOpen(notification) || (isDeadLetter(notification) && kept++ < deadLettersMax)) continue
      notifications.delete(key)
      this.changes.notifications.add(key)
      if (notifications.size <= settledMax) return
    }
  }

  decided(decision: Omit<Decision, 'atMs'>): void {
    const flaps = this.state.flaps.get(decision.fingerprint)?.sinceMs !== undefined
    this.changes.decisions.push({ atMs: this.state.nowMs, ...decision, ...(flaps && { flaps }) })
  }

  /** The member's alert as it is now; where a newer episode has begun, as it ended. */
  protected alertOf({ fingerprint, episode }: Member): Alert | undefined {
    const { firing, ended, history } = this.state.book
    const alert = firing.get(fingerprint) ?? ended.get(fingerprint)
    return alert?.episode === episode ? alert : history.findLast((past) => past.episode === episode)
  }

  protected isOpenKey(key: string | undefined): boolean {
    const notification = key === undefined ? undefined : this.state.notifications.get(key)
    return notification !== undefined && isOpen(notification)
  }
}

function toldOnce(before: ToldReceiver | undefined, level: ToldReceiver['level'], key: string, atMs: number) {
  const [first, ...others] = [...(before?.keys ?? []), key]
  const keys = [first as string, ...others.slice(1 - keysToldMax)]
  return { level, keys, atMs }
}

/** The receivers when this key told nobody; undefined when it told none of them. */
function without(
  receivers: Readonly<Record<string, ToldReceiver>>,
  receiver: string,
  key: string,
): Record<string, ToldReceiver> | undefined {
  const mine = receivers[receiver]
  if (!mine?.keys.includes(key)) return undefined
  const keys = mine.keys.filter((other) => other !== key)
  const { [receiver]: _, ...others } = receivers
  return keys.length > 0 ? { ...others, [receiver]: { ...mine, keys } } : others
}
