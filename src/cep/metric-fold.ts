/** Metric fold: points of closed source buckets, folded into the rule's bucket in canonical order. */
import { type Distribution, mergeDistributions } from '../model/distribution.ts'
import { distributionOf } from './distribution-window.ts'
import { MetricCells } from './metric-cells.ts'
import { foldField, mergeMoments } from './window.ts'

export abstract class MetricFold extends MetricCells {
  protected readonly members = new Map<number, Set<string>>()

  fold(atMs: number): void {
    this.closedMs = atMs
    if (this.born.length > 0) this.born = []
    const { length } = this.groups
    this.window?.grow(length)
    this.window?.advance(atMs, length)
    if (this.numbers.firstMs <= atMs) this.foldNumbers(atMs)
    if (this.objects.size > 0) this.foldObjects(atMs)
  }

  protected foldNumbers(atMs: number): void {
    this.fedMs = atMs
    for (let bucketMs = this.numbers.firstMs; bucketMs <= atMs; bucketMs = this.numbers.firstMs) {
      const times = this.times.take(bucketMs)
      const cells = this.numbers.shift()
      if (this.isCount) this.foldCounts(cells, bucketMs, atMs)
      else this.foldValues(cells, times, bucketMs)
      this.numbers.release(cells)
      if (times) this.times.release(times)
    }
  }

  protected foldCounts(cells: Float64Array, bucketMs: number, atMs: number): void {
    const order = this.inputs.order()
    for (let at = 0; at < order.length; at++) {
      const input = order[at] as number
      const value = cells[input]
      if (value === undefined || Number.isNaN(value)) continue
      this.arrive(input, bucketMs)
      this.addCount(input, value, atMs)
    }
  }

  protected foldValues(cells: Float64Array, times: Float64Array | undefined, bucketMs: number): void {
    const order = this.inputs.order()
    const isMerged = this.inputs.hasRuns
    for (let at = 0; at < order.length; at++) {
      const input = order[at] as number
      const value = cells[input]
      if (value === undefined || Number.isNaN(value)) continue
      const group = this.arrive(input, bucketMs)
      if (!isMerged || this.isLastWriter(order, at, cells, times)) this.foldValue(input, group, value, bucketMs)
    }
  }

  /**
   * Of what several sources wrote of one series in one bucket the last stands, as if one daemon had got it all. Who does
   * not say when wrote at the end; of those who wrote at once the last in order stands.
   */
  protected isLastWriter(
    order: readonly number[],
    at: number,
    cells: Float64Array,
    times: Float64Array | undefined,
  ): boolean {
    const input = order[at] as number
    const timeOf = (one: number) => {
      const time = times?.[one] ?? Number.NaN
      return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
    }
    const [from, end] = this.runOf(order, at)
    let newest = input
    for (let i = from; i < end; i++) {
      const other = order[i] as number
      if ((this.inputAtMs[other] as number) > (this.inputAtMs[newest] as number)) newest = other
      if (i === at || Number.isNaN(cells[other] ?? Number.NaN)) continue
      if (timeOf(other) > timeOf(input) || (timeOf(other) === timeOf(input) && i > at)) return false
    }
    // What came before, a growing counter's last sample, may have come from another source.
    this.inputValue[input] = this.inputValue[newest] as number
    this.inputAtMs[input] = this.inputAtMs[newest] as number
    return true
  }

  /** Where the series of `order[at]` begins and ends in the order. */
  protected runOf(order: readonly number[], at: number): [from: number, end: number] {
    const input = order[at] as number
    let from = at
    let end = at + 1
    while (from > 0 && this.inputs.isSameSeries(order[from - 1] as number, input)) from--
    while (end < order.length && this.inputs.isSameSeries(order[end] as number, input)) end++
    return [from, end]
  }

  protected foldObjects(atMs: number): void {
    this.fedMs = atMs
    const due = [...this.objects.keys()].filter((bucketMs) => bucketMs <= atMs).sort((a, b) => a - b)
    const order = this.inputs.order()
    for (const bucketMs of due) {
      const cells = this.objects.get(bucketMs) as Map<number, Distribution | readonly string[]>
      this.objects.delete(bucketMs)
      for (let at = 0; at < order.length; ) {
        const end = this.inputs.hasRuns ? this.runOf(order, at)[1] : at + 1
        this.foldRun(order.slice(at, end), cells, bucketMs, atMs)
        at = end
      }
    }
  }

