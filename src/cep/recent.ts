/**
 * Recent: the last values of a rule's compared expression, per group, one a bucket, for the graph beside an alert.
 *
 * Rows, one for each bucket, with all groups side by side.
 */
export const recentMax = 60

export class Recent {
  #capacity = 0
  #values = new Float64Array(0)
  /** Values that a group has, up to `recentMax`. */
  #counts = new Uint8Array(0)
  #row = 0

  /** Begins a bucket. */
  next(): void {
    this.#row = this.#row + 1 === recentMax ? 0 : this.#row + 1
  }

  put(group: number, value: number): void {
    if (group >= this.#capacity) this.#grow(group + 1)
    this.#values[this.#row * this.#capacity + group] = value
    if ((this.#counts[group] as number) < recentMax) this.#counts[group] = (this.#counts[group] as number) + 1
  }

  /** As often as said, the group's value was this. */
  repeat(times: number, put: () => void): void {
    for (let i = Math.min(times, recentMax); i > 0; i--) {
      this.next()
      put()
    }
  }

  /** A group begins anew. */
  reset(group: number): void {
    if (group < this.#capacity) this.#counts[group] = 0
  }

  /** Oldest first, the present bucket's last. */
  of(group: number): number[] {
    const count = this.#counts[group] ?? 0
    return Array.from({ length: count }, (_, i) => {
      const row = (this.#row - count + 1 + i + recentMax) % recentMax
      return this.#values[row * this.#capacity + group] as number
    })
  }

  save() {
    return { capacity: this.#capacity, values: this.#values, counts: this.#counts, row: this.#row }
  }

  restore(saved: ReturnType<Recent['save']>): void {
    this.#capacity = saved.capacity
    this.#values = saved.values.slice() as Float64Array<ArrayBuffer>
    this.#counts = saved.counts.slice() as Uint8Array<ArrayBuffer>
    this.#row = saved.row
  }

  #grow(groups: number): void {
    const [from, before, counts] = [this.#capacity, this.#values, this.#counts]
    this.#capacity = Math.max(groups, from * 2)
    this.#values = new Float64Array(recentMax * this.#capacity)
    for (let row = 0; row < recentMax; row++) {
      this.#values.set(before.subarray(row * from, (row + 1) * from), row * this.#capacity)
    }
    this.#counts = new Uint8Array(this.#capacity)
    this.#counts.set(counts)
  }
}
