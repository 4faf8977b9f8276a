/**
 * Simulation: what statsd and the health checks would see of the service, second by second, with one process broken for a
 * while. Pure; made of the same mix, shape, routes and fault rules as the service itself, and of the check scheduler's own
 * grid, so that a forecast made with it comes true.
 */

import type { HttpCheck } from '../src/checks/check-file.ts'
import { begin, end, firstSlot, plan, type Schedule, type Slot, stepMs } from '../src/checks/schedule.ts'
import type { CheckResult } from '../src/model/check.ts'
import { DistributionBuilder } from '../src/model/distribution.ts'
import type { Envelope, LogEntry, Messages } from '../src/model/message.ts'
import { emptyMetrics, type MetricsMessage } from '../src/model/metric.ts'
import { bucketEnd } from '../src/model/time.ts'
import type { Fault } from './fault.ts'
import { forwardTimeoutMs, wsapiCalls } from './router.ts'
import { addressOf, type ProcessName } from './settings.ts'
import { type MixEntry, mix, mixTotal, rateAt } from './traffic-shape.ts'

export interface Scene {
  checks: readonly HttpCheck[]
  portBase: number
  /** When the process breaks, epoch ms; before it everything is well. */
  brokenMs: number
  /** Undefined: nothing breaks. */
  broken?: { process: ProcessName; fault: Fault }
}

const bucketMs = 1000
const callerWaitsMs = 5000
const typicalMs: Readonly<Record<ProcessName, number>> = {
  router: 2,
  browserid: 4,
  dbwriter: 8,
  keysigner: 3,
  verifier: 1,
  static: 2,
  proxy: 26,
}

/** An answer after so many ms; no status when there is none in time. */
interface Answer {
  status: number | undefined
  afterMs: number
}

interface Bucket {
  counters: Map<string, number>
  timers: Map<string, DistributionBuilder>
}

export class Simulation {
  readonly #scene: Scene
  readonly #buckets = new Map<number, Bucket>()
  readonly #due = mix.map(() => 0)
  readonly #startedMs: number
  #schedule: Schedule
  #results: (CheckResult & { bucketMs: number })[] = []
  #shareDue = 0
  #sequence = 0
  #offset = 0
  #nowMs: number

  /** Begins with the second that holds `startMs`. */
  constructor(scene: Scene, startMs: number) {
    this.#scene = scene
    this.#startedMs = Math.floor(startMs / bucketMs) * bucketMs
    this.#nowMs = this.#startedMs
    this.#schedule = new Map(scene.checks.map((check) => [check.name, firstSlot(check, this.#startedMs)]))
  }

  /** The log of the next second. */
  step(): LogEntry[] {
    const fromMs = this.#nowMs
    this.#nowMs += bucketMs
    this.#play(fromMs)
    this.#probe()
    const metrics = this.#takeMetrics()
    const results = this.#results.filter((result) => result.bucketMs <= this.#nowMs)
    this.#results = this.#results.filter((result) => result.bucketMs > this.#nowMs)
    return [
      this.#entry('metrics', 'metrics.ingest-0', metrics),
      this.#entry('markers', 'markers.ingest-0', this.#marker('ingest')),
      this.#entry('checks', 'checks.checks-0', { source: 'checks-0', bucketMs: this.#nowMs, results }),
      this.#entry('markers', 'markers.checks-0', this.#marker('checks')),
      this.#entry('clock', 'clock', { process: 'simulation', nowMs: this.#nowMs }),
    ]
  }

