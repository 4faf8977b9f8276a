/**
 * Statsd road: from the sockets to the bus, wired together.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { BucketQueue } from '../bus/bucket-queue.ts'
import type { Context } from '../bus/part.ts'
import { type BucketData, Source, sourceName } from '../bus/source.ts'
import { forgetEvent } from '../model/forget.ts'
import type { Config, HostPort } from '../runtime/config.ts'
import type { Stats } from '../runtime/stats.ts'
import { Aggregate } from './aggregate.ts'
import type { BadLines } from './bad-lines.ts'
import { giveBack } from './batch.ts'
import { DropCounter } from './drops.ts'
import { startFlushing } from './flush.ts'
import { Happenings } from './happenings.ts'
import { type Logs, startLogs } from './logs/index.ts'
import type { LineDeskOptions } from './logs/line-desk.ts'
import { startManagement } from './management.ts'
import { OwnCounters } from './own-counters.ts'
import { lineBytesMax } from './parse.ts'
import { canShare, type Listener, listenTcpLines, listenUdp } from './receive.ts'
import { openRepeater } from './repeat.ts'
import { idleMaxMs, type Road, sweepEveryMs } from './road.ts'
import { gate, type Senders } from './senders.ts'
import { type Sender, StatsdIntake } from './statsd.ts'
import { openTimedRoad } from './timed-road.ts'
import { type PoolOptions, WorkerPool } from './workers/pool.ts'

/** Blocks of series whose messages are made between two turns of the event loop: a few milliseconds' worth. */
const stepsATurn = 4

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
  const pool = openPool({ config, context, stats, badLines, senders, aggregate })
  const taker = pool?.own ?? aggregate
  const lines = { aggregate: taker, timed: timedRoad.intake, happenings }
  const intake = new StatsdIntake({ ...lines, senders, badLines, clock, stats })
  stats.observe('series', () => aggregate.seriesCount)
  const parts = { config, context, stats, badLines, senders, intake, aggregate, happenings, pool }
  const { udp, tcp, management, closeAll } = await listen(parts)
  const source = new Source(bus, { name: sourceName('ingest', host), startedMs: clock.now(), intervalMs })
  // Straight into what is flushed, also beside workers: positions and samples must be of the same moment.
  const logs = await openLogs({ aggregate, happenings, badLines, clock, log, stats }, config)
  const onTaken = (bucketMs: number, { metrics = [] }: BucketData) => {
    giveBack(metrics)
    logs?.confirm(bucketMs)
  }
  const queue = new BucketQueue({ source, clock, log, stats, onTaken })
  const makeRoom = roomMaker(aggregate, pool, seriesMax, intervalMs)
  const ownCounters = new OwnCounters(stats)
  const drops = udp && new DropCounter('kernel_drops_total', udp.address, stats)
  const flushing = startFlushing({
    queue,
    intervalMs,
    clock,
    log,
    stats,
    async take(bucketMs) {
      drops?.read()
      if (pool) await pool.pull()
      stats.count('set_members_refused_total', aggregate.takeMembersRefused() + (pool?.own.takeMembersRefused() ?? 0))
      const packetMs = intake.takeFirstPacketMs()
      const own = ownCounters.take(source.id, bucketMs, intervalMs)
      const drain = aggregate.drain(source.id, bucketMs, intervalMs)
      const happened = happenings.take(source.id, bucketMs)
      logs?.mark(bucketMs)
      // Packets are received between two steps, so that a large flush loses none.
      for (let steps = 1; drain.step(); steps++) if (steps % stepsATurn === 0) await turn()
      makeRoom(bucketMs)
      return {
        metrics: [...drain.messages, ...own],
        ...happened,
        ...(packetMs !== undefined && { hops: { packetMs } }),
      }
    },
  })
  return {
    addresses: {
      ...(udp && { statsdUdp: udp.address }),
      ...(tcp && { statsdTcp: tcp.address }),
      ...(management && { management: management.address }),
    },
    lastBucketMs: () => source.lastBucketMs,
    problem: () => queue.problem ?? pool?.problem ?? timedRoad.problem(),
    async stop() {
      await Promise.all([closeAll(), logs?.stopReading()])
      await Promise.all([flushing.stop(), timedRoad.stop()])
      await logs?.close()
    },
  }
}

