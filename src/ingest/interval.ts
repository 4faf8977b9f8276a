/**
 * Interval: what came in one flush interval, by slot. There are two, one that is open and one that is being flushed, so
 * that a flush can take its time.
 */
import { Members } from './members.ts'
import { counter, gauge, type LineKind, set, timer } from './parse.ts'
import { grown } from './series.ts'
import { SamplePool, Timers } from './timers.ts'

export class Interval {
  /** By slot: the number of the interval in which it was last fed here. */
  fedIn = new Uint32Array(1024)
  /** By slot: sum of a counter, level of a gauge. */
  values = new Float64Array(1024)
  samples = new Float64Array(1024)
  /** By slot: when a gauge was last written, epoch ms. */
  writtenMs = new Float64Array(1024)
  readonly timers: Timers
  readonly sets = new Members()
  number = 0

  constructor(samples = new SamplePool()) {
    this.timers = new Timers(samples)
  }

  /** Begins anew, as interval `number`. */
  open(number: number): void {
    this.number = number
    this.release()
  }

  /** Lets go of what came, which is elsewhere by now. */
  release(): void {
    this.timers.clear()
    this.sets.clear()
  }

  isFed(slot: number): boolean {
    return this.fedIn[slot] === this.number
  }

  /** The first line of the slot in this interval is about to be added. */
  begin(slot: number, kind: LineKind): void {
    while (slot >= this.fedIn.length) this.#grow()
    this.fedIn[slot] = this.number
    if (kind === counter) {
      this.values[slot] = 0
      this.samples[slot] = 0
    } else if (kind === gauge) this.writtenMs[slot] = Number.NEGATIVE_INFINITY
    else if (kind === timer) this.timers.begin(slot)
    else if (kind === set) this.sets.begin(slot)
  }

  /** What came of the slot does not count. */
  forget(slot: number): void {
    if (slot < this.fedIn.length) this.fedIn[slot] = 0
    this.sets.forget(slot)
  }

  #grow(): void {
    this.fedIn = grown(this.fedIn, Uint32Array)
    this.values = grown(this.values, Float64Array)
    this.samples = grown(this.samples, Float64Array)
    this.writtenMs = grown(this.writtenMs, Float64Array)
  }
}
