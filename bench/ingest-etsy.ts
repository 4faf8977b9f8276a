/**
 * Whether what reaches Graphite equals what etsy's daemon writes: `node bench/ingest-etsy.ts --statsd FOLDER`.
 *
 * npm's `statsd`, installed in FOLDER, and Tocsin's ingest and forwarder get the same packets within one flush of 10 s
 * (ten of Tocsin's buckets). The lines of that flush are compared by name and value; what differs is printed.
 */
import { spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openMemoryBus } from '../src/bus/memory.ts'
import { startGraphite } from '../src/graphite/index.ts'
import { startIngest } from '../src/ingest/index.ts'
import { systemClock as clock } from '../src/runtime/clock.ts'
import { loadConfig } from '../src/runtime/config.ts'
import { statsdOutput } from '../src/runtime/config-graphite.ts'
import { createLog } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'

const { values: flags } = parseArgs({ options: { statsd: { type: 'string' } } })
if (!flags.statsd) throw new Error('--statsd FOLDER: where npm statsd is installed')
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-etsy-'))

const packets = [
  'gorets:1|c\ngorets:2|c|@0.1',
  'glork:320|ms\nglork:12.5|ms|@0.1\nglork:7|ms:9|ms',
  'gaugor:333|g\ngaugor:-10|g\ngaugor:+4|g',
  'uniques:765|s\nuniques:765|s\nuniques:a|s\nuniques:|s',
  'a/b c:1|c\nzürich:2|c\nsci:1.5e2|c\nneg:-3|c',
  'tagged:1|c|#zone:b\ntagged:2|c|#zone:b',
  'spread:1|ms\nspread:5|ms\nspread:9|ms\nspread:2|ms\nspread:2|ms\nspread:100|ms\nspread:3|ms\nspread:4|ms\nspread:6|ms\nspread:8|ms',
]
// Some of it comes again in another of our buckets.
const later = ['gorets:4|c', 'glork:1|ms', 'gaugor:+1|g', 'uniques:b|s']

/** A carbon that keeps the last value of each name. */
async function openCarbon() {
  const lines = new Map<string, number>()
  const server = net.createServer((socket) => {
    let rest = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const all = (rest + chunk).split('\n')
      rest = all.pop() as string
      for (const line of all) {
        const [name = '', value] = line.split(' ')
        // Later flushes repeat idle series with other values.
        if (!lines.has(name)) lines.set(name, Number(value))
      }
    })
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { lines, server, port: (server.address() as net.AddressInfo).port }
}

const [ours, theirs] = [await openCarbon(), await openCarbon()]
const loaded = loadConfig('/nonexistent/tocsin.yaml', {}, true)
if (!loaded.ok) throw new Error('the default configuration is not valid')
const config = structuredClone(loaded.value)
config.data = dir
Object.assign(config.ingest.statsd, { udp: { host: '127.0.0.1', port: 0 }, tcp: false })
config.ingest.graphite.tcp = false
const statsd = statsdOutput.parse({})
config.graphite = { carbon: { host: '127.0.0.1', port: ours.port }, flushInterval: 10_000, spoolBytesMax: 1e7, statsd }
const log = createLog({ level: 'error', format: 'text' })
const bus = await openMemoryBus({ dir: path.join(dir, 'bus'), clock, log, stats: new Stats(), instance: 'etsy-1' })
const context = { bus, clock, log, instance: 'etsy-1', host: 'etsy' }
const graphite = await startGraphite(config, context)
const ingest = await startIngest(config, context)

await pause(10_000 - (clock.now() % 10_000))
const port = 20_000 + (process.pid % 20_000)
fs.writeFileSync(
  path.join(dir, 'config.js'),
  `{ port: ${port}, mgmt_port: ${port + 1}, address: '127.0.0.1', flushInterval: 10000, graphiteHost: '127.0.0.1',
     graphitePort: ${theirs.port}, backends: ['./backends/graphite'] }`,
)
const withUtilLog = 'data:text/javascript,import util from "node:util"; util.log ??= () => {}'
const daemon = spawn(process.execPath, ['--import', withUtilLog, 'stats.js', path.join(dir, 'config.js')], {
  cwd: path.join(path.resolve(flags.statsd), 'node_modules', 'statsd'),
  stdio: 'ignore',
})
await pause(1500)
const socket = dgram.createSocket('udp4')
for (const part of [packets, later]) {
  for (const packet of part) {
    socket.send(packet, port, '127.0.0.1')
    socket.send(packet, ingest.addresses.statsdUdp?.port as number, '127.0.0.1')
  }
  await pause(2100)
}
await pause(11_500)
const isOurs = (name: string) => /statsd\.|statsd$|tocsin|numStats/.test(name)
const names = new Set([...ours.lines.keys(), ...theirs.lines.keys()].filter((name) => !isOurs(name)))
const different = [...names].sort().filter((name) => {
  const [a, b] = [ours.lines.get(name), theirs.lines.get(name)]
  return a === undefined || b === undefined || Math.abs(a - b) > 1e-9 * Math.max(1, Math.abs(b))
})
console.log(`${names.size} names, ${different.length} differ`)
for (const name of different) console.log(`  ${name}: Tocsin ${ours.lines.get(name)}, statsd ${theirs.lines.get(name)}`)
socket.close()
daemon.kill()
await ingest.stop()
await graphite?.stop()
await bus.close()
ours.server.close()
theirs.server.close()
fs.rmSync(dir, { recursive: true, force: true })
process.exitCode = different.length > 0 ? 1 : 0
process.exit()
