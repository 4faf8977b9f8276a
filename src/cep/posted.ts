/**
 * Posted events: what people and programs post through the console (`EventMessage.id`). No source marks their buckets and
 * nobody waits for them, so one that comes after its bucket was closed belongs to the first that is still open, and one
 * that is known by its id changes nothing. Both follow from the log alone, so that a replay does the same.
 */
import type { EventMessage } from '../model/event.ts'

/** Ids remembered; the one heard first is forgotten first. */
export const postedIdsMax = 10_000

export class PostedEvents {
  readonly #ids: Set<string>

  constructor(ids: readonly string[] = []) {
    this.#ids = new Set(ids)
  }

  /** Ids known, the oldest first: the state of this object. */
  get ids(): readonly string[] {
    return [...this.#ids]
  }

  /** The event in the bucket in which it counts; undefined for one that counted before. Others than posted ones as they are. */
  place(event: EventMessage, closedMs: number): EventMessage | undefined {
    const { id, bucketMs } = event
    if (id === undefined) return event
    if (this.#ids.has(id)) return undefined
    this.#ids.add(id)
    if (this.#ids.size > postedIdsMax) this.#ids.delete(this.#ids.values().next().value as string)
    return bucketMs > closedMs ? event : { ...event, bucketMs: closedMs + 1 }
  }
}
