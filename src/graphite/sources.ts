/**
 * Sources: who feeds us, how far each has come, and so when a window is complete.
 *
 * A window is complete when every live source has marked its end. Waited for are sources whose time is their own
 * (lateness 0) and that mark at least once a flush. A source is live until 5 of its intervals, and at least 5 s, of clock
 * messages have been delivered since its last marker, or until its successor (same name, later start) or its `bye`.
 *
 * Time heard is counted in clock messages delivered, at most 1.5 s each: while the broker is away nobody dies, and a
 * source that hands over what it kept meanwhile is waited for. Nothing is waited for longer than `graceMs` of heard time
 * after the clock has passed the end.
 */
import type { ClockTick, Marker } from '../model/time.ts'

export const graceMs = 5000
const heardStepMaxMs = 1500
const missedIntervalsMax = 5
/** Clock processes remembered; the longest known goes first. */
const clocksMax = 16

interface Known {
  name: string
  startedMs: number
  bucketMs: number
  intervalMs: number
  latenessMs: number
  /** `heardMs` at its last marker. */
  heardAtMs: number
}

export class Sources {
  /** The largest time a clock message told, epoch ms; 0 before the first. */
  nowMs = 0
  /** How much time clock messages have told while they were delivered. */
  heardMs = 0
  readonly #known = new Map<string, Known>()
  readonly #clocks = new Map<string, { lastMs: number; heardMs: number }>()
  readonly #waitIntervalMaxMs: number

  /** Sources that mark less often than every `waitIntervalMaxMs` are not waited for. */
  constructor(waitIntervalMaxMs: number) {
    this.#waitIntervalMaxMs = waitIntervalMaxMs
  }

  get size(): number {
    return this.#known.size
  }

  mark({ source, name, startedMs, bucketMs, intervalMs, latenessMs, bye }: Marker): void {
    for (const [id, other] of this.#known) {
      if (other.name === name && other.startedMs < startedMs) this.#known.delete(id)
    }
    if (bye) this.#known.delete(source)
    else this.#known.set(source, { name, startedMs, bucketMs, intervalMs, latenessMs, heardAtMs: this.heardMs })
  }

  tick({ process, nowMs }: ClockTick): void {
    const clock = this.#clocks.get(process) ?? { lastMs: nowMs, heardMs: this.heardMs }
    clock.heardMs += Math.min(heardStepMaxMs, Math.max(0, nowMs - clock.lastMs))
    clock.lastMs = Math.max(clock.lastMs, nowMs)
    this.#clocks.set(process, clock)
    this.heardMs = Math.max(this.heardMs, clock.heardMs)
    this.nowMs = Math.max(this.nowMs, nowMs)
    for (const oldest of this.#clocks.keys()) {
      if (this.#clocks.size <= clocksMax) break
      this.#clocks.delete(oldest)
    }
    this.#bury()
  }

  /** How far a source has marked; undefined while it is not known. */
  markedMs(source: string): number | undefined {
    return this.#known.get(source)?.bucketMs
  }

  /** Every live source that is waited for has marked `endMs`, and there is one. */
  haveMarked(endMs: number): boolean {
    let waited = 0
    for (const { bucketMs, intervalMs, latenessMs } of this.#known.values()) {
      if (latenessMs > 0 || intervalMs > this.#waitIntervalMaxMs) continue
      if (bucketMs < endMs) return false
      waited++
    }
    return waited > 0
  }

  /** Gives up on the sources that have not marked `endMs`. */
  forgetLaggards(endMs: number): void {
    for (const [id, { bucketMs, latenessMs }] of this.#known) {
      if (latenessMs === 0 && bucketMs < endMs) this.#known.delete(id)
    }
  }

  #bury(): void {
    for (const [id, { heardAtMs, intervalMs }] of this.#known) {
      if (this.heardMs - heardAtMs >= Math.max(graceMs, missedIntervalsMax * intervalMs)) this.#known.delete(id)
    }
  }
}
