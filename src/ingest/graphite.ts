/**
 * Graphite intake: foreign points with timestamps of their own, from TCP and from foreign exchanges.
 *
 * A point belongs to the bucket of its own timestamp. It is published with the next flush, whatever its bucket; the
 * source's marker follows `latenessMs` behind. A point for a bucket that the marker has passed is late: it is counted and
 * set aside, a closed bucket never reopens. A point too far in the future is set aside as well.
 */
import { formatDuration } from '../model/duration.ts'
import { emptyMetrics, type MetricsMessage } from '../model/metric.ts'
import { bucketEnd } from '../model/time.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import { batchSeriesMax } from './aggregate.ts'
import type { BadLines } from './bad-lines.ts'
import { type GraphiteLineError, type GraphitePoint, parseGraphiteLine } from './graphite-line.ts'
import { lineBytesMax } from './parse.ts'
import type { Senders } from './senders.ts'

/** Clocks of senders may run ahead by this much. */
export const futureMaxMs = 60_000
/** Points held while the bus cannot take them. */
const pendingPoints = 1_000_000

export interface GraphiteOptions {
  stepMs: number
  latenessMs: number
  /** Series known at a time; further ones are refused. */
  seriesMax: number
  clock: Clock
  badLines: BadLines
  stats: Stats
  /** Who may send, and how much; foreign exchanges are not asked. */
  senders?: Senders
  /** Points held until the next flush. */
  pendingPointsMax?: number
}

/** Why a point is not taken. */
interface Aside {
  counter: string
  problem: string
}

const inFuture: Aside = { counter: 'future_points_total', problem: 'its time is in the future' }
const noRoom: Aside = { counter: 'series_refused_total', problem: 'ingest.seriesMax series are known' }
const tooMany: Aside = { counter: 'points_refused_total', problem: 'too many points wait for the bus' }

interface Series {
  name: string
  graphiteName: string
  fedMs: number
}

export class GraphiteIntake {
  readonly #options: GraphiteOptions
  /** By the name as written. */
  readonly #series = new Map<string, Series>()
  /** Points since the last flush: bucket → series → value. */
  #buckets = new Map<number, Map<Series, number>>()
  #points = 0
  #closedMs: number
  #firstPointMs: number | undefined
  #lines = 0

