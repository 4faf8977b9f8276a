/**
 * Distribution window: what timers saw in a sliding window, per group, for percentiles.
 *
 * Panes are value → count pairs; counts are whole numbers, so panes are added to and taken from the window exactly and in
 * any order. At most 30 full panes; a pane of more than 512 distinct values keeps the representatives of their bins.
 */
import { type Distribution, DistributionBuilder, representative } from '../model/distribution.ts'
import { refill } from './saved.ts'
import { type WindowShape, windowAt } from './window.ts'

interface Pane {
  pane: number
  pairs: Map<number, number>
  isExact: boolean
  min: number
  max: number
}

interface GroupPanes {
  panes: Pane[]
  counts: Map<number, number>
  total: number
}

const exactValuesMax = 512

export class DistributionWindow {
  readonly shape: WindowShape
  readonly #groups: GroupPanes[] = []

  constructor(shape: WindowShape) {
    this.shape = shape
  }

  grow(count: number): void {
    while (this.#groups.length < count) this.#groups.push({ panes: [], counts: new Map(), total: 0 })
  }

  reset(group: number): void {
    this.#groups[group] = { panes: [], counts: new Map(), total: 0 }
  }

  /** Adds what was seen in the bucket that ends at `atMs`. */
  push(group: number, atMs: number, seen: Distribution): void {
    const state = this.#groups[group] as GroupPanes
    const { pane } = windowAt(this.shape, atMs)
    let last = state.panes.at(-1)
    if (last?.pane !== pane) {
      last = { pane, pairs: new Map(), isExact: true, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY }
      state.panes.push(last)
    }
    for (const [value, count] of last.pairs) take(state, value, count)
    addTo(last, seen)
    for (const [value, count] of last.pairs) put(state, value, count)
  }

  /** The nearest-rank percentile of the window that ends at `atMs`; NaN when it is empty. */
  percentile(group: number, atMs: number, percent: number): number {
    const state = this.#groups[group] as GroupPanes
    this.#drop(state, atMs)
    if (state.total === 0) return Number.NaN
    let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const pane of state.panes) {
      min = Math.min(min, pane.min)
      max = Math.max(max, pane.max)
    }
    const values = Float64Array.from(state.counts.keys()).sort()
    const rank = Math.max(1, Math.ceil((percent / 100) * state.total - 1e-9))
    let seen = 0
    for (const value of values) {
      seen += state.counts.get(value) as number
      if (seen >= rank) return Math.min(max, Math.max(min, value))
    }
    return max
  }

  /** Per group its panes; what they add up to is added up again. */
  save() {
    return this.#groups.map(({ panes }) => panes)
  }

  restore(saved: ReturnType<DistributionWindow['save']>): void {
    refill(
      this.#groups,
      saved.map((panes) => {
        const state: GroupPanes = { panes: [...panes], counts: new Map(), total: 0 }
        for (const { pairs } of panes) for (const [value, count] of pairs) put(state, value, count)
        return state
      }),
    )
  }

  #drop(state: GroupPanes, atMs: number): void {
    const { pane, fullPanes } = windowAt(this.shape, atMs)
    for (let first = state.panes[0]; first && first.pane < pane - fullPanes; first = state.panes[0]) {
      for (const [value, count] of first.pairs) take(state, value, count)
      state.panes.shift()
    }
  }
}

/** Single values as a distribution, for percentiles of gauges and of expressions. */
export function distributionOf(values: Iterable<number>): Distribution {
  const builder = new DistributionBuilder()
  for (const value of values) builder.add(value)
  return builder.build()
}

function addTo(pane: Pane, seen: Distribution): void {
  pane.min = Math.min(pane.min, seen.min)
  pane.max = Math.max(pane.max, seen.max)
  if (!seen.exact) quantise(pane)
  for (let i = 0; i < seen.values.length; i++) {
    const value = pane.isExact ? (seen.values[i] as number) : representative(seen.values[i] as number)
    pane.pairs.set(value, (pane.pairs.get(value) ?? 0) + (seen.counts[i] as number))
  }
  if (pane.pairs.size > exactValuesMax) quantise(pane)
}

function quantise(pane: Pane): void {
  if (!pane.isExact) return
  pane.isExact = false
  const exact = pane.pairs
  pane.pairs = new Map()
  for (const [value, count] of exact) {
    const bin = representative(value)
    pane.pairs.set(bin, (pane.pairs.get(bin) ?? 0) + count)
  }
}

function put(state: GroupPanes, value: number, count: number): void {
  state.counts.set(value, (state.counts.get(value) ?? 0) + count)
  state.total += count
}

function take(state: GroupPanes, value: number, count: number): void {
  const left = (state.counts.get(value) ?? 0) - count
  if (left > 0) state.counts.set(value, left)
  else state.counts.delete(value)
  state.total -= count
}
