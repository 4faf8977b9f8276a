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

export class PaneWindow {
  readonly shape: WindowShape
  readonly width: number
  readonly #folds: readonly FieldFold[]
  readonly #identity: Float64Array
  readonly #blockPanes: number
  #capacity = 0
  /** Per group: the block's panes; those of the former block, from the present offset on, hold folds to its end. */
  #ring = new Float64Array(0)
  #prefix = new Float64Array(0)
  #running = new Float64Array(0)
  #pane = Number.NaN
  #fullPanes = 0

  constructor(shape: WindowShape, folds: readonly FieldFold[]) {
    this.shape = shape
    this.#folds = folds
    this.#identity = Float64Array.from(folds.flatMap(identityOf))
    this.width = this.#identity.length
    this.#blockPanes = Math.max(1, shape.fullPanesMax)
  }

  /** Makes room for groups 0 … count − 1. */
  grow(count: number): void {
    if (count <= this.#capacity) return
    const from = this.#capacity
    this.#capacity = Math.max(16, count, from * 2)
    this.#ring = this.#widened(this.#ring, this.#blockPanes * this.width)
    this.#prefix = this.#widened(this.#prefix, this.width)
    this.#running = this.#widened(this.#running, this.width)
    for (let group = from; group < this.#capacity; group++) this.reset(group)
  }

  /** Empties a group, so that its place can be used again. */
  reset(group: number): void {
    const { width } = this
    for (let i = 0; i < this.#blockPanes; i++) this.#ring.set(this.#identity, (group * this.#blockPanes + i) * width)
    this.#prefix.set(this.#identity, group * width)
    this.#running.set(this.#identity, group * width)
  }

  /** Begins the bucket that ends at `atMs`: finishes the running pane of the first `count` groups where one ended. */
  advance(atMs: number, count: number): void {
    const { pane, fullPanes } = windowAt(this.shape, atMs)
    this.#fullPanes = fullPanes
    if (Number.isNaN(this.#pane)) this.#pane = pane
    while (this.#pane < pane) {
      this.#finishPane(count)
      this.#pane++
    }
  }

  /** Where the bucket that ends at `atMs` stands. */
  at(atMs: number): { pane: number; fullPanes: number; buckets: number } {
    return windowAt(this.shape, atMs)
  }

  /** Writes the fields of a bucket without data. */
  clear(values: Float64Array, offset: number): void {
    values.set(this.#identity, offset)
  }

  /** Folds one bucket's fields, at `values[offset…]`, into the running pane. */
  push(group: number, values: Float64Array, offset: number): void {
    this.#fold(this.#running, group * this.width, this.#running, group * this.width, values, offset)
  }

  /** The window's fold into `into`, which has `width` places. */
  read(group: number, into: Float64Array): void {
    const { width } = this
    const blockAt = group * this.#blockPanes * width
    into.set(this.#identity)
    if (this.#fullPanes > 0) this.#readFull(group, blockAt, into)
    this.#fold(into, 0, into, 0, this.#running, group * width)
  }

  /** The state of groups 0 … count − 1; the others are empty. */
  save(count: number) {
    const { width } = this
    return {
      ring: this.#ring.subarray(0, count * this.#blockPanes * width),
      prefix: this.#prefix.subarray(0, count * width),
      running: this.#running.subarray(0, count * width),
      pane: this.#pane,
      fullPanes: this.#fullPanes,
    }
  }

  restore(saved: ReturnType<PaneWindow['save']>): void {
    this.grow(saved.running.length / this.width)
    this.#ring.set(saved.ring)
    this.#prefix.set(saved.prefix)
    this.#running.set(saved.running)
    this.#pane = saved.pane
    this.#fullPanes = saved.fullPanes
  }

  #readFull(group: number, blockAt: number, into: Float64Array): void {
    const { width } = this
    const size = this.#blockPanes
    const start = this.#pane - this.#fullPanes
    const blockStart = Math.floor(this.#pane / size) * size
    if (start > blockStart) {
      for (let pane = start; pane < this.#pane; pane++) {
        this.#fold(into, 0, into, 0, this.#ring, blockAt + modulo(pane, size) * width)
      }
      return
    }
    if (start < blockStart) this.#fold(into, 0, into, 0, this.#ring, blockAt + modulo(start, size) * width)
    this.#fold(into, 0, into, 0, this.#prefix, group * width)
  }

  #finishPane(count: number): void {
    const { width } = this
    const size = this.#blockPanes
    const offset = modulo(this.#pane, size)
    for (let group = 0; group < count; group++) {
      const runningAt = group * width
      const slotAt = (group * size + offset) * width
      for (let i = 0; i < width; i++) this.#ring[slotAt + i] = this.#running[runningAt + i] as number
      if (offset === size - 1) this.#finishBlock(group)
      else this.#fold(this.#prefix, runningAt, this.#prefix, runningAt, this.#running, runningAt)
      this.#running.set(this.#identity, runningAt)
    }
  }

  #finishBlock(group: number): void {
    const { width } = this
    const size = this.#blockPanes
    for (let i = size - 2; i >= 0; i--) {
      const at = (group * size + i) * width
      this.#fold(this.#ring, at, this.#ring, at, this.#ring, at + width)
    }
    this.#prefix.set(this.#identity, group * width)
  }

  #widened(array: Float64Array<ArrayBuffer>, perGroup: number): Float64Array<ArrayBuffer> {
    const wider = new Float64Array(this.#capacity * perGroup)
    wider.set(array)
    return wider
  }

  /** into = a ∘ b; `into` may be a or b. */
  #fold(into: Float64Array, at: number, a: Float64Array, aAt: number, b: Float64Array, bAt: number): void {
    let i = 0
    for (const fold of this.#folds) {
      if (fold === 'moments') {
        mergeMoments(into, at + i, a, aAt + i, b, bAt + i)
        i += 3
        continue
      }
      const left = a[aAt + i] as number
      const right = b[bAt + i] as number
      into[at + i] = foldField(fold, left, right)
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
