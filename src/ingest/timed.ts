/**
 * Timed: statsd counters and gauges with a time of their own (DogStatsD's `|T1700000000`).
 *
 * They go to a source of their own, whose markers lag by `latenessMs`: a bucket is kept until no more of it is awaited and
 * then published as a whole, once. What comes later than that, or is too far in the future, is counted and set aside.
 */
import { formatDuration } from '../model/duration.ts'
import type { MetricsMessage } from '../model/metric.ts'
import { bucketEnd } from '../model/time.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import { Aggregate } from './aggregate.ts'
import type { BadLines } from './bad-lines.ts'
import { futureMaxMs } from './graphite.ts'
import type { TagStyle } from './name.ts'
import type { Line } from './parse.ts'
import { nameless } from './series.ts'

/** Series of all buckets that wait. */
const pendingPointsMax = 1_000_000

export interface TimedOptions {
  stepMs: number
  latenessMs: number
  seriesMax: number
  tags: TagStyle
  clock: Clock
  badLines: BadLines
  stats: Stats
  /** The first line with a time of its own has come. */
  onFirst: () => void
}

export class TimedIntake {
  readonly #options: TimedOptions
  readonly #pendingMax: number
  readonly #buckets = new Map<number, Aggregate>()
  #closedMs: number
  #points = 0
  #hasBegun = false

  constructor(options: TimedOptions, pendingMax = pendingPointsMax) {
    this.#options = options
    this.#pendingMax = pendingMax
    this.#closedMs = bucketEnd(options.clock.now(), options.stepMs) - options.stepMs - options.latenessMs
  }

  /** As Aggregate's add. A signed gauge is a level here: a change would be of a level that nobody knows. */
  add(bytes: Buffer, line: Line, from: string): number {
    const { stepMs, clock } = this.#options
    const nowMs = clock.now()
    const bucketMs = bucketEnd(line.timestampSeconds * 1000, stepMs)
    if (!this.#hasBegun) {
      this.#hasBegun = true
      this.#options.onFirst()
    }
    if (bucketMs <= this.#closedMs) return this.#setAside('late_points_total', bytes, line, from, nowMs - bucketMs)
    if (bucketMs > nowMs + stepMs + futureMaxMs) return this.#setAside('future_points_total', bytes, line, from)
    line.isRelative = false
    const aggregate = this.#buckets.get(bucketMs) ?? this.#open(bucketMs)
    const before = aggregate.seriesCount
    if (this.#points >= this.#pendingMax && !aggregate.knows(bytes, line)) {
      return this.#setAside('points_refused_total', bytes, line, from)
    }
    const slot = aggregate.add(bytes, line, line.timestampSeconds * 1000)
    this.#points += aggregate.seriesCount - before
    return slot
  }

  /** Closes every bucket up to `bucketMs` − lateness and returns them; with `isLast` all there are. */
  flush(source: string, bucketMs: number, isLast: boolean): MetricsMessage[] {
    const { stepMs, latenessMs } = this.#options
    const closedMs = isLast ? Number.POSITIVE_INFINITY : bucketMs - latenessMs
    const due = [...this.#buckets].filter(([endMs]) => endMs <= closedMs).sort((a, b) => a[0] - b[0])
    this.#closedMs = Math.max(this.#closedMs, closedMs)
    return due.flatMap(([endMs, aggregate]) => {
      this.#buckets.delete(endMs)
      this.#points -= aggregate.seriesCount
      return aggregate.take(source, endMs, stepMs)
    })
  }

  #open(bucketMs: number): Aggregate {
    const { seriesMax, tags } = this.#options
    const aggregate = new Aggregate({ seriesMax, tags })
    this.#buckets.set(bucketMs, aggregate)
    return aggregate
  }

  #setAside(counter: string, bytes: Buffer, line: Line, from: string, lateMs?: number): number {
    const { badLines, latenessMs } = this.#options
    badLines.sample(counter, () => {
      const name = JSON.stringify(bytes.toString('utf8', line.nameStart, line.nameEnd))
      const late = `${formatDuration(lateMs ?? 0)} late, ingest.statsd.lateness is ${formatDuration(latenessMs)}`
      const why = { late_points_total: late, future_points_total: 'its time is in the future' }[counter]
      return `set aside from ${from}: ${name} of ${line.timestampSeconds}: ${why ?? 'too many points wait'}`
    })
    return setAside
  }
}

/** Not taken, and already counted. */
export const setAside = nameless - 1
