/** A part's surroundings in a test: a memory bus whose engine-log is read along, and lines in the log as text. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Context } from '../../src/bus/part.ts'
import type { LogEntry } from '../../src/model/message.ts'
import type { MetricsMessage } from '../../src/model/metric.ts'
import type { Status } from '../../src/model/status.ts'
import type { Marker } from '../../src/model/time.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { type Log, silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

export interface World {
  bus: Bus
  context: Context
  /** Everything on the engine-log, in order. */
  entries: LogEntry[]
  statuses: Status[]
  /** Warnings and errors. */
  logged: string[]
  end(): Promise<void>
}

export async function openWorld(clock: Clock = systemClock): Promise<World> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-world-'))
  const bus = await openMemoryBus({ dir, clock, log: silentLog, stats: new Stats(), instance: 'test-1' })
  const entries: LogEntry[] = []
  const statuses: Status[] = []
  const logged: string[] = []
  bus.readLog('engine-log', 'first', (entry) => void entries.push(entry))
  bus.onStatus((status) => statuses.push(status))
  const context: Context = { bus, clock, log: recordingLog(logged), instance: 'test-1', host: 'test.host' }
  const end = async () => {
    await bus.close()
    fs.rmSync(dir, { recursive: true, force: true })
  }
  return { bus, context, entries, statuses, logged, end }
}

export function recordingLog(lines: string[]): Log {
  const note = (message: string) => void lines.push(message)
  const log: Log = { debug() {}, info() {}, warn: note, error: note, child: () => log }
  return log
}

/** A configuration with free ports, changed as wanted. */
export function configFor(change: (config: Config) => void = () => {}): Config {
  const loaded = loadConfig('/nonexistent/tocsin.yaml', {}, true)
  if (!loaded.ok) throw new Error('the default configuration is not valid')
  const config = structuredClone(loaded.value)
  const anyPort = { host: '127.0.0.1', port: 0 }
  Object.assign(config.ingest.statsd, { udp: anyPort, tcp: anyPort })
  config.ingest.graphite.tcp = anyPort
  config.cep.journal = false
  change(config)
  return config
}

export function markers(entries: readonly LogEntry[], source = ''): Marker[] {
  return entries.flatMap((entry) =>
    entry.kind === 'markers' && entry.message.source.startsWith(source) ? [entry.message] : [],
  )
}

export function metrics(entries: readonly LogEntry[], source = ''): MetricsMessage[] {
  return entries.flatMap((entry) =>
    entry.kind === 'metrics' && entry.message.source.startsWith(source) ? [entry.message] : [],
  )
}

/** Sum over all buckets. */
export function counterTotal(entries: readonly LogEntry[], name: string): number {
  return metrics(entries).reduce((total, { counters }) => total + (counters.sums[counters.names.indexOf(name)] ?? 0), 0)
}
