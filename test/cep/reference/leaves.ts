/**
 * Leaves, naively: each value is found anew from all raw points, straight from §4, §5, §8 and §13.
 */

import type { Leaf } from '../../../src/cep/language/tree.ts'
import type { Distribution } from '../../../src/model/distribution.ts'
import {
  agrees,
  type Bindings,
  bindEvent,
  bindSeries,
  type Happening,
  type Point,
  type Series,
  type World,
} from './world.ts'

export type Value = number | boolean | undefined

/** The start (exclusive) of the window that ends at `atMs`: the running pane and the full panes before it that fit. */
export function windowStart(atMs: number, overMs: number, stepMs: number, panesMax: number): number {
  const length = Math.max(overMs, stepMs)
  const paneMs = Math.ceil(length / panesMax / stepMs) * stepMs
  const runningStart = Math.ceil(atMs / paneMs) * paneMs - paneMs
  const full = Math.floor((length - (atMs - runningStart)) / paneMs)
  return runningStart - Math.max(0, full) * paneMs
}

/** The series of a leaf in one group. */
export function membersOf(world: World, leaf: Leaf, group: Bindings): Series[] {
  return world.series.filter((series) => {
    const bound = bindSeries(leaf.path, series)
    return bound !== undefined && agrees(leaf.names, bound, group)
  })
}

export function eventsOf(world: World, leaf: Leaf, group: Bindings): Happening[] {
  return world.events.filter((event) => {
    const bound = bindEvent(leaf.path, event)
    return bound !== undefined && agrees(leaf.names, bound, group)
  })
}

/** The value of a metric leaf at the close of the bucket that ends at `atMs`. */
export function metricValue(
  world: World,
  leaf: Leaf,
  group: Bindings,
  atMs: number,
  stepMs: number,
  bornMs: number,
): Value {
  const members = membersOf(world, leaf, group)
  const kind = leaf.kind ?? members[0]?.kind ?? leaf.assumedKind
  const isPercentile = leaf.fold === 'p' || kind === 'timer'
  const bucketMs = Math.max(stepMs, leaf.valueStepMs ?? world.givenStepMs)
  const isStanding = leaf.overMs === 0 && kind !== 'count' && kind !== 'counter' && kind !== 'timer'
  const startMs = isStanding ? atMs - bucketMs : windowStart(atMs, leaf.overMs, stepMs, isPercentile ? 30 : 360)
  if (kind === 'count') return countValue(leaf, members, Math.max(0, startMs), startMs, atMs, bucketMs, bornMs)
  if (kind === 'counter') return counterRate(members, startMs, atMs, bucketMs)
  const points = inWindow(members, startMs, atMs)
  if (!isCovered(points, startMs, atMs, bucketMs)) return undefined
  return kind === 'timer'
    ? timerValue(leaf, points)
    : fold(
        leaf.fold,
        leaf.percent,
        points.map(({ value }) => value as number),
      )
}

function inWindow(members: readonly Series[], startMs: number, atMs: number): Point[] {
  const points = members.flatMap((series) =>
    series.points.filter((point) => point.atMs > startMs && point.atMs <= atMs),
  )
  return points.sort((a, b) => a.atMs - b.atMs)
}

/** At least half of the window's buckets have data. */
function isCovered(points: readonly Point[], startMs: number, atMs: number, bucketMs: number): boolean {
  const buckets = new Set(points.map((point) => Math.ceil(point.atMs / bucketMs)))
  return buckets.size > 0 && buckets.size * 2 >= Math.round((atMs - startMs) / bucketMs)
}