  /** Timers and sets of one series, whoever sent them. */
  protected foldRun(
    run: readonly number[],
    cells: ReadonlyMap<number, Distribution | readonly string[]>,
    bucketMs: number,
    atMs: number,
  ): void {
    const seen: Distribution[] = []
    let group = -1
    for (const input of run) {
      const value = cells.get(input)
      if (value === undefined) continue
      group = this.arrive(input, bucketMs)
      if ('length' in value) this.addMembers(run[0] as number, value, atMs)
      else seen.push(value)
    }
    const merged = mergeDistributions(seen)
    if (merged) this.foldDistribution(group, merged)
  }

  protected addCount(input: number, value: number, atMs: number): void {
    const before = this.inputAtMs[input] === atMs ? (this.inputValue[input] as number) : 0
    this.inputValue[input] = before + value
    this.inputAtMs[input] = atMs
  }

  protected addMembers(input: number, members: readonly string[], atMs: number): void {
    let known = this.members.get(input)
    if (!known || this.inputAtMs[input] !== atMs) {
      known = new Set()
      this.members.set(input, known)
    }
    for (const member of members) known.add(member)
    this.inputValue[input] = known.size
    this.inputAtMs[input] = atMs
  }

  /** One point of a gauge, a percentile or a counter. */
  protected foldValue(input: number, group: number, value: number, bucketMs: number): void {
    if (this.knownKind === 'counter') this.foldCounter(input, group, value, bucketMs)
    else if (this.leaf.fold === 'p') this.see(group, distributionOf([value]))
    else if (this.leaf.fold !== 'sum' && this.leaf.fold !== 'count') this.foldNumber(group, value)
    this.inputValue[input] = value
    this.inputAtMs[input] = bucketMs
  }

  /** A counter that falls was reset and counts its new value; its first sample covers nothing. */
  protected foldCounter(input: number, group: number, value: number, bucketMs: number): void {
    const beforeMs = this.inputAtMs[input] as number
    if (beforeMs === Number.NEGATIVE_INFINITY) return
    const before = this.inputValue[input] as number
    const at = group * this.width
    const spanMs = Math.min(bucketMs - beforeMs, Math.max(this.leaf.overMs, this.context.stepMs, this.standsMs))
    const delta = value >= before ? value - before : value
    const share = spanMs / (bucketMs - beforeMs)
    this.bucket[at] = (this.bucket[at] as number) + (share < 1 ? delta * share : delta)
    this.bucket[at + 1] = Math.max(this.bucket[at + 1] as number, 0) + spanMs
    if (this.spanned.has(input)) return
    this.spanned.add(input)
    this.seriesSpans.set(group, (this.seriesSpans.get(group) ?? 0) + 1)
  }

  /** How many counters of a group cover time in this bucket, however many samples each sent in it. */
  protected readonly seriesSpans = new Map<number, number>()
  protected readonly spanned = new Set<number>()

  protected foldNumber(group: number, value: number): void {
    const at = group * this.width
    switch (this.leaf.fold) {
      case 'avg':
        this.bucket[at] = (this.bucket[at] as number) + value
        this.bucket[at + 1] = (this.bucket[at + 1] as number) + 1
        return
      case 'change':
        this.bucket[at] = foldField('first', this.bucket[at] as number, value)
        this.bucket[at + 1] = value
        return
      case 'stddev':
        this.fields[0] = 1
        this.fields[1] = value
        this.fields[2] = 0
        mergeMoments(this.bucket, at, this.bucket, at, this.fields, 0)
        return
      case 'min':
      case 'max':
        this.bucket[at] = foldField(this.leaf.fold, this.bucket[at] as number, value)
        return
      default:
        this.bucket[at] = value
    }
  }

  protected foldDistribution(group: number, seen: Distribution): void {
    const at = group * this.width
    let received = 0
    for (const count of seen.counts) received += count
    switch (this.leaf.fold) {
      case 'p':
        this.see(group, seen)
        return
      case 'min':
      case 'max':
        this.bucket[at] = foldField(
          this.leaf.fold,
          this.bucket[at] as number,
          this.leaf.fold === 'min' ? seen.min : seen.max,
        )
        return
      case 'count':
        this.bucket[at] = (this.bucket[at] as number) + seen.count
        return
      case 'stddev':
        this.fields[0] = received
        this.fields[1] = seen.sum / received
        this.fields[2] = Math.max(0, seen.sumSquares - (seen.sum * seen.sum) / received)
        mergeMoments(this.bucket, at, this.bucket, at, this.fields, 0)
        return
      case 'avg':
        this.bucket[at] = (this.bucket[at] as number) + seen.sum
        this.bucket[at + 1] = (this.bucket[at + 1] as number) + received
        return
      case 'sum':
        this.bucket[at] = (this.bucket[at] as number) + seen.sum
        return
      default:
        this.bucket[at] = seen.sum / received
    }
  }
}
