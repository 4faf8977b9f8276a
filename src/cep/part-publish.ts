/**
 * Publish: transitions onto alerts-log, only while this process leads, each exactly as often as it is news.
 *
 * A standby computes the same transitions and keeps those that it has not yet seen on alerts-log; whoever gets the lock
 * publishes what is left. So a crash between computing and publishing loses nothing, and a restart repeats nothing.
 * A group's transitions stand on the log in the order of their buckets, also when the bus refuses some for a while.
 *
 *   standby --lock won, alerts-log read to its end--> leading --lock lost--> standby
 */
import { type Bus, BusError, type Lock, type Reader } from '../bus/bus.ts'
import type { Context } from '../bus/part.ts'
import type { Hops } from '../model/message.ts'
import { fingerprint, type Transition } from '../model/transition.ts'
import { sleep } from '../runtime/clock.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { Agreement } from './part-agreement.ts'
import { Ledger } from './part-ledger.ts'
import { within } from './part-within.ts'

/** Transitions kept while nobody may publish; beyond it the oldest go, counted. */
export const waitingMax = 20_000
const retryMsMax = 5000
/** How long a disagreement of two engines is shown after the last one. */
const disagreementShownMs = 600_000
/** How long an orderly stop waits for what is under way. */
const drainMsMax = 5000

interface Waiting {
  transition: Transition
  hops: Hops
  /** Refused by the bus once: no longer to be compared with the ledger, which has it already. */
  retried: boolean
}

export class Publisher {
  readonly #context: Context
  readonly #stats: Stats
  readonly #situation: Situation
  readonly #disagreement: Situation
  readonly #ledger = new Ledger()
  readonly #agreement = new Agreement()
  readonly #told: Reader
  readonly #ending = new AbortController()
  readonly #waiting: Waiting[] = []
  #compares = false
  #disagreedMs = Number.NEGATIVE_INFINITY
  /** Handed to the bus, which has not taken charge of them yet. */
  #underWay: readonly Waiting[] = []
  #lock: Lock | undefined
  #leads = false
  #pumping: Promise<void> | undefined
  readonly #leading: Promise<void>

