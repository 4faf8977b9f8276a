/**
 * Window: sliding folds over panes, many groups side by side, rule-language.md §13 and §18.
 *
 * A pane is the smallest multiple of the step that is at least length / panesMax, aligned to absolute bucket numbers. The
 * window is the running pane and the full panes before it that fit. Full panes are kept in blocks that are pinned to
 * absolute pane numbers (van Herk 1992; Gil and Werman 1993): the folds of a finished block from each pane to its end, and
 * the fold of the present block from its beginning. So the grouping of additions depends on the time alone, and not on
 * when the process or the group began; a group without data is full of identities.
 */

/** How one field of a pane is folded; `moments` spans three fields: n, mean, M2 (Chan, Golub and LeVeque 1979). */
export type FieldFold = 'add' | 'min' | 'max' | 'first' | 'last' | 'moments'

export interface WindowShape {
  stepMs: number
  /** Buckets per pane. */
  paneBuckets: number
  /** Whole buckets in the window's length. */
  lengthBuckets: number
  /** Full panes that may stand before the running one. */
  fullPanesMax: number
}

export function windowShape(lengthMs: number, stepMs: number, panesMax: number): WindowShape {
  const lengthBuckets = Math.max(1, Math.floor(lengthMs / stepMs))
  const paneBuckets = Math.max(1, Math.ceil(lengthMs / panesMax / stepMs))
  return { stepMs, paneBuckets, lengthBuckets, fullPanesMax: Math.floor((lengthBuckets - 1) / paneBuckets) }
}

/** Where a bucket stands: its pane, and how many buckets the window holds when the bucket closes. */
export function windowAt(shape: WindowShape, atMs: number): { pane: number; fullPanes: number; buckets: number } {
  const bucket = Math.round(atMs / shape.stepMs)
  const pane = Math.ceil(bucket / shape.paneBuckets)
  const running = bucket - (pane - 1) * shape.paneBuckets
  const fullPanes = Math.max(0, Math.floor((shape.lengthBuckets - running) / shape.paneBuckets))
  return { pane, fullPanes, buckets: running + fullPanes * shape.paneBuckets }
}

/** Of a state array's rows, those before the ring: the running pane and the fold of the present block. */
const ringRow = 2

export class PaneWindow {
  readonly shape: WindowShape
  readonly width: number
  /** Buckets that the window holds, as of the last `advance`. */
  buckets = 0
  readonly #folds: readonly FieldFold[]
  /** All fields are added: the usual case, folded without looking at them one by one. */
  readonly #isSum: boolean
  readonly #identity: Float64Array
  readonly #blockPanes: number
  #capacity = 0
  /**
   * Rows, each with the fields of all groups side by side, so that a bucket touches few places: the running pane, the fold
   * of the present block, then the block's panes; those of the former block, from the present offset on, hold folds to
   * its end.
   */
  #state = new Float64Array(0)
  #atMs = Number.NaN
  #pane = Number.NaN
  #fullPanes = 0

  constructor(shape: WindowShape, folds: readonly FieldFold[]) {
    this.shape = shape
    this.#folds = folds
    this.#isSum = folds.every((fold) => fold === 'add')
    this.#identity = Float64Array.from(folds.flatMap(identityOf))
    this.width = this.#identity.length
    this.#blockPanes = Math.max(1, shape.fullPanesMax)
  }

