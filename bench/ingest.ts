/**
 * What ingest takes on one core, over real sockets: `node bench/ingest.ts [--statsd FOLDER] [--quick] [--nice=-10] [--profile FOLDER]
 * [--workers N] [--senders N] [--blast]`.
 *
 * With `--blast` the senders are Python’s (UDP_SEGMENT), which send several times as many packets as Node’s. Several sender processes on the other cores send at a given pace to a receiver pinned to core 0. After each run every
 * series that came out on the memory bus is compared with what was sent. `--statsd` names a folder in which npm's
 * `statsd` is installed; it then runs on the same packets, and what it writes to Graphite is compared in the same way.
 *
 *     packets/s × lines · series · lines/s · lost · CPU µs a line · kernel drops · longest hold-up of the event loop · MiB
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readKernelDrops } from '../src/ingest/drops.ts'
import { addExpected, type Load, seriesName } from './ingest-load.ts'

const { values: flags } = parseArgs({
  options: {
    statsd: { type: 'string' },
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '5' },
    senders: { type: 'string', default: '2' },
    blast: { type: 'boolean', default: false },
    only: { type: 'string' },
    workers: { type: 'string' },
    nice: { type: 'string' },
    profile: { type: 'string' },
  },
})
const seconds = Number(flags.seconds)
const senderCount = Number(flags.senders)
const here = import.meta.dirname

interface Receiver {
  name: string
  port: number
  pid: number
  /** The longest that its event loop was held up since the last question. */
  heldUpMs(): Promise<number>
  /** What came out, by series. */
  totals(): Promise<Map<string, number>>
  stop(): Promise<void>
}

interface Shape {
  packetsPerSecond: number
  linesPerPacket: number
  seriesCount: number
  type: 'c' | 'ms'
}

async function run(open: () => Promise<Receiver>, shape: Shape): Promise<void> {
  const receiver = await open()
  const load: Load = {
    ...shape,
    host: '127.0.0.1',
    port: receiver.port,
    packetsPerSecond: shape.packetsPerSecond / senderCount,
    seconds,
  }
  // Once in advance, so that code is compiled and series are known; what it sends counts as well.
  const expected = new Float64Array(shape.seriesCount)
  await send({ ...load, seconds: 1, packetsPerSecond: Math.min(load.packetsPerSecond || 20_000, 20_000) }, expected)
  await receiver.heldUpMs()
  const before = cpuMs(receiver.pid)
  const warm = expected.reduce((sum, count) => sum + count, 0)
  const elapsedMs = await send(load, expected)
  await pause(300)
  const spentMs = cpuMs(receiver.pid) - before
  const resident = residentBytes(receiver.pid)
  const heldUpMs = await receiver.heldUpMs()
  const got = await settled(receiver, expected)
  const drops = await readKernelDrops({ host: '127.0.0.1', port: receiver.port })
  const sum = expected.reduce((total, count) => total + count, 0)
  report({
    receiver,
    shape,
    sent: sum,
    timed: sum - warm,
    taken: got.sum - warm,
    got,
    elapsedMs,
    spentMs,
    resident,
    heldUpMs,
    drops: drops ?? 0,
  })
  await receiver.stop()
}

/** Runs the senders and adds what they sent. */
async function send(load: Load, expected: Float64Array): Promise<number> {
  const told = await Promise.all(Array.from({ length: senderCount }, () => (flags.blast ? blast(load) : sendOne(load))))
  let elapsedMs = 0
  for (const { sent, failed, elapsedMs: took } of told) {
    if (failed > 0) throw new Error(`${failed} packets were not taken by the kernel`)
    addExpected(load, sent, expected)
    elapsedMs = Math.max(elapsedMs, took)
  }
  return elapsedMs
}

interface Told {
  sent: number
  failed: number
  elapsedMs: number
}

async function sendOne(load: Load): Promise<Told> {
  const sender = fork(path.join(here, 'ingest-sender.ts'), [JSON.stringify(load)], { execArgv: [] })
  pin(sender, '1-')
  prefer(sender)
  const [told] = (await once(sender, 'message')) as [Told]
  return told
}