  constructor(context: Context, stats: Stats) {
    this.#context = context
    this.#stats = stats
    this.#situation = new Situation(context.log)
    this.#disagreement = new Situation(context.log)
    this.#told = context.bus.readLog('alerts-log', 'first', (entry) => {
      if (entry.kind === 'transitions') this.#heard(entry.message)
    })
    stats.observe('transitions_waiting', () => this.#waiting.length)
    this.#leading = this.#lead(context.bus)
  }

  get leads(): boolean {
    return this.#leads && this.#lock?.isHeld() === true
  }

  get problem(): string | undefined {
    return this.#situation.problem ?? this.#disagreement.problem
  }

  /** Once a second: compares, while standing by, with the engine that leads. `nowMs` is this engine's own time. */
  everySecond(nowMs: number): void {
    const wasComparing = this.#compares
    this.#compares = !this.#leads
    if (!this.#compares || !wasComparing) this.#agreement.restart(this.#leads ? Number.POSITIVE_INFINITY : nowMs)
    this.#pump()
    const found = this.#agreement.disagreements(nowMs)
    this.#stats.count('disagreements_total', found.length)
    if (found.length > 0) {
      this.#disagreedMs = nowMs
      this.#disagreement.bad(`two engines disagree: ${found[0]}`)
    } else if (nowMs - this.#disagreedMs > disagreementShownMs) this.#disagreement.good('the engines agree again')
  }

  /** Takes what the engine computed; published at once where this process leads. */
  offer(transitions: readonly Transition[], hopsOf: (transition: Transition) => Hops): void {
    for (const transition of transitions) {
      this.#stats.count('transitions_total')
      this.#agreement.computed(transition)
      this.#waiting.push({ transition, hops: hopsOf(transition), retried: false })
    }
    while (this.#waiting.length > waitingMax) {
      this.#waiting.shift()
      this.#stats.count('transitions_dropped_total')
    }
    this.#pump()
  }

  /** What may not be on alerts-log yet; offered again after a restart, it is published if it is still news. */
  get unpublished(): Transition[] {
    return [...this.#underWay, ...this.#waiting].map(({ transition }) => transition)
  }

  /** Publishes what is left, within a bound, and gives up the lock. */
  async stop(): Promise<void> {
    await within(this.#drained(), drainMsMax, this.#context.clock)
    this.#ending.abort()
    await this.#leading
    await this.#told.stop()
    await this.#lock?.release()
  }

  async #drained(): Promise<void> {
    while (this.leads && (this.#waiting.length > 0 || this.#pumping)) await this.#pump()
  }

  /** Gets the lock, again and again; leads once alerts-log has been read to its end, so as to know what was told. */
  async #lead(bus: Bus): Promise<void> {
    const { clock } = this.#context
    const { signal } = this.#ending
    while (!signal.aborted) {
      try {
        this.#lock = await bus.lock('cep', signal)
        await this.#leadWith(this.#lock, signal)
      } catch (error) {
        if (!signal.aborted) this.#situation.bad(`the lock for publishing cannot be had: ${(error as Error).message}`)
        await sleep(1000, clock, signal)
      }
    }
  }

  async #leadWith(lock: Lock, signal: AbortSignal): Promise<void> {
    const { log } = this.#context
    let isLost = false
    const over = Promise.race([lock.lost, abortOf(signal)]).then(() => {
      isLost = true
      this.#leads = false
    })
    await Promise.race([this.#told.caughtUp(), over])
    if (!isLost) {
      this.#leads = true
      log.debug('this engine leads')
      this.#pump()
    }
    await over
    if (!signal.aborted) log.warn('another engine leads now, or the bus is gone; standing by')
  }

  /** Another engine, or we in an earlier life, told this. */
  #heard(transition: Transition): void {
    this.#ledger.note(transition)
    this.#agreement.told(transition)
    const same = this.#waiting.findIndex((waiting) => waiting.transition.id === transition.id)
    if (same >= 0) this.#waiting.splice(same, 1)
    while (this.#waiting[0] && !this.#isNews(this.#waiting[0])) this.#waiting.shift()
  }

  #isNews({ transition, retried }: Waiting): boolean {
    return retried || this.#ledger.isNews(transition)
  }

  #pump(): Promise<void> | undefined {
    if (this.leads && this.#waiting.length > 0) {
      this.#pumping ??= this.#publishAll().finally(() => {
        this.#pumping = undefined
      })
    }
    return this.#pumping
  }

  async #publishAll(): Promise<void> {
    for (let delayMs = 100; this.leads && this.#waiting.length > 0; ) {
      const refused = await this.#publishRound(this.#takeRound())
      if (refused.length === 0) {
        delayMs = 100
        this.#situation.good('transitions are published again')
        continue
      }
      this.#waiting.unshift(...refused)
      await sleep(delayMs, this.#context.clock, this.#ending.signal)
      if (this.#ending.signal.aborted) return
      delayMs = Math.min(retryMsMax, delayMs * 2)
    }
  }

  /** The first waiting transition of each group: a group's next one goes only after the bus has taken this one. */
  #takeRound(): Waiting[] {
    const round = new Map<string, Waiting>()
    const later: Waiting[] = []
    for (const waiting of this.#waiting.splice(0)) {
      const group = fingerprint(waiting.transition)
      if (round.has(group)) later.push(waiting)
      else if (this.#isNews(waiting)) round.set(group, waiting)
    }
    this.#waiting.push(...later)
    return [...round.values()]
  }

  /** Hands a round to the bus; gives back what was refused and may be taken another time. */
  async #publishRound(round: readonly Waiting[]): Promise<Waiting[]> {
    const { bus, clock } = this.#context
    const sent = round.map(({ transition, hops }) => {
      this.#ledger.note(transition)
      return bus.publish(`transitions.${transition.rule}`, transition, { ...hops, ruleMs: clock.now() })
    })
    this.#underWay = round
    const outcomes = await Promise.allSettled(sent)
    this.#underWay = []
    return round
      .filter((waiting, i) => this.#isRefused(waiting, outcomes[i]))
      .map((waiting) => ({ ...waiting, retried: true }))
  }

  #isRefused({ transition }: Waiting, outcome: PromiseSettledResult<void> | undefined): boolean {
    if (outcome?.status !== 'rejected') {
      this.#stats.count('transitions_published_total')
      return false
    }
    const reason = outcome.reason as Error
    if (reason instanceof BusError && reason.isFinal) {
      this.#stats.count('transitions_dropped_total')
      this.#context.log.error(`the transition ${transition.id} can never be published: ${reason.message}`)
      return false
    }
    this.#situation.bad(`transitions cannot be published: ${reason.message}`)
    return true
  }
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