  /** Makes room for groups 0 … count − 1. */
  grow(count: number): void {
    if (count <= this.#capacity) return
    const [from, before] = [this.#capacity, this.#state]
    this.#capacity = from === 0 ? count : Math.max(count, from * 2)
    this.#state = new Float64Array(this.#rows * this.#row)
    for (let row = 0; row < this.#rows; row++) {
      this.#state.set(before.subarray(row * from * this.width, (row + 1) * from * this.width), row * this.#row)
    }
    if (!this.#isSum) for (let group = from; group < this.#capacity; group++) this.reset(group)
  }

  /** Empties a group, so that its place can be used again. */
  reset(group: number): void {
    for (let row = 0; row < this.#rows; row++) this.#state.set(this.#identity, row * this.#row + group * this.width)
  }

  /** Begins the bucket that ends at `atMs`: finishes the running pane of the first `count` groups where one ended. */
  advance(atMs: number, count: number): void {
    if (atMs === this.#atMs) return
    this.#atMs = atMs
    const { pane, fullPanes, buckets } = windowAt(this.shape, atMs)
    this.#fullPanes = fullPanes
    this.buckets = buckets
    if (pane === this.#pane) return
    if (Number.isNaN(this.#pane)) this.#pane = pane
    // After two whole blocks without data nothing but identities is left.
    if (pane - this.#pane > 2 * this.#blockPanes + 1) {
      for (let group = 0; group < count; group++) this.reset(group)
      this.#pane = pane
    }
    for (; this.#pane < pane; this.#pane++) this.#finishPane(count)
  }

  /** How long after a bucket the window has nothing of it, ms. */
  get emptyAfterMs(): number {
    return (this.shape.lengthBuckets + 2 * this.shape.paneBuckets) * this.shape.stepMs
  }

  /** Where the bucket that ends at `atMs` stands. */
  at(atMs: number): { pane: number; fullPanes: number; buckets: number } {
    return windowAt(this.shape, atMs)
  }

  /** Writes the fields of a bucket without data. */
  clear(values: Float64Array, offset: number): void {
    for (let i = 0; i < this.width; i++) values[offset + i] = this.#identity[i] as number
  }

  /** Folds one bucket's fields, at `values[offset…]`, into the running pane. */
  push(group: number, values: Float64Array, offset: number): void {
    const at = group * this.width
    this.#fold(this.#state, at, this.#state, at, values, offset)
  }

  /** The window's fold into `into`, which has `width` places. */
  read(group: number, into: Float64Array): void {
    const { width } = this
    this.clear(into, 0)
    if (this.#fullPanes > 0) this.#readFull(group * width, into)
    this.#fold(into, 0, into, 0, this.#state, group * width)
  }

  /** The state of groups 0 … count − 1; the others are empty. */
  save(count: number) {
    const width = count * this.width
    const state = new Float64Array(this.#rows * width)
    for (let row = 0; row < this.#rows; row++) {
      state.set(this.#state.subarray(row * this.#row, row * this.#row + width), row * width)
    }
    return { state, pane: this.#pane, fullPanes: this.#fullPanes }
  }

  restore(saved: ReturnType<PaneWindow['save']>): void {
    const width = saved.state.length / this.#rows
    this.grow(width / this.width)
    for (let row = 0; row < this.#rows; row++) {
      this.#state.set(saved.state.subarray(row * width, (row + 1) * width), row * this.#row)
    }
    this.#pane = saved.pane
    this.#fullPanes = saved.fullPanes
  }

  get #rows(): number {
    return ringRow + this.#blockPanes
  }

  /** Places of one row. */
  get #row(): number {
    return this.#capacity * this.width
  }

  #readFull(at: number, into: Float64Array): void {
    const size = this.#blockPanes
    const start = this.#pane - this.#fullPanes
    const blockStart = Math.floor(this.#pane / size) * size
    if (start > blockStart) {
      for (let pane = start; pane < this.#pane; pane++)
        this.#fold(into, 0, into, 0, this.#state, this.#ringAt(pane) + at)
      return
    }
    if (start < blockStart) this.#fold(into, 0, into, 0, this.#state, this.#ringAt(start) + at)
    this.#fold(into, 0, into, 0, this.#state, this.#row + at)
  }

  #ringAt(pane: number): number {
    return (ringRow + modulo(pane, this.#blockPanes)) * this.#row
  }

  #finishPane(count: number): void {
    const [state, row, used] = [this.#state, this.#row, count * this.width]
    const slot = this.#ringAt(this.#pane)
    for (let i = 0; i < used; i++) state[slot + i] = state[i] as number
    if (modulo(this.#pane, this.#blockPanes) === this.#blockPanes - 1) this.#finishBlock(used)
    else this.#foldRow(row, row, 0, used)
    this.#emptyRow(0, used)
  }

  #finishBlock(used: number): void {
    const row = this.#row
    for (let i = this.#blockPanes - 2; i >= 0; i--) {
      const at = (ringRow + i) * row
      this.#foldRow(at, at, at + row, used)
    }
    this.#emptyRow(row, used)
  }

  #emptyRow(at: number, used: number): void {
    if (this.#isSum) this.#state.fill(0, at, at + used)
    else for (let i = 0; i < used; i += this.width) this.clear(this.#state, at + i)
  }

  /** One row's groups: into = a ∘ b. */
  #foldRow(into: number, a: number, b: number, used: number): void {
    const state = this.#state
    if (this.#isSum) {
      for (let i = 0; i < used; i++) state[into + i] = (state[a + i] as number) + (state[b + i] as number)
      return
    }
    for (let i = 0; i < used; i += this.width) this.#fold(state, into + i, state, a + i, state, b + i)
  }

  /** into = a ∘ b; `into` may be a or b. */
  #fold(into: Float64Array, at: number, a: Float64Array, aAt: number, b: Float64Array, bAt: number): void {
    if (this.#isSum) {
      for (let i = 0; i < this.width; i++) into[at + i] = (a[aAt + i] as number) + (b[bAt + i] as number)
      return
    }
    let i = 0
    for (const fold of this.#folds) {
      if (fold === 'moments') {
        mergeMoments(into, at + i, a, aAt + i, b, bAt + i)
        i += 3
        continue
      }
      into[at + i] = foldField(fold, a[aAt + i] as number, b[bAt + i] as number)
      i++
    }
  }
}

export function foldField(fold: Exclude<FieldFold, 'moments'>, left: number, right: number): number {
  if (fold === 'add') return left + right
  if (fold === 'min') return right < left ? right : left
  if (fold === 'max') return right > left ? right : left
  if (fold === 'first') return Number.isNaN(left) ? right : left
  return Number.isNaN(right) ? left : right
}

/** (n, mean, M2) of two disjoint sets of values, merged. */
export function mergeMoments(
  into: Float64Array,
  at: number,
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
): void {
  const [n, mean, m2] = [a[aAt] as number, a[aAt + 1] as number, a[aAt + 2] as number]
  const [n2, mean2, m22] = [b[bAt] as number, b[bAt + 1] as number, b[bAt + 2] as number]
  const total = n + n2
  const difference = mean2 - mean
  into[at] = total
  into[at + 1] = n2 === 0 ? mean : n === 0 ? mean2 : mean + (difference * n2) / total
  into[at + 2] = n2 === 0 ? m2 : n === 0 ? m22 : m2 + m22 + (difference * difference * n * n2) / total
}

function identityOf(fold: FieldFold): number[] {
  if (fold === 'moments') return [0, 0, 0]
  return [
    { add: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, first: Number.NaN, last: Number.NaN }[fold],
  ]
}

function modulo(value: number, size: number): number {
  return ((value % size) + size) % size
}
