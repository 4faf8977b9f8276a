/**
 * RabbitMQ bus: the production adapter. What stands on the broker is in rabbitmq/topology.ts.
 *
 * Opening never waits for the broker: with the broker away or refusing, `problem` says so, everything keeps being tried
 * (backoff up to 1.5 s) and what is published waits, bounded. Three connections are used: one for publishing, since a broker
 * short of memory or disk stops listening to connections that publish, and only to those; one for reading; and one for
 * locks, on which the broker notices sooner that a process hangs.
 */
import type { Envelope, Hops, Key, KindOf, LogName, Messages } from '../model/message.ts'
import type { Status } from '../model/status.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { type Bus, BusError, type HandleEntry, type Lock, type Offset, type Reader, type ReadOptions } from './bus.ts'
import { encode } from './codec.ts'
import { checkedKind, checkedSize } from './outgoing.ts'
import { Connection } from './rabbitmq/connection.ts'
import { ForeignReader } from './rabbitmq/foreign-reader.ts'
import { LockClaim } from './rabbitmq/lock.ts'
import { LogReader } from './rabbitmq/log-reader.ts'
import { Problems } from './rabbitmq/problems.ts'
import { Publisher, type PublisherLimits, publisherLimits } from './rabbitmq/publisher.ts'
import { StatusReader } from './rabbitmq/status-reader.ts'
import type { Topology } from './rabbitmq/topology.ts'

export interface RabbitBusOptions {
  /** `amqp://user:password@host:port/vhost` or `amqps://…`; of a cluster, several nodes to turn to. */
  url: string | readonly string[]
  /** Our topic exchange; also the first part of every queue's name. */
  exchange: string
  /** How long the two logs are kept. Counts when they are first made. */
  retentionMs: number
  clock: Clock
  log: Log
  stats: Stats
  /** Unique per process start; the publisher half of message ids. */
  instance: string
  limits?: Partial<PublisherLimits>
}

/** Resolves at once, whatever the broker does. */
export async function openRabbitBus(options: RabbitBusOptions): Promise<Bus> {
  return new RabbitBus(options)
}

/** Closing waits this long for confirmations, and this long for handlers and the broker to let go. */
const confirmWaitMs = 5000
const endWaitMs = 3000
const heartbeatSeconds = 2
/** The shortest there is: a hung holder loses its lock within two to three seconds. */
const lockHeartbeatSeconds = 1

class RabbitBus implements Bus {
  readonly #options: RabbitBusOptions
  readonly #topology: Topology
  readonly #problems: Problems
  readonly #reading: Connection
  readonly #publishing: Connection
  readonly #locking: Connection
  readonly #publisher: Publisher
  readonly #open = new Set<{ stop(): Promise<void> }>()
  #sequence = 0
  #liveSequence = 0
  #closed = false

  constructor(options: RabbitBusOptions) {
    const { url, clock, log, stats, instance, limits } = options
    this.#options = options
    this.#topology = { exchange: options.exchange, retentionMs: options.retentionMs }
    this.#problems = new Problems(log, 'RabbitMQ works again')
    const problems = this.#problems
    const urls = typeof url === 'string' ? [url] : url
    const connect = (purpose: string, everySeconds: number) => {
      const name = `tocsin ${instance} ${purpose}`
      return new Connection({ urls, heartbeatSeconds: everySeconds, name, clock, problems, purpose })
    }
    this.#publishing = connect('publishing', heartbeatSeconds)
    this.#reading = connect('reading', heartbeatSeconds)
    this.#locking = connect('locks', lockHeartbeatSeconds)
    const allLimits = { ...publisherLimits, ...limits }
    this.#publisher = new Publisher(this.#publishing, this.#topology, stats, allLimits)
  }

  get problem(): string | undefined {
    return this.#problems.text ?? this.#publishing.notYet ?? this.#reading.notYet ?? this.#locking.notYet
  }

  async publish<K extends Key>(key: K, message: Messages[KindOf<K>], hops?: Hops): Promise<void> {
    if (this.#closed) throw new BusError('the bus is closed')
    const kind = checkedKind(key)
    const live = kind === 'clock' || kind === 'status'
    // Live messages may be lost on the way, so they are numbered apart: in the others' sequence nothing is ever missing.
    const { instance, stats, exchange } = this.#options
    const id = live ? `${instance}/live:${++this.#liveSequence}` : `${instance}:${++this.#sequence}`
    const body = checkedSize(encode({ kind, key, id, message, ...(hops && { hops }) } as Envelope))
    stats.count('published_total')
    return this.#publisher.publish({ exchange, key, id, body, live, unheard: kind === 'status' })
  }

  readLog(log: LogName, from: Offset, handle: HandleEntry, options: ReadOptions = {}): Reader {
    const publisher = this.#publisher
    return this.#started(
      (onStop) => new LogReader({ ...this.#shared(), publisher, log, from, handle, options, onStop }),
    )
  }

  onStatus(handle: (status: Status) => void): Reader {
    return this.#started((onStop) => new StatusReader({ ...this.#shared(), handle, onStop }))
  }

  async readForeign(exchange: string, handle: (body: Buffer, routingKey: string) => Promise<void>): Promise<Reader> {
    return this.#started((onStop) => new ForeignReader({ ...this.#shared(), exchange, handle, onStop }))
  }

  async lock(role: string, signal?: AbortSignal): Promise<Lock> {
    if (this.#closed) throw new BusError('the bus is closed')
    const stop = () => claim.end()
    const claim = new LockClaim(this.#locking, this.#publisher, this.#topology, role, () =>
      this.#open.delete(stoppable),
    )
    const stoppable = { stop }
    this.#open.add(stoppable)
    if (signal?.aborted) void stop()
    signal?.addEventListener('abort', stop, { once: true })
    // Once acquired, the signal has no say any more: `release` ends it.
    return claim.acquired.finally(() => signal?.removeEventListener('abort', stop))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { clock, log } = this.#options
    const deadlineMs = clock.now() + confirmWaitMs
    while (!this.#publisher.isIdle && clock.now() < deadlineMs) await sleep(5, clock)
    const ended = this.#end().then(() => true)
    const giveUp = new AbortController()
    const isEnded = await Promise.race([ended, sleep(endWaitMs, clock, giveUp.signal)])
    giveUp.abort()
    if (!isEnded) log.warn('closing the bus without waiting for a handler or for the broker any longer')
    // Whatever still hangs: nobody may wait for a confirmation any more, and no connection may come back.
    this.#publisher.refuse()
    if (!isEnded) await this.#disconnect()
  }

  async #end(): Promise<void> {
    await Promise.all([...this.#open].map((one) => one.stop()))
    await this.#publisher.close()
    await this.#disconnect()
  }

  async #disconnect(): Promise<void> {
    await Promise.all([this.#publishing.close(), this.#reading.close(), this.#locking.close()])
  }

  #shared() {
    return { connection: this.#reading, topology: this.#topology, stats: this.#options.stats }
  }

  #started<R extends Reader>(start: (onStop: () => void) => R): R {
    if (this.#closed) throw new BusError('the bus is closed')
    const reader = start(() => this.#open.delete(reader))
    this.#open.add(reader)
    return reader
  }
}
