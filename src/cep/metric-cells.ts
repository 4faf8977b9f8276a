/**
 * Metric cells: where points of one selector wait for their bucket to close, and what is known of its series: kind,
 * groups, windows. A series' kind is the catalogue's, else what the bus says of the first point.
 */
import type { Distribution } from '../model/distribution.ts'
import { DistributionWindow } from './distribution-window.ts'
import { Inputs } from './inputs.ts'
import type { Leaf, SeriesKind } from './language/tree.ts'
import { type LeafContext, LeafRun, widened } from './leaf.ts'
import { OpenCells } from './open-cells.ts'
import { bytes, dropUpTo, floats, refill, refillMap, roomMin } from './saved.ts'
import { type FieldFold, PaneWindow, windowShape } from './window.ts'

/** What a column of a metrics message holds for one input. */
export type PointKind = 'count' | 'gauge' | 'untyped' | 'timer' | 'set'

const untypedStandsMs = 60_000
const gaugeStandsMs = 10_000

export abstract class MetricCells extends LeafRun {
  readonly inputs = new Inputs()

  /** Points that came for buckets already closed. */
  late = 0

  protected knownKind: SeriesKind | undefined
  protected observed: PointKind | undefined
  protected closedMs = Number.NEGATIVE_INFINITY
  /** The last bucket in which something came; of a restored leaf perhaps an earlier one. */
  protected fedMs = Number.NEGATIVE_INFINITY
  protected readonly numbers = new OpenCells()
  protected readonly objects = new Map<number, Map<number, Distribution | readonly string[]>>()
  /** When gauges were written, epoch ms, where their source says so; otherwise at the end of the bucket. */
  protected readonly times = new OpenCells()
  protected inputValue = new Float64Array(roomMin)
  protected inputAtMs = new Float64Array(roomMin).fill(Number.NEGATIVE_INFINITY)
  protected readonly inputSeen: boolean[] = []
  protected readonly seriesOfGroup: Set<string>[] = []
  protected window: PaneWindow | undefined
  protected bucket = new Float64Array(0)
  /** Groups that got something in the bucket being closed: the first `touchedCount` of the list. */
  protected readonly touched: number[] = []
  protected touchedCount = 0
  protected isTouched = new Uint8Array(roomMin)
  protected seen = new Map<number, Distribution[]>()
  protected distributions: DistributionWindow | undefined
  protected coarse = new Float64Array(roomMin).fill(Number.NaN)
  protected fields = new Float64Array(8)

  constructor(leaf: Leaf, context: LeafContext) {
    super(leaf, context)
    this.knownKind = leaf.kind
  }

  get kind(): SeriesKind | undefined {
    return this.knownKind
  }

  /** The kind that the bus told of its first point. */
  get heard(): PointKind | undefined {
    return this.observed
  }

  get makesNodata(): boolean {
    return this.knownKind !== undefined && !this.isCount
  }

  override get isKindKnown(): boolean {
    return this.observed !== undefined
  }

  override get standsMs(): number {
    const fallback = this.observed === 'untyped' ? untypedStandsMs : gaugeStandsMs
    return this.context.testStepMs ?? this.leaf.valueStepMs ?? fallback
  }

  /** The number of the (source, series) pair, made when it is new; -1 when its group has no room. */
  input(series: string, sourceId: string, values: readonly string[], point: PointKind): number {
    const known = this.inputs.find(series, sourceId)
    if (known >= 0) return known
    const group = this.ensure(values)
    if (group < 0) return -1
    if (this.observed === undefined) this.observe(point)
    const { sources } = this.context
    const input = this.inputs.add(series, sourceId, sources.indexOf(sources.nameOf(sourceId)), group)
    if (input >= this.inputValue.length) {
      this.inputValue = widened(this.inputValue, input * 2)
      const from = this.inputAtMs.length
      this.inputAtMs = widened(this.inputAtMs, input * 2)
      this.inputAtMs.fill(Number.NEGATIVE_INFINITY, from)
    }
    return input
  }

  /** Writes numbers of a source's bucket; a repeated one overwrites. */
  writeNumbers(bucketMs: number, inputs: Int32Array, positions: Int32Array, values: Float64Array): void {
    if (bucketMs <= this.closedMs) {
      this.late += inputs.length
      if (this.context.onLate) for (const input of inputs) this.tellLate(input, bucketMs)
      return
    }
    const cells = this.numbers.open(bucketMs, this.inputs.length)
    for (let i = 0; i < inputs.length; i++) cells[inputs[i] as number] = values[positions[i] as number] as number
  }

  /** As writeNumbers: when they were written, counted from `fromMs`. */
  writeTimes(
    bucketMs: number,
    inputs: Int32Array,
    positions: Int32Array,
    offsetsMs: Float64Array,
    fromMs: number,
  ): void {
    if (bucketMs <= this.closedMs) return
    const times = this.times.open(bucketMs, this.inputs.length)
    for (let i = 0; i < inputs.length; i++) {
      times[inputs[i] as number] = fromMs + (offsetsMs[positions[i] as number] as number)
    }
  }

  writeObject(bucketMs: number, input: number, value: Distribution | readonly string[]): void {
    if (bucketMs <= this.closedMs) {
      this.late++
      this.tellLate(input, bucketMs)
      return
    }
    let cells = this.objects.get(bucketMs)
    if (!cells) {
      cells = new Map()
      this.objects.set(bucketMs, cells)
    }
    cells.set(input, value)
  }

