/**
 * State leaves: checks, other rules, sources and the overflow board. Their value is a state code.
 */
import { bucketEnd } from '../model/time.ts'
import { type Leaf, stateCodes } from './language/tree.ts'
import { LeafRun } from './leaf.ts'
import { bytes, dropUpTo, refill, refillMap, roomMin } from './saved.ts'

interface CheckPoint {
  state: number
  atMs: number
  sequence: number
  source: number
  stepMs: number
}

const checkStandsMs = 10_000

/** Check leaf: the latest result; `missing` at the close of the third empty bucket of the check's step. */
export class CheckLeaf extends LeafRun {
  readonly #open = new Map<number, Map<number, CheckPoint>>()
  readonly #last: (CheckPoint & { bucketMs: number })[] = []
  #closedMs = Number.NEGATIVE_INFINITY
  readonly #fresh = new Set<number>()

  get makesNodata(): boolean {
    return true
  }

  write(bucketMs: number, values: readonly string[], point: CheckPoint): void {
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
    const known = bucket.get(group)
    const isNewer = !known || point.atMs > known.atMs || (point.atMs === known.atMs && point.sequence >= known.sequence)
    if (isNewer) bucket.set(group, point)
  }

  override isFresh(group: number, _atMs: number): boolean {
    return this.#fresh.has(group)
  }

