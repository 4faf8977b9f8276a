/**
 * How much goes through the bus, from `publish` to the handler: encode → bus → decode, on both adapters.
 *
 *     node bench/bus.ts [seconds per figure, default 3]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Bus } from '../src/bus/bus.ts'
import { openMemoryBus } from '../src/bus/memory.ts'
import { openRabbitBus } from '../src/bus/rabbitmq.ts'
import { emptyMetrics, type MetricsMessage, seriesCount } from '../src/model/metric.ts'
import { systemClock as clock } from '../src/runtime/clock.ts'
import { silentLog as log } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'
import { rabbitmqInstalled, startRabbitmq } from '../test/support/rabbitmq.ts'

const durationMs = Number(process.argv[2] ?? 3) * 1000
/** Publishes under way at a time. */
const underWay = 256

const common = { clock, log, stats: new Stats(), instance: 'bench' }

async function onMemory(): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-bench-'))
  const bus = await openMemoryBus({ ...common, dir })
  await measure('memory', bus)
  await bus.close()
  fs.rmSync(dir, { recursive: true })
}

async function onRabbitmq(): Promise<void> {
  if (!rabbitmqInstalled()) return console.log('RabbitMQ   not installed')
  const rabbitmq = await startRabbitmq()
  try {
    const bus = await openRabbitBus({ ...common, url: rabbitmq.url, exchange: 'tocsin', retentionMs: 3_600_000 })
    await measure('RabbitMQ', bus)
    await bus.close()
  } finally {
    await rabbitmq.end()
  }
}

async function measure(name: string, bus: Bus): Promise<void> {
  const marker = { source: 'bench', name: 'bench', startedMs: 0, bucketMs: 0, intervalMs: 1000, latenessMs: 0 }
  const small = await run(bus, () => bus.publish('markers.bench', marker))
  console.log(`${name.padEnd(10)} ${figure(small.messages)} small messages/s`)
  const batch = counters(1000)
  const large = await run(bus, () => bus.publish('metrics.bench', batch))
  console.log(`${name.padEnd(10)} ${figure(large.series)} metrics/s in ${figure(large.messages)} batches/s of 1,000`)
}

/** Publishes for a while and reads it all; figures per second until the last was handled. */
async function run(bus: Bus, publish: () => Promise<void>): Promise<{ messages: number; series: number }> {
  let messages = 0
  let series = 0
  const reader = bus.readLog('engine-log', 'next', (entry) => {
    messages++
    if (entry.kind === 'metrics') series += seriesCount(entry.message)
  })
  await reader.caughtUp()
  const beganMs = performance.now()
  const publishOn = async () => {
    while (performance.now() - beganMs < durationMs) await publish()
  }
  await Promise.all(Array.from({ length: underWay }, publishOn))
  await reader.caughtUp()
  const seconds = (performance.now() - beganMs) / 1000
  await reader.stop()
  return { messages: messages / seconds, series: series / seconds }
}

function counters(size: number): MetricsMessage {
  const names = Array.from({ length: size }, (_, i) => `browserid.verifier.response.${i}`)
  const sums = Float64Array.from(names.keys())
  return { ...emptyMetrics('bench', 1000, 1000), counters: { names, sums, samples: sums } }
}

function figure(perSecond: number): string {
  return Math.round(perSecond).toLocaleString('en-US').padStart(11)
}

await onMemory()
await onRabbitmq()
