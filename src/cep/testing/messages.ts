/**
 * Messages: what a test gives, as the engine's log. One source, `test`, lives from second 0 to the end: each step it sends
 * one metrics message, its checks, its events and its marker, and then the clock passes.
 *
 * A value belongs to the bucket that ends at its step: the first one ends one step after second 0.
 */
import type { CheckResult } from '../../model/check.ts'
import { type Distribution, DistributionBuilder } from '../../model/distribution.ts'
import type { EventMessage } from '../../model/event.ts'
import type { Envelope, LogEntry } from '../../model/message.ts'
import { emptyMetrics, type MetricsMessage } from '../../model/metric.ts'
import { bucketEnd } from '../../model/time.ts'
import type { SeriesKind } from '../language/load.ts'
import type { Segment } from './given.ts'
import { type Convert, type Played, SeriesPlayer } from './series.ts'

export interface GivenSeries {
  /** As on the bus: tags behind semicolons, checks without their prefix. */
  name: string
  kind: SeriesKind
  convert: Convert
  segments: readonly Segment[]
}

export interface GivenEvent {
  atMs: number
  name: string
  tags: Readonly<Record<string, string>>
}

export interface Given {
  stepMs: number
  series: readonly GivenSeries[]
  events: readonly GivenEvent[]
}

export const testSource = 'test-0'

/** Makes the log of a test, one step at a time. */
export class TestLog {
  readonly #given: Given
  readonly #played: readonly { series: GivenSeries; player: SeriesPlayer }[]
  readonly #events: readonly GivenEvent[]
  readonly #names = new Map<Column, readonly string[]>()
  #nextEvent = 0
  #checks = 0
  #offset = 0
  #atMs = 0

  constructor(given: Given) {
    this.#given = given
    this.#played = given.series.map((series) => ({
      series,
      player: new SeriesPlayer(series.segments, { name: series.name, stepMs: given.stepMs, convert: series.convert }),
    }))
    // A stable sort: events of one instant stay in the order written.
    this.#events = [...given.events].sort((a, b) => a.atMs - b.atMs)
  }

  /** Everything of the next step, in the order it travels. */
  step(): LogEntry[] {
    this.#atMs += this.#given.stepMs
    const now = this.#played.map(({ series, player }) => ({ series, value: player.next() }))
    const metrics = this.#metrics(now)
    const results = this.#results(now)
    const entries: LogEntry[] = []
    if (metrics) entries.push(this.#entry('metrics', `metrics.${testSource}`, metrics))
    if (results.length > 0) {
      entries.push(this.#entry('checks', `checks.${testSource}`, { source: testSource, bucketMs: this.#atMs, results }))
    }
    for (const event of this.#eventsNow()) entries.push(this.#entry('events', `events.${event.name}`, event))
    entries.push(this.#entry('markers', `markers.${testSource}`, this.#marker()))
    entries.push(this.#entry('clock', 'clock', { process: 'test', nowMs: this.#atMs }))
    return entries
  }

  #metrics(now: readonly Step[]): MetricsMessage | undefined {
    const inColumn = (column: Column) =>
      now.filter(({ series, value }) => value !== undefined && columns[series.kind] === column)
    const [counters, gauges, timers, sets] = [
      inColumn('counters'),
      inColumn('gauges'),
      inColumn('timers'),
      inColumn('sets'),
    ]
    if (counters.length + gauges.length + timers.length + sets.length === 0) return undefined
    return {
      ...emptyMetrics(testSource, this.#atMs, this.#given.stepMs),
      counters: { ...this.#column('counters', counters), sums: numbers(counters), samples: numbers(counters).fill(1) },
      gauges: { ...this.#column('gauges', gauges), values: numbers(gauges) },
      timers: { ...this.#column('timers', timers), distributions: timers.map(({ value }) => distributionOf(value)) },
      sets: {
        ...this.#column('sets', sets),
        members: sets.map(({ value }) => membersOf(value as number)),
        overflowed: sets.map(() => false),
      },
    }
  }

  /** The same array of names while the same series are there, as a decoder gives. */
  #column(column: Column, steps: readonly Step[]): { names: readonly string[] } {
    const last = this.#names.get(column) ?? []
    if (last.length === steps.length && steps.every(({ series }, i) => series.name === last[i])) return { names: last }
    const names = steps.map(({ series }) => series.name)
    this.#names.set(column, names)
    return { names }
  }

  #results(now: readonly Step[]): CheckResult[] {
    return now.flatMap(({ series, value }) => {
      if (series.kind !== 'check' || typeof value !== 'string') return []
      const { stepMs } = this.#given
      const sequence = ++this.#checks
      return [{ name: series.name, sequence, atMs: this.#atMs, state: value, output: '', durationMs: 1, stepMs }]
    })
  }

  #eventsNow(): EventMessage[] {
    const now: EventMessage[] = []
    for (let event = this.#events[this.#nextEvent]; event && event.atMs <= this.#atMs; ) {
      const bucketMs = Math.max(bucketEnd(event.atMs, this.#given.stepMs), this.#given.stepMs)
      now.push({ ...event, source: testSource, sequence: this.#nextEvent + 1, bucketMs })
      event = this.#events[++this.#nextEvent]
    }
    return now
  }

  #marker() {
    return {
      source: testSource,
      name: 'test',
      startedMs: 0,
      bucketMs: this.#atMs,
      intervalMs: this.#given.stepMs,
      latenessMs: 0,
    }
  }

  #entry<K extends Envelope['kind']>(
    kind: K,
    key: string,
    message: Extract<Envelope, { kind: K }>['message'],
  ): LogEntry {
    const offset = this.#offset++
    // Kind and message belong together by K; the compiler cannot see a union's member in a type parameter.
    return { kind, key, id: `test:${offset}`, message, offset } as unknown as LogEntry
  }
}

type Column = 'counters' | 'gauges' | 'timers' | 'sets' | 'checks'

const columns: Readonly<Record<SeriesKind, Column>> = {
  count: 'counters',
  gauge: 'gauges',
  counter: 'gauges',
  percentile: 'gauges',
  timer: 'timers',
  set: 'sets',
  check: 'checks',
}

interface Step {
  series: GivenSeries
  value: Played
}

function numbers(steps: readonly Step[]): Float64Array {
  return Float64Array.from(steps, ({ value }) => value as number)
}

/** A timer given as one number saw one sample. */
function distributionOf(value: Played): Distribution {
  if (typeof value === 'object') return value
  const builder = new DistributionBuilder()
  builder.add(value as number)
  return builder.build()
}

/** A set is given as how many distinct members it has. */
function membersOf(count: number): string[] {
  return Array.from({ length: Math.max(0, Math.round(count)) }, (_, i) => `member${i + 1}`)
}