  fold(atMs: number): void {
    this.#closedMs = atMs
    this.born = []
    this.#fresh.clear()
    const due = [...this.#open.entries()].filter(([bucketMs]) => bucketMs <= atMs).sort((a, b) => a[0] - b[0])
    for (const [bucketMs, points] of due) {
      this.#open.delete(bucketMs)
      for (const [group, point] of [...points].sort((a, b) => a[0] - b[0])) {
        this.touch(group, bucketMs, point.source)
        this.#last[group] = { ...point, bucketMs }
        this.#fresh.add(group)
      }
    }
  }

  finish(atMs: number): void {
    for (const group of this.groups.sorted()) this.out[group] = this.#result(group, atMs)
  }

  override pass(atMs: number): void {
    this.#closedMs = atMs
    this.#fresh.clear()
  }

  override quietUntil(atMs: number): number {
    if (this.#open.size > 0 || this.#fresh.size > 0) return atMs
    if (this.leaf.fold === 'silence') return this.silentFromMs(atMs, this.leaf.overMs)
    let untilMs = Number.POSITIVE_INFINITY
    for (const group of this.groups.sorted()) {
      const { missingMs, stepMs } = this.#missing(group)
      const late = Math.max(0, Math.floor((atMs - missingMs) / stepMs) + 1)
      untilMs = Math.min(untilMs, missingMs + late * stepMs)
    }
    return untilMs
  }

  override skip(toMs: number): void {
    super.skip(toMs)
    dropUpTo(this.#open, toMs)
  }

  override pause(pausedMs: number): void {
    super.pause(pausedMs)
    for (const last of this.#last) if (last) last.bucketMs += pausedMs
  }

  override drop(group: number): void {
    super.drop(group)
    delete this.#last[group]
    for (const bucket of this.#open.values()) bucket.delete(group)
  }

  override save() {
    return { ...super.save(), open: this.#open, last: this.#last, closedMs: this.#closedMs }
  }

  override restore(saved: ReturnType<CheckLeaf['save']>): void {
    super.restore(saved)
    refillMap(
      this.#open,
      [...saved.open].map(([bucketMs, points]) => [bucketMs, new Map(points)] as const),
    )
    refill(this.#last, saved.last)
    this.#closedMs = saved.closedMs
  }

  /** From when on the group's check is missing, and how often it should come. */
  #missing(group: number): { missingMs: number; stepMs: number } {
    const last = this.#last[group]
    const stepMs = this.context.testStepMs ?? this.leaf.valueStepMs ?? last?.stepMs ?? checkStandsMs
    return { missingMs: bucketEnd(last?.bucketMs ?? this.context.startMs, stepMs) + 3 * stepMs, stepMs }
  }

  #result(group: number, atMs: number): number {
    if (this.leaf.fold === 'silence') return atMs - (this.lastSeenMs[group] as number) >= this.leaf.overMs ? 1 : 0
    const last = this.#last[group]
    const { missingMs, stepMs } = this.#missing(group)
    if (atMs < missingMs) return last ? last.state : Number.NaN
    // Each further empty step counts as one more result that did not come.
    const emptyBefore = Math.floor((atMs - this.context.stepMs - missingMs) / stepMs)
    if (Math.floor((atMs - missingMs) / stepMs) > emptyBefore) this.#fresh.add(group)
    return stateCodes.missing
  }
}

/** What a board leaf reads: states by key of groups, such as another rule's. */
export interface StateBoard {
  /** Groups that exist, as values of the board's names. */
  groups(): readonly (readonly string[])[]
  /** Grows when groups come or go. */
  readonly version: number
  /** The state of a group; `early` asks whether its condition holds, before its `for` has run out. */
  state(values: readonly string[]): number
  early(values: readonly string[]): boolean
}

/** Board leaf: states of another rule, of sources, or of the engine's own bounds. */
export class BoardLeaf extends LeafRun {
  protected board: StateBoard | undefined
  /** 1 where the other rule's condition holds or it fires. */
  early = new Uint8Array(roomMin)
  #facts: Readonly<Record<string, Readonly<Record<string, string>>>> = {}
  #version = -1

  get makesNodata(): boolean {
    return false
  }

  override get isInput(): boolean {
    return false
  }

  /** Reads this board from now on, and all its groups anew where `looksAgain`. */
  wire(board: StateBoard | undefined, looksAgain: boolean): void {
    this.board = board
    if (looksAgain) this.#version = -1
  }

  useFacts(facts: Readonly<Record<string, Readonly<Record<string, string>>>>): void {
    this.#facts = facts
  }

  /** Who changes the board wakes the rule; the overflow board is looked at in every bucket. */
  override quietUntil(atMs: number): number {
    return this.leaf.source === 'overflow' ? atMs : Number.POSITIVE_INFINITY
  }

  override pass(atMs: number): void {
    for (const group of this.groups.sorted()) this.lastSeenMs[group] = atMs
  }

  fold(_atMs: number): void {
    this.born = []
    if (this.board && this.board.version !== this.#version) this.#adopt()
  }

  finish(atMs: number): void {
    if (!this.board) return
    if (this.early.length < this.out.length) this.early = new Uint8Array(this.out.length)
    for (const group of this.groups.sorted()) {
      this.lastSeenMs[group] = atMs
      const theirs = this.#theirs(this.groups.values[group] as readonly string[])
      this.out[group] = theirs ? this.board.state(theirs) : stateCodes.missing
      this.early[group] = theirs && this.board.early(theirs) ? 1 : 0
    }
  }

  override save() {
    return { ...super.save(), early: this.early.subarray(0, this.groups.length), version: this.#version }
  }

  override restore(saved: ReturnType<BoardLeaf['save']>): void {
    super.restore(saved)
    this.early = bytes(saved.early, this.out.length)
    this.#version = saved.version
  }

  /** Groups of the board become groups here, where no fact stands between. */
  #adopt(): void {
    this.#version = this.board?.version ?? -1
    if (this.leaf.links.some((link) => link.fact !== '')) return
    for (const theirs of this.board?.groups() ?? []) {
      const ours = this.#ours(this.leaf, theirs)
      if (!ours) continue
      const isNew = this.groups.find(ours) < 0
      const group = this.ensure(ours)
      if (group >= 0 && (isNew || this.isBorn[group] === 0)) {
        this.isBorn[group] = 1
        this.born.push(group)
      }
    }
  }

  #ours(leaf: Leaf, theirs: readonly string[]): readonly string[] | undefined {
    if (leaf.source !== 'rule') return theirs
    const values = leaf.links.map((link, i) =>
      link.equals === '' || link.equals === theirs[i] ? theirs[i] : undefined,
    )
    if (values.includes(undefined)) return undefined
    return leaf.names.map((name) => values[leaf.links.findIndex((link) => link.ours === name)] as string)
  }

  #theirs(ours: readonly string[]): readonly string[] | undefined {
    if (this.leaf.source !== 'rule') return ours
    const theirs = this.leaf.links.map((link) => {
      if (link.equals !== '') return link.equals
      const value = ours[this.leaf.names.indexOf(link.ours)] as string
      return link.fact === '' ? value : this.#facts[`${link.ours}.${link.fact}`]?.[value]
    })
    return theirs.includes(undefined) ? undefined : (theirs as string[])
  }
}
