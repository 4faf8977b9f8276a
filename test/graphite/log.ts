/** A log in memory for the forwarder's step, and what comes of it. */
import type { z } from 'zod'
import type { LogEntry } from '../../src/bus/bus.ts'
import { Forwarder, type Position } from '../../src/graphite/forward.ts'
import { outputOf } from '../../src/graphite/output.ts'
import type { CheckState } from '../../src/model/check.ts'
import { type Forget, forgetEvent } from '../../src/model/forget.ts'
import type { MetricsMessage } from '../../src/model/metric.ts'
import type { Marker } from '../../src/model/time.ts'
import { statsdOutput } from '../../src/runtime/config-graphite.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { type Content, marker, metrics } from './pipeline.ts'

export class Log {
  readonly entries: LogEntry[] = []

  metrics(source: string, bucketMs: number, content: Content): this {
    return this.message(metrics(source, bucketMs, content))
  }

  message(message: MetricsMessage): this {
    return this.#add({ kind: 'metrics', message })
  }

  mark(source: string, bucketMs: number, more: Partial<Marker> = {}): this {
    return this.#add({ kind: 'markers', message: { ...marker(source, bucketMs), ...more } })
  }

  /** A bucket and its marker. */
  bucket(source: string, bucketMs: number, content: Content): this {
    return this.metrics(source, bucketMs, content).mark(source, bucketMs)
  }

  /** A management command, as ingest tells it. */
  forget(forget: Forget, bucketMs: number): this {
    const given = { source: 'a', sequence: this.entries.length, atMs: bucketMs, bucketMs }
    return this.#add({ kind: 'events', message: { ...given, ...forgetEvent(forget) } })
  }

  check(source: string, bucketMs: number, name: string, state: CheckState, stepMs: number): this {
    const result = { name, sequence: this.entries.length, atMs: bucketMs, state, output: '', durationMs: 1, stepMs }
    return this.#add({ kind: 'checks', message: { source, bucketMs, results: [result] } })
  }

  /** A clock message a second, from `fromMs` to `toMs`. */
  clock(fromMs: number, toMs = fromMs): this {
    for (let nowMs = fromMs; nowMs <= toMs; nowMs += 1000)
      this.#add({ kind: 'clock', message: { process: 'cep', nowMs } })
    return this
  }

  #add(given: Pick<LogEntry, 'kind' | 'message'>): this {
    const offset = this.entries.length
    this.entries.push({ ...given, key: given.kind, id: `test:${offset}`, offset } as LogEntry)
    return this
  }
}

export interface Run {
  forwarder: Forwarder
  stats: Stats
  /** Every line written, in order. */
  lines: string[]
  /** Feeds the entries of a log that have not been fed yet, draining after each as the part does. */
  read(log: Log, until?: number): Run
  /** `name → {epoch s: value}`, the last line of a point counting. */
  points(): Record<string, Record<number, number>>
}

export interface RunOptions {
  flushMs?: number
  seriesMax?: number
  position?: Position
  from?: number
  /** As under `graphite.statsd`. */
  statsd?: z.input<typeof statsdOutput>
}

export function run(options: RunOptions = {}): Run {
  const { flushMs = 10_000, seriesMax = 1000, position, from = 0, statsd = {} } = options
  const stats = new Stats()
  const output = outputOf(statsdOutput.parse(statsd), flushMs)
  const forwarder = new Forwarder({ flushMs, seriesMax, stats, output, ...(position && { position }) })
  const lines: string[] = []
  let next = from
  const self: Run = {
    forwarder,
    stats,
    lines,
    read(log, until = log.entries.length) {
      for (; next < until; next++) {
        forwarder.take(log.entries[next] as LogEntry)
        if (forwarder.isDue) for (const { text } of forwarder.drain()) lines.push(...text.trimEnd().split('\n'))
      }
      return self
    },
    points: () => pointsOf(lines),
  }
  return self
}

export function pointsOf(lines: readonly string[]): Record<string, Record<number, number>> {
  const points: Record<string, Record<number, number>> = {}
  for (const line of lines) {
    const [name = '', value, atS] = line.split(' ')
    points[name] = { ...points[name], [Number(atS)]: Number(value) }
  }
  return points
}
