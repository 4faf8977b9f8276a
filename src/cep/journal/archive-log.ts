/**
 * Archive log: lines of an archive as the engine's log. Each step all sources send what the lines say of their bucket, then
 * their marker, and then the clock passes; so a bucket is never late.
 *
 * Lines need not be in order within five minutes: so long a bucket is kept open. A line that comes later is refused, and
 * told, since an archive with gross disorder would otherwise be held in memory whole.
 */
import { DistributionBuilder } from '../../model/distribution.ts'
import type { Envelope, LogEntry } from '../../model/message.ts'
import { emptyMetrics, type MetricKind, type MetricsMessage, setMembersMax } from '../../model/metric.ts'
import { bucketEnd } from '../../model/time.ts'
import type { ArchiveCheck, ArchiveEvent, ArchiveLine } from './archive-line.ts'

/** How long a bucket waits for lines that are out of order. */
const disorderMs = 300_000

type Placed<T> = T & { atMs: number }
type Value = number | string

interface Bucket {
  /** By source, kind and series: what was said of it, in the order of its time. */
  metrics: Map<string, Map<MetricKind, Map<string, { atMs: number; values: Value[] }>>>
  checks: Map<string, Placed<ArchiveCheck>[]>
  events: Map<string, Placed<ArchiveEvent>[]>
}

export class ArchiveLog {
  readonly #open = new Map<number, Bucket>()
  /** Names of sources, in order. */
  #sources: string[] = []
  readonly #sequence = new Map<string, number>()
  readonly #names = new Map<string, readonly string[]>()
  #stepMs = 1000
  #offset = 0
  #newestMs = Number.NEGATIVE_INFINITY
  #sentMs: number | undefined
  #startedMs = 0

