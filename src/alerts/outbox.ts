/**
 * Outbox: sends what decide.ts has queued. Only the leader sends.
 *
 * A claim is confirmed on alerts-log before each try and a receipt follows it; the state learns of both by reading the
 * log, like every other node. What is claimed without a receipt when a leader starts may or may not have been sent: it
 * is sent again, with the same key. Each receiver has its own lane, so one that is slow or down delays nothing else.
 * A failed try is repeated with growing pauses, at once when the receiver takes something else, and given up after
 * `giveUpAfter`. What is given up or refused is told to the receiver's fallback instead (the receipt names it, fallback.ts
 * makes the notification), and where there is none it is a dead letter. Each is a receipt, so nothing ends unsaid.
 */
import type { Subscription } from 'rxjs'
import type { Bus, Lock } from '../bus/bus.ts'
import type { Claim, Receipt, ReceiptOutcome } from '../model/delivery.ts'
import { formatDuration } from '../model/duration.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { isDeadLetter, isOpen, type Notification } from './notification.ts'
import type { Channel } from './receivers/open.ts'
import { type Delivery, shortened } from './receivers/receiver.ts'
import type { AlertsState } from './state.ts'

export const retryFirstMs = 1_000
export const retryMaxMs = 5 * 60_000
/** Tries under way at a time, per receiver. */
export const triesMax = 4
const retryAfterMaxMs = 3_600_000
const busPauseMs = 1_000
/** How long aborted tries may take to say so. */
const abortMs = 500

export interface OutboxOptions {
  bus: Bus
  clock: Clock
  log: Log
  stats: Stats
  instance: string
  /** In [0, 1); spreads retries. */
  random: () => number
  state: AlertsState
}

/** What is known of one receiver beyond its notifications. */
interface Lane {
  situation: Situation
  /** Tries under way. */
  tries: number
  /** Keys whose last try did not get through; they go again as soon as the receiver takes anything. */
  unreached: Set<string>
  /** What was amiss with the last thing that it took, such as an address that it refused. */
  complaint: Situation
}

