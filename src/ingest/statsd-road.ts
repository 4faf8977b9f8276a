/**
 * Statsd road: from the sockets to the bus, wired together.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Context } from '../bus/part.ts'
import { Source, sourceName } from '../bus/source.ts'
import type { Config } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'
import { Aggregate } from './aggregate.ts'
import type { BadLines } from './bad-lines.ts'
import { countDrops } from './drops.ts'
import { startFlushing } from './flush.ts'
import { Happenings } from './happenings.ts'
import { startManagement } from './management.ts'
import { lineBytesMax } from './parse.ts'
import { type Listener, listenTcpLines, listenUdp } from './receive.ts'
import { openRepeater } from './repeat.ts'
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
  const { udp, tcp, management, closeAll } = await listen(config, context, stats, badLines, senders, intake, aggregate)
  const source = new Source(bus, { name: sourceName('ingest', host), startedMs: clock.now(), intervalMs })
  const queue = new BucketQueue({ source, clock, log, stats })
  const makeRoom = roomMaker(aggregate, seriesMax, intervalMs)
  const flushing = startFlushing({
    queue,
    intervalMs,
    clock,
    log,
    stats,
    async take(bucketMs) {
      if (udp) countDrops('kernel_drops_total', udp.address, stats)
      const packetMs = intake.takeFirstPacketMs()
      const drain = aggregate.drain(source.id, bucketMs, intervalMs)
      const happened = happenings.take(source.id, bucketMs)
      // Packets are received between two steps, so that a large flush loses none.
      while (drain.step()) await turn()
      makeRoom(bucketMs)
      return { metrics: drain.messages, ...happened, ...(packetMs !== undefined && { hops: { packetMs } }) }
    },
  })
  return {
    addresses: {
      ...(udp && { statsdUdp: udp.address }),
      ...(tcp && { statsdTcp: tcp.address }),
      ...(management && { management: management.address }),
    },
    lastBucketMs: () => source.lastBucketMs,
    problem: () => queue.problem ?? timedRoad.problem(),
    async stop() {
      await closeAll()
      await Promise.all([flushing.stop(), timedRoad.stop()])
    },
  }
}

interface Listeners {
  udp: Listener | undefined
  tcp: Listener | undefined
  management: Listener | undefined
  closeAll(): Promise<unknown>
}

async function listen(
  config: Config,
  { clock, log }: Context,
  stats: Stats,
  badLines: BadLines,
  senders: Senders,
  intake: StatsdIntake,
  aggregate: Aggregate,
): Promise<Listeners> {
  const { statsd } = config.ingest
  const repeater = statsd.repeat && openRepeater(statsd.repeat, log, stats)
  const onPacket = (packet: Buffer, sender: Sender) => {
    if (intake.take(packet, sender)) repeater?.packet(packet)
  }
  const onLines = (lines: Buffer, sender: Sender) => {
    if (intake.take(lines, sender)) repeater?.lines(lines)
  }
  const mayConnect = gate(senders, badLines)
  const listening = { log, stats, mayConnect }
  const open: Listener[] = []
  const opened = async (listener: Promise<Listener>) => {
    open.push(await listener)
    return open.at(-1)
  }
  const closeAll = () => Promise.all([...open.map((one) => one.close()), repeater?.close()])
  try {
    const { udp: udpAt, tcp: tcpAt, management: managementAt } = statsd
    const udp = udpAt && (await opened(listenUdp({ key: 'ingest.statsd.udp', address: udpAt, ...listening }, onPacket)))
    const tcp =
      tcpAt &&
      (await opened(
        listenTcpLines({ key: 'ingest.statsd.tcp', address: tcpAt, ...listening }, onLines, tooLong(badLines)),
      ))
    const lastPacketMs = () => intake.lastPacketMs
    const management =
      managementAt &&
      (await opened(startManagement({ address: managementAt, aggregate, lastPacketMs, config, clock, ...listening })))
    return { udp: udp || undefined, tcp: tcp || undefined, management: management || undefined, closeAll }
  } catch (error) {
    await closeAll()
    throw error
  }
}

function tooLong(badLines: BadLines): (beginning: Buffer, sender: Sender) => void {
  return (beginning, { address }) =>
    badLines.badFrom(
      address,
      'length',
      () => `longer than ${lineBytesMax} bytes: ${JSON.stringify(beginning.toString('utf8', 0, 80))}…`,
    )
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
