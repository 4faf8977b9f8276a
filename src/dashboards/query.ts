/**
 * Query: a target's lines over a stretch of the series store.
 *
 * An absent counter counts as 0 and an absent gauge as its last value, but only in slots in which their source was alive:
 * where nobody was listening a line has a gap. The newest slot is still filling: rates count its seconds so far, and sums
 * of counters wait until it is full.
 */
import { pooledPercentile, type TimerPoints } from './packed-timers.ts'
import type { Match, SeriesStore } from './series-store.ts'
import { type Slot, slotMs } from './slot.ts'
import type { Target } from './target.ts'
import type { LineView, TargetView } from './view.ts'

export const linesPerTargetMax = 60

/** Values are at slot ends from `startMs` on, every ten seconds; both ends of the range are inclusive. */
export function queryTarget(store: SeriesStore, target: Target, fromMs: number, untilMs: number): TargetView {
  const slots = store.slots
  const firstIndex = slots.findIndex(({ endMs }) => endMs >= fromMs)
  const inRange = slots.filter(({ endMs }) => endMs >= fromMs && endMs <= untilMs)
  const groups = groupMatches(store.match(target.path))
  const shown = [...groups].sort(byName).slice(0, linesPerTargetMax)
  const lines = shown.map(([name, members]): LineView => {
    const readers = members.map(({ series }) => new SeriesReader(series, slots, firstIndex))
    const values = inRange.map((slot) => pool(target, readers, slot, slot === slots.at(-1)))
    return { name, stepMs: Math.max(slotMs, ...members.map(({ series }) => series.stepMs)), values }
  })
  return {
    target: target.text,
    how: target.how,
    startMs: inRange[0]?.endMs ?? 0,
    stepMs: slotMs,
    lines,
    ...(groups.size > shown.length && { linesLeftOut: groups.size - shown.length }),
  }
}

function groupMatches(matches: readonly Match[]): Map<string, Match[]> {
  const groups = new Map<string, Match[]>()
  for (const match of matches) {
    const name = match.kept.join('/')
    const group = groups.get(name)
    if (group) group.push(match)
    else groups.set(name, [match])
  }
  return groups
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Reads one series slot by slot, in order, and knows what an absent value means. */
class SeriesReader {
  readonly series: Match['series']
  #held = Number.NaN

  constructor(series: Match['series'], slots: readonly Slot[], firstIndex: number) {
    this.series = series
    if (!this.#holds) return
    for (let i = firstIndex - 1; i >= 0 && Number.isNaN(this.#held); i--) {
      this.#held = (slots[i] as Slot).value(series.id)
    }
  }

  get #holds(): boolean {
    return this.series.kind === 'gauge' || this.series.kind === 'check'
  }

  /** NaN where nothing is known. */
  read(slot: Slot): number {
    const { id, kind, source, firstMs } = this.series
    const value = slot.value(id)
    if (!Number.isNaN(value)) {
      this.#held = value
      return value
    }
    const wasHeard = slot.sources.has(source) && slot.endMs >= firstMs
    if (!wasHeard) return Number.NaN
    if (kind === 'count' || kind === 'set') return 0
    return this.#holds ? this.#held : Number.NaN
  }

  timer(slot: Slot): TimerPoints | undefined {
    return slot.timer(this.series.id)
  }
}

function pool(target: Target, readers: readonly SeriesReader[], slot: Slot, isNewest: boolean): number | null {
  const isFilling = isNewest && slot.lastBucketMs < slot.endMs
  const timers = readers.filter(({ series }) => series.kind === 'timer')
  const distributions = timers.flatMap((reader) => reader.timer(slot) ?? [])
  const plain = readers.filter(({ series }) => series.kind !== 'timer')
  const values = plain.map((reader) => reader.read(slot)).filter((value) => !Number.isNaN(value))
  const adds = plain.some(({ series }) => series.kind === 'count' || series.kind === 'set')
  if (target.pool === 'sum' && isFilling && adds) return null
  const seconds = isFilling ? Math.max(1, (slot.lastBucketMs - (slot.endMs - slotMs)) / 1000) : slotMs / 1000
  return rounded(pooled(target, values, distributions, seconds))
}

function pooled(
  { pool, percent }: Target,
  values: readonly number[],
  timers: readonly TimerPoints[],
  seconds: number,
): number | undefined {
  const count = values.length + timers.reduce((all, timer) => all + timer.points.length, 0)
  if (count === 0) return undefined
  const sum = total(values) + total(timers.map((timer) => timer.sum))
  switch (pool) {
    case 'sum':
      return sum
    case 'rate':
      return (total(values) + total(timers.map((timer) => timer.count))) / seconds
    case 'avg':
      return sum / (values.length + total(timers.map(samples)))
    case 'min':
      return Math.min(...values, ...timers.map((timer) => timer.min))
    case 'max':
      return Math.max(...values, ...timers.map((timer) => timer.max))
    case 'percentile':
      return pooledPercentile([...timers, ...values.map(single)], percent)
  }
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

/** Samples as received, which is what `sum` is over. */
function samples(timer: TimerPoints): number {
  return total(timer.points.map(([, weight]) => weight))
}

function single(value: number): TimerPoints {
  return { count: 1, sum: value, min: value, max: value, points: [[value, 1]] }
}

/** Numbers are kept with seven digits; more would be noise. */
function rounded(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(7))
}
