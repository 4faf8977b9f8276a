/**
 * Packed timers: the distributions of one closed slot in a single array, small enough to keep hours of them.
 *
 *     numbers:  count  sum  min  max  n  value₁ weight₁ … valueₙ weightₙ   |  the next timer …
 *
 * Up to `pointsMax` distinct values are kept as they are. Above that the values at fixed ranks stand for the samples
 * between them, closer together towards the slow end, so that the percentiles people draw come out exact.
 */
import { type Distribution, percentile } from '../model/distribution.ts'

export const pointsMax = 24
const head = 5
/** Ranks in percent; each stands for the samples above the one before. */
const ranks = [1, 5, 10, 25, 40, 50, 60, 70, 75, 80, 85, 90, 92, 94, 95, 96, 97, 98, 99, 99.5, 99.9, 100]

/** A distribution reduced to weighted points, ascending by value. */
export interface TimerPoints {
  count: number
  sum: number
  min: number
  max: number
  points: readonly (readonly [value: number, weight: number])[]
}

export class PackedTimers {
  readonly #ids: Int32Array
  readonly #offsets: Int32Array
  readonly #numbers: Float32Array

  constructor(timers: ReadonlyMap<number, Distribution>) {
    const entries = [...timers].sort((a, b) => a[0] - b[0])
    const reduced = entries.map(([, distribution]) => reduceTimer(distribution))
    this.#ids = Int32Array.from(entries, ([id]) => id)
    this.#offsets = new Int32Array(entries.length)
    this.#numbers = new Float32Array(reduced.reduce((size, { points }) => size + head + 2 * points.length, 0))
    let at = 0
    reduced.forEach((timer, i) => {
      this.#offsets[i] = at
      this.#numbers.set([timer.count, timer.sum, timer.min, timer.max, timer.points.length, ...timer.points.flat()], at)
      at += head + 2 * timer.points.length
    })
  }

  get bytes(): number {
    return this.#ids.byteLength + this.#offsets.byteLength + this.#numbers.byteLength
  }

  get(id: number): TimerPoints | undefined {
    const index = indexOf(this.#ids, id)
    if (index < 0) return undefined
    const at = this.#offsets[index] as number
    const [count = 0, sum = 0, min = 0, max = 0, n = 0] = this.#numbers.subarray(at, at + head)
    const points = Array.from({ length: n }, (_, i) => {
      const pair = at + head + 2 * i
      return [this.#numbers[pair] as number, this.#numbers[pair + 1] as number] as const
    })
    return { count, sum, min, max, points }
  }
}

export function reduceTimer(distribution: Distribution): TimerPoints {
  const { count, sum, min, max, values, counts } = distribution
  const bare = { count, sum, min, max }
  if (values.length <= pointsMax) {
    return { ...bare, points: Array.from(values, (value, i) => [value, counts[i] as number] as const) }
  }
  const total = counts.reduce((all, one) => all + one, 0)
  let covered = 0
  const points: [number, number][] = []
  for (const rank of ranks) {
    const until = Math.max(1, Math.ceil((rank / 100) * total - 1e-9))
    if (until <= covered) continue
    points.push([percentile(distribution, rank) as number, until - covered])
    covered = until
  }
  return { ...bare, points }
}

/** The nearest-rank percentile over pooled points; undefined when there are none. */
export function pooledPercentile(timers: readonly TimerPoints[], percent: number): number | undefined {
  const points = timers.flatMap((timer) => timer.points).sort((a, b) => a[0] - b[0])
  const total = points.reduce((all, [, weight]) => all + weight, 0)
  const rank = Math.max(1, Math.ceil((percent / 100) * total - 1e-9))
  let seen = 0
  for (const [value, weight] of points) {
    seen += weight
    if (seen >= rank) return value
  }
  return points.at(-1)?.[0]
}

function indexOf(sorted: Int32Array, id: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = sorted[middle] as number
    if (found === id) return middle
    if (found < id) low = middle + 1
    else high = middle - 1
  }
  return -1
}
