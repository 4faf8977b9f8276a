/**
 * What ingest keeps in memory with 100 k series of each type: `node bench/ingest-memory.ts [--series 100000] [--workers 2]`.
 *
 * Lines come over TCP, so that none is lost however busy the machine is, and every series several times an interval; with
 * `--udp` the same over UDP, for workers. The receiver has a process of its own; what it held at most and at the end is
 * told, beside a receiver with 100 series.
 */
import { fork } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { seriesName } from './ingest-load.ts'

const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    intervals: { type: 'string', default: '5' },
    /** Length of a flush interval in ms: longer ones for a machine with other work, as what counts is what comes in one. */
    interval: { type: 'string', default: '4000' },
    workers: { type: 'string', default: '1' },
    udp: { type: 'boolean', default: false },
    only: { type: 'string' },
    /** Flags for the receiver's Node. */
    node: { type: 'string', default: '' },
  },
})

interface Shape {
  title: string
  series: number
  /** The n-th line of a series in an interval. */
  line: (i: number, n: number) => string
  lines: number
}

const series = Number(flags.series)
const intervalMs = Number(flags.interval)
const shapes: Shape[] = [
  { title: '100 counters', series: 100, lines: 10, line: () => '1|c' },
  { title: 'counters', series, lines: 10, line: () => '1|c' },
  { title: 'gauges', series, lines: 5, line: (i, n) => `${(i * 7 + n) % 1000}|g` },
  { title: 'timers with 10 different samples', series, lines: 10, line: (i, n) => `${(i * 7 + n * 31) % 5000}|ms` },
  { title: 'timers with 2 samples', series, lines: 2, line: (i, n) => `${(i * 7 + n * 31) % 300}|ms` },
  { title: 'timers, a third of them with 40 samples', series, lines: 14, line: timerSkewed },
  { title: 'sets, 4 members', series, lines: 4, line: (_, n) => `member${n}|s` },
  { title: 'a third each of counters, timers, gauges', series, lines: 6, line: mixed },
]

function timerSkewed(i: number, n: number): string {
  const values = Array.from({ length: i % 3 === 0 ? 3 : 1 }, (_, k) => (i * 7 + n * 31 + k * 977) % 5000)
  return i % 3 === 0 || n === 0 ? `${values.join(':')}|ms` : `${values[0]}|ms|@0.5`
}

function mixed(i: number, n: number): string {
  return ['1|c', `${(i + n * 31) % 3000}|ms`, `${n}|g`][i % 3] as string
}

for (const shape of shapes) {
  if (flags.only && !shape.title.includes(flags.only)) continue
  const anywhere = { host: '127.0.0.1', port: 0 }
  const workers = Number(flags.workers)
  const options = JSON.stringify({ workers, flushInterval: intervalMs, statsd: { tcp: anywhere } })
  const receiver = fork(path.join(import.meta.dirname, 'ingest-receiver.ts'), [options], {
    execArgv: flags.node.split(' ').filter((flag) => flag !== ''),
  })
  const [{ port, tcpPort }] = (await once(receiver, 'message')) as [{ port: number; tcpPort: number }]
  const send = flags.udp ? await overUdp(port) : await overTcp(tcpPort)
  for (let interval = 0; interval < Number(flags.intervals); interval++) {
    const beganMs = performance.now()
    for (let n = 0; n < shape.lines; n++) await sendRound(shape, n, send)
    await pause(Math.max(0, intervalMs - (performance.now() - beganMs)))
  }
  receiver.send('memory')
  const [{ memory, counters }] = (await once(receiver, 'message')) as [
    { memory: NodeJS.MemoryUsage; counters: Record<string, number> },
  ]
  const status = fs.readFileSync(`/proc/${receiver.pid}/status`, 'utf8')
  const mib = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
  const part = (bytes: number) => Math.round(bytes / 1024 ** 2)
  console.log(
    `${shape.title.padEnd(44)} at most ${mib('VmHWM')} MiB, at the end ${mib('VmRSS')} MiB`,
    `(heap ${part(memory.heapUsed)} of ${part(memory.heapTotal)}, arrays ${part(memory.arrayBuffers)}), buckets waiting ${counters.buckets_waiting}`,
  )
  send.end()
  receiver.send('stop')
  await once(receiver, 'exit')
}

interface Send {
  lines(text: string): Promise<void>
  end(): void
}

async function sendRound({ series: count, line }: Shape, n: number, send: Send): Promise<void> {
  for (let first = 0; first < count; first += 500) {
    let text = ''
    for (let i = first; i < Math.min(first + 500, count); i++) text += `${seriesName(i)}:${line(i, n)}\n`
    await send.lines(text)
  }
}

async function overTcp(port: number): Promise<Send> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return {
    lines: async (text) => void (socket.write(text) || (await once(socket, 'drain'))),
    end: () => socket.destroy(),
  }
}

async function overUdp(port: number): Promise<Send> {
  const sockets = Array.from({ length: 8 }, () => dgram.createSocket('udp4'))
  let next = 0
  const packet = (text: string) =>
    new Promise<void>((resolve) => sockets[next++ % sockets.length]?.send(text, port, '127.0.0.1', () => resolve()))
  return {
    async lines(text) {
      const lines = text.split('\n')
      for (let i = 0; i < lines.length; i += 20) await packet(lines.slice(i, i + 20).join('\n'))
    },
    end() {
      for (const socket of sockets) socket.close()
    },
  }
}
