/**
 * Traffic: how many points each of the last minutes of the log had, so that looking back can be bounded by work and not
 * only by time. It follows from the log alone.
 */
const minuteMs = 60_000
const minutesMax = 24 * 60

export class Traffic {
  /** Points by minute, the oldest first. */
  readonly #points: Map<number, number>

  constructor(points: Iterable<readonly [number, number]> = []) {
    this.#points = new Map(points)
  }

  /** The state of this object. */
  get points(): readonly (readonly [number, number])[] {
    return [...this.#points]
  }

  note(atMs: number, points: number): void {
    const minute = Math.floor(atMs / minuteMs)
    const known = this.#points.get(minute)
    this.#points.set(minute, (known ?? 0) + points)
    if (known !== undefined || this.#points.size <= minutesMax) return
    let oldest = Number.POSITIVE_INFINITY
    for (const other of this.#points.keys()) oldest = Math.min(oldest, other)
    this.#points.delete(oldest)
  }

  /** How far back from `nowMs` one may look for at most `backMs` and about `pointsMax` points. */
  reach(nowMs: number, backMs: number, pointsMax: number): number {
    let points = 0
    let minute = Math.floor(nowMs / minuteMs)
    for (const first = Math.floor((nowMs - backMs) / minuteMs); minute >= first; minute--) {
      points += this.#points.get(minute) ?? 0
      if (points > pointsMax) return (minute + 1) * minuteMs
    }
    return nowMs - backMs
  }
}
