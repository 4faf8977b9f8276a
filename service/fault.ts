/**
 * Fault: one way in which a process can be broken on purpose, for a while.
 *
 *     {"kind": "5xx", "share": 0.5, "forMs": 60000}     a share of the requests is answered with 503
 *     {"kind": "slow", "ms": 2000, "forMs": 60000}      every request takes that much longer
 *     {"kind": "hang", "forMs": 60000}                  connections are accepted and nothing is answered, heartbeats too
 *     {"kind": "kill", "forMs": 60000}                  the process is killed and stays down that long
 *     {"kind": "dependency", "forMs": 60000}            what the process needs is out of its reach
 *     {"kind": "heal"}                                  ends whatever there is
 *
 * A process has at most one fault; a new one takes the place of the former. Faults end by themselves. Heartbeats keep
 * their pace under `5xx`, `slow` and `dependency` (only a deep heartbeat notices the latter).
 */
import type { Subscription } from 'rxjs'
import { err, ok, type Result } from '../src/model/result.ts'
import type { Clock } from '../src/runtime/clock.ts'

export const faultKinds = ['5xx', 'slow', 'hang', 'kill', 'dependency'] as const

export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  kind: FaultKind
  /** Of requests that fail, above 0 and at most 1; used by `5xx`. */
  share: number
  /** Added to each request; used by `slow`. */
  ms: number
  forMs: number
}

export const faultDefaults = { share: 0.5, ms: 2000, forMs: 60_000 } as const
export const delayMaxMs = 60_000
export const forMaxMs = 3_600_000

/** The body of `POST /__break__`; the error lists every problem. */
export function parseFault(body: unknown): Result<Fault | 'heal', string> {
  if (typeof body !== 'object' || body === null) return err(`expected an object such as {"kind": "5xx"}`)
  const {
    kind,
    share = faultDefaults.share,
    ms = faultDefaults.ms,
    forMs = faultDefaults.forMs,
    ...others
  } = {
    ...body,
  } as Record<string, unknown>
  const known = faultKinds.find((candidate) => candidate === kind)
  const problems = [
    known || kind === 'heal' ? [] : [`kind: expected ${faultKinds.join(', ')} or heal`],
    isBetween(share, Number.MIN_VALUE, 1) ? [] : ['share: expected more than 0 and at most 1'],
    isBetween(ms, 1, delayMaxMs) ? [] : [`ms: expected 1 to ${delayMaxMs}`],
    isBetween(forMs, 1, forMaxMs) ? [] : [`forMs: expected 1 to ${forMaxMs}`],
    Object.keys(others).map((key) => `there is no "${key}"`),
  ].flat()
  if (problems.length > 0) return err(problems.join('; '))
  return ok(known ? { kind: known, share: share as number, ms: ms as number, forMs: forMs as number } : 'heal')
}

const isBetween = (value: unknown, least: number, most: number): boolean =>
  typeof value === 'number' && value >= least && value <= most

/** The fault that a process has now, if any; ends it when its time is over. */
export class Breakage {
  readonly #clock: Clock
  #fault: Fault | undefined
  #endsMs = 0
  #timer: Subscription | undefined
  #due = 0
  #waiting: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get fault(): Fault | undefined {
    return this.#fault
  }

  /** When it heals by itself, epoch ms; undefined when nothing is broken. */
  get endsMs(): number | undefined {
    return this.#fault && this.#endsMs
  }

  begin(fault: Fault): void {
    this.heal()
    this.#fault = fault
    this.#endsMs = this.#clock.now() + fault.forMs
    this.#timer = this.#clock.schedule(() => this.heal(), fault.forMs)
  }

  heal(): void {
    this.#timer?.unsubscribe()
    this.#fault = undefined
    this.#due = 0
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  is(kind: FaultKind): boolean {
    return this.#fault?.kind === kind
  }

  /** Whether this request is among the share that fails: evenly spread, so the share holds for any run of requests. */
  failsNext(): boolean {
    if (this.#fault?.kind !== '5xx') return false
    this.#due += this.#fault.share
    if (this.#due < 1 - 1e-9) return false
    this.#due -= 1
    return true
  }

  /** Resolves when the present fault is over. */
  healed(): Promise<void> {
    if (!this.#fault) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
