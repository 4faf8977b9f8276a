/**
 * Hops: when the data of a bucket passed each edge, kept until the bucket closes, for the hop times that a page shows.
 * For people only; nothing is decided by them.
 */
import type { Hops, LogEntry } from '../model/message.ts'
import type { Transition } from '../model/transition.ts'

/** Buckets remembered; a transition whose bucket is older goes without hops. */
const bucketsMax = 600

export class BucketHops {
  readonly #buckets = new Map<number, Hops>()

  /** Notes the first packet and the last flush of the entry's bucket. */
  note(entry: LogEntry): void {
    if (!entry.hops || (entry.kind !== 'metrics' && entry.kind !== 'checks' && entry.kind !== 'events')) return
    const { bucketMs } = entry.message
    const { packetMs, flushMs } = entry.hops
    const known = this.#buckets.get(bucketMs)
    this.#buckets.set(bucketMs, {
      ...least('packetMs', known?.packetMs, packetMs),
      ...greatest('flushMs', known?.flushMs, flushMs),
    })
    if (this.#buckets.size > bucketsMax) this.#buckets.delete(this.#buckets.keys().next().value as number)
  }

  /** The hops of the newest data in the rule's bucket, which may be made of several shorter ones. */
  of(transition: Transition): Hops {
    const fromMs = transition.bucketMs - Math.max(1000, transition.series.stepMs)
    let newestMs = fromMs
    for (const bucketMs of this.#buckets.keys()) {
      if (bucketMs <= transition.bucketMs && bucketMs > newestMs) newestMs = bucketMs
    }
    return this.#buckets.get(newestMs) ?? {}
  }
}

function least(name: 'packetMs', a: number | undefined, b: number | undefined): Hops {
  return a === undefined && b === undefined ? {} : { [name]: Math.min(a ?? Infinity, b ?? Infinity) }
}

function greatest(name: 'flushMs', a: number | undefined, b: number | undefined): Hops {
  return a === undefined && b === undefined ? {} : { [name]: Math.max(a ?? 0, b ?? 0) }
}
