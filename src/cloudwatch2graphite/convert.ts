/**
 * Convert: answers of CloudWatch to messages for the bus. A step: what has been published so far goes in and comes out.
 *
 * A point belongs to the bucket of CloudWatch's own timestamp, so that Graphite shows it where it always did. Polls look
 * back, so most points come several times: one is published when it is new or when CloudWatch has corrected it. A point
 * that the marker has passed is late for rules, whose closed buckets never reopen; it is counted and still reaches
 * Graphite, as a plain Graphite series (`untyped`, named as in Graphite), which is what it amounts to by then.
 */
import { emptyMetrics, type MetricsMessage } from '../model/metric.ts'
import { bucketEnd } from '../model/time.ts'
import { batches, periodS, type Query } from './query.ts'

export interface Point {
  query: Query
  atMs: number
  value: number
}

/** Published values by time and Graphite name, as far back as polls look. */
export type Published = ReadonlyMap<number, ReadonlyMap<string, number>>

export interface Converted {
  messages: MetricsMessage[]
  published: Published
  /** Points in `messages`, and how many of them were late. */
  points: number
  late: number
}

const batchSeriesMax = 1000

/**
 * `markedMs` is the source's last marker; what was published before `sinceMs` is forgotten, and older points with it.
 */
export function convert(
  source: string,
  points: readonly Point[],
  before: Published,
  { markedMs, sinceMs }: { markedMs: number; sinceMs: number },
): Converted {
  const news = onlyNews(points, before).filter(({ atMs }) => atMs >= sinceMs)
  const published = new Map(
    [...before].filter(([atMs]) => atMs >= sinceMs).map(([at, values]) => [at, new Map(values)]),
  )
  for (const { query, atMs, value } of news) {
    published.set(atMs, (published.get(atMs) ?? new Map<string, number>()).set(query.graphiteName, value))
  }
  const byBucket = Map.groupBy(news, ({ atMs }) => bucketEnd(atMs, periodS * 1000))
  const messages = [...byBucket]
    .sort(([a], [b]) => a - b)
    .flatMap(([bucketMs, inBucket]) =>
      batches(inBucket, batchSeriesMax).map((batch) => toMessage(source, bucketMs, batch, bucketMs <= markedMs)),
    )
  const late = news.filter(({ atMs }) => bucketEnd(atMs, periodS * 1000) <= markedMs).length
  return { messages, published, points: news.length, late }
}

/** Points that are new or corrected; of several for one series and time the last. */
function onlyNews(points: readonly Point[], before: Published): Point[] {
  const latest = new Map<string, Point>()
  for (const point of points) {
    if (Number.isFinite(point.value)) latest.set(`${point.query.graphiteName} ${point.atMs}`, point)
  }
  return [...latest.values()].filter(({ query, atMs, value }) => before.get(atMs)?.get(query.graphiteName) !== value)
}

function toMessage(source: string, bucketMs: number, points: readonly Point[], isLate: boolean): MetricsMessage {
  const message = emptyMetrics(source, bucketMs, periodS * 1000)
  if (isLate) return { ...message, untyped: column(points, ({ graphiteName }) => graphiteName) }
  const counters = column(points.filter(({ query }) => query.kind === 'count'))
  const gauges = column(points.filter(({ query }) => query.kind === 'gauge'))
  const { names, values: sums, graphiteNames } = counters
  return {
    ...message,
    counters: { names, sums, samples: new Float64Array(sums.length).fill(1), graphiteNames },
    gauges,
  }
}

function column(points: readonly Point[], name = ({ series }: Query) => series) {
  return {
    names: points.map(({ query }) => name(query)),
    values: Float64Array.from(points, ({ value }) => value),
    graphiteNames: points.map(({ query }) => query.graphiteName),
  }
}
