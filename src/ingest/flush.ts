/**
 * Flush: ends an interval at each multiple of the flush interval and hands the bucket over.
 *
 * The bucket carries the nominal end, so timer jitter cannot move it. What arrives while a bucket is being published is
 * already in the next. While the bus is so far behind that the queue is full, intervals run on and are merged: nothing is
 * lost but resolution, and that is counted and said.
 */
import type { Subscription } from 'rxjs'
import type { BucketQueue } from '../bus/bucket-queue.ts'
import type { BucketData } from '../bus/source.ts'
import type { Hops } from '../model/message.ts'
import { bucketEnd } from '../model/time.ts'
import { aligned, type Clock } from '../runtime/clock.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'

export interface FlushOptions {
  queue: BucketQueue
  intervalMs: number
  clock: Clock
  log: Log
  stats: Stats
  /** Ends the interval: everything that arrived in it. */
  take: (bucketMs: number) => BucketData & { hops?: Hops }
}

export interface Flushing {
  /** Flushes the last, partial interval, says `bye` and ends. */
  stop(): Promise<void>
}

export function startFlushing(options: FlushOptions): Flushing {
  const { intervalMs, clock, log, queue } = options
  const situation = new Situation(log)
  const ticks: Subscription = aligned(intervalMs, clock).subscribe((bucketMs) => flush(options, situation, bucketMs))
  return {
    async stop() {
      ticks.unsubscribe()
      const bucketMs = bucketEnd(clock.now(), intervalMs)
      handOver(options, bucketMs)
      await queue.end(bucketMs)
    },
  }
}

function flush(options: FlushOptions, situation: Situation, bucketMs: number): void {
  if (options.queue.isFull) {
    options.stats.count('buckets_merged_total')
    situation.bad('the bus is too far behind: intervals are merged until it catches up')
    return
  }
  situation.good('the bus has caught up: one bucket an interval again')
  handOver(options, bucketMs)
}

function handOver({ queue, take, clock, stats }: FlushOptions, bucketMs: number): void {
  const startMs = clock.now()
  const { hops, ...data } = take(bucketMs)
  queue.push(bucketMs, data, hops)
  stats.set('flush_ms', clock.now() - startMs)
}
