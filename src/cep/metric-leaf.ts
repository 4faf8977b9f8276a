/**
 * Metric leaf: numbers and timers of one selector, folded to one value per group and bucket.
 *
 * Counts are 0 where they are absent and their source lives (metric-counts.ts); here other kinds are closed, which are
 * missing. Cells and windows are kept by metric-cells.ts, points are folded by metric-fold.ts.
 */
import type { Distribution } from '../model/distribution.ts'
import { mergeDistributions } from '../model/distribution.ts'
import type { DistributionWindow } from './distribution-window.ts'
import type { Leaf } from './language/tree.ts'
import { MetricCounts } from './metric-counts.ts'
import type { PaneWindow } from './window.ts'

export type { PointKind } from './metric-cells.ts'

export class MetricLeaf extends MetricCounts {
  finish(atMs: number): void {
    if (this.leaf.fold === 'silence') {
      this.closeSilence(atMs)
      return
    }
    if (this.knownKind === undefined) {
      this.closeUnknown(atMs)
      return
    }
    if (this.isCount) this.closeCounts(atMs)
    else this.closeValues(atMs)
  }

  override quietUntil(atMs: number): number {
    if (this.fedMs === atMs || !this.numbers.isEmpty || this.objects.size > 0) return atMs
    const { fold, overMs } = this.leaf
    if (fold === 'silence') return this.silentFromMs(atMs, overMs)
    const isQuiet =
      this.knownKind === undefined
        ? this.isUnknownQuiet(atMs)
        : atMs - this.fedMs > (this.window as PaneWindow).emptyAfterMs && (!this.isCount || this.isCountQuiet(atMs))
    if (!isQuiet) return atMs
    return this.isInstant ? this.standsUntilMs(atMs) : Number.POSITIVE_INFINITY
  }

  /** Until when some value stands, without `over`. */
  protected standsUntilMs(atMs: number): number {
    let untilMs = Number.POSITIVE_INFINITY
    for (const input of this.inputs.order()) {
      const endMs = (this.inputAtMs[input] as number) + this.standsMs
      if (endMs > atMs) untilMs = Math.min(untilMs, endMs)
    }
    return untilMs
  }

  protected get isInstant(): boolean {
    return !this.isCount && this.leaf.overMs === 0 && this.standsMs > this.context.stepMs
  }

  protected closeValues(atMs: number): void {
    this.prepare()
    const window = this.window as PaneWindow
    window.advance(atMs, this.groups.length)
    const { stepMs } = this.context
    const coarseMs = Math.max(stepMs, this.standsMs)
    if (this.leaf.fold === 'sum' || this.leaf.fold === 'count' || this.leaf.fold === 'value') this.foldStanding(atMs)
    for (let i = 0; i < this.touchedCount; i++) this.pushBucket(this.touched[i] as number, atMs, coarseMs)
    this.clearTouched()
    if (this.spanned.size > 0) {
      this.seriesSpans.clear()
      this.spanned.clear()
    }
    if (this.isInstant) {
      this.closeInstant(atMs, coarseMs)
      return
    }
    const { buckets } = window
    const coarse = Math.max(1, (buckets * stepMs) / coarseMs)
    for (const group of this.groups.sorted()) this.out[group] = this.valueResult(group, atMs, coarse, buckets)
  }

  /** Gauges are summed and counted once per series and bucket, by their last value. */
  protected foldStanding(atMs: number): void {
    if (this.knownKind === 'timer' || this.knownKind === 'counter') return
    const sinceMs = atMs - this.context.stepMs
    const { fold } = this.leaf
    this.findNewest(sinceMs)
    for (const input of this.newest) {
      const at = (this.inputs.group[input] as number) * this.width
      const value = this.inputValue[input] as number
      if (fold === 'value') this.bucket[at] = value
      else this.bucket[at] = (this.bucket[at] as number) + (fold === 'count' ? 1 : value)
    }
  }

  /** Inputs in order, as `findNewest` left them; the same list each time. */
  protected readonly newest: number[] = []

