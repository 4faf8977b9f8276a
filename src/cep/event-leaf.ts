/**
 * Event leaf: what happened, per group: counted, distinct values of a tag, time since, silence, or the moments themselves.
 *
 * An event is known by its source and sequence number, so a repeated one changes nothing.
 */
import type { Leaf } from './language/tree.ts'
import { type LeafContext, LeafRun } from './leaf.ts'
import { dropUpTo, refill, refillMap } from './saved.ts'
import { PaneWindow, windowShape } from './window.ts'

interface Happened {
  id: string
  group: number
  source: number
  atMs: number
  /** Of the tag that distinct() counts; empty without it. */
  value: string
}

/** Distinct values counted exactly up to here; beyond it the answer is "at least". */
export const distinctMax = 10_000

export class EventLeaf extends LeafRun {
  /** Moments of the bucket just closed, by group, ascending. */
  readonly moments = new Map<number, number[]>()
  readonly #open = new Map<number, Map<string, Happened>>()
  readonly #window: PaneWindow
  readonly #lastMs: number[] = []
  readonly #distinct: Map<string, number>[] = []
  readonly #fields = new Float64Array([1])
  #closedMs = Number.NEGATIVE_INFINITY
  /** The last bucket in which something came; of a restored leaf perhaps an earlier one. */
  #fedMs = Number.NEGATIVE_INFINITY

  constructor(leaf: Leaf, context: LeafContext) {
    super(leaf, context)
    const panesMax = leaf.fold === 'distinct' ? 30 : context.panesMax
    this.#window = new PaneWindow(windowShape(leaf.overMs || context.stepMs, context.stepMs, panesMax), ['add'])
  }

  get makesNodata(): boolean {
    return false
  }

  write(bucketMs: number, happened: Omit<Happened, 'group'>, values: readonly string[]): void {
    if (bucketMs <= this.#closedMs) {
      this.context.onLate?.(this.leaf.path, bucketMs)
      return
    }
    const group = this.ensure(values)
    if (group < 0) return
    let bucket = this.#open.get(bucketMs)
    if (!bucket) {
      bucket = new Map()
      this.#open.set(bucketMs, bucket)
    }
    bucket.set(happened.id, { ...happened, group })
  }

  fold(atMs: number): void {
    this.#closedMs = atMs
    this.born = []
    this.moments.clear()
    this.#window.grow(this.groups.length)
    this.#window.advance(atMs, this.groups.length)
    for (const event of this.#due(atMs)) this.#fold(event, atMs)
  }

  finish(atMs: number): void {
    this.#window.grow(this.groups.length)
    const { buckets, pane, fullPanes } = this.#window.at(atMs)
    const firstPane = pane - fullPanes
    for (const group of this.groups.sorted()) this.out[group] = this.#result(group, atMs, buckets, firstPane)
  }

  override pass(atMs: number): void {
    this.#closedMs = atMs
  }

  override quietUntil(atMs: number): number {
    const { fold, overMs } = this.leaf
    if (this.#fedMs === atMs || this.#open.size > 0 || fold === 'since') return atMs
    if (fold === 'silence') return this.silentFromMs(atMs, overMs)
    if (fold === 'event') return Number.POSITIVE_INFINITY
    const isEmpty = atMs - this.#fedMs > this.#window.emptyAfterMs
    return isEmpty && this.isCovered(atMs, this.#window.at(atMs).buckets) ? Number.POSITIVE_INFINITY : atMs
  }

  override skip(toMs: number): void {
    super.skip(toMs)
    dropUpTo(this.#open, toMs)
  }

  override drop(group: number): void {
    super.drop(group)
    this.#window.reset(group)
    this.#lastMs[group] = Number.NaN
    this.#distinct[group]?.clear()
    for (const bucket of this.#open.values()) {
      for (const [id, event] of bucket) if (event.group === group) bucket.delete(id)
    }
  }

  override save() {
    return {
      ...super.save(),
      open: this.#open,
      window: this.#window.save(this.groups.length),
      lastMs: this.#lastMs,
      distinct: this.#distinct,
      closedMs: this.#closedMs,
    }
  }

  override restore(saved: ReturnType<EventLeaf['save']>): void {
    super.restore(saved)
    refillMap(
      this.#open,
      [...saved.open].map(([bucketMs, events]) => [bucketMs, new Map(events)] as const),
    )
    this.#window.restore(saved.window)
    refill(this.#lastMs, saved.lastMs)
    refill(
      this.#distinct,
      saved.distinct.map((values) => new Map(values)),
    )
    this.#closedMs = saved.closedMs
    this.#fedMs = saved.closedMs
  }

  #due(atMs: number): Happened[] {
    const due: Happened[] = []
    for (const [bucketMs, bucket] of this.#open) {
      if (bucketMs > atMs) continue
      due.push(...bucket.values())
      this.#open.delete(bucketMs)
    }
    return due.sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))
  }

  #fold({ group, source, atMs, value }: Happened, bucketMs: number): void {
    this.#fedMs = bucketMs
    this.touch(group, bucketMs, source)
    this.#window.push(group, this.#fields, 0)
    this.#lastMs[group] = Math.max(this.#lastMs[group] || Number.NEGATIVE_INFINITY, atMs)
    const moments = this.moments.get(group)
    if (moments) moments.push(atMs)
    else this.moments.set(group, [atMs])
    // An event without the tag has no value to count.
    if (this.leaf.fold !== 'distinct' || value === '') return
    this.#distinct[group] ??= new Map()
    const values = this.#distinct[group] as Map<string, number>
    if (values.size < distinctMax || values.has(value)) values.set(value, this.#window.at(bucketMs).pane)
  }

  #result(group: number, atMs: number, buckets: number, firstPane: number): number {
    const { fold, overMs } = this.leaf
    if (fold === 'since') {
      const lastMs = this.#lastMs[group]
      return lastMs === undefined || Number.isNaN(lastMs) ? Number.NaN : atMs - lastMs
    }
    if (fold === 'silence') return atMs - (this.lastSeenMs[group] as number) >= overMs ? 1 : 0
    if (fold === 'event') return this.moments.has(group) ? 1 : 0
    const covered = this.coveredOf(group, atMs, buckets)
    if (fold === 'distinct') return this.#distinctResult(group, firstPane, covered * 2 >= buckets)
    if (covered === 0 || covered * 2 < buckets) return Number.NaN
    const into = new Float64Array(1)
    this.#window.read(group, into)
    return fold === 'rate' ? (into[0] as number) / ((covered * this.context.stepMs) / 1000) : (into[0] as number)
  }

  #distinctResult(group: number, firstPane: number, speaks: boolean): number {
    const values = this.#distinct[group]
    if (values) for (const [value, pane] of values) if (pane < firstPane) values.delete(value)
    return speaks ? (values?.size ?? 0) : Number.NaN
  }
}
