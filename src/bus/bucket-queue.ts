/**
 * Bucket queue: takes the buckets of a source at the pace of the clock and publishes them, in order, at the pace of the
 * bus. A bucket that the bus refuses is tried again, for minutes, before it is given up, and given up at once where
 * trying is of no use; a repeated message of the same source and bucket overwrites itself, so repeating is harmless.
 *
 * Bounded by buckets and by points. `isFull` tells the owner to keep what it has and to hand it over later, merged.
 */

import type { Hops } from '../model/message.ts'
import { seriesCount } from '../model/metric.ts'
import { type Clock, formatIso, sleep } from '../runtime/clock.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { BusError } from './bus.ts'
import type { BucketData, Source } from './source.ts'

/** After so many attempts, about two and a half minutes, a bucket is given up, so that it cannot block the others. */
const attemptsMax = 20
const retryMinMs = 250
const retryMaxMs = 10_000
/** How long an orderly end waits for a bus that does not answer. */
const endWaitMaxMs = 5_000

export interface BucketQueueOptions {
  source: Source
  clock: Clock
  log: Log
  stats: Stats
  bucketsMax?: number
  pointsMax?: number
  /** The bus has taken a bucket, and its marker; nobody else looks at its data any more. */
  onTaken?: (bucketMs: number, data: BucketData) => void
}

interface Waiting {
  bucketMs: number
  data: BucketData
  hops: Hops
  points: number
}

export class BucketQueue {
  readonly #options: Required<BucketQueueOptions>
  readonly #situation: Situation
  readonly #waiting: Waiting[] = []
  readonly #ended = new AbortController()
  #points = 0
  #pumping: Promise<void> | undefined

  constructor(options: BucketQueueOptions) {
    this.#options = { bucketsMax: 600, pointsMax: 2_000_000, onTaken: () => {}, ...options }
    this.#situation = new Situation(options.log)
    options.stats.observe('buckets_waiting', () => this.#waiting.length)
  }

  /** No room for another bucket. */
  get isFull(): boolean {
    const { bucketsMax, pointsMax } = this.#options
    return this.#waiting.length >= bucketsMax || this.#points >= pointsMax
  }

  /** What is wrong, for people; undefined when buckets go out. */
  get problem(): string | undefined {
    return this.#situation.problem
  }

  /** Hands a bucket over; its hops are completed with the present as the moment of the flush. */
  push(bucketMs: number, data: BucketData, hops: Hops = {}): void {
    const points = pointCount(data)
    this.#points += points
    this.#waiting.push({ bucketMs, data, points, hops: { ...hops, flushMs: this.#options.clock.now() } })
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined
    })
  }

  /** The orderly end: what waits, then `bye`, within a bounded wait. What could not be handed over is counted and said. */
  async end(bucketMs: number): Promise<void> {
    const { clock, source } = this.#options
    const all = (async () => {
      await this.#pumping
      await source.bye(bucketMs).catch(() => {})
    })()
    const giveUp = new AbortController()
    await Promise.race([all, sleep(endWaitMaxMs, clock, giveUp.signal)])
    giveUp.abort()
    this.#ended.abort()
    const left = this.#waiting.length
    if (left > 0) this.#lose(left, `stopped with ${left} buckets that the bus did not take`)
  }

  #lose(buckets: number, problem: string): void {
    this.#options.stats.count('buckets_lost_total', buckets)
    this.#options.log.error(problem)
  }

  async #pump(): Promise<void> {
    for (let next = this.#waiting[0]; next && !this.#ended.signal.aborted; next = this.#waiting[0]) {
      await this.#publish(next)
      if (this.#ended.signal.aborted) return
      this.#waiting.shift()
      this.#points -= next.points
    }
    this.#situation.good('the bus takes buckets again')
  }

  /** Tries until the bus takes the bucket, it is given up, or the queue has ended. */
  async #publish({ bucketMs, data, hops }: Waiting): Promise<void> {
    const { source, clock, stats } = this.#options
    let waitMs = retryMinMs
    for (let attempt = 1; !this.#ended.signal.aborted; attempt++) {
      try {
        await source.flush(bucketMs, data, hops)
        return this.#options.onTaken(bucketMs, data)
      } catch (error) {
        const { message } = error as Error
        stats.count('bus_refusals_total')
        const isFinal = error instanceof BusError && error.isFinal
        if (!isFinal) this.#situation.bad(`the bus does not take buckets, trying again: ${message}`)
        if (isFinal || attempt === attemptsMax)
          return this.#lose(1, `the bucket of ${formatIso(bucketMs)} is given up: ${message}`)
        await sleep(waitMs, clock, this.#ended.signal)
        waitMs = Math.min(retryMaxMs, waitMs * 2)
      }
    }
  }
}

function pointCount({ metrics = [], checks = [], events = [] }: BucketData): number {
  return metrics.reduce((sum, message) => sum + seriesCount(message), 0) + checks.length + events.length
}
