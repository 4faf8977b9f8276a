/**
 * What Graphite gets equals what etsy's daemon writes: npm's `statsd` and Tocsin's ingest and forwarder get the same
 * packets within one flush of both, and every line of that flush has to be equal by name and by value.
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startIngest } from '../../src/ingest/index.ts'
import { systemClock as clock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { guard } from '../support/guard.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/until.ts'
import { openPipeline } from './pipeline.ts'

const flushMs = 2000

const packets = [
  'gorets:1|c\ngorets:2|c|@0.1',
  'glork:320|ms\nglork:12.5|ms|@0.1\nglork:7|ms:9|ms',
  'gaugor:333|g\ngaugor:-10|g\ngaugor:+4|g',
  'uniques:765|s\nuniques:765|s\nuniques:a|s\nuniques:|s',
  'a/b c:1|c\nzürich:2|c\nsci:1.5e2|c\nneg:-3|c\n',
  'tagged:1|c|#zone:b\ntagged:2|c|#zone:b\ntagged.time:5|ms|#zone:b',
  'render.spread:1|ms\nrender.spread:5|ms\nrender.spread:9|ms\nrender.spread:2|ms\nrender.spread:2|ms\nrender.spread:100|ms',
  'render.spread:3|ms\nrender.spread:4|ms\nrender.spread:6|ms\nrender.spread:8|ms\nrender.one:4.5|ms',
  'no colon\nno.value:x|ms\nno.sign:-1|ms',
]
/** Some of it comes again in another of our buckets. */
const later = ['gorets:4|c', 'glork:1|ms', 'gaugor:+1|g', 'uniques:b|s']

test.concurrent.each([
  ['by default', {}],
  [
    'in the new namespace with prefixes, a suffix, several percentages and a histogram',
    {
      legacyNamespace: false,
      globalPrefix: 'acme',
      prefixCounter: 'c',
      prefixTimer: '',
      prefixStats: 'daemon',
      globalSuffix: 'eu.west',
      flush_counts: true,
      percentThreshold: [50, 90, 99.9, -10, -60],
      histogram: [
        { metric: 'one', bins: [] },
        { metric: 'render', bins: [1, 2.5, 10, 'inf'] },
        { metric: '', bins: [9] },
      ],
    },
  ],
  [
    'with deleteIdleStats, gauges for three flushes, and some figures only',
    {
      deleteIdleStats: true,
      gaugesMaxTTL: 3,
      flush_counts: false,
      percentThreshold: [75, -25],
      calculatedTimerMetrics: ['count', 'upper_percent', 'lower_percent', 'median'],
    },
  ],
  ['where only timers and gauges are deleted', { deleteTimers: true, deleteGauges: true, deleteSets: false }],
])(
  'the lines of a flush, and of later ones with little in them and after commands to forget, are etsy’s: %s',
  { timeout: 60_000 },
  async (_, options) => {
    const pair = await openPair(options)
    try {
      for (const [first, second, commands = []] of [
        [packets, later],
        [['other:1|c'], [], ['delcounters sci', 'delgauges gaugor', 'deltimers render.*']],
        [[], ['gorets:1|c']],
      ] as const) {
        for (const command of commands) await pair.command(command)
        const { ours, theirs } = await pair.flush(first, second)
        expect(ours).toEqual(theirs)
        expect(Object.keys(ours).length).toBeGreaterThan(3)
      }
    } finally {
      await pair.close()
    }
  },
)

type Lines = Record<string, number>

interface Pair {
  /** The lines of one flush that got both parts, the second a bucket of ours later. */
  flush(first: readonly string[], second: readonly string[]): Promise<{ ours: Lines; theirs: Lines }>
  /** To both management ports. */
  command(line: string): Promise<void>
  close(): Promise<void>
}

