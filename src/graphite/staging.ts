/**
 * Staging: what has arrived of buckets that their sources have not marked yet, by source, bucket and batch, so that a
 * bucket published twice is counted once. A batch that was released without its marker leaves its key behind until then.
 */
import type { CheckResult } from '../model/check.ts'
import type { MetricsMessage } from '../model/metric.ts'

export interface Staged {
  /** Tells the batches of one bucket apart; a repeated batch has the same. */
  key: string
  bucketMs: number
  offset: number
  metrics?: MetricsMessage
  checks?: readonly CheckResult[]
}

/** By batch key; undefined is a batch that was released before its marker. */
type Bucket = Map<string, Staged | undefined>

export class Staging {
  readonly #sources = new Map<string, Map<number, Bucket>>()

  /** Smallest offset of what is staged; infinite when nothing is. */
  get firstOffset(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { batch } of this.#all()) if (batch) first = Math.min(first, batch.offset)
    return first
  }

  /** Offsets of what is staged of buckets up to `bucketMs`. */
  offsetsUpTo(bucketMs: number): number[] {
    const offsets: number[] = []
    for (const { endMs, batch } of this.#all()) if (batch && endMs <= bucketMs) offsets.push(batch.offset)
    return offsets
  }

  put(source: string, staged: Staged): void {
    const buckets = this.#sources.get(source) ?? new Map<number, Bucket>()
    const bucket: Bucket = buckets.get(staged.bucketMs) ?? new Map()
    if (bucket.has(staged.key) && bucket.get(staged.key) === undefined) return
    // The first offset stays: a restart has to read from there.
    const offset = bucket.get(staged.key)?.offset ?? staged.offset
    bucket.set(staged.key, { ...staged, offset })
    this.#sources.set(source, buckets.set(staged.bucketMs, bucket))
  }

  /** Takes out what a source has staged up to `bucketMs`, in order of buckets. */
  release(source: string, bucketMs: number): Staged[] {
    const buckets = this.#sources.get(source)
    if (!buckets) return []
    const passed = [...buckets.keys()].filter((key) => key <= bucketMs).sort((a, b) => a - b)
    const released = passed.flatMap((key) => [...(buckets.get(key) as Bucket).values()])
    for (const key of passed) buckets.delete(key)
    if (buckets.size === 0) this.#sources.delete(source)
    return released.filter((staged) => staged !== undefined)
  }

  /** Takes out what any source has staged up to `bucketMs` without its marker; keys of a former call are forgotten. */
  releaseAll(bucketMs: number): Staged[] {
    const released: Staged[] = []
    for (const { buckets, bucket, endMs, key, batch } of this.#all()) {
      if (endMs > bucketMs) continue
      if (batch) {
        released.push(batch)
        bucket.set(key, undefined)
      } else bucket.delete(key)
      if (bucket.size === 0) buckets.delete(endMs)
    }
    for (const [source, buckets] of this.#sources) if (buckets.size === 0) this.#sources.delete(source)
    return released.sort((a, b) => a.bucketMs - b.bucketMs || a.offset - b.offset)
  }

  *#all() {
    for (const buckets of this.#sources.values()) {
      for (const [endMs, bucket] of buckets) {
        for (const [key, batch] of bucket) yield { buckets, bucket, endMs, key, batch }
      }
    }
  }
}
