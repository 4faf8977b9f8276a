/**
 * Distribution window: what timers saw in a sliding window, per group, for percentiles.
 *
 * The running pane collects value → count pairs; a full one is packed: its values in order, and how many there are up to
 * each. At most 30 full panes; a pane of more than 512 distinct values keeps the representatives of their bins. So a group
 * needs at most 31 × 512 × 12 bytes, and a percentile is found among the packed panes without adding them up.
 */
import { type Distribution, DistributionBuilder, representative } from '../model/distribution.ts'
import { refill } from './saved.ts'
import { type WindowShape, windowAt } from './window.ts'

interface Pane {
  pane: number
  /** Distinct, ascending. */
  values: Float64Array
  /** How many were seen up to and with each value. */
  upTo: Float64Array | Uint32Array
  min: number
  max: number
}

interface RunningPane {
  pane: number
  pairs: Map<number, number>
  isExact: boolean
  min: number
  max: number
}

interface GroupPanes {
  full: Pane[]
  running: RunningPane | undefined
}

const exactValuesMax = 512

export class DistributionWindow {
  readonly shape: WindowShape
  readonly #groups: GroupPanes[] = []

  constructor(shape: WindowShape) {
    this.shape = shape
  }

  grow(count: number): void {
    while (this.#groups.length < count) this.#groups.push({ full: [], running: undefined })
  }

  reset(group: number): void {
    this.#groups[group] = { full: [], running: undefined }
  }

  /** Adds what was seen in the bucket that ends at `atMs`. */
  push(group: number, atMs: number, seen: Distribution): void {
    const state = this.#groups[group] as GroupPanes
    const { pane } = windowAt(this.shape, atMs)
    if (state.running?.pane !== pane) {
      this.#drop(state, atMs)
      if (state.running) state.full.push(packed(state.running))
      state.running = { pane, pairs: new Map(), isExact: true, min: Infinity, max: -Infinity }
    }
    addTo(state.running, seen)
  }

  /** The nearest-rank percentile of the window that ends at `atMs`; NaN when it is empty. */
  percentile(group: number, atMs: number, percent: number): number {
    const state = this.#groups[group] as GroupPanes
    this.#drop(state, atMs)
    const panes = state.running ? [...state.full, packed(state.running)] : state.full
    let [total, min, max] = [0, Infinity, -Infinity]
    for (const pane of panes) {
      total += pane.upTo.at(-1) as number
      min = Math.min(min, pane.min)
      max = Math.max(max, pane.max)
    }
    if (total === 0) return Number.NaN
    const rank = Math.max(1, Math.ceil((percent / 100) * total - 1e-9))
    return Math.min(max, Math.max(min, valueAt(panes, Math.min(rank, total))))
  }

  save() {
    return this.#groups
  }

  restore(saved: ReturnType<DistributionWindow['save']>): void {
    refill(
      this.#groups,
      saved.map(({ full, running }) => ({
        full: [...full],
        running: running && { ...running, pairs: new Map(running.pairs) },
      })),
    )
  }

  #drop(state: GroupPanes, atMs: number): void {
    const { pane, fullPanes } = windowAt(this.shape, atMs)
    const first = pane - fullPanes
    while (state.full[0] && state.full[0].pane < first) state.full.shift()
    if (state.running && state.running.pane < first) state.running = undefined
  }
}

function packed({ pane, pairs, min, max }: RunningPane): Pane {
  const values = Float64Array.from(pairs.keys()).sort()
  let total = 0
  for (const count of pairs.values()) total += count
  const upTo = total < 2 ** 32 ? new Uint32Array(values.length) : new Float64Array(values.length)
  let sum = 0
  for (let i = 0; i < values.length; i++) {
    sum += pairs.get(values[i] as number) as number
    upTo[i] = sum
  }
  return { pane, values, upTo, min, max }
}

/**
 * The value of a rank, from 1, in all panes together. Each round takes the middle of the widest range of candidates as
 * pivot and leaves out what stands on the wrong side of it, in every pane.
 */
function valueAt(panes: readonly Pane[], rank: number): number {
  let from = new Int32Array(panes.length)
  let to = Int32Array.from(panes, ({ values }) => values.length)
  let places = new Int32Array(panes.length)
  for (;;) {
    const pivot = pivotOf(panes, from, to)
    if (countTo(panes, pivot, false, places) >= rank) [to, places] = [places, to]
    else if (countTo(panes, pivot, true, places) >= rank) return pivot
    else [from, places] = [places, from]
  }
}

/** The middle candidate of the pane that has most of them. */
function pivotOf(panes: readonly Pane[], from: Int32Array, to: Int32Array): number {
  let widest = 0
  for (let i = 1; i < panes.length; i++) {
    if ((to[i] as number) - (from[i] as number) > (to[widest] as number) - (from[widest] as number)) widest = i
  }
  return (panes[widest] as Pane).values[((from[widest] as number) + (to[widest] as number)) >> 1] as number
}
/** How many were seen below a value, or with it; `places` gets how many values of each pane that is. */
function countTo(panes: readonly Pane[], value: number, isIncluded: boolean, places: Int32Array): number {
  let count = 0
  for (let i = 0; i < panes.length; i++) {
    const { values, upTo } = panes[i] as Pane
    const place = placeOf(values, value, isIncluded)
    places[i] = place
    if (place > 0) count += upTo[place - 1] as number
  }
  return count
}

/** How many values are below `value`, or with `isIncluded`, not above it. */
function placeOf(values: Float64Array, value: number, isIncluded: boolean): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const candidate = values[middle] as number
    if (candidate < value || (isIncluded && candidate === value)) low = middle + 1
    else high = middle
  }
  return low
}

/** Single values as a distribution, for percentiles of gauges and of expressions. */
export function distributionOf(values: Iterable<number>): Distribution {
  const builder = new DistributionBuilder()
  for (const value of values) builder.add(value)
  return builder.build()
}

function addTo(pane: RunningPane, seen: Distribution): void {
  pane.min = Math.min(pane.min, seen.min)
  pane.max = Math.max(pane.max, seen.max)
  if (!seen.exact) quantise(pane)
  for (let i = 0; i < seen.values.length; i++) {
    const value = pane.isExact ? (seen.values[i] as number) : representative(seen.values[i] as number)
    pane.pairs.set(value, (pane.pairs.get(value) ?? 0) + (seen.counts[i] as number))
  }
  if (pane.pairs.size > exactValuesMax) quantise(pane)
}

function quantise(pane: RunningPane): void {
  if (!pane.isExact) return
  pane.isExact = false
  const exact = pane.pairs
  pane.pairs = new Map()
  for (const [value, count] of exact) {
    const bin = representative(value)
    pane.pairs.set(bin, (pane.pairs.get(bin) ?? 0) + count)
  }
}
