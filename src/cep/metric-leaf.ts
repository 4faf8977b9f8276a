/**
 * Metric leaf: numbers and timers of one selector, folded to one value per group and bucket.
 *
 * Counts are 0 where they are absent and their source lives; other kinds are missing. A series' kind is the catalogue's,
 * else what the bus says of the first point.
 */
import type { Distribution } from '../model/distribution.ts'
import { mergeDistributions } from '../model/distribution.ts'
import { DistributionWindow, distributionOf } from './distribution-window.ts'
import { Inputs } from './inputs.ts'
import type { Leaf, SeriesKind } from './language/tree.ts'
import { type LeafContext, LeafRun, widened } from './leaf.ts'
import { type FieldFold, foldField, mergeMoments, PaneWindow, windowShape } from './window.ts'

/** What a column of a metrics message holds for one input. */
export type PointKind = 'count' | 'gauge' | 'untyped' | 'timer' | 'set'

const untypedStandsMs = 60_000
const gaugeStandsMs = 10_000

export class MetricLeaf extends LeafRun {
  readonly inputs = new Inputs()
  /** Points that came for buckets already closed. */
  late = 0
  #kind: SeriesKind | undefined
  #observed: PointKind | undefined
  #closedMs = Number.NEGATIVE_INFINITY
  readonly #numbers = new Map<number, Float64Array<ArrayBuffer>>()
  readonly #objects = new Map<number, Map<number, Distribution | readonly string[]>>()
  #inputValue = new Float64Array(16)
  #inputAtMs = new Float64Array(16).fill(Number.NEGATIVE_INFINITY)
  readonly #inputSeen: boolean[] = []
  readonly #seriesOfGroup: Set<string>[] = []
  readonly #members = new Map<number, Set<string>>()
  #window: PaneWindow | undefined
  #folds: readonly FieldFold[] = []
  #bucket = new Float64Array(0)
  #touched = new Set<number>()
  #seen = new Map<number, Distribution[]>()
  #distributions: DistributionWindow | undefined
  #coarse = new Float64Array(16).fill(Number.NaN)
  #fields = new Float64Array(8)

  constructor(leaf: Leaf, context: LeafContext) {
    super(leaf, context)
    this.#kind = leaf.kind
  }

  get kind(): SeriesKind | undefined {
    return this.#kind
  }

  get makesNodata(): boolean {
    return this.#kind !== undefined && !this.#isCount
  }

  override get standsMs(): number {
    const fallback = this.#observed === 'untyped' ? untypedStandsMs : gaugeStandsMs
    return this.context.testStepMs ?? this.leaf.valueStepMs ?? fallback
  }

