/** The part on a memory bus, in front of a CloudWatch stand-in. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { LogEntry } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Context, Part } from '../../src/bus/part.ts'
import { startCloudwatch2graphite } from '../../src/cloudwatch2graphite/index.ts'
import type { Status } from '../../src/model/status.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { createLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { CloudWatchStandIn, goodAccessKey } from '../support/cloudwatch.ts'

export interface Setup {
  cloudwatch: CloudWatchStandIn
  bus: Context['bus']
  config: Config
  context: Context
  /** Everything on engine-log so far. */
  entries: LogEntry[]
  /** `graphite name → [epoch s, value]` of everything published, in order; late points included. */
  points(): Map<string, [number, number][]>
  /** Lines of the log. */
  logged: string[]
  status(): Status | undefined
  start(): Promise<Part>
  end(): Promise<void>
}

export interface Given {
  /** Text of cloudwatch.yaml. */
  yaml?: string
  regions?: string
  interval?: string
  clock?: Clock
  more?: string
}

export async function setUp({
  yaml = '',
  regions = 'us-west-2',
  interval = '1s',
  clock = systemClock,
  more = '',
}: Given) {
  useCredentials(goodAccessKey)
  const cloudwatch = await CloudWatchStandIn.start()
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-cloudwatch-'))
  fs.writeFileSync(path.join(dir, 'cloudwatch.yaml'), yaml)
  fs.writeFileSync(
    path.join(dir, 'tocsin.yaml'),
    `data: .\ncloudwatch2graphite: {regions: [${regions}], interval: ${interval}, endpoint: "${cloudwatch.endpoint}"}\n${more}`,
  )
  const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {})
  if (!loaded.ok) throw new Error(loaded.error[0]?.message)
  const logged: string[] = []
  const log = createLog({ format: 'text', write: (line) => logged.push(line) })
  const common = { clock, log, instance: 'test-1' }
  const bus = await openMemoryBus({ ...common, dir: path.join(dir, 'bus'), stats: new Stats() })
  const context: Context = { ...common, bus, host: 'test' }
  const entries: LogEntry[] = []
  bus.readLog('engine-log', 'first', (entry) => void entries.push(entry))
  let status: Status | undefined
  bus.onStatus((heard) => {
    if (heard.part === 'cloudwatch2graphite') status = heard
  })
  const parts: Part[] = []
  const setup: Setup = {
    cloudwatch,
    bus,
    config: loaded.value,
    context,
    entries,
    points: () => pointsOf(entries),
    logged,
    status: () => status,
    async start() {
      const part = await startCloudwatch2graphite(loaded.value, context)
      parts.push(part)
      return part
    },
    async end() {
      await Promise.all(parts.map((part) => part.stop()))
      await bus.close()
      await cloudwatch.stop()
      fs.rmSync(dir, { recursive: true, force: true })
    },
  }
  return setup
}

/** The SDK's standard chain looks into the environment first. */
export function useCredentials(accessKey: string): void {
  process.env.AWS_ACCESS_KEY_ID = accessKey
  process.env.AWS_SECRET_ACCESS_KEY = 'secret'
}

function pointsOf(entries: readonly LogEntry[]): Map<string, [number, number][]> {
  const points = new Map<string, [number, number][]>()
  for (const entry of entries) {
    if (entry.kind !== 'metrics') continue
    const { bucketMs, counters, gauges, untyped } = entry.message
    for (const { graphiteNames, values } of [{ ...counters, values: counters.sums }, gauges, untyped]) {
      graphiteNames?.forEach((name, i) => {
        points.set(name, [...(points.get(name) ?? []), [bucketMs / 1000, values[i] as number]])
      })
    }
  }
  return points
}