/** Log files, where some are to be followed. */
async function openLogs(desk: LineDeskOptions, { ingest, data }: Config): Promise<Logs | undefined> {
  return ingest.logs.length > 0 ? startLogs({ ...desk, entries: ingest.logs, data }) : undefined
}

/** Workers, where more than one is wanted and there is a port that they can share. */
function openPool(options: Omit<PoolOptions, 'rooms'>): WorkerPool | undefined {
  const { workers, statsd } = options.config.ingest
  if (workers === 1 || !statsd.udp) return undefined
  if (canShare) return new WorkerPool({ ...options, rooms: options.senders.rooms })
  options.context.log.warn(`ingest.workers: only Linux lets ${workers} workers share a UDP port; going on with one`)
  return undefined
}

interface Parts {
  config: Config
  context: Context
  stats: Stats
  badLines: BadLines
  senders: Senders
  intake: StatsdIntake
  aggregate: Aggregate
  happenings: Happenings
  pool: WorkerPool | undefined
}

interface Listeners {
  udp: Listener | undefined
  tcp: Listener | undefined
  management: Listener | undefined
  closeAll(): Promise<unknown>
}

async function listen(parts: Parts): Promise<Listeners> {
  const { config, context, stats, badLines, senders, intake, pool } = parts
  const { clock, log } = context
  const { statsd } = config.ingest
  const repeater = statsd.repeat && openRepeater(statsd.repeat, log, stats)
  const onPacket = (packet: Buffer, sender: Sender) => {
    if (intake.take(packet, sender)) repeater?.packet(packet)
  }
  const onLines = (lines: Buffer, sender: Sender) => {
    if (intake.take(lines, sender)) repeater?.lines(lines)
  }
  const listening = { log, stats, mayConnect: gate(senders, badLines) }
  const open: Listener[] = []
  const opened = async (listener: Promise<Listener>) => {
    open.push(await listener)
    return open.at(-1)
  }
  const closeAll = () => Promise.all([...open.map((one) => one.close()), repeater?.close()])
  const openUdp = (address: HostPort) =>
    pool?.listen(address, parts) ?? listenUdp({ key: 'ingest.statsd.udp', address, ...listening }, onPacket)
  const openTcp = (address: HostPort) =>
    listenTcpLines({ key: 'ingest.statsd.tcp', address, ...listening }, onLines, tooLong(badLines))
  const openManagement = (address: HostPort) =>
    startManagement({
      ...{ address, aggregate: parts.aggregate, config, clock, ...listening },
      lastPacketMs: () => intake.lastPacketMs,
      refresh: pool && (() => pool.pull()),
      onCommand: (forget) => parts.happenings.addEvent(forgetEvent(forget)),
      onForget: pool && ((kind, names) => pool.forget(kind, names)),
    })
  try {
    const udp = statsd.udp ? await opened(openUdp(statsd.udp)) : undefined
    const tcp = statsd.tcp ? await opened(openTcp(statsd.tcp)) : undefined
    const management = statsd.management ? await opened(openManagement(statsd.management)) : undefined
    return { udp, tcp, management, closeAll }
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
function roomMaker(
  aggregate: Aggregate,
  pool: WorkerPool | undefined,
  seriesMax: number,
  intervalMs: number,
): (bucketMs: number) => void {
  let sweptMs = 0
  return (bucketMs) => {
    if (aggregate.seriesCount < seriesMax * 0.9 || bucketMs - sweptMs < sweepEveryMs) return
    sweptMs = bucketMs
    const intervals = Math.ceil(idleMaxMs / intervalMs)
    aggregate.forgetIdle(intervals)
    pool?.forgetIdle(intervals)
  }
}