  /** The number of the (source, series) pair, made when it is new; -1 when its group has no room. */
  input(series: string, sourceId: string, values: readonly string[], point: PointKind): number {
    const known = this.inputs.find(series, sourceId)
    if (known >= 0) return known
    const group = this.ensure(values)
    if (group < 0) return -1
    if (this.#observed === undefined) this.#observe(point)
    const { sources } = this.context
    const input = this.inputs.add(series, sourceId, sources.indexOf(sources.nameOf(sourceId)), group)
    if (input >= this.#inputValue.length) {
      this.#inputValue = widened(this.#inputValue, input * 2)
      const from = this.#inputAtMs.length
      this.#inputAtMs = widened(this.#inputAtMs, input * 2)
      this.#inputAtMs.fill(Number.NEGATIVE_INFINITY, from)
    }
    return input
  }

  /** Writes numbers of a source's bucket; a repeated one overwrites. */
  writeNumbers(bucketMs: number, inputs: Int32Array, positions: Int32Array, values: Float64Array): void {
    if (bucketMs <= this.#closedMs) {
      this.late += inputs.length
      return
    }
    const cells = this.#cells(bucketMs)
    for (let i = 0; i < inputs.length; i++) cells[inputs[i] as number] = values[positions[i] as number] as number
  }

  writeObject(bucketMs: number, input: number, value: Distribution | readonly string[]): void {
    if (bucketMs <= this.#closedMs) {
      this.late++
      return
    }
    let cells = this.#objects.get(bucketMs)
    if (!cells) {
      cells = new Map()
      this.#objects.set(bucketMs, cells)
    }
    cells.set(input, value)
  }

  fold(atMs: number): void {
    this.#closedMs = atMs
    this.born = []
    const { length } = this.groups
    this.#window?.grow(length)
    this.#window?.advance(atMs, length)
    if (this.#numbers.size > 0) this.#foldNumbers(atMs)
    if (this.#objects.size > 0) this.#foldObjects(atMs)
  }

  finish(atMs: number): void {
    if (this.leaf.fold === 'silence') {
      this.#closeSilence(atMs)
      return
    }
    if (this.#kind === undefined) {
      this.#closeUnknown(atMs)
      return
    }
    if (this.#isCount) this.#closeCounts(atMs)
    else this.#closeValues(atMs)
  }

  override drop(group: number): void {
    super.drop(group)
    this.inputs.dropGroup(group)
    this.#seriesOfGroup[group] = new Set()
    this.#window?.reset(group)
    this.#distributions?.reset(group)
  }

  protected override room(group: number): void {
    super.room(group)
    if (this.#coarse.length < this.out.length) {
      const from = this.#coarse.length
      this.#coarse = widened(this.#coarse, this.out.length)
      this.#coarse.fill(Number.NaN, from)
    }
    this.#seriesOfGroup[group] ??= new Set()
    this.#window?.grow(group + 1)
    this.#distributions?.grow(group + 1)
    if (this.#bucket.length < this.out.length * this.#width) this.#emptyBucket()
  }

  #emptyBucket(): void {
    this.#bucket = new Float64Array(this.out.length * this.#width)
    for (let at = 0; at < this.#bucket.length; at += this.#width) this.#window?.clear(this.#bucket, at)
  }

  get #isCount(): boolean {
    return this.#kind === 'count' || this.#kind === 'set'
  }

  get #width(): number {
    return this.#window?.width ?? 0
  }

  #observe(point: PointKind): void {
    this.#observed = point
    if (this.#kind === undefined) this.#kind = point === 'untyped' ? 'gauge' : point
    // A gauge may not be rated: an undeclared number under rate is an ever-growing counter.
    if (this.#kind === 'gauge' && this.leaf.fold === 'rate') this.#kind = 'counter'
    if (this.#kind === 'counter' && this.leaf.fold !== 'rate') this.#kind = 'gauge'
    this.#prepare()
  }

  /** Makes the window as soon as the kind is known. */
  #prepare(): void {
    if (this.#window || this.#kind === undefined) return
    const { stepMs } = this.context
    const { fold, overMs } = this.leaf
    const isPercentile = fold === 'p'
    const shape = windowShape(overMs || stepMs, stepMs, isPercentile ? 30 : this.context.panesMax)
    this.#folds = foldsOf(fold, this.#kind)
    this.#window = new PaneWindow(shape, this.#folds)
    if (isPercentile) this.#distributions = new DistributionWindow(shape)
    this.#fields = new Float64Array(this.#window.width)
    this.#window.grow(this.groups.length)
    this.#distributions?.grow(this.groups.length)
    this.#emptyBucket()
  }

  #cells(bucketMs: number): Float64Array<ArrayBuffer> {
    let cells = this.#numbers.get(bucketMs)
    if (!cells || cells.length < this.inputs.length) {
      const wider = new Float64Array(Math.max(16, this.inputs.length * 2)).fill(Number.NaN)
      if (cells) wider.set(cells)
      cells = wider
      this.#numbers.set(bucketMs, cells)
    }
    return cells
  }

  #foldNumbers(atMs: number): void {
    const due = [...this.#numbers.keys()].filter((bucketMs) => bucketMs <= atMs).sort((a, b) => a - b)
    const order = this.inputs.order()
    for (const bucketMs of due) {
      const cells = this.#numbers.get(bucketMs) as Float64Array
      this.#numbers.delete(bucketMs)
      for (const input of order) {
        const value = cells[input]
        if (value === undefined || Number.isNaN(value)) continue
        const group = this.#arrive(input, bucketMs)
        if (this.#isCount) this.#addCount(input, value, atMs)
        else this.#foldValue(input, group, value, bucketMs)
      }
    }
  }

  #foldObjects(atMs: number): void {
    const due = [...this.#objects.keys()].filter((bucketMs) => bucketMs <= atMs).sort((a, b) => a - b)
    for (const bucketMs of due) {
      const cells = this.#objects.get(bucketMs) as Map<number, Distribution | readonly string[]>
      this.#objects.delete(bucketMs)
      for (const input of this.inputs.order()) {
        const value = cells.get(input)
        if (value === undefined) continue
        const group = this.#arrive(input, bucketMs)
        if ('length' in value) this.#addMembers(input, value, atMs)
        else this.#foldDistribution(group, value)
      }
    }
  }

  #arrive(input: number, bucketMs: number): number {
    const group = this.inputs.group[input] as number
    this.touch(group, bucketMs, this.inputs.source[input] as number)
    this.#touched.add(group)
    if (!this.#inputSeen[input]) {
      this.#inputSeen[input] = true
      ;(this.#seriesOfGroup[group] as Set<string>).add(this.inputs.series[input] as string)
    }
    return group
  }

  #addCount(input: number, value: number, atMs: number): void {
    const before = this.#inputAtMs[input] === atMs ? (this.#inputValue[input] as number) : 0
    this.#inputValue[input] = before + value
    this.#inputAtMs[input] = atMs
  }

  #addMembers(input: number, members: readonly string[], atMs: number): void {
    let known = this.#members.get(input)
    if (!known || this.#inputAtMs[input] !== atMs) {
      known = new Set()
      this.#members.set(input, known)
    }
    for (const member of members) known.add(member)
    this.#inputValue[input] = known.size
    this.#inputAtMs[input] = atMs
  }

  /** One point of a gauge, a percentile or a counter. */
  #foldValue(input: number, group: number, value: number, bucketMs: number): void {
    if (this.#kind === 'counter') this.#foldCounter(input, group, value, bucketMs)
    else if (this.leaf.fold === 'p') this.#see(group, distributionOf([value]))
    else if (this.leaf.fold !== 'sum' && this.leaf.fold !== 'count') this.#foldNumber(group, value)
    this.#inputValue[input] = value
    this.#inputAtMs[input] = bucketMs
  }

  /** A counter that falls was reset and counts its new value; its first sample covers nothing. */
  #foldCounter(input: number, group: number, value: number, bucketMs: number): void {
    const beforeMs = this.#inputAtMs[input] as number
    if (beforeMs === Number.NEGATIVE_INFINITY) return
    const before = this.#inputValue[input] as number
    const at = group * this.#width
    const spanMs = Math.min(bucketMs - beforeMs, Math.max(this.leaf.overMs, this.context.stepMs, this.standsMs))
    const delta = value >= before ? value - before : value
    const share = spanMs / (bucketMs - beforeMs)
    this.#bucket[at] = (this.#bucket[at] as number) + (share < 1 ? delta * share : delta)
    this.#bucket[at + 1] = Math.max(this.#bucket[at + 1] as number, 0) + spanMs
    this.#seriesSpans.set(group, (this.#seriesSpans.get(group) ?? 0) + 1)
  }

  readonly #seriesSpans = new Map<number, number>()

  #foldNumber(group: number, value: number): void {
    const at = group * this.#width
    this.#fields.fill(0)
    switch (this.leaf.fold) {
      case 'avg':
        this.#bucket[at] = (this.#bucket[at] as number) + value
        this.#bucket[at + 1] = (this.#bucket[at + 1] as number) + 1
        return
      case 'change':
        this.#bucket[at] = foldField('first', this.#bucket[at] as number, value)
        this.#bucket[at + 1] = value
        return
      case 'stddev':
        this.#fields[0] = 1
        this.#fields[1] = value
        mergeMoments(this.#bucket, at, this.#bucket, at, this.#fields, 0)
        return
      case 'min':
      case 'max':
        this.#bucket[at] = foldField(this.leaf.fold, this.#bucket[at] as number, value)
        return
      default:
        this.#bucket[at] = value
    }
  }

  #foldDistribution(group: number, seen: Distribution): void {
    const at = group * this.#width
    let received = 0
    for (const count of seen.counts) received += count
    switch (this.leaf.fold) {
      case 'p':
        this.#see(group, seen)
        return
      case 'min':
      case 'max':
        this.#bucket[at] = foldField(
          this.leaf.fold,
          this.#bucket[at] as number,
          this.leaf.fold === 'min' ? seen.min : seen.max,
        )
        return
      case 'count':
        this.#bucket[at] = (this.#bucket[at] as number) + seen.count
        return
      case 'stddev':
        this.#fields[0] = received
        this.#fields[1] = seen.sum / received
        this.#fields[2] = Math.max(0, seen.sumSquares - (seen.sum * seen.sum) / received)
        mergeMoments(this.#bucket, at, this.#bucket, at, this.#fields, 0)
        return
      case 'avg':
        this.#bucket[at] = (this.#bucket[at] as number) + seen.sum
        this.#bucket[at + 1] = (this.#bucket[at + 1] as number) + received
        return
      case 'sum':
        this.#bucket[at] = (this.#bucket[at] as number) + seen.sum
        return
      default:
        this.#bucket[at] = seen.sum / received
    }
  }

  #see(group: number, seen: Distribution): void {
    const list = this.#seen.get(group)
    if (list) list.push(seen)
    else this.#seen.set(group, [seen])
  }

