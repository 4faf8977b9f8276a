/**
 * Outgoing: one notification for one receiver leaves, or waits for the receiver's limit (limit.ts).
 *
 * A receiver hears of an alert again only when it is worse than what it has heard of this episode, or, while the alert
 * flaps, than what it has heard of the flapping. Until what waits has left, nobody was told of it; then it is looked at
 * again. A page for an alert of which something waits takes along all that waits, so that its receiver hears things in
 * order.
 */
import type { Alert } from '../model/alert.ts'
import { formatDuration } from '../model/duration.ts'
import { type Limit, readLimit } from '../runtime/config-alerts.ts'
import { isFlapping } from './flap.ts'
import type { Member } from './group.ts'
import { Ledger } from './ledger.ts'
import {
  emptied,
  type Gathering,
  gathered,
  isDue,
  isFree,
  isOver,
  left,
  nothingGathered,
  type Waiting,
} from './limit.ts'
import { mutedWhy } from './mute.ts'
import { type Notification, type NotificationKind, notificationKey, summaryAlertsMax, told } from './notification.ts'
import { type Destination, destinations, type Routing } from './route.ts'
import type { AlertsState, Changes, ToldReceiver } from './state.ts'

/** A member of a notification and its alert as it is now. */
export interface Telling {
  member: Member
  alert: Alert
}

export class Outgoing extends Ledger {
  protected readonly routing: Routing

  constructor(state: AlertsState, routing: Routing, changes: Changes) {
    super(state, changes)
    this.routing = routing
  }

  /** Receivers that have not heard of this level yet, or the reason why there are none. */
  newsFor(alert: Alert): readonly string[] | string {
    const routed = this.destinations(alert).map(({ receiver }) => receiver)
    if (routed.length === 0) return Object.keys(this.routing.receivers).length > 0 ? 'routed to nobody' : 'no receiver'
    const flap = this.state.flaps.get(alert.fingerprint)
    const news = routed.filter((receiver) => {
      const ever = isFlapping(flap) ? flap.receivers[receiver] : undefined
      const heard = (this.toldTo(alert, receiver) ?? ever)?.level
      return heard === undefined || (heard === 'warn' && alert.level === 'crit')
    })
    if (news.length > 0) return news
    return isFlapping(flap) ? 'it flaps' : `${routed.join(', ')} was told of this level already`
  }

  destinations(alert: Alert): Destination[] {
    return destinations(alert, this.routing, this.state.nowMs)
  }

  /** Why people asked not to hear of it now, if they did. */
  mutedWhy(alert: Alert): string | undefined {
    return mutedWhy(this.state.handling, alert)
  }

  /** Lets leave what waited for a limit and may go now. */
  release(): void {
    for (const [receiver, gathering] of this.state.gatherings) {
      const limit = this.#limitOf(receiver)
      if (isDue(gathering, limit, this.state.nowMs)) this.#digest(receiver)
      if (!isOver(this.state.gatherings.get(receiver) ?? nothingGathered, limit, this.state.nowMs)) continue
      this.state.gatherings.delete(receiver)
      this.changes.gatherings.add(receiver)
    }
  }

  /** What has waited is looked at again when it leaves. */
  protected newsNow(alert: Alert): readonly string[] | string {
    const isFiring = alert.state === 'firing'
    if (isFiring && alert.hidden) return 'hidden while it was being collected'
    return (isFiring ? this.mutedWhy(alert) : undefined) ?? this.newsFor(alert)
  }

  protected leftOut({ fingerprint, transition }: Member, reason: string): void {
    this.decided({ fingerprint, transition, reason, receivers: [], change: 'same', notify: false })
  }

  /** Tells the receiver now, or lets it wait for its limit. */
  protected offer(receiver: string, kind: Waiting['kind'], tellings: readonly Telling[]): void {
    const limit = this.#limitOf(receiver)
    const gathering = this.state.gatherings.get(receiver) ?? nothingGathered
    const isUrgent = kind === 'page' && tellings.some(({ alert }) => alert.level === 'crit')
    const about = new Set(tellings.map(({ alert }) => alert.fingerprint))
    const isAwaited = gathering.waiting.some(({ member }) => about.has(member.fingerprint))
    const hasRoom = !limit || isFree(gathering, limit, isUrgent, this.state.nowMs)
    if (hasRoom && !isAwaited) {
      if (limit) this.#keepGathering(receiver, left(gathering, limit, isUrgent, this.state.nowMs))
      this.#deliver(receiver, kind, tellings)
      return
    }
    this.#keepGathering(receiver, gathered(gathering, entriesOf(kind, tellings), this.state.nowMs))
    if (hasRoom) this.#digest(receiver)
    else for (const { member } of tellings) this.#waits(receiver, member)
  }

