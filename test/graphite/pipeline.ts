/** A memory bus with the forwarder behind it, and the messages that tests publish. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Context, Part } from '../../src/bus/part.ts'
import { startGraphite } from '../../src/graphite/index.ts'
import { DistributionBuilder } from '../../src/model/distribution.ts'
import { emptyMetrics, type MetricsMessage } from '../../src/model/metric.ts'
import type { Status } from '../../src/model/status.ts'
import type { Marker } from '../../src/model/time.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

export interface Content {
  counters?: Record<string, number>
  gauges?: Record<string, number>
  timers?: Record<string, readonly number[]>
  sets?: Record<string, readonly string[]>
}

/** A metrics message of one second. */
export function metrics(source: string, bucketMs: number, content: Content, stepMs = 1000): MetricsMessage {
  const { counters = {}, gauges = {}, timers = {}, sets = {} } = content
  const floats = (values: Record<string, number>) => Float64Array.from(Object.values(values))
  return {
    ...emptyMetrics(source, bucketMs, stepMs),
    counters: { names: Object.keys(counters), sums: floats(counters), samples: floats(counters).fill(1) },
    gauges: { names: Object.keys(gauges), values: floats(gauges) },
    timers: { names: Object.keys(timers), distributions: Object.values(timers).map((values) => distribution(values)) },
    sets: { names: Object.keys(sets), members: Object.values(sets), overflowed: Object.values(sets).map(() => false) },
  }
}

export function distribution(values: readonly number[], sampleRate = 1) {
  const builder = new DistributionBuilder()
  for (const value of values) builder.add(value, sampleRate)
  return builder.build()
}

export function marker(source: string, bucketMs: number): Marker {
  return { source, name: source, startedMs: 1, bucketMs, intervalMs: 1000, latenessMs: 0 }
}

export interface Pipeline {
  bus: Bus
  config: Config
  dir: string
  /** Starts the forwarder; its last status comes from `status()`. */
  startForwarder(): Promise<Part>
  status(): Status | undefined
  /** One bucket of a source, marked. */
  publish(source: string, bucketMs: number, content: Content): Promise<void>
  tick(nowMs: number): Promise<void>
  close(): Promise<void>
}

export async function openPipeline(carbon: { host: string; port: number }, more = ''): Promise<Pipeline> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-forwarder-'))
  const file = path.join(dir, 'tocsin.yaml')
  fs.writeFileSync(file, `data: ${dir}\ngraphite: {carbon: "${carbon.host}:${carbon.port}"${more}}\n`)
  const loaded = loadConfig(file, {})
  if (!loaded.ok) throw new Error(loaded.error[0]?.message)
  const config = loaded.value
  const common = { clock: systemClock, log: silentLog, instance: 'test-1' }
  const bus = await openMemoryBus({ ...common, dir: path.join(dir, 'bus'), stats: new Stats() })
  const context: Context = { ...common, bus, host: 'test' }
  let status: Status | undefined
  bus.onStatus((heard) => {
    status = heard
  })
  return {
    bus,
    config,
    dir,
    startForwarder: () => startGraphite(config, context),
    status: () => status,
    async publish(source, bucketMs, content) {
      await bus.publish(`metrics.${source}`, metrics(source, bucketMs, content))
      await bus.publish(`markers.${source}`, marker(source, bucketMs))
    },
    tick: (nowMs) => bus.publish('clock', { process: 'cep', nowMs }),
    async close() {
      await bus.close()
      fs.rmSync(dir, { recursive: true, force: true })
    },
  }
}
