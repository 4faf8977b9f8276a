/**
 * Idle: the series that Graphite has been told of, so that they go on while nothing arrives, as etsy's statsd does by
 * default: counters, sets and timer counts at 0, gauges at their last value.
 *
 * Bounded: beyond `seriesMax` a new series is written when it has data but not while idle, and is counted. A series that
 * has been idle for 24 hours is forgotten. A check's result is repeated only as long as it stands (three of its steps).
 * A policy may say that idle series of a kind are not repeated at all, or gauges not for long.
 */
import type { ForgettableKind } from '../model/forget.ts'
import { type GaugeValue, isLater, type Window } from './window.ts'

export const forgetAfterMs = 24 * 3_600_000

/** When the series last had data, epoch ms; for gauges with the value. */
export interface IdleSeries {
  counters: Map<string, number>
  timers: Map<string, number>
  sets: Map<string, number>
  gauges: Map<string, GaugeValue>
}

/** Which kinds go on while idle. */
export interface IdlePolicy {
  counters: boolean
  timers: boolean
  sets: boolean
  /** How long a gauge goes on; results of checks have a time of their own. */
  gaugesForMs: number
}

export const repeatAll: IdlePolicy = { counters: true, timers: true, sets: true, gaugesForMs: Number.POSITIVE_INFINITY }

export class IdleMemory {
  readonly series: IdleSeries = { counters: new Map(), timers: new Map(), sets: new Map(), gauges: new Map() }
  readonly policy: IdlePolicy
  readonly #seriesMax: number
  refused = 0

  constructor(seriesMax: number, policy: IdlePolicy = repeatAll) {
    this.#seriesMax = seriesMax
    this.policy = policy
  }

  get size(): number {
    const { counters, timers, sets, gauges } = this.series
    return counters.size + timers.size + sets.size + gauges.size
  }

  /** Remembers everything that has data in the window. */
  remember(window: Window): void {
    const { counters, timers, sets } = this.series
    const { policy } = this
    if (policy.counters) for (const name of window.counters.keys()) this.#put(counters, name, window.endMs)
    if (policy.timers) for (const name of window.timerNames()) this.#put(timers, name, window.endMs)
    if (policy.sets) for (const name of window.sets.keys()) this.#put(sets, name, window.endMs)
    for (const [name, gauge] of window.gauges) this.rememberGauge(name, gauge)
  }

  /** A gauge never goes back to an older value. */
  rememberGauge(name: string, gauge: GaugeValue): void {
    const known = this.series.gauges.get(name)
    if (!known || !isLater(known, gauge)) this.#put(this.series.gauges, name, gauge)
  }

  /** Forgets what has been idle for too long at `nowMs`. */
  forget(nowMs: number): void {
    const { counters, timers, sets, gauges } = this.series
    for (const fed of [counters, timers, sets]) {
      for (const [name, fedMs] of fed) if (nowMs - fedMs > forgetAfterMs) fed.delete(name)
    }
    for (const [name, { bucketMs, untilMs }] of gauges) {
      const isOver = untilMs === undefined ? nowMs - bucketMs >= this.policy.gaugesForMs : nowMs > untilMs
      if (isOver || nowMs - bucketMs > forgetAfterMs) gauges.delete(name)
    }
  }

  /** Forgets series on command; results of checks are no series of statsd. */
  drop(kind: ForgettableKind, isGone: (name: string) => boolean): void {
    const { series } = this
    for (const name of series[kind].keys()) {
      const isCheck = kind === 'gauges' && series.gauges.get(name)?.untilMs !== undefined
      if (isGone(name) && !isCheck) series[kind].delete(name)
    }
  }

  #put<T>(kind: Map<string, T>, name: string, value: T): void {
    if (kind.has(name) || this.size < this.#seriesMax) kind.set(name, value)
    else this.refused++
  }
}

/** The memory as text, one series a line, for the state file: `["counters","api.hits",1767225600000]`. */
export function* saveIdle({ series }: IdleMemory): Generator<string> {
  for (const kind of kinds) {
    for (const [name, value] of series[kind]) yield `${JSON.stringify([kind, name, value])}\n`
  }
}

/** Adds one saved line to the memory; false when it is not one of ours. */
export function restoreIdle(memory: IdleMemory, line: string): boolean {
  const saved = parseLine(line)
  if (!Array.isArray(saved) || typeof saved[1] !== 'string') return false
  const [kind, name, value] = saved as [unknown, string, unknown]
  if (kind === 'gauges' && isGauge(value)) memory.series.gauges.set(name, value)
  else if ((kind === 'counters' || kind === 'timers' || kind === 'sets') && typeof value === 'number') {
    if (memory.policy[kind]) memory.series[kind].set(name, value)
  } else return false
  return true
}

const kinds = ['counters', 'timers', 'sets', 'gauges'] as const

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function isGauge(value: unknown): value is GaugeValue {
  const gauge = value as Partial<GaugeValue> | null
  return typeof gauge?.value === 'number' && typeof gauge.bucketMs === 'number'
}
