/**
 * Flush: ends an interval at each multiple of the flush interval and hands the bucket over.
 *
 * The bucket carries the nominal end, so timer jitter cannot move it. What arrives while a bucket is being published is
 * already in the next; so is what arrives while `take` makes a large bucket's messages, a few at a time. While the bus is so far behind that the queue is full, intervals run on and are merged: nothing is
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

type Bucket = BucketData & { hops?: Hops }

export interface FlushOptions {
  queue: BucketQueue
  intervalMs: number
  clock: Clock
  log: Log
  stats: Stats
  /** Ends the interval at once; the answer is everything that arrived in it. Must not reject. */
  take: (bucketMs: number) => Bucket | Promise<Bucket>
}

export interface Flushing {
  /** Flushes the last, partial interval, says `bye` and ends. */
  stop(): Promise<void>
}

export function startFlushing(options: FlushOptions): Flushing {
  const { intervalMs, clock, log, queue } = options
  const situation = new Situation(log)
  /** The bucket whose messages are being made. */
  let making: Promise<void> | undefined
  const handOver = (bucketMs: number) => {
    const startMs = clock.now()
    const push = ({ hops, ...data }: Bucket) => {
      queue.push(bucketMs, data, hops)
      options.stats.set('flush_ms', clock.now() - startMs)
    }
    const taken = options.take(bucketMs)
    if (taken instanceof Promise || making) {
      const former = making
      const made: Promise<void> = Promise.resolve(taken).then(async (bucket) => {
        await former
        push(bucket)
        if (making === made) making = undefined
      })
      making = made
    } else push(taken)
  }
  const flush = (bucketMs: number) => {
    if (queue.isFull) {
      options.stats.count('buckets_merged_total')
      situation.bad('the bus is too far behind: intervals are merged until it catches up')
      return
    }
    situation.good('the bus has caught up: one bucket an interval again')
    handOver(bucketMs)
  }
  const ticks: Subscription = aligned(intervalMs, clock).subscribe(flush)
  return {
    async stop() {
      ticks.unsubscribe()
      const bucketMs = bucketEnd(clock.now(), intervalMs)
      handOver(bucketMs)
      await making
      await queue.end(bucketMs)
    },
  }
}
