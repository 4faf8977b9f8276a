/**
 * Tell: whom what decide.ts lets through is told, and who hears of it again.
 *
 * What makes a notification, and when it leaves, stands in outgoing.ts; the memory of whom we told in ledger.ts.
 */
import type { Alert } from '../model/alert.ts'
import { isFlapping } from './flap.ts'
import type { Member } from './group.ts'
import { notificationKey } from './notification.ts'
import { content, Outgoing, type Telling } from './outgoing.ts'
import { leastRepeatMs } from './route.ts'

export class Teller extends Outgoing {
  /** One notification for each receiver that any of the members goes to. */
  send(members: readonly Member[]): void {
    const byReceiver = new Map<string, Map<string, Telling>>()
    for (const member of members) {
      const alert = this.alertOf(member)
      if (!alert) continue
      for (const receiver of this.#receiversOf(member, alert)) {
        const tellings = byReceiver.get(receiver) ?? new Map<string, Telling>()
        byReceiver.set(receiver, tellings)
        // An alert that was raised and then worsened while it waited is told once.
        if (!tellings.has(alert.episode)) tellings.set(alert.episode, { member, alert })
      }
    }
    for (const [receiver, tellings] of byReceiver) {
      const all = [...tellings.values()]
      this.offer(receiver, all[0]?.member.ends ? 'end' : 'page', all)
    }
  }

  /** Repeats what still fires; what falls due for one rule and receiver at the same time is one notification. */
  remind(): void {
    const leastMs = leastRepeatMs(this.routing)
    const due = new Map<string, { receiver: string; tellings: Telling[] }>()
    for (const [fingerprint, { episode, receivers }] of this.state.told) {
      const alert = this.state.book.firing.get(fingerprint)
      if (!alert || alert.episode !== episode || alert.hidden || alert.blind) continue
      const atLeastMs = alert.remindMs ?? leastMs
      if (atLeastMs === undefined || isFlapping(this.state.flaps.get(fingerprint))) continue
      for (const [receiver, { atMs, keys }] of Object.entries(receivers)) {
        if (this.state.nowMs - atMs < atLeastMs || this.isOpenKey(keys.at(-1))) continue
        const everyMs = alert.remindMs ?? this.#repeatMs(alert, receiver)
        if (everyMs === undefined || this.state.nowMs - atMs < everyMs || this.mutedWhy(alert) !== undefined) continue
        const name = JSON.stringify([alert.rule, receiver])
        const group = due.get(name) ?? { receiver, tellings: [] }
        due.set(name, group)
        group.tellings.push({ alert, member: again(alert) })
      }
    }
    for (const { receiver, tellings } of due.values()) {
      // Over the limit it is looked at again with the next clock message.
      if (this.hasRoom(receiver)) this.#remindOf(receiver, tellings, 'it still fires')
    }
  }

  /** Tells those who know of it again, for a reason of its own; false when nobody does. */
  remindOf(alert: Alert, reason: string): boolean {
    const { fingerprint, episode } = alert
    const before = this.state.told.get(fingerprint)
    const receivers = before?.episode === episode ? Object.keys(before.receivers) : []
    for (const receiver of receivers) this.#remindOf(receiver, [{ alert, member: again(alert) }], reason)
    return receivers.length > 0
  }

  /** Tells these receivers that the alert no longer flaps, and goes on firing. */
  calm(alert: Alert, receivers: readonly string[]): void {
    const member: Member = { ...again(alert), reason: 'calm', turn: 'calm' }
    for (const receiver of receivers) this.offer(receiver, 'reminder', [{ alert, member }])
  }

  /** Says something about alerts that fire, to receivers that people read. */
  notice(receivers: readonly string[], about: string, alerts: readonly Alert[], remark: string): void {
    const tellings = alerts.map((alert) => ({ alert, member: again(alert) }))
    if (tellings.length === 0) return
    for (const receiver of receivers.filter((name) => this.#isReadByPeople(name))) {
      const key = notificationKey('notice', receiver, [about])
      const bare = { key, receiver, kind: 'notice' as const, reason: 'notice', threads: [], ends: [] }
      this.queue({ ...bare, ...content(tellings), remark })
    }
  }

  #receiversOf(member: Member, alert: Alert): readonly string[] {
    if (member.ends) return Object.keys(member.ends)
    const receivers = this.newsNow(alert)
    if (typeof receivers !== 'string') return receivers
    this.leftOut(member, receivers)
    return []
  }

  #remindOf(receiver: string, tellings: readonly Telling[], reason: string): void {
    for (const { member } of tellings) {
      const { fingerprint, transition } = member
      this.decided({ fingerprint, transition, receivers: [receiver], change: 'remind', notify: true, reason })
    }
    this.offer(receiver, 'reminder', tellings)
  }

  #repeatMs(alert: Alert, receiver: string): number | undefined {
    return this.destinations(alert).find((one) => one.receiver === receiver)?.repeatMs
  }

  #isReadByPeople(receiver: string): boolean {
    const how = this.routing.receivers[receiver]
    return how !== undefined && !('webhook' in how && how.webhook.format === 'alertmanager')
  }
}

function again({ fingerprint, episode }: Alert): Member {
  return { fingerprint, episode, transition: episode, reason: 'remind', hops: {} }
}
