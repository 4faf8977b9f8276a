/**
 * Statsd road: from the sockets to the bus, wired together.
 */
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Context } from '../bus/part.ts'
import { Source, sourceName } from '../bus/source.ts'
import type { Config, HostPort } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'
import { Aggregate } from './aggregate.ts'
import type { BadLines } from './bad-lines.ts'
import { countDrops } from './drops.ts'
import { startFlushing } from './flush.ts'
import { Happenings } from './happenings.ts'
import { lineBytesMax } from './parse.ts'
import { type Listener, listenTcpLines, listenUdp } from './receive.ts'
import { idleMaxMs, type Road, sweepEveryMs } from './road.ts'
import { gate, type Senders } from './senders.ts'
import { type Sender, StatsdIntake } from './statsd.ts'
import { openTimedRoad } from './timed-road.ts'

export async function startStatsdRoad(
  config: Config,
  context: Context,
  stats: Stats,
  badLines: BadLines,
  senders: Senders,
): Promise<Road> {
  const { bus, clock, log, host } = context
  const { flushInterval: intervalMs, seriesMax, statsd } = config.ingest
  const aggregate = new Aggregate({ seriesMax, tags: statsd.tags })
  const timedRoad = openTimedRoad(config, context, stats, badLines)
  const happenings = new Happenings(clock, stats, statsd.checkInterval)
  const intake = new StatsdIntake({ aggregate, timed: timedRoad.intake, happenings, senders, badLines, clock, stats })
  const { udp, tcp } = await listen(config, context, stats, badLines, senders, intake)
  const source = new Source(bus, { name: sourceName('ingest', host), startedMs: clock.now(), intervalMs })
  const queue = new BucketQueue({ source, clock, log, stats })
  const makeRoom = roomMaker(aggregate, seriesMax, intervalMs)
  const flushing = startFlushing({
    queue,
    intervalMs,
    clock,
    log,
    stats,
    take(bucketMs) {
      if (udp) countDrops('kernel_drops_total', udp.address, stats)
      const packetMs = intake.takeFirstPacketMs()
      const metrics = aggregate.take(source.id, bucketMs, intervalMs)
      makeRoom(bucketMs)
      return { metrics, ...happenings.take(source.id, bucketMs), ...(packetMs !== undefined && { hops: { packetMs } }) }
    },
  })
  return {
    addresses: { ...(udp && { statsdUdp: udp.address }), ...(tcp && { statsdTcp: tcp.address }) },
    lastBucketMs: () => source.lastBucketMs,
    problem: () => queue.problem ?? timedRoad.problem(),
    async stop() {
      await Promise.all([udp?.close(), tcp?.close()])
      await Promise.all([flushing.stop(), timedRoad.stop()])
    },
  }
}

async function listen(
  config: Config,
  { log }: Context,
  stats: Stats,
  badLines: BadLines,
  senders: Senders,
  intake: StatsdIntake,
): Promise<{ udp: Listener | undefined; tcp: Listener | undefined }> {
  const { statsd } = config.ingest
  const onPacket = (packet: Buffer, sender: Sender) => intake.take(packet, sender)
  const tooLong = (beginning: Buffer, { address }: Sender) =>
    badLines.badFrom(
      address,
      'length',
      () => `longer than ${lineBytesMax} bytes: ${JSON.stringify(beginning.toString('utf8', 0, 80))}…`,
    )
  const mayConnect = gate(senders, badLines)
  const options = (key: string, address: HostPort) => ({ key, address, log, stats, mayConnect })
  const udp = statsd.udp ? await listenUdp(options('ingest.statsd.udp', statsd.udp), onPacket) : undefined
  try {
    const tcp = statsd.tcp
      ? await listenTcpLines(options('ingest.statsd.tcp', statsd.tcp), onPacket, tooLong)
      : undefined
    return { udp, tcp }
  } catch (error) {
    await udp?.close()
    throw error
  }
}

/** Forgets idle series once a minute while the table is nearly full. */
function roomMaker(aggregate: Aggregate, seriesMax: number, intervalMs: number): (bucketMs: number) => void {
  let sweptMs = 0
  return (bucketMs) => {
    if (aggregate.seriesCount < seriesMax * 0.9 || bucketMs - sweptMs < sweepEveryMs) return
    sweptMs = bucketMs
    aggregate.forgetIdle(Math.ceil(idleMaxMs / intervalMs))
  }
}
