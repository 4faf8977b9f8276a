/**
 * World: everything a test gives, kept as plain points for a second, naive reading of the rule language.
 *
 * A point belongs to the bucket (end − step, end]. Nothing is incremental here: the evaluator looks every window up anew.
 */

import type { SeriesKind } from '../../../src/cep/language/tree.ts'
import { TestLog } from '../../../src/cep/testing/messages.ts'
import type { PreparedTest } from '../../../src/cep/testing/prepare.ts'
import type { Distribution } from '../../../src/model/distribution.ts'
import { matchPath, matchTagged, parsePath } from '../../../src/model/path.ts'

export interface Point {
  atMs: number
  value: number | string | Distribution
}

export interface Series {
  name: string
  kind: SeriesKind
  points: Point[]
}

export interface Happening {
  atMs: number
  bucketMs: number
  name: string
  tags: Readonly<Record<string, string>>
}

export interface World {
  series: readonly Series[]
  events: readonly Happening[]
  /** The step in which the test gives its values. */
  givenStepMs: number
  endMs: number
  /** Whether all numbers given are whole, so that sums of them are exact. */
  isWhole: boolean
  /** How often the last bits of a number decided. */
  closeCalls: number
}

export function worldOf(test: PreparedTest): World {
  const log = new TestLog(test)
  const series = new Map<string, Series>(
    test.series.map(({ name, kind }) => [`${kind === 'check'}:${name}`, { name, kind, points: [] }]),
  )
  const events: Happening[] = []
  const put = (isCheck: boolean, name: string, atMs: number, value: Point['value']): void => {
    series.get(`${isCheck}:${name}`)?.points.push({ atMs, value })
  }
  for (let atMs = 0; atMs < test.runMs; atMs += test.stepMs) {
    for (const entry of log.step()) {
      if (entry.kind === 'metrics') {
        const { bucketMs, counters, gauges, timers } = entry.message
        counters.names.forEach((name, i) => {
          put(false, name, bucketMs, counters.sums[i] as number)
        })
        gauges.names.forEach((name, i) => {
          put(false, name, bucketMs, gauges.values[i] as number)
        })
        timers.names.forEach((name, i) => {
          put(false, name, bucketMs, timers.distributions[i] as Distribution)
        })
      } else if (entry.kind === 'checks') {
        for (const { name, atMs: checkedMs, state } of entry.message.results) put(true, name, checkedMs, state)
      } else if (entry.kind === 'events') {
        const { atMs: happenedMs, bucketMs, name, tags } = entry.message
        events.push({ atMs: happenedMs, bucketMs, name, tags })
      }
    }
  }
  const isWhole = [...series.values()].every(({ points }) => points.every(({ value }) => isWholeNumber(value)))
  return { series: [...series.values()], events, givenStepMs: test.stepMs, endMs: test.runMs, isWhole, closeCalls: 0 }
}

function isWholeNumber(value: Point['value']): boolean {
  return (
    typeof value === 'string' || (typeof value === 'number' ? Number.isInteger(value) : Number.isInteger(value.sum))
  )
}

export type Bindings = Readonly<Record<string, string>>

/** The holes that a path keeps of a series, by name; undefined where the series does not match. */
export function bindSeries(path: string, series: Series): Bindings | undefined {
  const parsed = parsePath(path)
  if (!parsed.ok || (parsed.value.prefix === 'check') !== (series.kind === 'check')) return undefined
  const values = matchPath(parsed.value, series.name)
  return values && named(parsed.value.holes, values)
}

export function bindEvent(path: string, event: Happening): Bindings | undefined {
  const parsed = parsePath(path)
  if (!parsed.ok || parsed.value.prefix !== 'event') return undefined
  const values = matchTagged(parsed.value, event.name, new Map(Object.entries(event.tags)))
  return values && named(parsed.value.holes, values)
}

function named(holes: readonly string[], values: readonly string[]): Bindings {
  return Object.fromEntries(holes.map((hole, i) => [hole, values[i] as string]))
}

/** Whether two sets of bindings say the same of every name that `names` lists. */
export function agrees(names: readonly string[], a: Bindings, b: Bindings): boolean {
  return names.every((name) => a[name] === b[name])
}

export function keyOf(names: readonly string[], bindings: Bindings): string {
  return names.length === 0 ? 'all' : names.map((name) => bindings[name]).join('/')
}
