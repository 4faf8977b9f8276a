/**
 * Bad lines: counts what could not be read, by reason, and shows the first of each reason a minute in the log, with its
 * sender and column. Reasons are a closed list, so there are only so many counters.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Senders } from './senders.ts'

const sampleEveryMs = 60_000

/** What the intake tells of lines that it could not take. */
export type BadLineTaker = Pick<BadLines, 'badFrom' | 'refuse' | 'sample'>

export class BadLines {
  readonly #clock: Clock
  readonly #log: Log
  readonly #stats: Stats
  readonly #shown = new Map<string, { atMs: number; since: number }>()

  readonly #senders: Senders | undefined

  constructor(clock: Clock, log: Log, stats: Stats, senders?: Senders) {
    this.#senders = senders
    this.#clock = clock
    this.#log = log
    this.#stats = stats
  }

  /** A line that cannot be read; `describe` is asked only for the few that are logged. */
  bad(reason: string, describe: () => string): void {
    this.sample(badCounter(reason), () => `bad line ${describe()}`)
  }

  /** As `bad`, for a line from an address, under whose name it is counted too. */
  badFrom(address: string, reason: string, describe: () => string): void {
    this.#senders?.countBad(address, reason)
    this.bad(reason, () => `from ${address}, ${describe()}`)
  }

  /** Something came from an address that may not send. */
  refuse(address: string): void {
    this.sample(refusedCounter, () => refusedText(address))
  }

  /** What a worker tallied. */
  addReport({ samples, senders }: BadLineReport): void {
    for (const { counter, count, text } of samples) this.sample(counter, () => text, count)
    for (const { address, reason, count } of senders) this.#senders?.countBad(address, reason, count)
  }

  /** Counts under `counter` and logs the first of a minute; `times` of them when they come together. */
  sample(counter: string, describe: () => string, times = 1): void {
    this.#stats.count(counter, times)
    const nowMs = this.#clock.now()
    const shown = this.#shown.get(counter)
    if (shown && nowMs - shown.atMs < sampleEveryMs) {
      shown.since += times
      return
    }
    const more = shown && shown.since > 0 ? ` (and ${shown.since} more like the one before)` : ''
    this.#shown.set(counter, { atMs: nowMs, since: times - 1 })
    this.#log.warn(describe() + more)
  }
}

/** What one worker counted since its last report, each with its first text. */
export interface BadLineReport {
  samples: readonly { counter: string; count: number; text: string }[]
  senders: readonly { address: string; reason: string; count: number }[]
}

/** Pairs of sender and reason in one report; lines of further ones are the others'. */
const sendersMax = 1000

/** The same in a worker: counts and describes, and leaves it to the part what is shown. */
export class BadLineTally {
  #samples = new Map<string, { counter: string; count: number; text: string }>()
  #senders = new Map<string, { address: string; reason: string; count: number }>()

  badFrom(address: string, reason: string, describe: () => string): void {
    const key = this.#senders.size < sendersMax ? `${reason} ${address}` : reason
    const known = this.#senders.get(key)
    if (known) known.count++
    else this.#senders.set(key, { address: key === reason ? '' : address, reason, count: 1 })
    this.sample(badCounter(reason), () => `bad line from ${address}, ${describe()}`)
  }

  refuse(address: string): void {
    this.sample(refusedCounter, () => refusedText(address))
  }

  sample(counter: string, describe: () => string, times = 1): void {
    const known = this.#samples.get(counter)
    if (known) known.count += times
    else this.#samples.set(counter, { counter, count: times, text: describe() })
  }

  /** Ends the interval. */
  take(): BadLineReport {
    const report = { samples: [...this.#samples.values()], senders: [...this.#senders.values()] }
    this.#samples = new Map()
    this.#senders = new Map()
    return report
  }
}

const refusedCounter = 'packets_refused_total'

function badCounter(reason: string): string {
  return `bad_lines_total{reason="${reason}"}`
}

function refusedText(address: string): string {
  return `${address} is in no network of ingest.allow`
}
