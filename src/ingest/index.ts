/**
 * Ingest: what services send, as buckets on the bus.
 *
 *     sockets (receive) → lines (parse) → one interval (aggregate) → a bucket a second (flush) → engine-log
 *
 * Two sources, each with a road of its own: statsd, whose time is ours, and Graphite lines, whose time is theirs and
 * whose markers therefore lag.
 */
import type { Context, Part } from '../bus/part.ts'
import { reportStatus } from '../bus/status.ts'
import { aligned } from '../runtime/clock.ts'
import type { Config, HostPort } from '../runtime/config.ts'
import { Stats } from '../runtime/stats.ts'
import { BadLines } from './bad-lines.ts'
import { startGraphiteRoad } from './graphite-road.ts'
import type { Road } from './road.ts'
import { Senders } from './senders.ts'
import { startStatsdRoad } from './statsd-road.ts'
import { Rooms } from './workers/rooms.ts'

export interface IngestPart extends Part {
  /** Where we listen, with real ports. */
  addresses: {
    management?: HostPort
    statsdUdp?: HostPort
    statsdTcp?: HostPort
    graphiteTcp?: HostPort
    graphiteUdp?: HostPort
  }
}

export async function startIngest(config: Config, context: Context): Promise<IngestPart> {
  const stats = new Stats()
  const { allow, perSourceLinesMax } = config.ingest
  const isShared = config.ingest.workers > 1 && perSourceLinesMax !== undefined
  const rooms = isShared ? { rooms: new Rooms(perSourceLinesMax) } : {}
  const senders = new Senders({ stats, allow, linesMax: perSourceLinesMax, ...rooms })
  const badLines = new BadLines(context.clock, context.log, stats, senders)
  const roads: Road[] = []
  try {
    roads.push(await startStatsdRoad(config, context, stats, badLines, senders))
    const takesGraphite =
      config.ingest.graphite.tcp !== false ||
      config.ingest.graphite.udp !== false ||
      config.bus.graphiteLines.length > 0
    if (takesGraphite) roads.push(await startGraphiteRoad(config, context, stats, badLines, senders))
  } catch (error) {
    await Promise.all(roads.map((road) => road.stop()))
    throw error
  }
  const status = reportStatus('ingest', context, stats, () => {
    const problem = roads.map((road) => road.problem()).find((found) => found !== undefined)
    const lastBucketMs = roads[0]?.lastBucketMs() ?? 0
    return { ready: true, lastBucketMs, ...(problem !== undefined && { problem }) }
  })
  const seconds = aligned(1000, context.clock).subscribe(() => senders.nextSecond())
  return {
    addresses: Object.assign({}, ...roads.map((road) => road.addresses)),
    async stop() {
      await Promise.all(roads.map((road) => road.stop()))
      seconds.unsubscribe()
      status.unsubscribe()
    },
  }
}
