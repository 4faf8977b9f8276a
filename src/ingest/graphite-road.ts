/**
 * Graphite road: plain Graphite lines over TCP and from foreign exchanges, to a source of their own whose markers lag.
 */
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Reader } from '../bus/bus.ts'
import type { Context } from '../bus/part.ts'
import { Source, sourceName } from '../bus/source.ts'
import { sleep } from '../runtime/clock.ts'
import type { Config, HostPort } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import type { BadLines } from './bad-lines.ts'
import { DropCounter } from './drops.ts'
import { startFlushing } from './flush.ts'
import { GraphiteIntake } from './graphite.ts'
import { lineBytesMax } from './parse.ts'
import { type Listener, listenTcpLines, listenUdp } from './receive.ts'
import { idleMaxMs, type Road, sweepEveryMs } from './road.ts'
import { gate, type Senders } from './senders.ts'
import type { Sender } from './statsd.ts'

const retryMs = 5_000

export async function startGraphiteRoad(
  config: Config,
  context: Context,
  stats: Stats,
  badLines: BadLines,
  senders: Senders,
): Promise<Road> {
  const { bus, clock, log, host } = context
  const { flushInterval: intervalMs, seriesMax, graphite } = config.ingest
  const latenessMs = graphite.lateness
  const intake = new GraphiteIntake({ stepMs: intervalMs, latenessMs, seriesMax, clock, badLines, stats, senders })
  const { udp, tcp } = await listen(config, context, stats, badLines, senders, intake)
  const source = new Source(bus, {
    name: sourceName('graphite-lines', host),
    startedMs: clock.now(),
    intervalMs,
    latenessMs,
  })
  const queue = new BucketQueue({ source, clock, log, stats })
  const exchanges = config.bus.graphiteLines.map((exchange) => readExchange(exchange, intake, context))
  const drops = udp && new DropCounter('graphite_kernel_drops_total', udp.address, stats)
  let sweptMs = 0
  const flushing = startFlushing({
    queue,
    intervalMs,
    clock,
    log,
    stats,
    take(bucketMs) {
      drops?.read()
      const packetMs = intake.takeFirstPointMs()
      if (bucketMs - sweptMs >= sweepEveryMs) {
        sweptMs = bucketMs
        intake.forgetIdle(bucketMs - idleMaxMs)
      }
      return { metrics: intake.flush(source.id, bucketMs), ...(packetMs !== undefined && { hops: { packetMs } }) }
    },
  })
  return {
    addresses: { ...(tcp && { graphiteTcp: tcp.address }), ...(udp && { graphiteUdp: udp.address }) },
    lastBucketMs: () => source.lastBucketMs,
    problem: () => queue.problem,
    async stop() {
      await Promise.all([udp?.close(), tcp?.close(), ...exchanges.map((reading) => reading.stop())])
      await flushing.stop()
    },
  }
}

async function listen(
  config: Config,
  { log }: Context,
  stats: Stats,
  badLines: BadLines,
  senders: Senders,
  intake: GraphiteIntake,
): Promise<{ udp: Listener | undefined; tcp: Listener | undefined }> {
  const { graphite } = config.ingest
  const onLines = (lines: Buffer, sender: Sender) => intake.takeFrom(lines, sender)
  const mayConnect = gate(senders, badLines)
  const tooLong = (beginning: Buffer, { address }: Sender) =>
    badLines.badFrom(
      address,
      'graphite_length',
      () => `longer than ${lineBytesMax} bytes: ${JSON.stringify(beginning.toString('utf8', 0, 80))}…`,
    )
  const options = (key: string, address: HostPort) => ({ key, address, log, stats, mayConnect })
  const udp = graphite.udp ? await listenUdp(options('ingest.graphite.udp', graphite.udp), onLines) : undefined
  try {
    const tcp = graphite.tcp
      ? await listenTcpLines(options('ingest.graphite.tcp', graphite.tcp), onLines, tooLong)
      : undefined
    return { udp, tcp }
  } catch (error) {
    await udp?.close()
    throw error
  }
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
        reader = await bus.readForeign(exchange, async (body) => void intake.take(body, `exchange ${exchange}`))
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
