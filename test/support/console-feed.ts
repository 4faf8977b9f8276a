/**
 * A console on a memory bus of its own, and a hand that feeds it: what an engine, an ingest and an alerts part would say.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Part } from '../../src/bus/part.ts'
import { Source } from '../../src/bus/source.ts'
import { startDashboards } from '../../src/dashboards/index.ts'
import { DistributionBuilder } from '../../src/model/distribution.ts'
import { emptyMetrics, type MetricsMessage } from '../../src/model/metric.ts'
import type { EngineStatus, GroupStatus, RuleStatus, Status } from '../../src/model/status.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { type Log, silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { freePort } from './ports.ts'

export interface Feed {
  url: string
  bus: Bus
  dir: string
  config: Config
  part: Part
  get<T = unknown>(address: string): Promise<{ status: number; body: T; text: string; headers: Headers }>
  /** Stops the console and, unless `keep`, everything. */
  stop(): Promise<void>
  /** Stops the console and starts it again on the same logs. */
  restart(): Promise<void>
}

export interface FeedOptions {
  /** Lines of tocsin.yaml below `dashboards:`, each indented by two. */
  dashboards?: string
  /** Top-level lines of tocsin.yaml. */
  settings?: string
  /** Files below the configuration's directory. */
  files?: Readonly<Record<string, string>>
  clock?: Clock
  log?: Log
  port?: number
}

export async function openFeed(options: FeedOptions = {}): Promise<Feed> {
  const { clock = systemClock, log = silentLog } = options
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-console-'))
  const port = options.port ?? (await freePort())
  const yaml = `data: ./var\n${options.settings ?? ''}\ndashboards:\n  listen: 127.0.0.1:${port}\n${options.dashboards ?? ''}\n`
  for (const [name, text] of Object.entries({ 'tocsin.yaml': yaml, ...options.files })) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
    fs.writeFileSync(path.join(dir, name), text)
  }
  const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {})
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
  const config = loaded.value
  const bus = await openMemoryBus({ dir: path.join(dir, 'log'), clock, log, stats: new Stats(), instance: 'test' })
  const start = () => startDashboards(config, { bus, clock, log, instance: 'host1-console', host: 'host1' })
  const feed: Feed = {
    ...{ url: `http://127.0.0.1:${port}`, bus, dir, config, part: await start() },
    get: async (address) => {
      const response = await fetch(`${feed.url}${address}`)
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json')
      return {
        status: response.status,
        text,
        headers: response.headers,
        body: isJson ? JSON.parse(text) : {},
      }
    },
    restart: async () => {
      await feed.part.stop()
      feed.part = await start()
    },
    stop: async () => {
      await feed.part.stop()
      await bus.close()
      fs.rmSync(dir, { recursive: true, force: true })
    },
  }
  return feed
}

export function status(part: string, given: Partial<Status> = {}): Status {
  const atMs = systemClock.now()
  const bare = { part, instance: `host1-${part}`, host: 'host1', pid: 1, startedMs: atMs - 60_000, atMs, ready: true }
  return { ...bare, counters: {}, ...given }
}

export function engine(rules: readonly RuleStatus[], given: Partial<EngineStatus> = {}): EngineStatus {
  const lastBucketMs = systemClock.now() - 1000
  const source = {
    source: 'ingest-host1-abc',
    name: 'ingest-host1',
    state: 'live' as const,
    lastBucketMs,
    latenessMs: 0,
  }
  return { leader: true, rulesHash: 'abc', sources: [source], rules, ...given }
}

export function rule(name: string, groups: readonly GroupStatus[], given: Partial<RuleStatus> = {}): RuleStatus {
  const lastBucketMs = Math.floor(systemClock.now() / 1000) * 1000
  const bare = { name, file: 'rules/test.yaml', stepMs: 1000, levels: { crit: 'bad / all > 5% for 2m' }, lastBucketMs }
  return { ...bare, groupCount: groups.length, groups, ...given }
}

export function group(key: string, given: Partial<GroupStatus> = {}): GroupStatus {
  const calm = { level: 'ok' as const, hidden: false, blind: false, partial: false }
  return { key, ...calm, sinceMs: 0, value: 0.01, text: '1%', threshold: 0.05, ...given }
}

/** Says everything is well: an engine that sees `rules`, an ingest and an alerts part. */
export async function sayAll(bus: Bus, rules: readonly RuleStatus[], given: Partial<EngineStatus> = {}): Promise<void> {
  const lastBucketMs = Math.floor(systemClock.now() / 1000) * 1000
  await bus.publish('status.cep.host1-cep', status('cep', { engine: engine(rules, given), lastBucketMs }))
  await bus.publish('status.ingest.host1-ingest', status('ingest', { lastBucketMs, counters: { lines_total: 12 } }))
  await bus.publish('status.alerts.host1-alerts', status('alerts'))
}

export function ingestSource(bus: Bus): Source {
  return new Source(bus, { name: 'ingest-host1', startedMs: systemClock.now(), intervalMs: 1000 })
}

export interface Bucket {
  counters?: Readonly<Record<string, number>>
  gauges?: Readonly<Record<string, number>>
  timers?: Readonly<Record<string, readonly number[]>>
  sets?: Readonly<Record<string, readonly string[]>>
  stepMs?: number
}

export function metrics(source: string, bucketMs: number, bucket: Bucket): MetricsMessage {
  const { counters = {}, gauges = {}, timers = {}, sets = {}, stepMs = 1000 } = bucket
  const sums = Float64Array.from(Object.values(counters))
  return {
    ...emptyMetrics(source, bucketMs, stepMs),
    counters: { names: Object.keys(counters), sums, samples: sums },
    gauges: { names: Object.keys(gauges), values: Float64Array.from(Object.values(gauges)) },
    timers: { names: Object.keys(timers), distributions: Object.values(timers).map(distribution) },
    sets: { names: Object.keys(sets), members: Object.values(sets), overflowed: Object.values(sets).map(() => false) },
  }
}

function distribution(samples: readonly number[]) {
  const builder = new DistributionBuilder()
  for (const sample of samples) builder.add(sample)
  return builder.build()
}
