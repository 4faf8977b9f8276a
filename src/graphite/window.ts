/**
 * Window: what one flush to Graphite is made of, merged from the buckets of many sources.
 *
 * Counters add, sets unite, timers merge, a gauge is its last writer by time (at one moment: the later message). Owns
 * only the sums of its own window; what repeats while idle is idle.ts's.
 */
import type { CheckResult, CheckState } from '../model/check.ts'
import { type Distribution, DistributionBuilder } from '../model/distribution.ts'
import type { ForgettableKind } from '../model/forget.ts'
import { gaugeWrittenMs, type MetricsMessage, type SetColumn, type TimerColumn } from '../model/metric.ts'

/** Members of one set in one window, of all sources; a set that has more is written as this many. */
export const unitedMembersMax = 100_000

export interface GaugeValue {
  value: number
  bucketMs: number
  /** When it was written; at the end of its bucket where that is not said. */
  writtenMs?: number
  /** A value that stands only so long (a check's result); without it, until the next. */
  untilMs?: number
}

export class Window {
  /** The last moment in it; it holds (endMs − flushMs, endMs]. */
  readonly endMs: number
  readonly counters = new Map<string, number>()
  readonly gauges = new Map<string, GaugeValue>()
  readonly sets = new Map<string, Set<string>>()
  /** Set members that had no room. */
  membersLeftOut = 0
  readonly #timers = new Map<string, Distribution | DistributionBuilder>()

  constructor(endMs: number) {
    this.endMs = endMs
  }

  /** Adds one message; columns with Graphite names of their own are not for here. */
  fold(message: MetricsMessage): void {
    const { counters, gauges, timers, sets } = message
    if (!counters.graphiteNames) this.#foldCounters(counters.names, counters.sums)
    if (!gauges.graphiteNames) this.#foldGauges(message)
    this.#foldTimers(timers)
    this.#foldSets(sets)
  }

  foldChecks(bucketMs: number, results: readonly CheckResult[]): void {
    for (const { name, state, stepMs } of results) {
      this.setGauge(`checks.${name}`, { value: checkLevels[state], bucketMs, untilMs: bucketMs + 3 * stepMs })
    }
  }

  setGauge(name: string, gauge: GaugeValue): void {
    const known = this.gauges.get(name)
    if (!known || !isLater(known, gauge)) this.gauges.set(name, gauge)
  }

  *timers(): Generator<[name: string, Distribution]> {
    for (const [name, seen] of this.#timers) {
      yield [name, seen instanceof DistributionBuilder ? seen.build() : seen]
    }
  }

  timerNames(): Iterable<string> {
    return this.#timers.keys()
  }

  hasTimer(name: string): boolean {
    return this.#timers.has(name)
  }

  /** Forgets what came so far, on command; results of checks are no series of statsd. */
  drop(kind: ForgettableKind, isGone: (name: string) => boolean): void {
    const seen = kind === 'timers' ? this.#timers : this[kind]
    for (const name of seen.keys()) {
      const isCheck = kind === 'gauges' && this.gauges.get(name)?.untilMs !== undefined
      if (isGone(name) && !isCheck) seen.delete(name)
    }
  }

  /** Nothing came that is to be written. */
  get isEmpty(): boolean {
    return this.counters.size + this.gauges.size + this.sets.size + this.#timers.size === 0
  }

  #foldCounters(names: readonly string[], sums: Float64Array): void {
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string
      this.counters.set(name, (this.counters.get(name) ?? 0) + (sums[i] as number))
    }
  }

  #foldGauges(message: MetricsMessage): void {
    const { bucketMs, gauges } = message
    for (let i = 0; i < gauges.names.length; i++) {
      const value = gauges.values[i] as number
      this.setGauge(gauges.names[i] as string, { value, bucketMs, writtenMs: gaugeWrittenMs(message, i) })
    }
  }

  #foldTimers({ names, distributions }: TimerColumn): void {
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string
      const distribution = distributions[i] as Distribution
      const known = this.#timers.get(name)
      if (!known) this.#timers.set(name, distribution)
      else if (known instanceof DistributionBuilder) known.merge(distribution)
      else {
        const builder = new DistributionBuilder()
        builder.merge(known)
        builder.merge(distribution)
        this.#timers.set(name, builder)
      }
    }
  }

  #foldSets({ names, members }: SetColumn): void {
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string
      const united = this.sets.get(name) ?? new Set()
      for (const member of members[i] as readonly string[]) {
        if (united.size < unitedMembersMax) united.add(member)
        else if (!united.has(member)) this.membersLeftOut++
      }
      this.sets.set(name, united)
    }
  }
}

/** Whether `a` was written after `b`. */
export function isLater(a: GaugeValue, b: GaugeValue): boolean {
  return (a.writtenMs ?? a.bucketMs) > (b.writtenMs ?? b.bucketMs)
}

const checkLevels: Readonly<Record<CheckState, number>> = { ok: 0, warn: 1, crit: 2, unknown: 3 }