export class Outbox {
  readonly #options: OutboxOptions
  #channels: ReadonlyMap<string, Channel> = new Map()
  /** For receivers that name none. */
  #fallback: string | undefined
  readonly #lanes = new Map<string, Lane>()
  /** Key → attempt, from the claim until its receipt has come back on the log. */
  readonly #busy = new Map<string, number>()
  readonly #aborts = new Set<AbortController>()
  readonly #tries = new Set<Promise<void>>()
  readonly #busSituation: Situation
  #lock: Pick<Lock, 'isHeld'> | undefined
  #closed = false
  #timer: Subscription | undefined

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#busSituation = new Situation(options.log)
  }

  /** Takes over new receivers as a whole; tries under way end with the former ones. */
  configure(channels: ReadonlyMap<string, Channel>, fallback?: string): void {
    this.#channels = channels
    this.#fallback = fallback
    this.pump()
  }

  /** Sends for as long as the lock is held, undefined for not at all. */
  lead(lock: Pick<Lock, 'isHeld'> | undefined): void {
    this.#lock = lock
    this.pump()
  }

  /** Asked before each step that cannot be taken back: after a hang another node may lead. */
  get #leads(): boolean {
    return this.#lock?.isHeld() === true
  }

  /** Starts every try that is due. Called whenever notifications changed or time has passed. */
  pump(): void {
    this.#timer?.unsubscribe()
    if (!this.#leads || this.#closed) return
    const nowMs = this.#options.clock.now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const notification of this.#options.state.notifications.values()) {
      if (!isOpen(notification) || this.#busy.has(notification.key) || !this.#isNext(notification)) continue
      const dueMs = this.#dueMs(notification)
      if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs)
      else this.#start(notification)
    }
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#timer = this.#options.clock.schedule(() => this.pump(), nextMs - nowMs)
    }
  }

  /** A receipt has been read back from the log. */
  settled({ key, attempt }: Receipt): void {
    if (this.#busy.get(key) === attempt) this.#busy.delete(key)
  }

  /** Nothing is under way, and nothing but retries is waiting. */
  get isIdle(): boolean {
    if (this.#busy.size > 0) return false
    const open = [...this.#options.state.notifications.values()].filter(isOpen)
    return !this.#leads || open.every((notification) => notification.state === 'failed' || !this.#isNext(notification))
  }

  /** Gives what is due up to `limitMs` to leave; what has not is kept for the next start. */
  async stop(limitMs: number): Promise<void> {
    const deadlineMs = this.#options.clock.now() + limitMs
    while (!this.isIdle && this.#options.clock.now() < deadlineMs) await sleep(10, this.#options.clock)
    this.#closed = true
    this.#timer?.unsubscribe()
    for (const abort of this.#aborts) abort.abort()
    await Promise.race([Promise.allSettled(this.#tries), sleep(abortMs, this.#options.clock)])
  }

  /** Why people are not told, for the status; undefined when all receivers take what they get. */
  get problem(): string | undefined {
    const problems = [...this.#lanes].flatMap(([name, { situation }]) =>
      situation.problem === undefined || !this.#channels.has(name)
        ? []
        : `${situation.problem} (${this.queueLength(name)} waiting)`,
    )
    for (const [name, { receiver }] of this.#channels) {
      const complaint = this.#lanes.get(name)?.complaint.problem
      if (complaint !== undefined) problems.push(complaint)
      if (receiver.problem !== undefined) problems.push(`${name}: ${receiver.problem}`)
    }
    if (this.#busSituation.problem !== undefined) problems.push(this.#busSituation.problem)
    return problems.length > 0 ? problems.join('; ') : undefined
  }

  get deadLetterCount(): number {
    return [...this.#options.state.notifications.values()].filter(isDeadLetter).length
  }

  queueLength(receiver?: string): number {
    let count = 0
    for (const notification of this.#options.state.notifications.values()) {
      if (isOpen(notification) && (receiver === undefined || notification.receiver === receiver)) count++
    }
    return count
  }

  /** Everything told earlier about the same alerts is settled. */
  #isNext({ after }: Notification): boolean {
    return after.every((key) => {
      const earlier = this.#options.state.notifications.get(key)
      return earlier === undefined || !isOpen(earlier)
    })
  }

  #dueMs({ key, receiver, state, retryMs = 0 }: Notification): number {
    if (state !== 'failed' || !this.#channels.has(receiver)) return 0
    const lane = this.#lanes.get(receiver)
    return lane?.unreached.has(key) && lane.situation.problem === undefined ? 0 : retryMs
  }

  #start(notification: Notification): void {
    const { key, receiver, doomed } = notification
    const channel = this.#channels.get(receiver)
    const moot = doomed === undefined ? this.#pointless(notification) : undefined
    const verdict = doomed ?? moot ?? (channel ? undefined : 'this receiver is no longer configured')
    const lane = this.#lane(receiver)
    if (verdict === undefined && lane.tries >= triesMax) return
    this.#busy.set(key, notification.attempt + 1)
    if (doomed !== undefined) this.#options.stats.count('queue_overflow_total')
    if (verdict !== undefined || channel === undefined) {
      const detail = verdict ?? ''
      const outcome =
        moot === undefined ? this.#dead(notification, detail) : { outcome: 'dead' as const, detail, isMoot: true }
      void this.#settle(notification, outcome)
      return
    }
    lane.tries++
    const done = this.#try(notification, channel, lane).finally(() => {
      lane.tries--
      this.#tries.delete(done)
      this.pump()
    })
    this.#tries.add(done)
  }

  /** The end of pages that never arrived. */
  #pointless({ ends }: Notification): string | undefined {
    const dead = ends.filter((key) => this.#options.state.notifications.get(key)?.state === 'dead')
    return ends.length > 0 && dead.length === ends.length ? 'the page that this ends never arrived' : undefined
  }

  async #try(notification: Notification, channel: Channel, lane: Lane): Promise<void> {
    const { bus, clock, stats, instance, state } = this.#options
    const { key, receiver } = notification
    const attempt = notification.attempt + 1
    const claim: Claim = { key, receiver, attempt, by: instance, atMs: clock.now() }
    // A claim without a receipt belongs to whoever leads next.
    if (!(await this.#say(() => bus.publish('claims', claim))) || !this.#leads) {
      this.#busy.delete(key)
      return
    }
    if (attempt > 1) stats.count('retries_total')
    // The claim may have waited for the bus for long; what is told is what stands now.
    const delivery = await this.#send(state.notifications.get(key) ?? notification, channel)
    this.#note(notification, delivery, lane)
    await this.#settle(notification, this.#outcome(notification, delivery, attempt, channel))
  }

  async #send(notification: Notification, { receiver, timeoutMs }: Channel): Promise<Delivery> {
    const abort = new AbortController()
    this.#aborts.add(abort)
    const timer = this.#options.clock.schedule(() => abort.abort(), timeoutMs)
    try {
      return await receiver.send(notification, abort.signal)
    } catch (error) {
      return { outcome: 'failed', detail: (error as Error).message, unreachable: false }
    } finally {
      timer.unsubscribe()
      this.#aborts.delete(abort)
    }
  }

  #note({ key, receiver }: Notification, delivery: Delivery, lane: Lane): void {
    const { stats } = this.#options
    lane.unreached.delete(key)
    if (delivery.outcome === 'delivered') {
      const { complaint } = delivery
      stats.count('notifications_sent_total')
      lane.situation.good(`${receiver} takes notifications again`)
      if (complaint === undefined) lane.complaint.good(`${receiver} took a notification without complaint again`)
      else lane.complaint.bad(`${receiver} took notifications, but: ${complaint}`)
      return
    }
    stats.count('failed_total')
    if (delivery.outcome === 'refused') stats.count('refused_total')
    if (delivery.outcome === 'failed' && delivery.unreachable) lane.unreached.add(key)
    lane.situation.bad(`${receiver} does not take notifications: ${delivery.detail}`)
  }

  #outcome(notification: Notification, delivery: Delivery, attempt: number, { giveUpMs }: Channel): Outcome {
    const { clock, random } = this.#options
    const { detail } = delivery
    if (delivery.outcome === 'delivered') return { outcome: 'delivered', detail, ...templateProblemOf(delivery) }
    if (delivery.outcome === 'refused') return this.#dead(notification, detail)
    const end = this.#dead(notification, detail)
    if (delivery.needsMending && end.fallback !== undefined) return end
    const nowMs = clock.now()
    if (nowMs - (notification.firstClaimMs ?? nowMs) >= giveUpMs) {
      return this.#dead(notification, `given up after ${formatDuration(giveUpMs)}: ${detail}`)
    }
    const { remaining, retryAfterMs = 0 } = delivery
    const pauseMs = Math.min(retryMaxMs, retryFirstMs * 2 ** Math.min(attempt - 1, 20)) * (0.5 + random() / 2)
    const retryMs = Math.ceil(nowMs + Math.max(pauseMs, Math.min(retryAfterMs, retryAfterMaxMs)))
    return { outcome: 'failed', detail, retryMs, ...(remaining && { remaining }) }
  }

  /** The end of the tries. The fallback is told instead, unless it has refused the same already. */
  #dead({ receiver, insteadOf = [], isTest }: Notification, detail: string): Outcome {
    const asked = new Set([receiver, ...insteadOf.map((before) => before.receiver)])
    const fallback = this.#fallbackOf(receiver)
    const isNew = fallback !== undefined && !asked.has(fallback) && !isTest
    return { outcome: 'dead', detail, ...(isNew && { fallback }) }
  }

  #fallbackOf(receiver: string): string | undefined {
    const named = this.#channels.get(receiver)?.fallback ?? this.#fallback
    return named !== undefined && this.#channels.has(named) ? named : undefined
  }

  /** Puts the receipt on the log; as long as the bus refuses, the notification stays under way. */
  async #settle(notification: Notification, outcome: Outcome): Promise<void> {
    const { bus, clock, instance } = this.#options
    const { key, receiver, transition, alerts, kind } = notification
    const receipt: Receipt = {
      key,
      receiver,
      attempt: notification.attempt + 1,
      by: instance,
      atMs: clock.now(),
      ...outcome,
      ...(outcome.outcome === 'dead' && { title: titleOf(notification) }),
      fingerprint: alerts[0]?.fingerprint ?? '',
      transition,
      kind: kind === 'resolved' || kind === 'forgotten' ? 'resolved' : 'firing',
    }
    this.#report(receipt, kind)
    while (!(await this.#say(() => bus.publish('receipts', receipt)))) {
      if (this.#closed) return
    }
  }

  #report({ receiver, fingerprint, outcome, detail, fallback, isMoot }: Receipt, kind: string): void {
    const { stats, log } = this.#options
    if (outcome === 'delivered') log.info(`${receiver} was told: ${fingerprint} ${kind}`)
    if (outcome !== 'dead') return
    if (fallback !== undefined) {
      stats.count('fallback_total')
      log.error(`${receiver} will not hear of ${fingerprint} (${kind}), ${fallback} is told instead: ${detail}`)
    } else if (isMoot) {
      log.info(`${receiver} need not hear of ${fingerprint} (${kind}): ${detail}`)
    } else {
      stats.count('dead_total')
      log.error(`${receiver} will not hear of ${fingerprint} (${kind}), and nobody is told instead: ${detail}`)
    }
  }

  /** True once the bus has taken it; false, after a pause, when it has not. */
  async #say(publish: () => Promise<void>): Promise<boolean> {
    try {
      await publish()
      this.#busSituation.good('the bus takes claims and receipts again')
      return true
    } catch (error) {
      this.#busSituation.bad(`the bus does not take claims and receipts: ${(error as Error).message}`)
      await sleep(busPauseMs, this.#options.clock)
      return false
    }
  }

  #lane(receiver: string): Lane {
    const lane = this.#lanes.get(receiver) ?? {
      situation: new Situation(this.#options.log),
      complaint: new Situation(this.#options.log),
      tries: 0,
      unreached: new Set<string>(),
    }
    this.#lanes.set(receiver, lane)
    return lane
  }
}

interface Outcome {
  outcome: ReceiptOutcome
  detail: string
  retryMs?: number
  remaining?: readonly string[]
  fallback?: string
  isMoot?: boolean
  templateProblem?: string
}

function templateProblemOf({ templateProblem }: Delivery): Pick<Outcome, 'templateProblem'> {
  return templateProblem === undefined ? {} : { templateProblem }
}

/** One line for people, of what nobody will be told. */
function titleOf({ kind, level, rule, alerts, moreCount }: Notification): string {
  const groups = alerts.slice(0, 3).map(({ groupKey }) => groupKey)
  const more = alerts.length + moreCount - groups.length
  const what = kind === 'firing' ? level : `${level} ${kind}`
  return shortened(`${what}: ${rule}, ${groups.join(', ')}${more > 0 ? ` and ${more} more` : ''}`, 200)
}