/** As sendOne, by a sender that hands the kernel many packets at once. */
async function blast(load: Load): Promise<Told> {
  const sender = spawn('python3', [path.join(here, 'ingest-blast.py'), JSON.stringify(load)])
  pin(sender, '1-')
  prefer(sender)
  let text = ''
  sender.stdout.on('data', (chunk) => {
    text += chunk
  })
  sender.stderr.pipe(process.stderr)
  await once(sender, 'close')
  return JSON.parse(text) as Told
}

/** Waits until nothing more comes out; then compares series by series. */
async function settled(receiver: Receiver, expected: Float64Array): Promise<{ sum: number; wrong: number }> {
  let totals = await receiver.totals()
  const sumOf = () => [...totals.values()].reduce((sum, count) => sum + count, 0)
  for (let last = -1, quiet = 0; quiet < 3; ) {
    await pause(800)
    totals = await receiver.totals()
    quiet = sumOf() === last ? quiet + 1 : 0
    last = sumOf()
  }
  const wrong = expected.reduce((count, value, i) => count + Number((totals.get(seriesName(i)) ?? 0) !== value), 0)
  return { sum: sumOf(), wrong }
}

interface Outcome {
  receiver: Receiver
  shape: Shape
  sent: number
  timed: number
  /** Of these, those that came out. */
  taken: number
  got: { sum: number; wrong: number }
  elapsedMs: number
  spentMs: number
  resident: number
  heldUpMs: number
  drops: number
}

function report({
  receiver,
  shape,
  sent,
  timed,
  taken,
  got,
  elapsedMs,
  spentMs,
  resident,
  heldUpMs,
  drops,
}: Outcome): void {
  const { linesPerPacket, seriesCount, type } = shape
  const lost = sent - got.sum
  const rate = timed / elapsedMs / 1000
  const load = os.loadavg()[0] as number
  console.log(
    [
      receiver.name.padEnd(7),
      `${Math.round(timed / linesPerPacket / elapsedMs)} k packets/s × ${linesPerPacket}`.padEnd(22),
      `${seriesCount / 1000} k ${type === 'c' ? 'counters' : 'timers'}`.padEnd(14),
      `${rate.toFixed(2)} M lines/s`.padEnd(15),
      (lost === 0 && got.wrong === 0
        ? 'none lost'
        : `lost ${((100 * lost) / sent).toFixed(2)} %, ${got.wrong} series wrong`
      ).padEnd(32),
      `${((spentMs * 1000) / taken).toFixed(3)} µs CPU a line`,
      `core ${Math.round((100 * spentMs) / elapsedMs)} %`,
      `drops ${drops}`,
      `held up ${Math.round(heldUpMs)} ms`,
      `${Math.round(resident / 1024 ** 2)} MiB`,
      `(load ${load.toFixed(1)})`,
    ].join('  '),
  )
}

