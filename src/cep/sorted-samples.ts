/**
 * Sorted samples: the last `count` samples of each group in ascending order, so that median and quartiles are looked up.
 *
 * Follows a ring and holds nothing that the ring does not: moved on by one sample it takes out one value and puts in
 * another, and where it cannot know what is between, after a gap or a restart, it begins anew from the ring.
 */
import type { Ring } from './history.ts'

interface Samples {
  /** Ascending; the first `length` are there. */
  sorted: Float64Array
  length: number
  /** The newest sample that is in it; NaN at first. */
  newest: number
}

export class SortedSamples {
  readonly #ring: Ring
  readonly #count: number
  readonly #groups: Samples[] = []

  constructor(ring: Ring, count: number) {
    this.#ring = ring
    this.#count = count
  }

  reset(group: number): void {
    this.#groups[group] = { sorted: new Float64Array(this.#count), length: 0, newest: Number.NaN }
  }

  /** The samples up to `newest`, whose ring must still have the one that leaves; missing ones are left out. */
  upTo(group: number, newest: number): Float64Array {
    if (!this.#groups[group]) this.reset(group)
    const samples = this.#groups[group] as Samples
    if (samples.newest + 1 === newest) {
      remove(samples, this.#ring.get(group, newest, this.#count))
      insert(samples, this.#ring.get(group, newest, 0))
    } else if (samples.newest !== newest) this.#refill(samples, group, newest)
    samples.newest = newest
    return samples.sorted.subarray(0, samples.length)
  }

  #refill(samples: Samples, group: number, newest: number): void {
    samples.length = 0
    for (let back = 0; back < this.#count; back++) {
      const value = this.#ring.get(group, newest, back)
      if (!Number.isNaN(value)) samples.sorted[samples.length++] = value
    }
    samples.sorted.subarray(0, samples.length).sort()
  }
}

function insert(samples: Samples, value: number): void {
  if (Number.isNaN(value)) return
  const at = placeOf(samples, value)
  samples.sorted.copyWithin(at + 1, at, samples.length++)
  samples.sorted[at] = value
}

function remove(samples: Samples, value: number): void {
  if (Number.isNaN(value)) return
  const at = placeOf(samples, value)
  samples.sorted.copyWithin(at, at + 1, samples.length--)
}

/** Where the first value stands that is not before `value`; as sorting does, -0 stands before 0. */
function placeOf({ sorted, length }: Samples, value: number): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >> 1
    const other = sorted[middle] as number
    const isBefore = other < value || (other === value && 1 / other < 1 / value)
    if (isBefore) low = middle + 1
    else high = middle
  }
  return low
}
