/**
 * Pace: how far the engine is behind its log, and the one wall-clock watchdog: are clock messages coming back from the bus?
 *
 * An engine that is behind computes the same transitions, only later; people must know that they come later.
 */
import type { Context } from '../bus/part.ts'
import type { LogEntry } from '../model/message.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'

/** A clock message that has not come back after this long is missed. */
const clockMissedMs = 5000
const behindMs = 10_000

export class Pace {
  readonly #clock: Context['clock']
  readonly #missing: Situation
  readonly #behind: Situation
  /** When a clock message was last handled, and what it said. */
  #seenMs: number
  #reachedMs: number | undefined

  constructor({ clock, log }: Context, stats: Stats) {
    this.#clock = clock
    this.#missing = new Situation(log)
    this.#behind = new Situation(log)
    this.#seenMs = clock.now()
    stats.observe('lag_ms', () => this.lagMs)
  }

  note(entry: LogEntry): void {
    if (entry.kind !== 'clock') return
    this.#seenMs = this.#clock.now()
    this.#reachedMs = Math.max(this.#reachedMs ?? 0, entry.message.nowMs)
  }

  /** The engine's own time, epoch ms; undefined before the first clock message. */
  get reachedMs(): number | undefined {
    return this.#reachedMs
  }

  /** How old the newest clock message was that the engine has handled, up to a second without any lag. */
  get lagMs(): number {
    return this.#reachedMs === undefined ? 0 : Math.max(0, this.#clock.now() - this.#reachedMs)
  }

  /** No clock message for too long: no rule is being evaluated. */
  get isStopped(): boolean {
    return this.#missing.problem !== undefined
  }

  get problem(): string | undefined {
    return this.#missing.problem ?? this.#behind.problem
  }

  /** A start or a wait is over; clock messages are expected from now on. */
  expect(): void {
    this.#seenMs = this.#clock.now()
  }

  /** Once a second. */
  watch(): void {
    const isMissing = this.#clock.now() - this.#seenMs > clockMissedMs
    if (isMissing) this.#missing.bad('clock messages do not come back from the bus: rules are not being evaluated')
    else this.#missing.good('clock messages come back again: rules are evaluated')
    // Words that do not change, so that they are logged once.
    if (this.lagMs > behindMs && !isMissing) this.#behind.bad('the engine is behind its log: pages come late')
    else if (this.lagMs <= behindMs) this.#behind.good('the engine has caught up with its log')
  }
}