  /** The fault of a process at a time, if any. */
  #fault(name: ProcessName, atMs: number): Fault | undefined {
    const { broken, brokenMs } = this.#scene
    if (!broken || broken.process !== name) return undefined
    return atMs >= brokenMs && atMs < brokenMs + broken.fault.forMs ? broken.fault : undefined
  }

  /** A second of users: each kind of call evenly over it. */
  #play(fromMs: number): void {
    mix.forEach((entry, i) => {
      const perSecond = (rateAt(fromMs) * entry.weight) / mixTotal
      let due = (this.#due[i] as number) + perSecond
      for (let k = 0; due >= 1; due--, k++) this.#call(entry, fromMs + (k * bucketMs) / Math.max(1, perSecond))
      this.#due[i] = due
    })
  }

  #call({ target, path, status }: MixEntry, atMs: number): void {
    const call = /^\/wsapi\/(\w+)/.exec(path)?.[1]
    const behind = call === undefined ? undefined : wsapiCalls[call]?.[1]
    this.#serve(target, atMs, () => {
      if (behind === undefined) return { status, afterMs: 0 }
      this.#count(atMs, `browserid.router.wsapi.${call}`)
      const answer = this.#serve(behind, atMs, () => ({ status, afterMs: 0 }), forwardTimeoutMs)
      return answer.status === undefined ? { status: answer.afterMs > 0 ? 504 : 503, afterMs: answer.afterMs } : answer
    })
  }

  /** One request at one process, with what is broken there; counted when the caller still waits for the answer. */
  #serve(name: ProcessName, atMs: number, work: () => Answer, waitsMs = callerWaitsMs): Answer {
    const fault = this.#fault(name, atMs)
    if (fault?.kind === 'kill') return { status: undefined, afterMs: 0 }
    if (fault?.kind === 'hang') return { status: undefined, afterMs: waitsMs }
    const { status, afterMs } = this.#fails(fault) ? { status: 503, afterMs: 0 } : this.#work(name, atMs, fault, work)
    const tookMs = afterMs + typicalMs[name] + (fault?.kind === 'slow' ? fault.ms : 0)
    if (status === undefined || tookMs >= waitsMs) return { status: undefined, afterMs: waitsMs }
    this.#count(atMs + tookMs, `browserid.${name}.response.${status}`)
    this.#time(atMs + tookMs, `browserid.${name}.response_time`, tookMs)
    return { status, afterMs: tookMs }
  }

  #work(name: ProcessName, atMs: number, fault: Fault | undefined, work: () => Answer): Answer {
    const hasQueries = name === 'browserid' || name === 'dbwriter'
    if (fault?.kind === 'dependency') {
      if (hasQueries) this.#count(atMs, `browserid.${name}.failed_query`)
      return { status: 503, afterMs: 0 }
    }
    if (hasQueries) this.#time(atMs, `browserid.${name}.query_time`, typicalMs[name])
    return work()
  }

  #fails(fault: Fault | undefined): boolean {
    if (fault?.kind !== '5xx') return false
    this.#shareDue += fault.share
    if (this.#shareDue < 1 - 1e-9) return false
    this.#shareDue -= 1
    return true
  }

  #bucket(atMs: number): Bucket {
    const endMs = Math.max(bucketEnd(atMs, bucketMs), this.#nowMs)
    const bucket = this.#buckets.get(endMs) ?? { counters: new Map(), timers: new Map() }
    this.#buckets.set(endMs, bucket)
    return bucket
  }

  #count(atMs: number, name: string): void {
    const { counters } = this.#bucket(atMs)
    counters.set(name, (counters.get(name) ?? 0) + 1)
  }

  #time(atMs: number, name: string, ms: number): void {
    const { timers } = this.#bucket(atMs)
    const builder = timers.get(name) ?? new DistributionBuilder()
    builder.add(ms)
    timers.set(name, builder)
  }

  #takeMetrics(): MetricsMessage {
    const { counters, timers } = this.#bucket(this.#nowMs)
    this.#buckets.delete(this.#nowMs)
    const sums = Float64Array.from(counters.values())
    return {
      ...emptyMetrics('ingest-0', this.#nowMs, bucketMs),
      counters: { names: [...counters.keys()], sums, samples: sums },
      timers: { names: [...timers.keys()], distributions: [...timers.values()].map((builder) => builder.build()) },
    }
  }

  /** Every probe that begins in this second, and those that follow it in the same second. */
  #probe(): void {
    const schedule = new Map(this.#schedule)
    for (let atMs = this.#nowMs - bucketMs; ; ) {
      const { begin: names, wakeMs } = plan(schedule, atMs, Number.POSITIVE_INFINITY)
      for (const name of names) schedule.set(name, this.#probeOne(schedule.get(name) as Slot, atMs))
      if (names.length > 0) continue
      if (wakeMs === undefined || wakeMs >= this.#nowMs) break
      atMs = wakeMs
    }
    this.#schedule = schedule
  }

  #probeOne(slot: Slot, atMs: number): Slot {
    const check = this.#scene.checks.find(({ name }) => name === slot.name) as HttpCheck
    const { state, tookMs } = this.#probeResult(check, atMs)
    const endedMs = atMs + tookMs
    this.#results.push({
      name: check.name,
      sequence: ++this.#sequence,
      atMs: endedMs,
      state,
      output: '',
      durationMs: endedMs - atMs,
      stepMs: stepMs(slot, state, endedMs),
      bucketMs: bucketEnd(endedMs, bucketMs),
    })
    return end(begin(slot, atMs), state, endedMs)
  }

  /** A hung process that wakes up in time still answers. */
  #probeResult({ url, timeoutMs }: HttpCheck, atMs: number): { state: 'ok' | 'crit'; tookMs: number } {
    const { broken, brokenMs, portBase } = this.#scene
    const ok = { state: 'ok', tookMs: 2 } as const
    if (!broken || !url.startsWith(`${addressOf(broken.process, portBase)}/__heartbeat__`)) return ok
    const fault = this.#fault(broken.process, atMs)
    if (fault?.kind === 'hang') {
      const healsInMs = brokenMs + fault.forMs - atMs
      return healsInMs < timeoutMs ? { state: 'ok', tookMs: healsInMs } : { state: 'crit', tookMs: timeoutMs }
    }
    const isBad = fault?.kind === 'kill' || (fault?.kind === 'dependency' && url.includes('deep'))
    return isBad ? { state: 'crit', tookMs: 2 } : ok
  }

  #marker(name: string): Messages['markers'] {
    const startedMs = this.#startedMs
    return { source: `${name}-0`, name, startedMs, bucketMs: this.#nowMs, intervalMs: bucketMs, latenessMs: 0 }
  }

  #entry<K extends Envelope['kind']>(kind: K, key: string, message: Messages[K]): LogEntry {
    const offset = this.#offset++
    // Kind and message belong together by K; the compiler cannot see a union's member in a type parameter.
    return { kind, key, id: `simulation:${offset}`, message, offset } as unknown as LogEntry
  }
}