async function openPair(options: object): Promise<Pair> {
  const [ourCarbon, theirCarbon] = [await openCarbon(), await openCarbon()]
  const more = `, flushInterval: ${flushMs / 1000}s, statsd: ${JSON.stringify(options)}`
  const pipeline = await openPipeline({ host: '127.0.0.1', port: ourCarbon.port }, more)
  const config = structuredClone(pipeline.config)
  const anyPort = { host: '127.0.0.1', port: 0 }
  Object.assign(config.ingest.statsd, { udp: anyPort, management: anyPort, tcp: false })
  config.ingest.graphite.tcp = false
  const context = { bus: pipeline.bus, clock, log: silentLog, instance: 'test-1', host: 'test' }
  const forwarder = await pipeline.startForwarder()
  const ingest = await startIngest(config, context)
  const statsd = await startStatsd(theirCarbon, options)
  const socket = dgram.createSocket('udp4')
  const ports = [ingest.addresses.statsdUdp?.port as number, statsd.port]
  const send = (part: readonly string[]) => {
    for (const packet of part) for (const port of ports) socket.send(packet, port, '127.0.0.1')
  }
  const attempt = async (first: readonly string[], second: readonly string[]) => {
    await pause(flushMs - (clock.now() % flushMs) + 100)
    const atS = (clock.now() - (clock.now() % flushMs) + flushMs) / 1000
    send(first)
    await pause(1100 - (clock.now() % 1000))
    send(second)
    const both = [ourCarbon, theirCarbon].map(
      ({ flushes }) =>
        () =>
          flushes.get(atS),
    )
    const [ours, theirs] = await until(
      () => {
        const found = both.map((read) => read())
        return found.every((lines) => lines && isWhole(lines)) && (found as [Lines, Lines])
      },
      { timeoutMs: 15_000, what: `both flushes of ${atS}` },
    )
    // Unless the machine stood still meanwhile, everything came in this flush of both.
    const isAll = [ours, theirs].every((lines) => packetsIn(lines) === first.length + second.length)
    return isAll && { ours, theirs: comparable(theirs) }
  }
  return {
    flush: (first, second) =>
      until(() => attempt(first, second), { timeoutMs: 40_000, what: 'a flush with all packets' }),
    async command(line) {
      for (const port of [ingest.addresses.management?.port as number, statsd.managementPort]) await ask(port, line)
    },
    async close() {
      socket.close()
      await statsd.end()
      await ingest.stop()
      await forwarder.stop()
      await pipeline.close()
      await Promise.all([ourCarbon.close(), theirCarbon.close()])
    },
  }
}

/** One command; etsy's daemon takes one a packet. */
async function ask(port: number, command: string): Promise<void> {
  let answered = ''
  const asker = net.connect(port, '127.0.0.1', () => asker.write(`${command}\n`))
  asker.setEncoding('utf8').on('data', (text: string) => {
    answered += text
  })
  await until(() => answered.includes('END'), { what: `an answer to ${command}` })
  asker.destroy()
}

/** The number of series comes after them all. */
function isWhole(lines: Lines): boolean {
  return Object.keys(lines).some((name) => name.includes('numStats'))
}

/** Packets in a flush of two seconds, from the rate. */
function packetsIn(lines: Lines): number {
  const rate = Object.entries(lines).find(([name]) => /^(stats|acme\.c)\.\w+\.packets_received/.test(name))
  return Math.round((rate?.[1] as number) * (flushMs / 1000))
}

/** Without what is of etsy's process alone (ADR 116); its timestamp_lag counts among its series, from its second flush on. */
function comparable(lines: Lines): Lines {
  const hasLag = Object.keys(lines).some((name) => name.includes('timestamp_lag'))
  const shared = Object.entries(lines).filter(([name]) => !/timestamp_lag|processing_time|graphiteStats/.test(name))
  return Object.fromEntries(
    shared.map(([name, value]) => [name, hasLag && name.includes('numStats') ? value - 1 : value]),
  )
}

interface Carbon {
  port: number
  /** Lines by the second of their flush. */
  flushes: Map<number, Lines>
  close(): Promise<void>
}

async function openCarbon(): Promise<Carbon> {
  const flushes = new Map<number, Lines>()
  const sockets = new Set<net.Socket>()
  const take = (line: string) => {
    const [name = '', value, atS] = line.split(' ')
    const lines = flushes.get(Number(atS)) ?? {}
    flushes.set(Number(atS), lines)
    lines[name] = Number(value)
  }
  const server = net.createServer((socket) => {
    let rest = ''
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() as string
      lines.forEach(take)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  return { flushes, port: (server.address() as net.AddressInfo).port, close }
}

/**
 * Etsy's daemon counts its flushes from the whole second it was started in, so it is let begin at a multiple of the flush
 * interval, and again if it took too long to. It wants the `util.log` that newer Nodes have not.
 */
async function startStatsd({ port: graphitePort, flushes }: Carbon, options: object) {
  const begin =
    `import util from 'node:util'; util.log ??= () => {};` +
    `await new Promise((begin) => setTimeout(begin, ${flushMs} - Date.now() % ${flushMs}))`
  const program = createRequire(import.meta.url).resolve('statsd/stats.js')
  for (;;) {
    const guarded = guard('statsd')
    const port = await freePort()
    const file = path.join(guarded.dir, 'config.js')
    const host = '127.0.0.1'
    const managementPort = await freePort()
    const own = { port, address: host, mgmt_port: managementPort, mgmt_address: host }
    const to = { flushInterval: flushMs, graphiteHost: host, graphitePort, backends: ['./backends/graphite'] }
    fs.writeFileSync(file, JSON.stringify({ ...options, ...own, ...to, graphite: options }))
    const words = ['--import', `data:text/javascript,${encodeURIComponent(begin)}`, program, file]
    guarded.spawn('statsd', process.execPath, words, { PATH: process.env.PATH })
    const [atS] = await until(() => flushes.size > 0 && [...flushes.keys()], { timeoutMs: 30_000 })
    if ((atS as number) % (flushMs / 1000) === 0) return { port, managementPort, end: () => guarded.end() }
    await guarded.end()
    flushes.clear()
  }
}
