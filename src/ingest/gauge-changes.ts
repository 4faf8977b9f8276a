/**
 * Gauge changes: what came of many gauges in one interval of one worker, in order, so that the workers' changes can be put
 * together: +1 here and 5 there is 5 or 6, by which came first.
 *
 * A level makes forgotten what came before it, whoever got that. So of each gauge there is at most one level, and the signed
 * changes behind it: a list in arrays that all gauges share.
 *
 *     heads[slot] → entry → next entry → … → 0        values, atMs, isRelative of each entry
 *
 * Bounded: `changesMax` changes of one gauge and `allChangesMax` of all; further ones are added to the gauge's last. That
 * is exact but where another worker's level lies between them in time.
 */
import { grown } from './series.ts'

/** Changes of one gauge in one interval that keep their moments. */
export const changesMax = 64
const allChanges = 1_000_000

/** Changes of several gauges, one gauge after another. */
export interface GaugeChangeList {
  slots: Int32Array
  /** How many changes of each. */
  sizes: Int32Array
  values: Float64Array
  atMs: Float64Array
  /** 1 for a signed change, 0 for a level. */
  isRelative: Uint8Array
}

export class GaugeChanges {
  readonly #allChangesMax: number
  #heads = new Int32Array(1024)
  #tails = new Int32Array(1024)
  #sizes = new Int32Array(1024)
  /** Entry 0 is the end of every list. */
  #values = new Float64Array(1024)
  #atMs = new Float64Array(1024)
  #isRelative = new Uint8Array(1024)
  #nexts = new Int32Array(1024)
  #end = 1

  constructor(allChangesMax = allChanges) {
    this.#allChangesMax = allChangesMax
  }

  /** Forgets all; every slot is to be begun anew. */
  clear(): void {
    this.#end = 1
  }

  /** The slot's first change is about to come. */
  begin(slot: number): void {
    while (slot >= this.#heads.length) {
      this.#heads = grown(this.#heads, Int32Array)
      this.#tails = grown(this.#tails, Int32Array)
      this.#sizes = grown(this.#sizes, Int32Array)
    }
    this.#sizes[slot] = 0
    this.#heads[slot] = this.#tails[slot] = this.#take()
  }

  /** A level, or a signed change of it; the moments of one gauge never go back. */
  add(slot: number, value: number, isRelative: boolean, atMs: number): void {
    if (!isRelative) this.#sizes[slot] = 0
    const size = this.#sizes[slot] as number
    const tail = this.#tails[slot] as number
    const isFull = size > 0 && (size === changesMax || this.#end >= this.#allChangesMax)
    if (isFull) {
      this.#values[tail] = (this.#values[tail] as number) + value
      this.#atMs[tail] = atMs
      return
    }
    const entry = size === 0 ? (this.#heads[slot] as number) : this.#after(tail)
    this.#values[entry] = value
    this.#atMs[entry] = atMs
    this.#isRelative[entry] = Number(isRelative)
    this.#tails[slot] = entry
    this.#sizes[slot] = size + 1
  }

  list(slots: readonly number[]): GaugeChangeList {
    const sizes = Int32Array.from(slots, (slot) => this.#sizes[slot] as number)
    const count = sizes.reduce((sum, size) => sum + size, 0)
    const values = new Float64Array(count)
    const atMs = new Float64Array(count)
    const isRelative = new Uint8Array(count)
    let at = 0
    slots.forEach((slot, i) => {
      let entry = this.#heads[slot] as number
      for (let left = sizes[i] as number; left > 0; left--, at++) {
        values[at] = this.#values[entry] as number
        atMs[at] = this.#atMs[entry] as number
        isRelative[at] = this.#isRelative[entry] as number
        entry = this.#nexts[entry] as number
      }
    })
    return { slots: Int32Array.from(slots), sizes, values, atMs, isRelative }
  }

  /** The entry behind another; what a level made forgotten is used again. */
  #after(entry: number): number {
    const next = (this.#nexts[entry] as number) || this.#take()
    this.#nexts[entry] = next
    return next
  }

  #take(): number {
    const entry = this.#end++
    if (entry === this.#values.length) {
      this.#values = grown(this.#values, Float64Array)
      this.#atMs = grown(this.#atMs, Float64Array)
      this.#isRelative = grown(this.#isRelative, Uint8Array)
      this.#nexts = grown(this.#nexts, Int32Array)
    }
    this.#nexts[entry] = 0
    return entry
  }
}