async function openTocsin(): Promise<Receiver> {
  const options = flags.workers === undefined ? {} : { workers: Number(flags.workers) }
  const child = fork(path.join(here, 'ingest-receiver.ts'), [JSON.stringify(options)], {
    execArgv: flags.profile ? ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`] : [],
  })
  if (flags.workers === undefined) pin(child, '0')
  prefer(child)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    name: 'tocsin',
    port,
    pid: child.pid as number,
    async heldUpMs() {
      child.send('held up')
      const [{ heldUpMs }] = (await once(child, 'message')) as [{ heldUpMs: number }]
      return heldUpMs
    },
    async totals() {
      child.send('totals')
      const [{ totals }] = (await once(child, 'message')) as [{ totals: [string, number][] }]
      return new Map(totals)
    },
    async stop() {
      child.send('stop')
      await once(child, 'exit')
    },
  }
}

/** statsd 0.9.0 calls a function that Node no longer has. */
const withUtilLog = 'data:text/javascript,import util from "node:util"; util.log ??= () => {}'

/** npm's statsd, flushing every second to a Graphite that adds up `stats_counts.*`. */
async function openStatsd(folder: string): Promise<Receiver> {
  const totals = new Map<string, number>()
  const carbon = net.createServer((socket) => {
    let rest = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() as string
      for (const line of lines) {
        const [name = '', value] = line.split(' ')
        const series = name.slice('stats_counts.'.length)
        if (name.startsWith('stats_counts.bench.')) totals.set(series, (totals.get(series) ?? 0) + Number(value))
      }
    })
  })
  carbon.listen(0, '127.0.0.1')
  await once(carbon, 'listening')
  const port = 20_000 + Math.floor(process.pid % 20_000)
  const config = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-statsd-')), 'config.js')
  const graphitePort = (carbon.address() as net.AddressInfo).port
  fs.writeFileSync(
    config,
    `{ port: ${port}, mgmt_port: ${port + 1}, address: '127.0.0.1', flushInterval: 1000, graphiteHost: '127.0.0.1',
       graphitePort: ${graphitePort}, backends: ['./backends/graphite'] }`,
  )
  const root = path.join(folder, 'node_modules', 'statsd')
  const child = spawn(process.execPath, ['--import', withUtilLog, 'stats.js', config], { cwd: root, stdio: 'ignore' })
  pin(child, '0')
  prefer(child)
  await pause(1000)
  return {
    name: 'statsd',
    port,
    pid: child.pid as number,
    heldUpMs: async () => Number.NaN,
    totals: async () => new Map(totals),
    async stop() {
      child.kill()
      carbon.close()
      fs.rmSync(path.dirname(config), { recursive: true, force: true })
      await pause(200)
    },
  }
}

/** Binds a process to a core, or from a core on; without taskset it runs where it likes. */
function pin({ pid }: ChildProcess, cores: string): void {
  const last = os.availableParallelism() - 1
  const list = cores.endsWith('-') ? `${Math.min(1, last)}-${last}` : cores
  spawn('taskset', ['-a', '-p', '-c', list, String(pid)], { stdio: 'ignore' }).on('error', () => {})
}

/** On a machine with other work, all of ours may be given precedence: `--nice=-10`. */
function prefer({ pid }: ChildProcess): void {
  if (flags.nice !== undefined) os.setPriority(pid as number, Number(flags.nice))
}

function cpuMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') as string[]
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function residentBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

const sweeps: Record<number, number[]> = {
  1: [100_000, 200_000, 300_000, 350_000, 400_000, 500_000],
  20: [50_000, 100_000, 150_000, 200_000],
}
const quick: Record<number, number[]> = { 1: [100_000], 20: [100_000] }
const shapes: Shape[] = []
for (const [lines, paces] of Object.entries(flags.quick ? quick : sweeps)) {
  for (const packetsPerSecond of paces) {
    for (const seriesCount of [1000, 100_000]) {
      shapes.push({ packetsPerSecond, linesPerPacket: Number(lines), seriesCount, type: 'c' })
    }
  }
}
shapes.push({ packetsPerSecond: 50_000, linesPerPacket: 20, seriesCount: 100_000, type: 'ms' })

console.log(
  `${senderCount} senders, ${seconds} s a run, ${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.version}`,
)
for (const shape of shapes) {
  if (
    flags.only &&
    flags.only !== `${shape.packetsPerSecond / 1000}x${shape.linesPerPacket}x${shape.seriesCount / 1000}${shape.type}`
  )
    continue
  await run(openTocsin, shape)
}
if (flags.statsd) {
  const folder = path.resolve(flags.statsd)
  for (const packetsPerSecond of [5000, 10_000, 20_000, 50_000, 100_000]) {
    for (const linesPerPacket of [1, 20]) {
      await run(() => openStatsd(folder), { packetsPerSecond, linesPerPacket, seriesCount: 1000, type: 'c' })
    }
  }
}
