/**
 * Graphite road: plain Graphite lines over TCP and from foreign exchanges, to a source of their own whose markers lag.
 */
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Reader } from '../bus/bus.ts'
import type { Context } from '../bus/part.ts'
import { Source, sourceName } from '../bus/source.ts'
import { sleep } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import type { BadLines } from './bad-lines.ts'
import { startFlushing } from './flush.ts'
import { GraphiteIntake } from './graphite.ts'
import { lineBytesMax } from './parse.ts'
import { type Listener, listenTcpLines } from './receive.ts'
import { idleMaxMs, type Road, sweepEveryMs } from './road.ts'

const retryMs = 5_000

export async function startGraphiteRoad(
  config: Config,
  context: Context,
  stats: Stats,
  badLines: BadLines,
): Promise<Road> {
  const { bus, clock, log, host } = context
  const { flushInterval: intervalMs, seriesMax, graphite } = config.ingest
  const latenessMs = graphite.lateness
  const intake = new GraphiteIntake({ stepMs: intervalMs, latenessMs, seriesMax, clock, badLines, stats })
  const tcp = await listen(config, context, stats, badLines, intake)
  const source = new Source(bus, {
    name: sourceName('graphite-lines', host),
    startedMs: clock.now(),
    intervalMs,
    latenessMs,
  })
  const queue = new BucketQueue({ source, clock, log, stats })
  const exchanges = config.bus.graphiteLines.map((exchange) => readExchange(exchange, intake, context))
  let sweptMs = 0
  const flushing = startFlushing({
    queue,
    intervalMs,
    clock,
    log,
    stats,
    take(bucketMs) {
      const packetMs = intake.takeFirstPointMs()
      if (bucketMs - sweptMs >= sweepEveryMs) {
        sweptMs = bucketMs
        intake.forgetIdle(bucketMs - idleMaxMs)
      }
      return { metrics: intake.flush(source.id, bucketMs), ...(packetMs !== undefined && { hops: { packetMs } }) }
    },
  })
  return {
    addresses: tcp ? { graphiteTcp: tcp.address } : {},
    lastBucketMs: () => source.lastBucketMs,
    problem: () => queue.problem,
    async stop() {
      await Promise.all([tcp?.close(), ...exchanges.map((reading) => reading.stop())])
      await flushing.stop()
    },
  }
}

async function listen(
  config: Config,
  { log }: Context,
  stats: Stats,
  badLines: BadLines,
  intake: GraphiteIntake,
): Promise<Listener | undefined> {
  const address = config.ingest.graphite.tcp
  if (!address) return undefined
  return await listenTcpLines(
    { key: 'ingest.graphite.tcp', address, log, stats },
    (lines, sender) => intake.take(lines, sender.address),
    (beginning, sender) =>
      badLines.bad(
        'graphite_length',
        () =>
          `from ${sender.address}: longer than ${lineBytesMax} bytes: ${JSON.stringify(beginning.toString('utf8', 0, 80))}…`,
      ),
  )
}

/** Reads a foreign exchange, trying again for as long as it cannot be opened. Does not hold up the start. */
function readExchange(
  exchange: string,
  intake: GraphiteIntake,
  { bus, clock, log }: Context,
): { stop(): Promise<void> } {
  const stopped = new AbortController()
  const situation = new Situation(log)
  let reader: Reader | undefined
  const open = async () => {
    while (!reader && !stopped.signal.aborted) {
      try {
        reader = await bus.readForeign(exchange, async (body) => intake.take(body, `exchange ${exchange}`))
        situation.good(`Graphite lines are read from exchange ${exchange}`)
      } catch (error) {
        situation.bad(`Graphite lines cannot be read from exchange ${exchange}: ${(error as Error).message}`)
        await sleep(retryMs, clock, stopped.signal)
      }
    }
    if (stopped.signal.aborted) await reader?.stop()
  }
  void open()
  return {
    async stop() {
      stopped.abort()
      await reader?.stop()
    },
  }
}
