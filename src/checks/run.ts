/**
 * Run: probes what is due and collects the results until somebody takes them.
 */
import type { Subscription } from 'rxjs'
import type { CheckResult, CheckState } from '../model/check.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { HttpCheck } from './check-file.ts'
import { type ProbeResult, probeHttp } from './http.ts'
import { begin, end, plan, reschedule, type Slot, stepMs } from './schedule.ts'

/** Results held while the bus cannot take them; the oldest go first. */
export const resultsMax = 100_000
const states: readonly CheckState[] = ['ok', 'warn', 'crit', 'unknown']

interface Running {
  name: string
  abort: AbortController
  ended: Promise<void>
}

export class Runner {
  readonly #clock: Clock
  readonly #stats: Stats
  readonly #stopped = new AbortController()
  readonly #running = new Set<Running>()
  #checks: ReadonlyMap<string, HttpCheck> = new Map()
  #schedule: Map<string, Slot> = new Map()
  #results: CheckResult[] = []
  #sequence = 0
  #wake: Subscription | undefined

  constructor(clock: Clock, stats: Stats) {
    this.#clock = clock
    this.#stats = stats
    stats.observe('checks', () => this.#checks.size)
    stats.observe('probes_running', () => this.#running.size)
    for (const state of states) stats.observe(`checks{state="${state}"}`, () => this.#countIn(state))
  }

  /** Takes over a set of checks as a whole. Unchanged ones keep their schedule and a probe that is under way. */
  use(checks: readonly HttpCheck[]): void {
    const unchanged = new Set(checks.filter((check) => this.#isSame(check)).map(({ name }) => name))
    for (const { name, abort } of this.#running) if (!unchanged.has(name)) abort.abort()
    this.#schedule = reschedule(this.#schedule, checks, unchanged, this.#clock.now())
    this.#checks = new Map(checks.map((check) => [check.name, check]))
    this.#look()
  }

  /** The results since the last call, oldest first. */
  takeResults(): CheckResult[] {
    const results = this.#results
    this.#results = []
    return results
  }

  /** Ends all probes; what they would have found is not known. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#wake?.unsubscribe()
    for (const { abort } of this.#running) abort.abort()
    await Promise.all([...this.#running].map(({ ended }) => ended))
  }

  /** Begins what is due and comes back when the next is. */
  #look(): void {
    this.#wake?.unsubscribe()
    if (this.#stopped.signal.aborted) return
    const nowMs = this.#clock.now()
    const { begin: names, waiting, wakeMs } = plan(this.#schedule, nowMs)
    for (const name of names) this.#begin(name, nowMs)
    this.#stats.set('probes_waiting', waiting)
    if (waiting > 0) this.#stats.count('probes_delayed_total')
    if (wakeMs !== undefined) this.#wake = this.#clock.schedule(() => this.#look(), wakeMs - nowMs)
  }

  #begin(name: string, nowMs: number): void {
    const check = this.#checks.get(name) as HttpCheck
    const slot = begin(this.#schedule.get(name) as Slot, nowMs)
    this.#schedule.set(name, slot)
    this.#stats.count('probes_total')
    const abort = new AbortController()
    const ended = probeHttp(check, this.#clock, abort.signal).then((found) => {
      this.#running.delete(running)
      // An aborted probe found nothing: its check is gone or has changed.
      if (!abort.signal.aborted) this.#ended(slot, found)
      this.#look()
    })
    const running: Running = { name, abort, ended }
    this.#running.add(running)
  }

  #ended(slot: Slot, found: ProbeResult): void {
    const atMs = this.#clock.now()
    const { name } = slot
    this.#schedule.set(name, end(slot, found.state, atMs))
    this.#stats.count(`results_total{state="${found.state}"}`)
    this.#results.push({ name, sequence: ++this.#sequence, atMs, ...found, stepMs: stepMs(slot, found.state, atMs) })
    if (this.#results.length <= resultsMax) return
    this.#results.shift()
    this.#stats.count('results_dropped_total')
  }

  /** Written alike, setting by setting. */
  #isSame(check: HttpCheck): boolean {
    return JSON.stringify(this.#checks.get(check.name)) === JSON.stringify(check)
  }

  #countIn(state: CheckState): number {
    let count = 0
    for (const slot of this.#schedule.values()) if (slot.state === state) count++
    return count
  }
}
