/**
 * Lines: a window as carbon's plaintext, `name value timestamp`, under the names of etsy's statsd, by default those of
 * its legacy namespace.
 *
 *     counter   stats.<name>                the sum per second      stats_counts.<name>   the sum
 *     timer     stats.timers.<name>.<figure>                        see timer.ts
 *     gauge     stats.gauges.<name>
 *     set       stats.sets.<name>.count     distinct members
 *               stats.statsd.packets_received, metrics_received, bad_lines_seen: counters of all ingest daemons together
 *               statsd.numStats             how many series the flush wrote
 *
 * `graphite.statsd` may say otherwise; see output.ts.
 *
 * Tags stay behind the name: `api.hits;host=a` → `stats.timers.api.hits.mean;host=a`. A check's result is the gauge
 * `checks.<name>`: 0 ok, 1 warn, 2 crit, 3 unknown. The timestamp is the end of the window in seconds.
 */
import type { Distribution } from '../model/distribution.ts'
import { type CounterColumn, type MetricsMessage, ownCounters, ownFolder, type ValueColumn } from '../model/metric.ts'
import type { IdleMemory } from './idle.ts'
import type { Affixes, Output } from './output.ts'
import { timerFigures } from './timer.ts'
import type { Window } from './window.ts'

/** Every line of a window, idle series included; `idle` remembers the window already. No newline at the ends. */
export function* windowLines(window: Window, idle: IdleMemory, flushMs: number, output: Output): Generator<string> {
  const atS = seconds(window.endMs)
  let series = 0
  for (const [name, sum] of counters(window, idle, output)) {
    yield* line(output.rate, name, sum / (flushMs / 1000), atS)
    if (output.count) yield* line(output.count, name, sum, atS)
    series++
  }
  for (const [name, seen] of withIdle(new Map(window.timers()), idle.series.timers)) {
    for (const [figure, value] of timerFigures(seen, flushMs, output.timers, name)) {
      yield* line({ before: output.timer.before, behind: `.${figure}${output.suffix}` }, name, value, atS)
    }
    series++
  }
  for (const [name, gauge] of gauges(window, idle)) {
    yield* line(output.gauge, name, gauge.value, atS)
    series++
  }
  for (const [name, members] of withIdle(window.sets, idle.series.sets)) {
    yield* line(output.set, name, members?.size ?? 0, atS)
    series++
  }
  yield `${output.numStats} ${series} ${atS}`
}

/** Ours first, which are always there. */
function* counters(window: Window, idle: IdleMemory, { prefixStats }: Output): Generator<[string, number]> {
  for (const own of ownCounters) yield [`${prefixStats}.${own.slice(ownFolder.length)}`, window.counters.get(own) ?? 0]
  for (const [name, sum] of withIdle(window.counters, idle.series.counters)) {
    if (!ownCounters.includes(name)) yield [name, sum ?? 0]
  }
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

function* line({ before, behind }: Affixes, name: string, value: number, atS: number): Generator<string> {
  if (!Number.isFinite(value)) return
  const clean = cleanName(name)
  const tagsAt = clean.indexOf(';')
  const [path, tags] = tagsAt === -1 ? [clean, ''] : [clean.slice(0, tagsAt), clean.slice(tagsAt)]
  yield `${before}${path}${behind}${tags} ${value} ${atS}`
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