  #waits(receiver: string, { fingerprint, transition }: Member): void {
    const written = this.routing.receivers[receiver]?.limit
    const reason = `over the limit of ${receiver} (${written}): it waits for a summary`
    this.decided({ fingerprint, transition, reason, receivers: [], change: 'limit', notify: false })
  }

  /** Everything that waits leaves: what fires as one notification, what is over and what is said again as another. */
  #digest(receiver: string): void {
    const gathering = this.state.gatherings.get(receiver) ?? nothingGathered
    const { waiting, urgentSinceMs } = gathering
    const limit = this.#limitOf(receiver)
    const after = emptied(gathering)
    this.#keepGathering(receiver, limit ? left(after, limit, urgentSinceMs !== undefined, this.state.nowMs) : after)
    const turn = waiting.length > 1 ? ('digest' as const) : undefined
    const of = (kind: Waiting['kind']) => this.#waitingTellings(waiting.filter((one) => one.kind === kind))
    const ends = of('end')
    const pages = of('page').filter(({ member, alert }) => this.#isStillNews(receiver, member, alert))
    const again = of('reminder').filter(({ alert }) => alert.state === 'firing')
    if (ends.length > 0) this.#deliver(receiver, 'end', ends, turn)
    if (pages.length > 0) this.#deliver(receiver, 'page', pages, turn)
    if (again.length > 0) this.#deliver(receiver, 'reminder', again, turn)
    for (const { alert, member } of [...pages, ...again]) {
      const { fingerprint, transition } = member
      const isFiring = alert.state === 'firing'
      const reason = isFiring ? 'in the summary of what was over the limit' : 'over before its summary left'
      this.decided({ fingerprint, transition, reason, receivers: [receiver], change: 'limit', notify: true })
    }
  }

  /** Each episode once. */
  #waitingTellings(waiting: readonly Waiting[]): Telling[] {
    const tellings = new Map<string, Telling>()
    for (const { member } of waiting) {
      const alert = this.alertOf(member)
      if (alert && !tellings.has(member.episode)) tellings.set(member.episode, { member, alert })
    }
    return [...tellings.values()]
  }

  #isStillNews(receiver: string, member: Member, alert: Alert): boolean {
    const news = this.newsNow(alert)
    if (typeof news !== 'string' && news.includes(receiver)) return true
    this.leftOut(member, typeof news === 'string' ? news : `${receiver} is no longer told of it`)
    return false
  }

  #deliver(receiver: string, kind: Waiting['kind'], tellings: readonly Telling[], gatheredAs?: 'digest'): void {
    const [{ member, alert }] = tellings as [Telling, ...Telling[]]
    const said = kindOf(kind, alert)
    const earlier = tellings.map((telling) =>
      kind === 'end'
        ? (telling.member.ends?.[receiver] ?? [])
        : ((this.toldTo(telling.alert, receiver) ?? this.#flapOf(telling.alert, receiver))?.keys ?? []),
    )
    const about = tellings.map((telling, i) => aboutOf(kind, telling.member, earlier[i] ?? []))
    const key = notificationKey(said, receiver, about)
    const ends = kind === 'end' ? earlier.flat() : []
    const turn = gatheredAs ?? member.turn
    const words = turn === undefined ? {} : { turn, remark: this.#remark(turn, alert, receiver) }
    const bare = { key, receiver, kind: said, reason: member.reason, threads: firsts(earlier), ends }
    this.queue({ ...bare, ...content(tellings), ...words })
    if (kind === 'end') return
    for (const telling of tellings) if (telling.alert.state === 'firing') this.tell(telling.alert, receiver, key)
  }

  #flapOf({ fingerprint }: Alert, receiver: string): ToldReceiver | undefined {
    const flap = this.state.flaps.get(fingerprint)
    return isFlapping(flap) ? flap.receivers[receiver] : undefined
  }

  #remark(turn: NonNullable<Notification['turn']>, { state }: Alert, receiver: string): string {
    const { flapping } = this.routing
    const { episodes, within, calm } = flapping || { episodes: 0, within: 0, calm: 0 }
    if (turn === 'digest') return `gathered, because of the limit of ${this.routing.receivers[receiver]?.limit}`
    if (turn === 'calm')
      return state === 'firing' ? 'it no longer flaps, and it fires' : 'it no longer flaps, and it is over'
    const often = `it flaps: ${episodes} times in ${formatDuration(within)}`
    return `${often}; you are told when nothing has changed for ${formatDuration(calm)}, or when it gets worse`
  }

  /** Nothing waits for its limit, and one more may leave. */
  protected hasRoom(receiver: string): boolean {
    const limit = this.#limitOf(receiver)
    return !limit || isFree(this.state.gatherings.get(receiver) ?? nothingGathered, limit, false, this.state.nowMs)
  }

  #limitOf(receiver: string): Limit | undefined {
    const written = this.routing.receivers[receiver]?.limit
    return written === undefined ? undefined : readLimit(written)
  }

  #keepGathering(receiver: string, gathering: Gathering): void {
    this.state.gatherings.set(receiver, gathering)
    this.changes.gatherings.add(receiver)
  }
}

function entriesOf(kind: Waiting['kind'], tellings: readonly Telling[]): Waiting[] {
  return tellings.map(({ member, alert }) => ({ member, kind, isUrgent: kind === 'page' && alert.level === 'crit' }))
}

function kindOf(kind: Waiting['kind'], { state }: Alert): NotificationKind {
  if (kind === 'end') return state === 'forgotten' ? 'forgotten' : 'resolved'
  return kind === 'reminder' ? 'reminder' : 'firing'
}

/** What makes the key: the last thing told is part of a repetition's, so every repetition has its own. */
function aboutOf(kind: Waiting['kind'], member: Member, earlier: readonly string[]): string {
  if (kind === 'reminder') return earlier.at(-1) ?? ''
  return member.turn === 'calm' ? `calm ${earlier.at(-1) ?? ''}` : member.transition
}

const threadsMax = 20

function firsts(keys: readonly (readonly string[])[]): string[] {
  return [...new Set(keys.flatMap((own) => own.slice(0, 1)))].slice(0, threadsMax)
}

export function content(tellings: readonly Telling[]) {
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
