/**
 * Lines: a window as carbon's plaintext, `name value timestamp`, under the names of etsy's statsd (its legacy namespace,
 * which is its default).
 *
 *     counter   stats.<name>                the sum per second      stats_counts.<name>   the sum
 *     timer     stats.timers.<name>.<figure>                        see timer.ts
 *     gauge     stats.gauges.<name>
 *     set       stats.sets.<name>.count     distinct members
 *               statsd.numStats             how many series the flush wrote
 *
 * Tags stay behind the name: `api.hits;host=a` → `stats.timers.api.hits.mean;host=a`. A check's result is the gauge
 * `checks.<name>`: 0 ok, 1 warn, 2 crit, 3 unknown. The timestamp is the end of the window in seconds.
 */
import type { Distribution } from '../model/distribution.ts'
import type { CounterColumn, MetricsMessage, ValueColumn } from '../model/metric.ts'
import type { IdleMemory } from './idle.ts'
import { timerFigures } from './timer.ts'
import type { Window } from './window.ts'

/** Every line of a window, idle series included; `idle` remembers the window already. No newline at the ends. */
export function* windowLines(window: Window, idle: IdleMemory, flushMs: number): Generator<string> {
  const atS = seconds(window.endMs)
  let series = 0
  for (const [name, sum] of withIdle(window.counters, idle.series.counters)) {
    yield* line('stats.', name, '', (sum ?? 0) / (flushMs / 1000), atS)
    yield* line('stats_counts.', name, '', sum ?? 0, atS)
    series++
  }
  for (const [name, seen] of withIdle(new Map(window.timers()), idle.series.timers)) {
    for (const [figure, value] of timerFigures(seen, flushMs)) yield* timerLine(name, figure, value, atS)
    series++
  }
  for (const [name, gauge] of gauges(window, idle)) {
    yield* line('stats.gauges.', name, '', gauge.value, atS)
    series++
  }
  for (const [name, members] of withIdle(window.sets, idle.series.sets)) {
    yield* line('stats.sets.', name, '.count', members?.size ?? 0, atS)
    series++
  }
  yield `statsd.numStats ${series} ${atS}`
}

/** Lines of the columns that bring Graphite names of their own, at the message's own time. */
export function* verbatimLines({ bucketMs, counters, gauges, untyped }: MetricsMessage): Generator<string> {
  const atS = seconds(bucketMs)
  if (counters.graphiteNames) yield* columnLines(counters.graphiteNames, (counters as CounterColumn).sums, atS)
  if (gauges.graphiteNames) yield* columnLines(gauges.graphiteNames, (gauges as ValueColumn).values, atS)
  yield* columnLines(untyped.graphiteNames ?? untyped.names, untyped.values, atS)
}

function* columnLines(names: readonly string[], values: Float64Array, atS: number): Generator<string> {
  for (let i = 0; i < names.length; i++) {
    const value = values[i] as number
    // A name with a space or newline in it would be another line.
    if (Number.isFinite(value)) yield `${(names[i] as string).replace(/\s+/g, '_')} ${value} ${atS}`
  }
}

function* line(prefix: string, name: string, suffix: string, value: number, atS: number): Generator<string> {
  if (!Number.isFinite(value)) return
  const clean = cleanName(name)
  const tagsAt = clean.indexOf(';')
  const [path, tags] = tagsAt === -1 ? [clean, ''] : [clean.slice(0, tagsAt), clean.slice(tagsAt)]
  yield `${prefix}${path}${suffix}${tags} ${value} ${atS}`
}

function timerLine(name: string, figure: string, value: number, atS: number): Generator<string> {
  return line('stats.timers.', name, `.${figure}`, value, atS)
}

/** What is in the window and, with undefined, what is only remembered. */
function* withIdle<T>(
  here: ReadonlyMap<string, T>,
  known: ReadonlyMap<string, unknown>,
): Generator<[string, T | undefined]> {
  yield* here
  for (const name of known.keys()) if (!here.has(name)) yield [name, undefined]
}

/** A gauge that came late does not stand against a newer one that is remembered. */
function* gauges(window: Window, idle: IdleMemory): Generator<[string, { value: number }]> {
  for (const [name, gauge] of window.gauges) yield [name, idle.series.gauges.get(name) ?? gauge]
  for (const [name, gauge] of idle.series.gauges) {
    const stands = gauge.untilMs === undefined || window.endMs <= gauge.untilMs
    if (!window.gauges.has(name) && stands) yield [name, gauge]
  }
}

/** By etsy's rules; names from ingest are clean already. */
export function cleanName(name: string): string {
  if (/^[\w\-.;=]*$/.test(name)) return name
  return name
    .replace(/\s+/g, '_')
    .replace(/\//g, '-')
    .replace(/[^\w\-.;=]/g, '')
}

function seconds(atMs: number): number {
  return Math.floor(atMs / 1000)
}

export type { Distribution }
