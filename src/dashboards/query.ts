/**
 * Query: a target's lines over a stretch of the series store.
 *
 * An absent counter counts as 0 and an absent gauge as its last value, but only in slots in which their source was alive:
 * where nobody was listening a line has a gap. The newest slot is still filling: rates count its seconds so far, and sums
 * of counters wait until it is full.
 */
import { pooledPercentile, type TimerPoints } from './packed-timers.ts'
import type { Match, Series, SeriesStore } from './series-store.ts'
import { type Slot, slotMs } from './slot.ts'
import type { Target } from './target.ts'
import type { LineView, TargetView } from './view.ts'

export const linesPerTargetMax = 60
/** Values read before a gentle query lets other work of the process through: a few milliseconds' worth. */
const readsPerTurn = 400_000

/** Values are at slot ends from `startMs` on, every ten seconds, up to the slot that holds `untilMs`. */
export function queryTarget(store: SeriesStore, target: Target, fromMs: number, untilMs: number): TargetView {
  const query = runQuery(store, target, fromMs, untilMs)
  for (;;) {
    const { done, value } = query.next()
    if (done) return value
  }
}

/** The same in turns: a question about a hundred thousand series must not hold up an engine in the same process. */
export async function queryGently(store: SeriesStore, target: Target, fromMs: number, untilMs: number) {
  const query = runQuery(store, target, fromMs, untilMs)
  for (;;) {
    const { done, value } = query.next()
    if (done) return value
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function* runQuery(
  store: SeriesStore,
  target: Target,
  fromMs: number,
  untilMs: number,
): Generator<undefined, TargetView> {
  const slots = store.slots.slice()
  const firstIndex = slots.findIndex(({ endMs }) => endMs >= fromMs)
  const inRange = slots.filter(({ endMs }) => endMs >= fromMs && endMs - slotMs < untilMs)
  const groups = groupMatches(store.match(target.path))
  const shown = [...groups].sort(byName).slice(0, linesPerTargetMax)
  const lines: LineView[] = []
  let reads = 0
  for (const [name, members] of shown) {
    const readers = members.map(({ series }) => new SeriesReader(series, slots, firstIndex))
    const values: (number | null)[] = []
    for (const slot of inRange) {
      values.push(pool(target, readers, slot, slot === slots.at(-1)))
      reads += readers.length
      if (reads > readsPerTurn) {
        reads = 0
        yield
      }
    }
    lines.push({ name, stepMs: members.reduce((most, { series }) => Math.max(most, series.stepMs), slotMs), values })
  }
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
  readonly id: number
  readonly isTimer: boolean
  /** Whether an absence counts as 0. */
  readonly adds: boolean
  readonly #holds: boolean
  readonly #source: string
  readonly #firstMs: number
  /** How long one value stands for: a slot, or the series' own longer step. */
  readonly spanMs: number
  #held = Number.NaN

  constructor({ id, kind, source, firstMs, stepMs }: Series, slots: readonly Slot[], firstIndex: number) {
    this.id = id
    this.isTimer = kind === 'timer'
    this.adds = kind === 'count' || kind === 'set'
    this.#holds = kind === 'gauge' || kind === 'check'
    this.#source = source
    this.#firstMs = firstMs
    this.spanMs = Math.max(slotMs, stepMs)
    if (!this.#holds) return
    for (let i = firstIndex - 1; i >= 0 && Number.isNaN(this.#held); i--) this.#held = (slots[i] as Slot).value(id)
  }

  /** NaN where nothing is known. */
  read(slot: Slot): number {
    const value = slot.value(this.id)
    if (!Number.isNaN(value)) {
      this.#held = value
      return value
    }
    if (!(this.adds || this.#holds) || slot.endMs < this.#firstMs || !slot.sources.has(this.#source)) return Number.NaN
    if (this.#holds) return this.#held
    return this.#isDue(slot) ? 0 : Number.NaN
  }

  /** Whether a bucket of the series ends in this slot; always, unless it reports less often than that. */
  #isDue({ endMs }: Slot): boolean {
    return endMs % this.spanMs < slotMs
  }
}

/** What a line's series amount to in one slot. */
interface Pooled {
  count: number
  sum: number
  min: number
  max: number
  /** Only filled for percentiles. */
  points: TimerPoints[]
  /** Samples of timers by their rates, and counters. */
  events: number
}

function pool(target: Target, readers: readonly SeriesReader[], slot: Slot, isNewest: boolean): number | null {
  const isFilling = isNewest && slot.lastBucketMs < slot.endMs
  if (target.pool === 'sum' && isFilling && readers.some(({ adds }) => adds)) return null
  const pooled: Pooled = { count: 0, sum: 0, min: Infinity, max: -Infinity, points: [], events: 0 }
  const wantsPoints = target.pool === 'percentile'
  for (const reader of readers) {
    const timer = reader.isTimer ? slot.timer(reader.id) : undefined
    if (timer) addTimer(pooled, timer, wantsPoints)
    else if (!reader.isTimer) addValue(pooled, reader.read(slot), slotMs / reader.spanMs, wantsPoints)
  }
  if (pooled.count === 0) return null
  const seconds = isFilling ? Math.max(1, (slot.lastBucketMs - (slot.endMs - slotMs)) / 1000) : slotMs / 1000
  return rounded(figure(target, pooled, seconds))
}

/** `share` is how much of what the value stands for falls into one slot. */
function addValue(pooled: Pooled, value: number, share: number, wantsPoints: boolean): void {
  if (Number.isNaN(value)) return
  pooled.count++
  pooled.sum += value
  pooled.events += value * share
  if (value < pooled.min) pooled.min = value
  if (value > pooled.max) pooled.max = value
  if (wantsPoints) pooled.points.push({ count: 1, sum: value, min: value, max: value, points: [[value, 1]] })
}

function addTimer(pooled: Pooled, timer: TimerPoints, wantsPoints: boolean): void {
  for (const [, weight] of timer.points) pooled.count += weight
  pooled.sum += timer.sum
  pooled.events += timer.count
  if (timer.min < pooled.min) pooled.min = timer.min
  if (timer.max > pooled.max) pooled.max = timer.max
  if (wantsPoints) pooled.points.push(timer)
}

function figure({ pool, percent }: Target, pooled: Pooled, seconds: number): number | undefined {
  if (pool === 'rate') return pooled.events / seconds
  if (pool === 'avg') return pooled.sum / pooled.count
  if (pool === 'percentile') return pooledPercentile(pooled.points, percent)
  return pooled[pool]
}

/** Numbers are kept with seven digits; more would be noise. */
function rounded(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(7))
}
