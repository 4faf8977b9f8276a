/**
 * Leaf: one selector of one rule, from points as they arrive to one value per group and bucket.
 *
 * What arrives is written into the cell of its (source, series) in the open bucket, so that a repeated message changes
 * nothing. When the bucket is closed, cells are folded in the order of group, series and source, whatever the order of
 * arrival. A group exists once a point of it has been folded.
 */

import { Groups, type Refusals } from './groups.ts'
import type { Leaf } from './language/tree.ts'
import { bytes, floats, ints, roomMin } from './saved.ts'
import type { Sources } from './sources.ts'
import type { OnLate } from './watch.ts'

/** Whose point it is, for one that nobody's life vouches for: a posted event neither makes its group blind nor partial. */
export const noSource = -1

export interface LeafContext {
  sources: Sources
  stepMs: number
  /** In tests, how long every value stands; undefined live. */
  testStepMs: number | undefined
  /** Start of the rule's first bucket. */
  startMs: number
  groupsMax: number
  panesMax: number
  /** Told when inputs were dropped, so that nobody remembers their numbers. */
  onDrop: () => void
  /** Counts groups that were refused. */
  refusals: Refusals
  onLate?: OnLate | undefined
}

export type SavedLeaf = ReturnType<LeafRun['save']>

/** What the engine and the rule's expressions need of every leaf. */
export abstract class LeafRun {
  readonly leaf: Leaf
  readonly context: LeafContext
  readonly groups: Groups
  /** The value of the last closed bucket by group; NaN is missing. */
  out = new Float64Array(roomMin)
  /** Bucket of the last point by group, the start of the rule where there was none. */
  lastSeenMs = new Float64Array(roomMin)
  /** Sources by group, as a set. */
  sourceSet = new Int32Array(roomMin)
  /** Whose coverage counts for a group that no point has reached. */
  fallbackSet = new Int32Array(roomMin)
  /** 1 where a point has been folded. */
  isBorn = new Uint8Array(roomMin)
  /** Groups that were born in the bucket being closed. */
  born: number[] = []
  /** Grows when a group hears a new source. */
  setsVersion = 0

  constructor(leaf: Leaf, context: LeafContext) {
    this.leaf = leaf
    this.context = context
    this.groups = new Groups(leaf.names, context.groupsMax, context.refusals)
  }

  /** Takes in what arrived for the buckets up to `atMs`; groups are born here. */
  abstract fold(atMs: number): void

  /** Closes the bucket that ends at `atMs`: sets `out` for every group. */
  abstract finish(atMs: number): void

  /**
   * Until when `out` stays as it is if nothing comes, and the leaf would do nothing else; not after `atMs` if that cannot
   * be said. Asked after the bucket of `atMs` is closed.
   */
  quietUntil(_atMs: number): number {
    return Number.NEGATIVE_INFINITY
  }

  /** Buckets up to `atMs` are closed, in which nothing came and nothing changed. */
  pass(_atMs: number): void {}

  /** When the first group that is not yet silent for `forMs` will be. */
  protected silentFromMs(atMs: number, forMs: number): number {
    let fromMs = Number.POSITIVE_INFINITY
    for (const group of this.groups.sorted()) {
      const silentMs = (this.lastSeenMs[group] as number) + forMs
      if (silentMs > atMs) fromMs = Math.min(fromMs, silentMs)
    }
    return fromMs
  }

  /** Every group's sources cover all of the window, as they will while they live. */
  protected isCovered(atMs: number, buckets: number): boolean {
    return this.groups.sorted().every((group) => {
      const set = (this.sourceSet[group] as number) || (this.fallbackSet[group] as number)
      return this.context.sources.isSteady(set) && this.coveredOf(group, atMs, buckets) === buckets
    })
  }

  /** True where the group's input brought something new in this bucket, for counting results of checks. */
  isFresh(_group: number, _atMs: number): boolean {
    return true
  }

  /** False for what is no input, such as another rule's state. */
  get isInput(): boolean {
    return true
  }

  /** False until a point told what kind of series these are. */
  get isKindKnown(): boolean {
    return true
  }

  /** Whether silence of this leaf makes a group `nodata`. */
  abstract get makesNodata(): boolean

  /** How long one value stands, ms. */
  get standsMs(): number {
    return this.context.testStepMs ?? this.leaf.valueStepMs ?? 0
  }