  /** Takes a line; a clause for people where it cannot be taken. */
  add(line: ArchiveLine): string | undefined {
    if (line.what === 'head') {
      if (this.#newestMs > 0) return 'the line with "archive" must be the first'
      this.#stepMs = line.stepMs
      return undefined
    }
    const bucketMs = bucketEnd(line.atMs, this.#stepMs)
    if (this.#sentMs !== undefined && bucketMs <= this.#sentMs) {
      return 'more than 5 minutes older than a line before it; sort the archive by time'
    }
    if (!this.#sources.includes(line.source)) this.#sources = [...this.#sources, line.source].sort()
    this.#newestMs = Math.max(this.#newestMs, bucketMs)
    this.#put(this.#bucket(bucketMs), line)
    return undefined
  }

  /** What is ready to be sent; with `isEnd` all there is. */
  *take(isEnd = false): Generator<LogEntry> {
    const untilMs = isEnd ? this.#newestMs : this.#newestMs - disorderMs
    if (this.#open.size === 0 && !isEnd) return
    let firstMs = this.#sentMs === undefined ? Number.POSITIVE_INFINITY : this.#sentMs + this.#stepMs
    if (this.#sentMs === undefined) for (const bucketMs of this.#open.keys()) firstMs = Math.min(firstMs, bucketMs)
    if (this.#sentMs === undefined && firstMs <= untilMs) this.#startedMs = firstMs - this.#stepMs
    for (let bucketMs = firstMs; bucketMs <= untilMs; bucketMs += this.#stepMs) {
      this.#sentMs = bucketMs
      yield* this.#send(bucketMs)
    }
  }

  #bucket(bucketMs: number): Bucket {
    let bucket = this.#open.get(bucketMs)
    if (!bucket) {
      bucket = { metrics: new Map(), checks: new Map(), events: new Map() }
      this.#open.set(bucketMs, bucket)
    }
    return bucket
  }

  #put(bucket: Bucket, line: Exclude<ArchiveLine, { what: 'head' }>): void {
    if (line.what === 'check') return void listOf(bucket.checks, line.source).push(line)
    if (line.what === 'event') return void listOf(bucket.events, line.source).push(line)
    const kinds = mapOf(bucket.metrics, line.source)
    const series = mapOf(kinds, line.kind)
    const known = series.get(line.series)
    if (!known) series.set(line.series, { atMs: line.atMs, values: [...line.values] })
    else if (line.kind === 'gauge' || line.kind === 'untyped') {
      if (line.atMs >= known.atMs) series.set(line.series, { atMs: line.atMs, values: [...line.values] })
    } else known.values.push(...line.values)
  }

  *#send(bucketMs: number): Generator<LogEntry> {
    const bucket = this.#open.get(bucketMs)
    this.#open.delete(bucketMs)
    for (const name of this.#sources) {
      const source = `${name}-0`
      if (bucket) yield* this.#data(bucket, name, source, bucketMs)
      const marker = { source, name, startedMs: this.#startedMs, bucketMs, intervalMs: this.#stepMs, latenessMs: 0 }
      yield this.#entry({ kind: 'markers', key: `markers.${source}`, message: marker })
    }
    yield this.#entry({ kind: 'clock', key: 'clock', message: { process: 'archive', nowMs: bucketMs } })
  }

  *#data(bucket: Bucket, name: string, source: string, bucketMs: number): Generator<LogEntry> {
    const metrics = bucket.metrics.get(name)
    if (metrics) {
      const same = (kind: MetricKind, names: readonly string[]) => this.#same(`${kind} ${source}`, names)
      const message = metricsOf(metrics, emptyMetrics(source, bucketMs, this.#stepMs), same)
      yield this.#entry({ kind: 'metrics', key: `metrics.${source}`, message })
    }
    const checks = bucket.checks.get(name)
    if (checks) {
      const results = byTime(checks).map(({ name: check, atMs, state, output, stepMs }) => {
        return { name: check, sequence: this.#next(source), atMs, state, output, durationMs: 0, stepMs }
      })
      yield this.#entry({ kind: 'checks', key: `checks.${source}`, message: { source, bucketMs, results } })
    }
    for (const { name: event, atMs, tags, text } of byTime(bucket.events.get(name) ?? [])) {
      const message = { source, sequence: this.#next(source), atMs, bucketMs, name: event, tags, ...(text && { text }) }
      yield this.#entry({ kind: 'events', key: `events.${event}`, message })
    }
  }

  /** The same array while the names are the same, as a decoder gives: the engine knows it by identity. */
  #same(key: string, names: readonly string[]): readonly string[] {
    const last = this.#names.get(key)
    if (last?.length === names.length && last.every((name, i) => name === names[i])) return last
    this.#names.set(key, names)
    return names
  }

  #next(source: string): number {
    const sequence = (this.#sequence.get(source) ?? 0) + 1
    this.#sequence.set(source, sequence)
    return sequence
  }

  #entry(envelope: DistributiveOmit<Envelope, 'id'>): LogEntry {
    const offset = this.#offset++
    return { ...envelope, id: `archive:${offset}`, offset }
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

function metricsOf(
  kinds: ReadonlyMap<MetricKind, ReadonlyMap<string, { values: Value[] }>>,
  empty: MetricsMessage,
  same: (kind: MetricKind, names: readonly string[]) => readonly string[],
): MetricsMessage {
  const column = (kind: MetricKind) => {
    const series = [...(kinds.get(kind) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    const names = series.map(([name]) => name)
    return { names: names.length > 0 ? same(kind, names) : names, values: series.map(([, { values }]) => values) }
  }
  const [counts, gauges, timers, sets, untyped] = (['count', 'gauge', 'timer', 'set', 'untyped'] as const).map(column)
  const numbers = (lists: readonly Value[][] = []) => lists as number[][]
  const last = (of: ReturnType<typeof column> | undefined) =>
    Float64Array.from(numbers(of?.values), ([value]) => value as number)
  const members = (sets?.values ?? []).map((values) => [...new Set(values as string[])])
  return {
    ...empty,
    counters: {
      names: counts?.names ?? [],
      sums: Float64Array.from(numbers(counts?.values), (values) => values.reduce((sum, value) => sum + value, 0)),
      samples: Float64Array.from(counts?.values ?? [], (values) => values.length),
    },
    gauges: { names: gauges?.names ?? [], values: last(gauges) },
    timers: { names: timers?.names ?? [], distributions: numbers(timers?.values).map(distributionOf) },
    sets: {
      names: sets?.names ?? [],
      members: members.map((all) => all.slice(0, setMembersMax)),
      overflowed: members.map((all) => all.length > setMembersMax),
    },
    untyped: { names: untyped?.names ?? [], values: last(untyped) },
  }
}

function distributionOf(values: readonly number[]) {
  const builder = new DistributionBuilder()
  for (const value of values) builder.add(value)
  return builder.build()
}

function byTime<T extends { atMs: number }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => a.atMs - b.atMs)
}

function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const known = lists.get(key) ?? []
  lists.set(key, known)
  return known
}

function mapOf<K, L, V>(maps: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const known = maps.get(key) ?? new Map<L, V>()
  maps.set(key, known)
  return known
}
