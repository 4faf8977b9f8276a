/** Retired events: which groups an `event:retired[host=…]` ends, kept until every rule has closed its bucket. */
import type { EventMessage } from '../model/event.ts'

/** Events kept; beyond it the oldest go. */
export const retiredMax = 10_000
const keptMs = 86_400_000

/** Tells whether the group of these names and values was retired. */
export type IsRetired = (names: readonly string[], values: readonly string[]) => boolean

export class RetiredEvents {
  #events: readonly EventMessage[]

  constructor(events: readonly EventMessage[] = []) {
    this.#events = events
  }

  /** The state of this object. */
  get events(): readonly EventMessage[] {
    return this.#events
  }

  /** The first bucket after `atMs` in which something was retired; infinite without any. */
  nextMs(atMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY
    for (const { bucketMs } of this.#events) if (bucketMs > atMs) nextMs = Math.min(nextMs, bucketMs)
    return nextMs
  }

  note(event: EventMessage): void {
    if (event.name === 'retired') this.#events = [...this.#events, event].slice(-retiredMax)
  }

  /** What was retired in the buckets after `fromMs` up to `toMs`; undefined for the usual nothing. */
  between(fromMs: number, toMs: number): IsRetired | undefined {
    if (this.#events.length === 0) return undefined
    const events = this.#events.filter(({ bucketMs }) => bucketMs > fromMs && bucketMs <= toMs)
    if (events.length === 0) return undefined
    return (names, values) =>
      events.some(({ tags }) => {
        const known = names.filter((name) => Object.hasOwn(tags, name))
        return known.length > 0 && known.every((name) => tags[name] === values[names.indexOf(name)])
      })
  }

  /** Drops what is a day older than the last bucket that all have closed. */
  forget(closed: readonly { closedMs: number }[]): void {
    if (this.#events.length === 0) return
    const fromMs = Math.min(...closed.map(({ closedMs }) => closedMs)) - keptMs
    this.#events = this.#events.filter(({ bucketMs }) => bucketMs > fromMs)
  }
}
