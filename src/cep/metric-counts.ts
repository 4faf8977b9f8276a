import { type DistributionWindow, distributionOf } from './distribution-window.ts'
import { MetricFold } from './metric-fold.ts'
import type { PaneWindow } from './window.ts'

export abstract class MetricCounts extends MetricFold {
  /** No point was ever seen and nothing is declared: a count under sum or rate is 0, all else is missing. */
  protected closeUnknown(atMs: number): void {
    const buckets = this.nominalBuckets
    for (const group of this.groups.sorted()) {
      const speaks = this.isZeroUnseen && this.coveredOf(group, atMs, buckets) * 2 >= buckets
      this.out[group] = speaks ? 0 : Number.NaN
    }
  }

  protected get isZeroUnseen(): boolean {
    const { fold, assumedKind } = this.leaf
    return assumedKind === 'count' && (fold === 'sum' || fold === 'rate')
  }

  protected get nominalBuckets(): number {
    return Math.max(1, Math.floor((this.leaf.overMs || this.context.stepMs) / this.context.stepMs))
  }

  protected isUnknownQuiet(atMs: number): boolean {
    return !this.isZeroUnseen || this.isCovered(atMs, this.nominalBuckets)
  }

  /** Zeros are pushed for some functions in every bucket; sums of an empty window stay 0. */
  protected isCountQuiet(atMs: number): boolean {
    return this.isPlainSum && this.isCovered(atMs, (this.window as PaneWindow).buckets)
  }

  protected get isPlainSum(): boolean {
    const { fold } = this.leaf
    return fold === 'sum' || fold === 'rate' || fold === 'avg' || fold === 'value'
  }

  protected closeSilence(atMs: number): void {
    for (const group of this.groups.sorted()) {
      this.out[group] = atMs - (this.lastSeenMs[group] as number) >= this.leaf.overMs ? 1 : 0
    }
    this.clearTouched()
  }

  protected closeCounts(atMs: number): void {
    this.prepare()
    const window = this.window as PaneWindow
    window.advance(atMs, this.groups.length)
    this.pushCounts(atMs)
    const { buckets } = window
    for (const group of this.groups.sorted()) {
      const covered = this.coveredOf(group, atMs, buckets)
      this.out[group] = covered > 0 && covered * 2 >= buckets ? this.countResult(group, atMs, covered) : Number.NaN
    }
    this.clearTouched()
  }

  protected pushCounts(atMs: number): void {
    if (this.isPlainSum) {
      if (this.touchedCount > 0) this.pushSums(atMs)
      return
    }
    for (const [group, values] of this.valuesBySeries(atMs)) this.pushValues(group, values, atMs)
  }

  /** Adds this bucket's counts to their groups, in canonical order. */
  protected pushSums(atMs: number): void {
    const { group: groups } = this.inputs
    const window = this.window as PaneWindow
    let current = -1
    this.fields[0] = 0
    for (const input of this.inputs.order()) {
      if (this.inputAtMs[input] !== atMs) continue
      const group = groups[input] as number
      if (group !== current) {
        if (current >= 0) window.push(current, this.fields, 0)
        this.fields[0] = 0
        current = group
      }
      this.fields[0] = (this.fields[0] as number) + (this.inputValue[input] as number)
    }
    if (current >= 0) window.push(current, this.fields, 0)
  }

  /** Each covered group's values of this bucket, one per series, absent ones 0. */
  protected valuesBySeries(atMs: number): Map<number, number[]> {
    const bySeries = new Map<number, Map<string, number>>()
    for (const input of this.inputs.order()) {
      if (this.inputAtMs[input] !== atMs) continue
      const group = this.inputs.group[input] as number
      const series = this.inputs.series[input] as string
      const values = bySeries.get(group) ?? new Map<string, number>()
      values.set(series, (values.get(series) ?? 0) + (this.inputValue[input] as number))
      bySeries.set(group, values)
    }
    const all = new Map<number, number[]>()
    const { sources, stepMs, startMs } = this.context
    for (const group of this.groups.sorted()) {
      const set = (this.sourceSet[group] as number) || (this.fallbackSet[group] as number)
      if (sources.covered(set, stepMs, atMs, 1, startMs) === 0) continue
      const values = [...(bySeries.get(group)?.values() ?? [])]
      const absent = Math.max(1, (this.seriesOfGroup[group] as Set<string>).size) - values.length
      for (let i = 0; i < absent; i++) values.push(0)
      all.set(group, values)
    }
    return all
  }

  protected pushValues(group: number, values: readonly number[], atMs: number): void {
    const window = this.window as PaneWindow
    const { fold } = this.leaf
    if (fold === 'p') {
      this.distributions?.push(group, atMs, distributionOf(values))
      return
    }
    for (const value of values) {
      this.fields.fill(value)
      if (fold === 'stddev') {
        this.fields[0] = 1
        this.fields[2] = 0
      }
      if (fold === 'count') this.fields[0] = 1
      window.push(group, this.fields, 0)
    }
  }

  protected countResult(group: number, atMs: number, covered: number): number {
    const { fold, percent } = this.leaf
    if (fold === 'p') return (this.distributions as DistributionWindow).percentile(group, atMs, percent)
    const fields = this.fields
    ;(this.window as PaneWindow).read(group, fields)
    const first = fields[0] as number
    switch (fold) {
      case 'avg': {
        const series = (this.seriesOfGroup[group] as Set<string>).size
        return series === 0 ? 0 : first / (series * covered)
      }
      case 'rate':
        return first / ((covered * this.context.stepMs) / 1000)
      case 'change':
        return (fields[1] as number) - first
      case 'stddev':
        return first > 0 ? Math.sqrt((fields[2] as number) / first) : Number.NaN
      case 'min':
      case 'max':
        return Number.isFinite(first) ? first : Number.NaN
      default:
        return first
    }
  }
}
