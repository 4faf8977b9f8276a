/**
 * Open cells: one number per input for each source bucket that is not closed yet; NaN where nothing came.
 *
 * Nearly always one bucket is open, so buckets stand in a short ascending list, and arrays are used again.
 */
const cellsMin = 4
/** Arrays kept for later buckets; a rule of 10 s steps has ten source buckets open at once. */
const spareMax = 16

export class OpenCells {
  readonly #bucketsMs: number[] = []
  readonly #cells: Float64Array<ArrayBuffer>[] = []
  readonly #spare: Float64Array<ArrayBuffer>[] = []

  /** The first open bucket; infinite without any. */
  get firstMs(): number {
    return this.#bucketsMs.length > 0 ? (this.#bucketsMs[0] as number) : Number.POSITIVE_INFINITY
  }

  get isEmpty(): boolean {
    return this.#bucketsMs.length === 0
  }

  /** The cells of a bucket, opened when it is new, with places for `inputs` inputs. */
  open(bucketMs: number, inputs: number): Float64Array {
    const last = this.#bucketsMs.length - 1
    if (last >= 0 && this.#bucketsMs[last] === bucketMs && (this.#cells[last] as Float64Array).length >= inputs) {
      return this.#cells[last] as Float64Array
    }
    return this.#find(bucketMs, inputs)
  }

  #find(bucketMs: number, inputs: number): Float64Array {
    let at = this.#bucketsMs.length
    while (at > 0 && (this.#bucketsMs[at - 1] as number) > bucketMs) at--
    if (at > 0 && this.#bucketsMs[at - 1] === bucketMs) at--
    else {
      this.#bucketsMs.splice(at, 0, bucketMs)
      this.#cells.splice(at, 0, this.#spare.pop() ?? new Float64Array(cellsMin).fill(Number.NaN))
    }
    const cells = this.#cells[at] as Float64Array<ArrayBuffer>
    if (cells.length >= inputs) return cells
    const wider = new Float64Array(inputs * 2).fill(Number.NaN)
    wider.set(cells)
    this.#cells[at] = wider
    return wider
  }

  /** Takes the first open bucket out; give its cells back with `release`. */
  shift(): Float64Array {
    this.#bucketsMs.shift()
    return this.#cells.shift() as Float64Array
  }

  /** Takes one bucket out; undefined where it is not open. */
  take(bucketMs: number): Float64Array | undefined {
    const at = this.#bucketsMs.indexOf(bucketMs)
    if (at < 0) return undefined
    this.#bucketsMs.splice(at, 1)
    return this.#cells.splice(at, 1)[0]
  }

  /** Forgets the buckets up to `toMs`. */
  dropUpTo(toMs: number): void {
    while (this.firstMs <= toMs) this.release(this.shift())
  }

  release(cells: Float64Array): void {
    if (this.#spare.length >= spareMax) return
    cells.fill(Number.NaN)
    this.#spare.push(cells as Float64Array<ArrayBuffer>)
  }

  save(): readonly (readonly [bucketMs: number, cells: Float64Array])[] {
    return this.#bucketsMs.map((bucketMs, i) => [bucketMs, this.#cells[i] as Float64Array] as const)
  }

  restore(saved: ReturnType<OpenCells['save']>): void {
    this.#bucketsMs.length = 0
    this.#cells.length = 0
    for (const [bucketMs, cells] of saved) {
      this.#bucketsMs.push(bucketMs)
      this.#cells.push(cells.slice() as Float64Array<ArrayBuffer>)
    }
  }
}
