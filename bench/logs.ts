/**
 * How fast a backlog of a log file is read, beside node's readline that only counts lines: `node bench/logs.ts [MiB]`.
 * Every run checks that the counters equal the lines written; the loop's delay tells how long sockets had to wait.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import readline from 'node:readline'
import { z } from 'zod'
import { Aggregate } from '../src/ingest/aggregate.ts'
import { BadLines } from '../src/ingest/bad-lines.ts'
import { Happenings } from '../src/ingest/happenings.ts'
import { startLogs } from '../src/ingest/logs/index.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { logList } from '../src/runtime/config-logs.ts'
import { silentLog } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'

const bytes = Number(process.argv[2] ?? 256) * 1024 ** 2
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-bench-'))
const file = path.join(dir, 'shop.access.log')

const formats = {
  nginx: (i: number) =>
    `10.0.${i % 200}.7 - - [10/Oct/2026:13:55:36 +0000] "GET /wsapi/address_info?email=user${i}@example.org HTTP/1.1" ${200 + (i % 5)} ${i % 5000} "https://example.org/" "Mozilla/5.0 (X11; Linux x86_64)" 0.0${i % 90} 0.0${i % 80}`,
  combined: (i: number) => formats.nginx(i).replace(/ [\d.]+ [\d.]+$/, ''),
  json: (i: number) =>
    `{"time":"2026-10-10T13:55:36Z","status":${200 + (i % 5)},"request_time":0.0${i % 90},"http":{"path":"/wsapi/address_info","method":"GET"},"agent":"Mozilla/5.0 (X11; Linux x86_64)"}`,
  regex: (i: number) =>
    `2026-10-10 13:55:36 INFO status=${200 + (i % 5)} took=0.0${i % 90} /wsapi/address_info user${i}@example.org`,
}

for (const format of ['nginx', 'combined', 'json', 'regex'] as const) {
  const lines = writeLog(formats[format])
  const plain = await plainRate(lines)
  await ours(format, lines, plain)
}
fs.rmSync(dir, { recursive: true })

function writeLog(lineOf: (i: number) => string): number {
  const block = Array.from({ length: 10_000 }, (_, i) => `${lineOf(i)}\n`).join('')
  const blocks = Math.ceil(bytes / block.length)
  const handle = fs.openSync(file, 'w')
  for (let i = 0; i < blocks; i++) fs.writeSync(handle, block)
  fs.closeSync(handle)
  return blocks * 10_000
}

async function plainRate(lines: number): Promise<number> {
  const startMs = performance.now()
  let count = 0
  for await (const line of readline.createInterface({ input: fs.createReadStream(file) })) if (line.length > 0) count++
  if (count !== lines) throw new Error(`readline read ${count} of ${lines}`)
  return (lines / (performance.now() - startMs)) * 1000
}

async function ours(format: keyof typeof formats, lines: number, plain: number): Promise<void> {
  const [clock, log, stats] = [systemClock, silentLog, new Stats()]
  const aggregate = new Aggregate({ seriesMax: 100_000 })
  const badLines = new BadLines(clock, log, stats)
  const happenings = new Happenings(clock, stats, 60_000)
  const metrics: z.input<typeof logList> = [
    {
      path: path.join(dir, '{site}.access.log'),
      format:
        format === 'regex'
          ? { regex: '^\\S+ \\S+ (?<level>\\w+) status=(?<status>\\d+) took=(?<request_time>[\\d.]+)' }
          : format,
      from: 'beginning',
      metrics: [
        { counter: 'zeus.{site}.response.{status}' },
        ...(format === 'combined'
          ? []
          : [{ timer: 'zeus.{site}.response_time', value: '{request_time}', unit: 's' as const }]),
      ],
    },
  ]
  const delay = monitorEventLoopDelay({ resolution: 1 })
  fs.rmSync(path.join(dir, 'logs.json'), { force: true })
  const desk = { aggregate, happenings, badLines, clock, log, stats }
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  delay.enable()
  const logs = await startLogs({ ...desk, entries: z.parse(logList, metrics), data: dir })
  let counted = 0
  while (stats.get('log_lines_total') < lines) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    counted += sumOf(aggregate)
  }
  const seconds = (performance.now() - startMs) / 1000
  delay.disable()
  counted += sumOf(aggregate)
  if (counted !== lines) throw new Error(`counted ${counted} of ${lines}`)
  const cpu = process.cpuUsage(cpuBefore)
  await logs.stopReading()
  await logs.close()
  const rate = lines / seconds
  const [size, ms] = [fs.statSync(file).size, (nanos: number) => (nanos / 1e6).toFixed(1)]
  console.log(
    `${format.padEnd(9)} ${(rate / 1e3).toFixed(0)} k lines/s, ${(size / seconds / 1024 ** 2).toFixed(0)} MiB/s, ${((cpu.user + cpu.system) / lines).toFixed(2)} µs CPU a line, ` +
      `${(rate / plain).toFixed(2)} × readline (${(plain / 1e3).toFixed(0)} k lines/s); ` +
      `loop delay p99 ${ms(delay.percentile(99))} ms, max ${ms(delay.max)} ms; RSS ${(process.memoryUsage().rss / 1024 ** 2).toFixed(0)} MiB`,
  )
}

function sumOf(aggregate: Aggregate): number {
  return aggregate
    .take('bench', 0, 1000)
    .flatMap(({ counters }) => [...counters.sums])
    .reduce((sum, one) => sum + one, 0)
}