  constructor(options: GraphiteOptions) {
    this.#options = options
    this.#closedMs = bucketEnd(options.clock.now(), options.stepMs) - options.stepMs - options.latenessMs
    options.stats.observe('graphite_lines_total', () => this.#lines)
    options.stats.observe('graphite_series', () => this.#series.size)
  }

  /** Lines from an address. */
  takeFrom(bytes: Buffer, { address }: { address: string }): void {
    const { senders, badLines } = this.#options
    const count = senders?.of(address)
    if (count?.isAllowed === false) {
      badLines.refuse(address)
      return
    }
    const { taken, limited } = this.take(bytes, address, count?.room)
    if (count) senders?.count(count, taken, limited)
  }

  /**
   * Lines with newlines between them; `from` says for the log where they came from. Beyond `room` lines are only counted,
   * as `limited`.
   */
  take(bytes: Buffer, from: string, room = Number.POSITIVE_INFINITY): { taken: number; limited: number } {
    this.#firstPointMs ??= this.#options.clock.now()
    let lines = 0
    for (const written of bytes.toString('utf8').split('\n')) {
      const line = written.endsWith('\r') ? written.slice(0, -1) : written
      if (line.trim() !== '' && ++lines <= room) this.#takeLine(line, from)
    }
    const taken = Math.max(0, Math.min(lines, room))
    return { taken, limited: lines - taken }
  }

  /** Ends an interval: what came in it, and closes every bucket up to `bucketMs` − lateness. */
  flush(source: string, bucketMs: number): MetricsMessage[] {
    const messages = [...this.#buckets]
      .sort((a, b) => a[0] - b[0])
      .flatMap(([endMs, points]) => toMessages(source, endMs, this.#options.stepMs, points))
    this.#buckets = new Map()
    this.#points = 0
    this.#closedMs = Math.max(this.#closedMs, bucketMs - this.#options.latenessMs)
    return messages
  }

  takeFirstPointMs(): number | undefined {
    const firstPointMs = this.#firstPointMs
    this.#firstPointMs = undefined
    return firstPointMs
  }

  /** Makes room: forgets series that have not been fed since `sinceMs`. */
  forgetIdle(sinceMs: number): void {
    for (const [written, { fedMs }] of this.#series) if (fedMs < sinceMs) this.#series.delete(written)
  }

  #takeLine(line: string, from: string): void {
    this.#lines++
    if (line.length > lineBytesMax) {
      this.#options.badLines.badFrom(
        from,
        'graphite_length',
        () => `longer than ${lineBytesMax}: ${JSON.stringify(line.slice(0, 80))}…`,
      )
      return
    }
    const parsed = parseGraphiteLine(line)
    if (parsed.ok) this.#takePoint(parsed.value, from)
    // collectd says nan for "nothing to report"; that is no mistake of anybody's.
    else if (parsed.error.reason === 'nan') this.#options.stats.count('graphite_nan_total')
    else this.#options.badLines.badFrom(from, `graphite_${parsed.error.reason}`, () => explain(line, parsed.error))
  }

  #takePoint(point: GraphitePoint, from: string): void {
    const nowMs = this.#options.clock.now()
    const bucketMs = bucketEnd(point.atMs ?? nowMs, this.#options.stepMs)
    const aside = this.#whyAside(bucketMs, nowMs)
    const series = aside ? undefined : this.#seriesOf(point, nowMs)
    if (series) this.#put(bucketMs, series, point.value)
    else this.#setAside(aside ?? noRoom, point, from)
  }

  #put(bucketMs: number, series: Series, value: number): void {
    const points = this.#buckets.get(bucketMs) ?? new Map<Series, number>()
    this.#buckets.set(bucketMs, points.set(series, value))
    this.#points++
  }

  #whyAside(bucketMs: number, nowMs: number): Aside | undefined {
    const { stepMs, latenessMs } = this.#options
    if (bucketMs <= this.#closedMs) {
      const late = `${formatDuration(nowMs - bucketMs)} late, ingest.graphite.lateness is ${formatDuration(latenessMs)}`
      return { counter: 'late_points_total', problem: late }
    }
    if (bucketMs > nowMs + stepMs + futureMaxMs) return inFuture
    return this.#points >= (this.#options.pendingPointsMax ?? pendingPoints) ? tooMany : undefined
  }

  #setAside({ counter, problem }: Aside, { graphiteName, value, atMs }: GraphitePoint, from: string): void {
    const at = atMs === undefined ? 'now' : atMs / 1000
    this.#options.badLines.sample(counter, () => `set aside from ${from}: ${graphiteName} ${value} ${at}: ${problem}`)
  }

  #seriesOf({ graphiteName, series: name }: GraphitePoint, nowMs: number): Series | undefined {
    let series = this.#series.get(graphiteName)
    if (!series) {
      if (this.#series.size >= this.#options.seriesMax) return undefined
      series = { name, graphiteName, fedMs: nowMs }
      this.#series.set(graphiteName, series)
    }
    series.fedMs = nowMs
    return series
  }
}

function explain(line: string, { column, expected }: GraphiteLineError): string {
  const got = column > line.length ? 'the end of the line' : JSON.stringify(line.slice(column - 1, column + 39))
  return `column ${column}: expected ${expected}, got ${got}: ${JSON.stringify(line.slice(0, 120))}`
}

function toMessages(source: string, bucketMs: number, stepMs: number, points: Map<Series, number>): MetricsMessage[] {
  const messages: MetricsMessage[] = []
  const all = onePerName(points)
  for (let first = 0; first < all.length; first += batchSeriesMax) {
    const batch = all.slice(first, first + batchSeriesMax)
    messages.push({
      ...emptyMetrics(source, bucketMs, stepMs),
      untyped: {
        names: batch.map(([series]) => series.name),
        values: Float64Array.from(batch, ([, value]) => value),
        graphiteNames: batch.map(([series]) => series.graphiteName),
      },
    })
  }
  return messages
}

/** Two spellings of one series (tags in another order) are one point: the one that came last. */
function onePerName(points: Map<Series, number>): [Series, number][] {
  const byName = new Map<string, [Series, number]>()
  for (const [series, value] of points) byName.set(series.name, [series, value])
  return [...byName.values()]
}