  /** A part of the log is missing up to `toMs`: silence in it says nothing, and its last bucket is not whole. */
  skip(toMs: number): void {
    for (const group of this.groups.sorted()) {
      this.lastSeenMs[group] = Math.max(this.lastSeenMs[group] as number, toMs)
    }
  }

  /** Nothing ran for so long: silence is measured without that time. */
  pause(pausedMs: number): void {
    for (const group of this.groups.sorted()) {
      this.lastSeenMs[group] = (this.lastSeenMs[group] as number) + pausedMs
    }
  }

  /** A group that the rule knows from elsewhere. */
  ensure(values: readonly string[]): number {
    const group = this.groups.add(values)
    if (group >= 0) this.room(group)
    return group
  }

  drop(group: number): void {
    this.groups.drop(group)
    this.isBorn[group] = 0
    this.sourceSet[group] = 0
    this.fallbackSet[group] = 0
    this.out[group] = Number.NaN
    this.lastSeenMs[group] = this.context.startMs
  }

  save() {
    const { length } = this.groups
    return {
      groups: this.groups.save(),
      out: this.out.subarray(0, length),
      lastSeenMs: this.lastSeenMs.subarray(0, length),
      sourceSet: this.sourceSet.subarray(0, length),
      fallbackSet: this.fallbackSet.subarray(0, length),
      isBorn: this.isBorn.subarray(0, length),
      setsVersion: this.setsVersion,
    }
  }

  restore(saved: SavedLeaf): void {
    this.groups.restore(saved.groups)
    this.out = floats(saved.out)
    this.lastSeenMs = floats(saved.lastSeenMs)
    this.sourceSet = ints(saved.sourceSet)
    this.fallbackSet = ints(saved.fallbackSet)
    this.isBorn = bytes(saved.isBorn)
    this.setsVersion = saved.setsVersion
  }

  /** Makes room for a group's state. */
  protected room(group: number): void {
    const from = this.out.length
    if (group < from) {
      if (this.isBorn[group] === 0 && this.lastSeenMs[group] === 0) this.lastSeenMs[group] = this.context.startMs
      return
    }
    const size = from * 2
    this.out = widened(this.out, size)
    this.lastSeenMs = widened(this.lastSeenMs, size)
    this.lastSeenMs.fill(this.context.startMs, from)
    this.sourceSet = widenedInts(this.sourceSet, size)
    this.fallbackSet = widenedInts(this.fallbackSet, size)
    const born = new Uint8Array(size)
    born.set(this.isBorn)
    this.isBorn = born
    this.room(group)
  }

  /** Notes that a point of the bucket reached the group. */
  protected touch(group: number, bucketMs: number, source: number): void {
    if (this.isBorn[group] === 0) {
      this.isBorn[group] = 1
      this.born.push(group)
    }
    if (bucketMs > (this.lastSeenMs[group] as number)) this.lastSeenMs[group] = bucketMs
    if (source === noSource) return
    const before = this.sourceSet[group] as number
    if (before === this.#knownSet && source === this.#knownSource) return
    const after = this.context.sources.withName(before, source)
    this.#knownSet = after
    this.#knownSource = source
    if (after !== before) {
      this.sourceSet[group] = after
      this.setsVersion++
    }
  }

  /** Buckets that the group's sources covered, of the last `buckets`. */
  protected coveredOf(group: number, atMs: number, buckets: number): number {
    const set = (this.sourceSet[group] as number) || (this.fallbackSet[group] as number)
    if (set === this.#coveredSet && atMs === this.#coveredAtMs) return this.#covered
    const { sources, stepMs, startMs } = this.context
    this.#coveredSet = set
    this.#coveredAtMs = atMs
    this.#covered = sources.covered(set, stepMs, atMs, buckets, startMs)
    return this.#covered
  }

  /** The last answer of `coveredOf`, for the next group has mostly the same sources. */
  #coveredSet = -1
  #coveredAtMs = Number.NaN
  #covered = 0
  /** A set and a source that it is known to have. */
  #knownSet = -1
  #knownSource = -1
}

export function widened(array: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const wider = new Float64Array(size)
  wider.set(array)
  return wider
}

export function widenedInts(array: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(size)
  wider.set(array)
  return wider
}