  /** Finds inputs with a value later than `sinceMs`; of one series that several sources sent, the newest. */
  protected findNewest(sinceMs: number): void {
    const { newest } = this
    newest.length = 0
    const { hasRuns } = this.inputs
    for (const input of this.inputs.order()) {
      const inputMs = this.inputAtMs[input] as number
      if (inputMs <= sinceMs) continue
      const last = newest.length - 1
      const isSame = hasRuns && last >= 0 && this.inputs.isSameSeries(input, newest[last] as number)
      if (!isSame) newest.push(input)
      else if (inputMs >= (this.inputAtMs[newest[last] as number] as number)) newest[last] = input
    }
  }

  protected pushBucket(group: number, atMs: number, coarseMs: number): void {
    const window = this.window as PaneWindow
    const at = group * this.width
    const covers = this.width - 1
    if (this.knownKind !== 'counter') {
      const coarse = Math.ceil(atMs / coarseMs)
      this.bucket[at + covers] = this.coarse[group] === coarse ? 0 : 1
      this.coarse[group] = coarse
    } else this.averageSpans(group, at)
    window.push(group, this.bucket, at)
    const seen = this.seen.size > 0 ? this.seen.get(group) : undefined
    if (seen) {
      this.distributions?.push(group, atMs, mergeDistributions(seen) as Distribution)
      this.seen.delete(group)
    }
    window.clear(this.bucket, at)
  }

  /** Several counters in one group cover the same time: their deltas add up, their time does not. */
  protected averageSpans(group: number, at: number): void {
    const series = this.seriesSpans.get(group) ?? 1
    this.bucket[at + 1] = (this.bucket[at + 1] as number) / series
  }

  /** Without `over`, where values stand longer than a step: each series' last value, as long as it stands. */
  protected closeInstant(atMs: number, standsMs: number): void {
    if (this.knownKind === 'timer' || this.knownKind === 'counter') {
      for (const group of this.groups.sorted()) this.out[group] = this.valueResult(group, atMs, 1, 1)
      return
    }
    this.out.fill(Number.NaN)
    this.findNewest(atMs - standsMs)
    const { group: groupOf } = this.inputs
    const values: number[] = []
    for (let i = 0; i < this.newest.length; ) {
      const group = groupOf[this.newest[i] as number] as number
      values.length = 0
      for (; i < this.newest.length && groupOf[this.newest[i] as number] === group; i++) {
        values.push(this.inputValue[this.newest[i] as number] as number)
      }
      this.out[group] = poolOf(this.leaf.fold, this.leaf.percent, values)
    }
  }

  protected valueResult(group: number, atMs: number, coarse: number, buckets: number): number {
    const { fold, percent } = this.leaf
    const fields = this.fields
    ;(this.window as PaneWindow).read(group, fields)
    const first = fields[0] as number
    const second = fields[1] as number
    if (this.knownKind === 'counter') {
      const isCovered = second > 0 && second * 2 >= buckets * this.context.stepMs
      return isCovered ? first / (second / 1000) : Number.NaN
    }
    const covered = fields[this.width - 1] as number
    if (covered === 0 || covered * 2 < coarse) return Number.NaN
    switch (fold) {
      case 'p':
        return (this.distributions as DistributionWindow).percentile(group, atMs, percent)
      case 'avg':
        return second > 0 ? first / second : Number.NaN
      case 'change':
        return second - first
      case 'stddev':
        return first > 0 ? Math.sqrt((fields[2] as number) / first) : Number.NaN
      case 'rate':
        return first / ((covered * Math.max(this.context.stepMs, this.standsMs)) / 1000)
      default:
        return first
    }
  }
}

/** A pool of single values; NaN of none. */
export function poolOf(fold: Leaf['fold'], percent: number, values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  switch (fold) {
    case 'sum':
    case 'rate':
      return values.reduce((sum, value) => sum + value, 0)
    case 'avg':
      return values.reduce((sum, value) => sum + value, 0) / values.length
    case 'count':
      return values.length
    case 'min':
      return values.reduce((least, value) => Math.min(least, value))
    case 'max':
      return values.reduce((most, value) => Math.max(most, value))
    case 'stddev': {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
    }
    case 'change':
      return 0
    case 'p': {
      const sorted = Float64Array.from(values).sort()
      return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-9)) - 1] as number
    }
    default:
      return values.at(-1) as number
  }
}
