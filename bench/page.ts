/**
 * How long from the first bad packet to the end of SMTP DATA, flush 1 s, everything real: a UDP packet to a running
 * `tocsin up` (or, with --bus rabbitmq, five processes on a RabbitMQ of its own), a mail arriving at an SMTP server here.
 *
 *     node bench/page.ts [--runs 60] [--bus memory|rabbitmq|both]
 *
 * Packets come at moments spread evenly over the second, one rule each, so that every page is sent by itself.
 * Prints p50 and p99, each as a ratio to what it must be (≤ 1 is good), and how long a start takes to be ready.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import dgram from 'node:dgram'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SMTPServer } from 'smtp-server'
import { freePort } from '../test/support/ports.ts'
import { startRabbitmq } from '../test/support/rabbitmq.ts'
import { until } from '../test/support/until.ts'

const p50MsMax = 600
const p99MsMax = 1200
const readyMsMax = 2000
const root = path.resolve(import.meta.dirname, '..')

const { values: flags } = parseArgs({
  options: { runs: { type: 'string', default: '60' }, bus: { type: 'string', default: 'both' } },
})
const runs = Number(flags.runs)

for (const bus of flags.bus === 'both' ? ['memory', 'rabbitmq'] : [flags.bus])
  await measure(bus as 'memory' | 'rabbitmq')

async function measure(bus: 'memory' | 'rabbitmq'): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-bench-'))
  const arrivals = new Map<number, number>()
  const smtp = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, _session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const run = /page_(\d+)/.exec(Buffer.concat(chunks).toString())?.[1]
        if (run !== undefined && !arrivals.has(Number(run))) arrivals.set(Number(run), performance.now())
        done()
      })
    },
  })
  const [smtpPort, statsdPort, consolePort] = [await freePort(), await freePort(), await freePort()]
  await new Promise<void>((resolve) => smtp.listen(smtpPort, '127.0.0.1', resolve))
  const rabbit = bus === 'rabbitmq' ? await startRabbitmq() : undefined
  const config = path.join(folder, 'tocsin.yaml')
  fs.mkdirSync(path.join(folder, 'rules'))
  fs.mkdirSync(path.join(folder, 'none'))
  fs.writeFileSync(config, configText(rabbit ? await rabbit.vhost() : 'memory', smtpPort, statsdPort, consolePort))
  fs.writeFileSync(path.join(folder, 'rules', 'page.yaml'), rulesText())
  const startedMs = performance.now()
  const commands = rabbit ? ['alerts', 'cep', 'dashboards', 'checks', 'ingest'].map((part) => ['run', part]) : [['up']]
  const children = commands.map((words) => start([...words, '--config', config, '--log-level', 'warn']))
  try {
    await until(() => isReady(consolePort), { timeoutMs: 30_000, what: 'the console to be ready' })
    const readyMs = performance.now() - startedMs
    await wait(3000) // a first full second of data, outside what is measured
    const times = await sendAndTime(statsdPort, arrivals)
    report(bus, times, readyMs)
  } finally {
    await Promise.all(children.map(stop))
    await new Promise<void>((resolve) => smtp.close(() => resolve()))
    await rabbit?.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

async function sendAndTime(statsdPort: number, arrivals: Map<number, number>): Promise<number[]> {
  const socket = dgram.createSocket('udp4')
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    // Steps of the golden ratio spread the moments evenly over the second.
    const phaseMs = ((run * 0.618_034) % 1) * 1000
    await wait((phaseMs - (Date.now() % 1000) + 1000) % 1000)
    const sentMs = performance.now()
    socket.send(`page_${run}.http.503:5|c\npage_${run}.http.200:20|c`, statsdPort, '127.0.0.1')
    await until(() => arrivals.has(run), { timeoutMs: 10_000, what: `the page of run ${run}` })
    times.push((arrivals.get(run) as number) - sentMs)
  }
  socket.close()
  return times.sort((a, b) => a - b)
}

function report(bus: string, times: readonly number[], readyMs: number): void {
  const at = (share: number) => times[Math.min(times.length - 1, Math.ceil(times.length * share) - 1)] as number
  const line = (what: string, ms: number, mustMs: number) =>
    console.log(
      `  ${what.padEnd(28)} ${ms.toFixed(0).padStart(5)} ms   ${(ms / mustMs).toFixed(2)} × the ${mustMs} ms it may take`,
    )
  console.log(`${bus} bus, ${times.length} pages, flush 1 s`)
  line('first packet → DATA, p50', at(0.5), p50MsMax)
  line('first packet → DATA, p99', at(0.99), p99MsMax)
  line('started → ready', readyMs, readyMsMax)
}

function start(words: string[]): ChildProcess {
  return spawn(path.join(root, 'bin', 'tocsin'), words, { stdio: 'inherit' })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    (response) => response.ok,
    () => false,
  )
}

function configText(bus: string, smtpPort: number, statsdPort: number, consolePort: number): string {
  return `bus: ${bus}
ingest: {statsd: {udp: 127.0.0.1:${statsdPort}, tcp: false}, graphite: {tcp: false}}
checks: [none/]
alerts:
  receivers: {oncall: {email: {to: oncall@example.org, smtp: "smtp://127.0.0.1:${smtpPort}"}}}
  route: {receiver: oncall}
dashboards: {listen: 127.0.0.1:${consolePort}, files: [none/]}
`
}

/** One rule for each run: the fourth page of one rule within 10 s would be collected with others. */
function rulesText(): string {
  const rules = Array.from(
    { length: runs },
    (_, run) => `  page_${run}:
    let: {bad: sum(page_${run}.http.5*) over 10s, all: sum(page_${run}.http.*) over 10s}
    crit: bad / all > 5% and bad >= 3
    every: 1s
    say: "{bad / all} of requests fail"
`,
  )
  return `metrics: [{match: "*.http.*", kind: count}]\nrules:\n${rules.join('')}`
}
