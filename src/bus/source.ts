/**
 * Source: how a part feeds the engine. It owns the source id and the order that the engine's time rests on: a bucket's
 * marker is published only after every message of the bucket is confirmed, and bucket numbers only grow.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { CheckResult } from '../model/check.ts'
import type { EventMessage } from '../model/event.ts'
import type { Hops } from '../model/message.ts'
import type { MetricsMessage } from '../model/metric.ts'
import type { Bus } from './bus.ts'

/** Messages published between two turns of the event loop: a few milliseconds' worth. */
const messagesATurn = 4

export interface SourceOptions {
  /** Lasting name of the instance, what `source:NAME` in a rule means; `[A-Za-z0-9_-]+`. */
  name: string
  startedMs: number
  /** How often markers are sent. */
  intervalMs: number
  /** How far markers lag behind, because timestamps are foreign. */
  latenessMs?: number
}

/** What arrived in one bucket; metrics may come in several batches, and with earlier buckets of their own. */
export interface BucketData {
  metrics?: readonly MetricsMessage[]
  checks?: readonly CheckResult[]
  events?: readonly EventMessage[]
}

export class Source {
  readonly id: string
  readonly #bus: Bus
  readonly #options: SourceOptions
  #lastBucketMs = 0
  #tail: Promise<void> = Promise.resolve()

  constructor(bus: Bus, options: SourceOptions) {
    this.#bus = bus
    this.#options = options
    this.id = `${options.name}-${options.startedMs.toString(36)}`
  }

  get lastBucketMs(): number {
    return this.#lastBucketMs
  }

  /**
   * Publishes a bucket and, once all of it is confirmed, the marker. Buckets are published one after another; rejects
   * with BusError when the bus refuses for good, and then the marker is not sent.
   */
  flush(bucketMs: number, data: BucketData, hops?: Hops): Promise<void> {
    return this.#enqueue(() => this.#publish(bucketMs, data, hops, false))
  }

  /** The orderly end: a last bucket and a marker that says `bye`. */
  bye(bucketMs: number, data: BucketData = {}, hops?: Hops): Promise<void> {
    return this.#enqueue(() => this.#publish(bucketMs, data, hops, true))
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(() => {})
    return done
  }

  async #publish(bucketMs: number, data: BucketData, hops: Hops | undefined, bye: boolean): Promise<void> {
    const sent: Promise<void>[] = []
    for (const [i, batch] of (data.metrics ?? []).entries()) {
      // A large bucket must not keep the process from its sockets, nor they it from being published.
      if (i > 0 && i % messagesATurn === 0) await turn()
      const published = this.#bus.publish(`metrics.${this.id}`, batch, hops)
      // A refusal while others have their turn is not unheard: Promise.all below tells it.
      published.catch(() => {})
      sent.push(published)
    }
    if (data.checks?.length) {
      sent.push(this.#bus.publish(`checks.${this.id}`, { source: this.id, bucketMs, results: data.checks }, hops))
    }
    for (const event of data.events ?? []) sent.push(this.#bus.publish(eventKey(event.name), event, hops))
    await Promise.all(sent)
    const { name, startedMs, intervalMs, latenessMs = 0 } = this.#options
    this.#lastBucketMs = Math.max(this.#lastBucketMs, bucketMs - latenessMs)
    await this.#bus.publish(`markers.${this.id}`, {
      source: this.id,
      name,
      startedMs,
      bucketMs: this.#lastBucketMs,
      intervalMs,
      latenessMs,
      ...(bye && { bye }),
    })
  }
}

/** The lasting name of a part's source on a host, in the characters that a source id may have. */
export function sourceName(part: string, host: string): string {
  return `${part}-${host.replace(/[^A-Za-z0-9_-]/g, '-')}`
}

/** The key only says which log; a name too long for a key is whole in the message. */
export function eventKey(name: string): `events.${string}` {
  return `events.${name.slice(0, eventKeyLettersMax)}`
}

/** Of at most four bytes each; a key has room for 255 bytes. */
const eventKeyLettersMax = 60
