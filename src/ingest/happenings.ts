/**
 * Happenings: events and check results that came in one flush interval, beside the metrics.
 *
 * They belong to the bucket in which they arrived, whatever time they tell of themselves. Bounded per interval.
 */
import type { CheckResult } from '../model/check.ts'
import type { EventMessage } from '../model/event.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { DogstatsdEvent, ServiceCheck } from './dogstatsd.ts'

export const eventsMax = 1000
export const checkResultsMax = 10_000

export class Happenings {
  readonly #clock: Clock
  readonly #stats: Stats
  /** How long a check's result stands, as its sender does not say. */
  readonly #checkIntervalMs: number
  #events: (DogstatsdEvent & { sequence: number; atMs: number })[] = []
  #checks: CheckResult[] = []
  #eventSequence = 0
  #checkSequence = 0

  constructor(clock: Clock, stats: Stats, checkIntervalMs: number) {
    this.#clock = clock
    this.#stats = stats
    this.#checkIntervalMs = checkIntervalMs
  }

  addEvent(event: DogstatsdEvent): void {
    const isFull = this.#events.length >= eventsMax
    this.#stats.count(isFull ? 'events_refused_total' : 'events_total')
    if (isFull) return
    this.#events.push({ atMs: this.#clock.now(), ...event, sequence: ++this.#eventSequence })
  }

  addCheck({ name, state, output, atMs = this.#clock.now() }: ServiceCheck): void {
    const isFull = this.#checks.length >= checkResultsMax
    this.#stats.count(isFull ? 'check_results_refused_total' : 'check_results_total')
    if (isFull) return
    const sequence = ++this.#checkSequence
    this.#checks.push({ name, sequence, atMs, state, output, durationMs: 0, stepMs: this.#checkIntervalMs })
  }

  /** Ends the interval. */
  take(source: string, bucketMs: number): { events: EventMessage[]; checks: CheckResult[] } {
    const events = this.#events.map((event) => ({ source, bucketMs, ...event }))
    const checks = this.#checks
    this.#events = []
    this.#checks = []
    return { events, checks }
  }
}
