/**
 * Timed road: the source of statsd lines with a time of their own. It begins with the first such line, so that nobody who
 * sends none has one source more.
 */
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Context } from '../bus/part.ts'
import { Source, sourceName } from '../bus/source.ts'
import type { Config } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'
import type { BadLines } from './bad-lines.ts'
import { type Flushing, startFlushing } from './flush.ts'
import { TimedIntake } from './timed.ts'

export interface TimedRoad {
  intake: TimedIntake
  problem(): string | undefined
  stop(): Promise<void>
}

export function openTimedRoad(config: Config, context: Context, stats: Stats, badLines: BadLines): TimedRoad {
  const { clock } = context
  const { flushInterval: stepMs, seriesMax, statsd } = config.ingest
  const onFirst = () => {
    running = begin(config, context, stats, (source, bucketMs) => intake.flush(source, bucketMs, isLast))
  }
  const { lateness: latenessMs, tags } = statsd
  const intake = new TimedIntake({ stepMs, latenessMs, seriesMax, tags, clock, badLines, stats, onFirst })
  let running: { queue: BucketQueue; flushing: Flushing } | undefined
  let isLast = false
  return {
    intake,
    problem: () => running?.queue.problem,
    async stop() {
      isLast = true
      await running?.flushing.stop()
    },
  }
}

function begin(
  config: Config,
  { bus, clock, log, host }: Context,
  stats: Stats,
  take: (source: string, bucketMs: number) => ReturnType<TimedIntake['flush']>,
): { queue: BucketQueue; flushing: Flushing } {
  const { flushInterval: intervalMs, statsd } = config.ingest
  const source = new Source(bus, {
    name: sourceName('ingest-timed', host),
    startedMs: clock.now(),
    intervalMs,
    latenessMs: statsd.lateness,
  })
  const queue = new BucketQueue({ source, clock, log, stats })
  const flushing = startFlushing({
    queue,
    intervalMs,
    clock,
    log,
    stats,
    take: (bucketMs) => ({ metrics: take(source.id, bucketMs) }),
  })
  return { queue, flushing }
}