/** Absent counts are 0 from the series' first point on, in every bucket that the source lived through. */
function countValue(
  leaf: Leaf,
  members: readonly Series[],
  liveMs: number,
  startMs: number,
  atMs: number,
  bucketMs: number,
  bornMs: number,
): Value {
  const covered = Math.round((atMs - liveMs) / bucketMs)
  if (covered * 2 < Math.round((atMs - startMs) / bucketMs)) return undefined
  const begun = members.filter(({ points }) => (points[0]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs)
  const points = inWindow(begun, startMs, atMs)
  const sum = points.reduce((total, { value }) => total + (value as number), 0)
  if (leaf.fold === 'sum' || leaf.fold === 'value') return sum
  if (leaf.fold === 'rate') return sum / ((atMs - liveMs) / 1000)
  if (leaf.fold === 'avg') return begun.length === 0 ? 0 : sum / (begun.length * covered)
  const values: number[] = []
  for (let end = Math.max(liveMs, bornMs - bucketMs) + bucketMs; end <= atMs; end += bucketMs) {
    const there = members.filter(({ points: all }) => (all[0]?.atMs ?? Number.POSITIVE_INFINITY) <= end)
    const now = there.map((one) =>
      inWindow([one], end - bucketMs, end).reduce((total, { value }) => total + (value as number), 0),
    )
    values.push(...(now.length === 0 ? [0] : now))
  }
  return fold(leaf.fold, leaf.percent, values)
}

/** Increments over the time they cover; a fall is a reset that counts its new value, the first sample covers nothing. */
function counterRate(members: readonly Series[], startMs: number, atMs: number, bucketMs: number): Value {
  let increments = 0
  const spans = new Map<number, number[]>()
  const longestMs = Math.max(atMs - startMs, bucketMs)
  for (const { points } of members) {
    points.forEach((point, i) => {
      const before = points[i - 1]
      if (!before || point.atMs <= startMs || point.atMs > atMs) return
      const [now, then] = [point.value as number, before.value as number]
      const sinceMs = point.atMs - before.atMs
      const spanMs = Math.min(sinceMs, longestMs)
      increments += ((now < then ? now : now - then) * spanMs) / sinceMs
      spans.set(point.atMs, [...(spans.get(point.atMs) ?? []), spanMs])
    })
  }
  const coveredMs = [...spans.values()].reduce((sum, of) => sum + of.reduce((a, b) => a + b, 0) / of.length, 0)
  return coveredMs === 0 || coveredMs * 2 < atMs - startMs ? undefined : increments / (coveredMs / 1000)
}

function timerValue(leaf: Leaf, points: readonly Point[]): Value {
  const samples = points.flatMap(({ value }) => {
    const { values, counts } = value as Distribution
    return Array.from(values).flatMap((one, i) => new Array<number>(counts[i] as number).fill(one))
  })
  return fold(leaf.fold, leaf.percent, samples)
}

/** A pool function over plain values, in order of time. */
export function fold(name: string, percent: number, values: readonly number[]): Value {
  if (values.length === 0) return undefined
  const sum = values.reduce((total, value) => total + value, 0)
  const mean = sum / values.length
  const sorted = [...values].sort((a, b) => a - b)
  switch (name) {
    case 'value':
    case 'last':
      return values.at(-1)
    case 'sum':
      return sum
    case 'avg':
      return mean
    case 'min':
      return sorted[0]
    case 'max':
      return sorted.at(-1)
    case 'count':
      return values.length
    case 'change':
      return (values.at(-1) as number) - (values[0] as number)
    case 'stddev':
      return Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / values.length)
    case 'p':
      return nearestRank(sorted, percent / 100)
    default:
      throw new Error(`the reference knows no ${name}`)
  }
}

export function nearestRank(sorted: readonly number[], share: number): number {
  return sorted[Math.max(1, Math.ceil(share * sorted.length - 1e-9)) - 1] as number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length / 2
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(half)] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2
}

/** 0 ok, 1 warn, 2 crit, 3 unknown, 4 missing: the last result, until the close of the third empty bucket. */
export function checkState(world: World, leaf: Leaf, group: Bindings, atMs: number): number | undefined {
  const points = inWindow(membersOf(world, leaf, group), Number.NEGATIVE_INFINITY, atMs)
  const last = points.at(-1)
  const standsMs = leaf.valueStepMs ?? world.givenStepMs
  if (last === undefined) return atMs >= 3 * standsMs ? 4 : undefined
  if (atMs - last.atMs >= 3 * standsMs) return 4
  return ['ok', 'warn', 'crit', 'unknown'].indexOf(last.value as string)
}

export function hasPoint(world: World, leaf: Leaf, group: Bindings, afterMs: number, untilMs: number): boolean {
  if (leaf.source === 'event') {
    return eventsOf(world, leaf, group).some(({ atMs }) => atMs > afterMs && atMs <= untilMs)
  }
  return inWindow(membersOf(world, leaf, group), afterMs, untilMs).length > 0
}