  protected tellLate(input: number, bucketMs: number): void {
    this.context.onLate?.(this.inputs.series[input] as string, bucketMs)
  }

  override skip(toMs: number): void {
    super.skip(toMs)
    this.numbers.dropUpTo(toMs)
    dropUpTo(this.objects, toMs)
    this.times.dropUpTo(toMs)
  }

  override pass(atMs: number): void {
    this.closedMs = atMs
  }

  override drop(group: number): void {
    super.drop(group)
    this.inputs.dropGroup(group)
    this.context.onDrop()
    this.seriesOfGroup[group] = new Set()
    this.window?.reset(group)
    this.distributions?.reset(group)
  }

  /** Between two entries no bucket is half closed, so what lives only while one closes is not saved. */
  override save() {
    const { inputs, late, knownKind, observed, closedMs, numbers, objects, inputSeen, seriesOfGroup } = this
    return {
      ...super.save(),
      inputs: inputs.save(),
      late,
      knownKind,
      observed,
      closedMs,
      numbers: numbers.save(),
      times: this.times.save(),
      objects,
      inputSeen,
      seriesOfGroup,
      inputValue: this.inputValue.subarray(0, inputs.length),
      inputAtMs: this.inputAtMs.subarray(0, inputs.length),
      coarse: this.coarse.subarray(0, this.groups.length),
      window: this.window?.save(this.groups.length),
      distributions: this.distributions?.save(),
    }
  }

  override restore(saved: ReturnType<MetricCells['save']>): void {
    super.restore(saved)
    this.inputs.restore(saved.inputs)
    this.late = saved.late
    this.knownKind = saved.knownKind
    this.observed = saved.observed
    this.closedMs = saved.closedMs
    this.fedMs = saved.closedMs
    this.numbers.restore(saved.numbers)
    this.times.restore(saved.times)
    refillMap(
      this.objects,
      [...saved.objects].map(([bucketMs, cells]) => [bucketMs, new Map(cells)] as const),
    )
    refill(this.inputSeen, saved.inputSeen)
    refill(
      this.seriesOfGroup,
      saved.seriesOfGroup.map((series) => new Set(series)),
    )
    this.inputValue = floats(saved.inputValue)
    this.inputAtMs = floats(saved.inputAtMs, Number.NEGATIVE_INFINITY)
    this.coarse = floats(saved.coarse, Number.NaN, this.out.length)
    this.isTouched = new Uint8Array(this.out.length)
    this.prepare()
    if (saved.window) this.window?.restore(saved.window)
    if (saved.distributions) this.distributions?.restore(saved.distributions)
    this.emptyBucket()
  }

  protected override room(group: number): void {
    super.room(group)
    if (this.coarse.length < this.out.length) {
      const from = this.coarse.length
      this.coarse = widened(this.coarse, this.out.length)
      this.coarse.fill(Number.NaN, from)
      this.isTouched = bytes(this.isTouched, this.out.length)
    }
    this.seriesOfGroup[group] ??= new Set()
    this.window?.grow(group + 1)
    this.distributions?.grow(group + 1)
    if (this.bucket.length < this.out.length * this.width) this.emptyBucket()
  }

  protected emptyBucket(): void {
    this.bucket = new Float64Array(this.out.length * this.width)
    for (let at = 0; at < this.bucket.length; at += this.width) this.window?.clear(this.bucket, at)
  }

  protected get isCount(): boolean {
    return this.knownKind === 'count' || this.knownKind === 'set'
  }

  protected get width(): number {
    return this.window?.width ?? 0
  }

  protected observe(point: PointKind): void {
    this.observed = point
    if (this.knownKind === undefined) this.knownKind = point === 'untyped' ? 'gauge' : point
    // A gauge may not be rated: an undeclared number under rate is an ever-growing counter.
    if (this.knownKind === 'gauge' && this.leaf.fold === 'rate') this.knownKind = 'counter'
    if (this.knownKind === 'counter' && this.leaf.fold !== 'rate') this.knownKind = 'gauge'
    this.prepare()
  }

  /** Makes the window as soon as the kind is known. */
  protected prepare(): void {
    if (this.window || this.knownKind === undefined) return
    const { stepMs } = this.context
    const { fold, overMs } = this.leaf
    const isPercentile = fold === 'p'
    const shape = windowShape(overMs || stepMs, stepMs, isPercentile ? 30 : this.context.panesMax)
    this.window = new PaneWindow(shape, foldsOf(fold, this.knownKind))
    if (isPercentile) this.distributions = new DistributionWindow(shape)
    this.fields = new Float64Array(this.window.width)
    this.window.grow(this.groups.length)
    this.distributions?.grow(this.groups.length)
    this.emptyBucket()
  }

  protected arrive(input: number, bucketMs: number): number {
    const group = this.inputs.group[input] as number
    this.touch(group, bucketMs, this.inputs.source[input] as number)
    if (this.isTouched[group] === 0) {
      this.isTouched[group] = 1
      this.touched[this.touchedCount++] = group
    }
    if (!this.inputSeen[input]) {
      this.inputSeen[input] = true
      ;(this.seriesOfGroup[group] as Set<string>).add(this.inputs.series[input] as string)
    }
    return group
  }

  protected clearTouched(): void {
    for (let i = 0; i < this.touchedCount; i++) this.isTouched[this.touched[i] as number] = 0
    this.touchedCount = 0
  }

  protected see(group: number, seen: Distribution): void {
    const list = this.seen.get(group)
    if (list) list.push(seen)
    else this.seen.set(group, [seen])
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