  /** No point was ever seen and nothing is declared: a count under sum or rate is 0, all else is missing. */
  #closeUnknown(atMs: number): void {
    const { fold, assumedKind, overMs } = this.leaf
    const isZero = assumedKind === 'count' && (fold === 'sum' || fold === 'rate')
    const buckets = Math.max(1, Math.floor((overMs || this.context.stepMs) / this.context.stepMs))
    for (const group of this.groups.sorted()) {
      const speaks = isZero && this.coveredOf(group, atMs, buckets) * 2 >= buckets
      this.out[group] = speaks ? 0 : Number.NaN
    }
  }

  #closeSilence(atMs: number): void {
    for (const group of this.groups.sorted()) {
      this.out[group] = atMs - (this.lastSeenMs[group] as number) >= this.leaf.overMs ? 1 : 0
    }
    this.#touched.clear()
  }

  #closeCounts(atMs: number): void {
    this.#prepare()
    const window = this.#window as PaneWindow
    window.advance(atMs, this.groups.length)
    this.#pushCounts(atMs)
    const { buckets } = window.at(atMs)
    for (const group of this.groups.sorted()) {
      const covered = this.coveredOf(group, atMs, buckets)
      this.out[group] = covered > 0 && covered * 2 >= buckets ? this.#countResult(group, atMs, covered) : Number.NaN
    }
    this.#touched.clear()
  }

  #pushCounts(atMs: number): void {
    const { fold } = this.leaf
    const isPlainSum = fold === 'sum' || fold === 'rate' || fold === 'avg' || fold === 'value'
    if (isPlainSum) {
      if (this.#touched.size > 0) this.#pushSums(atMs)
      return
    }
    for (const [group, values] of this.#valuesBySeries(atMs)) this.#pushValues(group, values, atMs)
  }

  /** Adds this bucket's counts to their groups, in canonical order. */
  #pushSums(atMs: number): void {
    const { group: groups } = this.inputs
    const window = this.#window as PaneWindow
    let current = -1
    this.#fields[0] = 0
    for (const input of this.inputs.order()) {
      if (this.#inputAtMs[input] !== atMs) continue
      const group = groups[input] as number
      if (group !== current) {
        if (current >= 0) window.push(current, this.#fields, 0)
        this.#fields[0] = 0
        current = group
      }
      this.#fields[0] = (this.#fields[0] as number) + (this.#inputValue[input] as number)
    }
    if (current >= 0) window.push(current, this.#fields, 0)
  }

  /** Each covered group's values of this bucket, one per series, absent ones 0. */
  #valuesBySeries(atMs: number): Map<number, number[]> {
    const bySeries = new Map<number, Map<string, number>>()
    for (const input of this.inputs.order()) {
      if (this.#inputAtMs[input] !== atMs) continue
      const group = this.inputs.group[input] as number
      const series = this.inputs.series[input] as string
      const values = bySeries.get(group) ?? new Map<string, number>()
      values.set(series, (values.get(series) ?? 0) + (this.#inputValue[input] as number))
      bySeries.set(group, values)
    }
    const all = new Map<number, number[]>()
    const { sources, stepMs, startMs } = this.context
    for (const group of this.groups.sorted()) {
      const set = (this.sourceSet[group] as number) || (this.fallbackSet[group] as number)
      if (sources.covered(set, stepMs, atMs, 1, startMs) === 0) continue
      const values = [...(bySeries.get(group)?.values() ?? [])]
      const absent = Math.max(1, (this.#seriesOfGroup[group] as Set<string>).size) - values.length
      for (let i = 0; i < absent; i++) values.push(0)
      all.set(group, values)
    }
    return all
  }

  #pushValues(group: number, values: readonly number[], atMs: number): void {
    const window = this.#window as PaneWindow
    const { fold } = this.leaf
    if (fold === 'p') {
      this.#distributions?.push(group, atMs, distributionOf(values))
      return
    }
    for (const value of values) {
      this.#fields.fill(value)
      if (fold === 'stddev') {
        this.#fields[0] = 1
        this.#fields[2] = 0
      }
      if (fold === 'count') this.#fields[0] = 1
      window.push(group, this.#fields, 0)
    }
  }

  #countResult(group: number, atMs: number, covered: number): number {
    const { fold, percent } = this.leaf
    if (fold === 'p') return (this.#distributions as DistributionWindow).percentile(group, atMs, percent)
    const fields = this.#fields
    ;(this.#window as PaneWindow).read(group, fields)
    const first = fields[0] as number
    switch (fold) {
      case 'avg': {
        const series = (this.#seriesOfGroup[group] as Set<string>).size
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

  #closeValues(atMs: number): void {
    this.#prepare()
    const window = this.#window as PaneWindow
    window.advance(atMs, this.groups.length)
    const { stepMs } = this.context
    const coarseMs = Math.max(stepMs, this.standsMs)
    if (this.leaf.fold === 'sum' || this.leaf.fold === 'count' || this.leaf.fold === 'value') this.#foldStanding(atMs)
    for (const group of this.#touched) this.#pushBucket(group, atMs, coarseMs)
    this.#touched.clear()
    this.#seriesSpans.clear()
    const isInstant = this.leaf.overMs === 0 && coarseMs > stepMs
    if (isInstant) {
      this.#closeInstant(atMs, coarseMs)
      return
    }
    const { buckets } = window.at(atMs)
    const coarse = Math.max(1, (buckets * stepMs) / coarseMs)
    for (const group of this.groups.sorted()) this.out[group] = this.#valueResult(group, atMs, coarse, buckets)
  }

  /** Gauges are summed and counted once per series and bucket, by their last value. */
  #foldStanding(atMs: number): void {
    if (this.#kind === 'timer' || this.#kind === 'counter') return
    const sinceMs = atMs - this.context.stepMs
    const { fold } = this.leaf
    const seen = new Map<number, string>()
    for (const input of this.inputs.order()) {
      if ((this.#inputAtMs[input] as number) <= sinceMs) continue
      const group = this.inputs.group[input] as number
      const at = group * this.#width
      if (fold === 'value') this.#bucket[at] = this.#inputValue[input] as number
      else if (seen.get(group) !== this.inputs.series[input]) {
        this.#bucket[at] = (this.#bucket[at] as number) + (fold === 'count' ? 1 : (this.#inputValue[input] as number))
        seen.set(group, this.inputs.series[input] as string)
      }
    }
  }

  #pushBucket(group: number, atMs: number, coarseMs: number): void {
    const window = this.#window as PaneWindow
    const at = group * this.#width
    const covers = this.#width - 1
    if (this.#kind !== 'counter') {
      const coarse = Math.ceil(atMs / coarseMs)
      this.#bucket[at + covers] = this.#coarse[group] === coarse ? 0 : 1
      this.#coarse[group] = coarse
    } else this.#averageSpans(group, at)
    window.push(group, this.#bucket, at)
    const seen = this.#seen.get(group)
    if (seen) {
      this.#distributions?.push(group, atMs, mergeDistributions(seen) as Distribution)
      this.#seen.delete(group)
    }
    window.clear(this.#bucket, at)
  }

  /** Several counters in one group cover the same time: their deltas add up, their time does not. */
  #averageSpans(group: number, at: number): void {
    const series = this.#seriesSpans.get(group) ?? 1
    this.#bucket[at + 1] = (this.#bucket[at + 1] as number) / series
  }

  /** Without `over`, where values stand longer than a step: each series' last value, as long as it stands. */
  #closeInstant(atMs: number, standsMs: number): void {
    const values = new Map<number, number[]>()
    let last = -1
    for (const input of this.inputs.order()) {
      const inputMs = this.#inputAtMs[input] as number
      if (inputMs <= atMs - standsMs) continue
      const group = this.inputs.group[input] as number
      const list = values.get(group) ?? []
      values.set(group, list)
      // Of one series that two sources sent, such as before and after a restart, the newer value stands.
      const isSame =
        last >= 0 && this.inputs.group[last] === group && this.inputs.series[last] === this.inputs.series[input]
      if (!isSame) list.push(this.#inputValue[input] as number)
      else if (inputMs >= (this.#inputAtMs[last] as number)) list[list.length - 1] = this.#inputValue[input] as number
      last = input
    }
    const { fold, percent } = this.leaf
    for (const group of this.groups.sorted()) {
      this.out[group] =
        this.#kind === 'timer' || this.#kind === 'counter'
          ? this.#valueResult(group, atMs, 1, 1)
          : poolOf(fold, percent, values.get(group) ?? [])
    }
  }

  #valueResult(group: number, atMs: number, coarse: number, buckets: number): number {
    const { fold, percent } = this.leaf
    const fields = this.#fields
    ;(this.#window as PaneWindow).read(group, fields)
    const [first, second] = [fields[0] as number, fields[1] as number]
    if (this.#kind === 'counter') {
      const isCovered = second > 0 && second * 2 >= buckets * this.context.stepMs
      return isCovered ? first / (second / 1000) : Number.NaN
    }
    const covered = fields[this.#width - 1] as number
    if (covered === 0 || covered * 2 < coarse) return Number.NaN
    switch (fold) {
      case 'p':
        return (this.#distributions as DistributionWindow).percentile(group, atMs, percent)
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

/** The fields of one pane by function; kinds other than counts end with how many buckets have data. */
function foldsOf(fold: Leaf['fold'], kind: SeriesKind): readonly FieldFold[] {
  if (kind === 'counter') return ['add', 'add']
  const isCount = kind === 'count' || kind === 'set'
  const main: Partial<Record<Leaf['fold'], readonly FieldFold[]>> = {
    avg: isCount ? ['add'] : ['add', 'add'],
    min: ['min'],
    max: ['max'],
    last: ['last'],
    change: ['first', 'last'],
    stddev: ['moments'],
    value: isCount ? ['add'] : ['last'],
  }
  const fields = main[fold] ?? ['add']
  return isCount ? fields : [...fields, 'add']
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
