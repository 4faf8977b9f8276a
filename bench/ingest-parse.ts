/**
 * How many statsd lines a second one core parses and aggregates, sockets left out: `node bench/ingest-parse.ts`.
 */
import { Aggregate } from '../src/ingest/aggregate.ts'
import { BadLines } from '../src/ingest/bad-lines.ts'
import { Happenings } from '../src/ingest/happenings.ts'
import { Senders } from '../src/ingest/senders.ts'
import { StatsdIntake } from '../src/ingest/statsd.ts'
import { TimedIntake } from '../src/ingest/timed.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { silentLog } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'

const linesPerPacket = 20
const sender = { address: '127.0.0.1', port: 1 }

function packetsOf(seriesCount: number, value: (i: number) => string): Buffer[] {
  const lines = Array.from(
    { length: seriesCount },
    (_, i) => `browserid.process${i}.response.${200 + (i % 5)}:${value(i)}`,
  )
  const packets: Buffer[] = []
  for (let i = 0; i < lines.length; i += linesPerPacket)
    packets.push(Buffer.from(lines.slice(i, i + linesPerPacket).join('\n')))
  return packets
}

function measure(title: string, packets: readonly Buffer[], seconds = 2): void {
  const stats = new Stats()
  const clock = systemClock
  const seriesMax = 200_000
  const aggregate = new Aggregate({ seriesMax })
  const badLines = new BadLines(clock, silentLog, stats)
  const timing = { stepMs: 1000, latenessMs: 5000, onFirst() {} }
  const timed = new TimedIntake({ ...timing, seriesMax, tags: 'dogstatsd', clock, badLines, stats })
  const senders = new Senders({ stats })
  const happenings = new Happenings(clock, stats, 60_000)
  const intake = new StatsdIntake({ aggregate, timed, happenings, senders, badLines, clock, stats })
  const round = () => {
    for (const packet of packets) intake.take(packet, sender)
  }
  for (let i = 0; i < 5; i++) round()
  const before = stats.get('lines_total')
  const startMs = systemClock.now()
  let flushMs = 0
  let nextFlushMs = startMs + 1000
  while (systemClock.now() - startMs < seconds * 1000) {
    round()
    if (systemClock.now() < nextFlushMs) continue
    const beganMs = performance.now()
    aggregate.take('bench', nextFlushMs, 1000)
    flushMs = Math.max(flushMs, performance.now() - beganMs)
    nextFlushMs += 1000
  }
  const elapsed = (systemClock.now() - startMs) / 1000
  const rate = (stats.get('lines_total') - before) / elapsed / 1e6
  const memory = Math.round(process.memoryUsage.rss() / 1024 ** 2)
  console.log(
    `${title.padEnd(34)} ${rate.toFixed(2)} M lines/s, flush ${flushMs.toFixed(1)} ms, ${memory} MiB resident`,
  )
}

for (const seriesCount of [1_000, 100_000]) {
  measure(
    `counters, ${seriesCount} series`,
    packetsOf(seriesCount, () => '1|c'),
  )
  measure(
    `sampled counters, ${seriesCount} series`,
    packetsOf(seriesCount, () => '1|c|@0.1'),
  )
  measure(
    `gauges, ${seriesCount} series`,
    packetsOf(seriesCount, (i) => `${i / 8}|g`),
  )
  measure(
    `tagged counters, ${seriesCount} series`,
    packetsOf(seriesCount, () => '1|c|#env:prod,zone:b'),
  )
  measure(
    `timers, ${seriesCount} series`,
    packetsOf(seriesCount, (i) => `${i % 300}|ms`),
  )
}
