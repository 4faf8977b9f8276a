/** The receiver of bench/ingest.ts: ingest on a memory bus, whose metrics are read back and added up. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openMemoryBus } from '../src/bus/memory.ts'
import { startIngest } from '../src/ingest/index.ts'
import { ownCounters } from '../src/model/metric.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { loadConfig } from '../src/runtime/config.ts'
import { createLog } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'

const loaded = loadConfig('/nonexistent/tocsin.yaml', {}, true)
if (!loaded.ok) throw new Error('the default configuration is not valid')
const config = structuredClone(loaded.value)
Object.assign(config.ingest.statsd, { udp: { host: '127.0.0.1', port: 0 }, tcp: false })
config.ingest.graphite.tcp = false
config.ingest.seriesMax = 200_000
const { statsd, ...ingest } = JSON.parse(process.argv[2] ?? '{}')
Object.assign(config.ingest, ingest)
Object.assign(config.ingest.statsd, statsd)

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-bench-'))
const clock = systemClock
const log = createLog({ level: 'warn', format: 'text' })
const bus = await openMemoryBus({ dir, clock, log, stats: new Stats(), instance: 'bench-1' })
const totals = new Map<string, number>()
const add = (name: string, count: number) => totals.set(name, (totals.get(name) ?? 0) + count)
/** Only once all is sent: reading back is not ingest's work. */
const read = () =>
  bus.readLog('engine-log', 'first', (entry) => {
    if (entry.kind !== 'metrics') return
    const { counters, timers } = entry.message
    counters.names.forEach((name, i) => void (ownCounters.includes(name) || add(name, counters.sums[i] as number)))
    timers.names.forEach((name, i) => void add(name, timers.distributions[i]?.count as number))
  })
let reader: ReturnType<typeof read> | undefined
const part = await startIngest(config, { bus, clock, log, instance: 'bench-1', host: 'bench' })

let counters: Readonly<Record<string, number>> = {}
bus.onStatus((status) => {
  counters = status.counters
})

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()

process.on('message', async (message) => {
  if (message === 'held up') {
    process.send?.({ heldUpMs: delay.max / 1e6 })
    delay.reset()
  }
  if (message === 'memory') process.send?.({ memory: process.memoryUsage(), counters })
  if (message === 'totals') {
    reader ??= read()
    await reader.caughtUp()
    process.send?.({ totals: [...totals] })
  }
  if (message !== 'stop') return
  await part.stop()
  await bus.close()
  fs.rmSync(dir, { recursive: true, force: true })
  process.disconnect?.()
})
process.send?.({ port: part.addresses.statsdUdp?.port, tcpPort: part.addresses.statsdTcp?.port })
