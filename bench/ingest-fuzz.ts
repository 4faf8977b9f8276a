/**
 * Throws bytes at ingest's parsers for a while: `node bench/ingest-fuzz.ts [--seconds 60] [--seed 1]`.
 *
 * Packets are lines of every dialect, cut, joined, bent and filled with noise. Whatever comes: nothing throws, every line
 * is counted, and a line of our own after each packet is taken as it was meant.
 */
import { parseArgs } from 'node:util'
import { Aggregate } from '../src/ingest/aggregate.ts'
import { BadLines } from '../src/ingest/bad-lines.ts'
import { GraphiteIntake } from '../src/ingest/graphite.ts'
import { Happenings } from '../src/ingest/happenings.ts'
import type { TagStyle } from '../src/ingest/name.ts'
import { Senders } from '../src/ingest/senders.ts'
import { StatsdIntake } from '../src/ingest/statsd.ts'
import { TimedIntake } from '../src/ingest/timed.ts'
import { systemClock as clock } from '../src/runtime/clock.ts'
import { silentLog } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'

const { values: flags } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
})
let state = Number(flags.seed)
const sender = { address: '127.0.0.1', port: 1 }
const seeds = [
  'api.hits:1|c',
  'api.hits:12|c|@0.1|#env:prod,beta',
  'time:1:2:3|ms|@0.5',
  'time:1|ms:2|ms:9|c|#a:b',
  'load:-3.5e-2|g|T1700000000|c:ci-83c0',
  'users:ann|s',
  'name,tag=v:1|c',
  'name#tag=v:1|c',
  'name;tag=v:1|c',
  '_e{5,4}:title|text|t:error|#tag',
  '_sc|Redis connection|2|#env:dev|m:timed out',
  'servers.web1.load;rack=a2 0.75 1700000000',
  'servers.web1.load nan -1',
].map((line) => Buffer.from(line))

/** 0 to below `below`; mulberry32. */
function random(below: number): number {
  state = (state + 0x6d2b79f5) | 0
  let t = Math.imul(state ^ (state >>> 15), 1 | state)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
}

function packet(): Buffer {
  const pieces = Array.from({ length: 1 + random(6) }, () => bent(seeds[random(seeds.length)] as Buffer))
  return Buffer.concat(pieces.flatMap((piece) => (random(4) === 0 ? [piece] : [piece, Buffer.from('\n')])))
}

function bent(seed: Buffer): Buffer {
  let bytes = Buffer.from(seed)
  for (let bends = random(4); bends > 0; bends--) {
    const at = random(bytes.length + 1)
    const kind = random(5)
    if (kind === 0 && at < bytes.length) bytes[at] = random(256)
    else if (kind === 1) bytes = bytes.subarray(0, at)
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)])
    else if (kind === 3) bytes = Buffer.concat([bytes, bytes.subarray(at)])
    else
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(':|@#,;={}'[random(9)] as string), bytes.subarray(at)])
  }
  return random(500) === 0 ? Buffer.concat(Array.from({ length: 300 }, () => bytes)) : bytes
}

function open(tags: TagStyle) {
  const stats = new Stats()
  const badLines = new BadLines(clock, silentLog, stats)
  const [seriesMax, stepMs, latenessMs] = [5000, 1000, 5000]
  const aggregate = new Aggregate({ seriesMax, tags })
  const timed = new TimedIntake({ stepMs, latenessMs, seriesMax, tags, clock, badLines, stats, onFirst() {} })
  const happenings = new Happenings(clock, stats, 60_000)
  const senders = new Senders({ stats })
  const statsd = new StatsdIntake({ aggregate, timed, happenings, senders, badLines, clock, stats })
  const graphite = new GraphiteIntake({ stepMs, latenessMs, seriesMax, clock, badLines, stats })
  return { aggregate, timed, happenings, statsd, graphite, stats }
}

const endMs = clock.now() + Number(flags.seconds) * 1000
const all = (['dogstatsd', 'influxdb', 'librato'] as const).map(open)
for (const { statsd } of all) statsd.take(Buffer.from('ours:0|c'), sender)
let packets = 0
while (clock.now() < endMs) {
  for (let i = 0; i < 2000; i++) {
    const bytes = packet()
    packets++
    for (const { statsd, graphite } of all) {
      statsd.take(bytes, sender)
      graphite.take(bytes, 'fuzz')
      statsd.take(Buffer.from('ours:1|c'), sender)
    }
  }
  for (const { aggregate, timed, happenings, graphite } of all) {
    const ours = aggregate
      .take('fuzz', endMs, 1000)
      .reduce((sum, { counters }) => sum + (counters.sums[counters.names.indexOf('ours')] ?? 0), 0)
    if (ours !== 2000)
      throw new Error(
        `our own line was taken ${ours} times instead of 2000 before packet ${packets}, seed ${flags.seed}`,
      )
    timed.flush('fuzz', clock.now(), false)
    happenings.take('fuzz', endMs)
    graphite.flush('fuzz', clock.now())
    aggregate.forgetIdle(3)
  }
}
const bad = Object.entries(all[0]?.stats.snapshot() ?? {}).filter(([name]) => name.startsWith('bad_lines'))
console.log(`${packets} packets, nothing thrown, nothing of ours lost (seed ${flags.seed})`)
for (const [name, count] of bad) console.log(`  ${name} ${count}`)
