/**
 * Publisher: everything this process publishes, in order, over one confirm channel.
 *
 * A message is kept until the broker has confirmed it; after a loss of the channel all that is kept is published again
 * in the same order, under the same ids, so readers drop what had arrived after all. What is kept is bounded; beyond the
 * bound messages wait for room, in order, and their callers with them.
 *
 * Live messages (clock, status) are worth nothing later: they are refused when there is no channel, and lost with it.
 */
import type { ConfirmChannel, Message } from 'amqplib'
import type { Stats } from '../../runtime/stats.ts'
import { BusError } from '../bus.ts'
import type { Connection, KeptChannel } from './connection.ts'
import { declareLogs, type Topology } from './topology.ts'

export interface PublisherLimits {
  /** Kept until confirmed. */
  unconfirmedMax: number
  unconfirmedBytesMax: number
  /** Publishes that wait for room; more are refused. */
  waitingMax: number
}

export const publisherLimits: PublisherLimits = {
  unconfirmedMax: 20_000,
  unconfirmedBytesMax: 64 * 1024 ** 2,
  waitingMax: 10_000,
}

export interface Outgoing {
  exchange: string
  key: string
  id: string
  body: Buffer
  /** The AMQP type property; tells barriers from messages. Barriers are few and never refused: a reader waits for each. */
  type?: string
  /** Not kept: sent now or refused. */
  live?: boolean
  /** Nobody needs to hear it. */
  unheard?: boolean
}

interface Kept extends Outgoing {
  resolve: () => void
  reject: (error: BusError) => void
  returned?: boolean
}

export class Publisher {
  readonly #topology: Topology
  readonly #limits: PublisherLimits
  readonly #stats: Stats
  readonly #kept: KeptChannel
  /** In the order of publishing. */
  readonly #unconfirmed = new Map<string, Kept>()
  #unconfirmedBytes = 0
  readonly #waiting: Kept[] = []
  #channel: ConfirmChannel | undefined
  #closed: string | undefined

  constructor(connection: Connection, topology: Topology, stats: Stats, limits: PublisherLimits) {
    this.#topology = topology
    this.#limits = limits
    this.#stats = stats
    stats.observe('unconfirmed_messages', () => this.#unconfirmed.size)
    stats.observe('unconfirmed_bytes', () => this.#unconfirmedBytes)
    stats.observe('publishes_waiting', () => this.#waiting.length)
    this.#kept = connection.keep({
      name: 'publishing',
      build: (channel) => this.#build(connection, channel),
      lost: () => {
        this.#channel = undefined
      },
    })
  }

  publish(message: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      const kept: Kept = { ...message, resolve, reject }
      if (this.#closed !== undefined) reject(new BusError(this.#closed))
      else if (message.live) this.#sendLive(kept)
      else if (this.#waiting.length === 0 && this.#hasRoom(kept)) this.#admit(kept)
      else if (message.type !== undefined || this.#waiting.length < this.#limits.waitingMax) this.#wait(kept)
      else {
        this.#stats.count('publishes_refused_total')
        reject(new BusError('the broker is away and too many publishes wait already'))
      }
    })
  }

  /** True when nothing is left to be confirmed. */
  get isIdle(): boolean {
    return this.#unconfirmed.size === 0 && this.#waiting.length === 0
  }

  async close(): Promise<void> {
    this.refuse()
    await this.#kept.stop()
  }

  /** Refuses everything that is not confirmed yet, and everything from now on. */
  refuse(): void {
    this.#closed = 'the bus is closed'
    const left = [...this.#unconfirmed.values(), ...this.#waiting]
    this.#unconfirmed.clear()
    this.#waiting.length = 0
    for (const kept of left) kept.reject(new BusError('the bus was closed before the broker confirmed'))
  }

  async #build(connection: Connection, channel: ConfirmChannel): Promise<void> {
    await declareLogs(connection, channel, this.#topology)
    channel.on('return', (message) => this.#onReturn(message))
    this.#channel = channel
    if (this.#unconfirmed.size > 0) this.#stats.count('republished_total', this.#unconfirmed.size)
    for (const kept of this.#unconfirmed.values()) this.#send(channel, kept)
  }

  #hasRoom(kept: Kept): boolean {
    if (this.#unconfirmed.size === 0) return true
    const { unconfirmedMax, unconfirmedBytesMax } = this.#limits
    return this.#unconfirmed.size < unconfirmedMax && this.#unconfirmedBytes + kept.body.length <= unconfirmedBytesMax
  }

  #wait(kept: Kept): void {
    this.#stats.count('publish_waits_total')
    this.#waiting.push(kept)
  }

  #admit(kept: Kept): void {
    this.#unconfirmed.set(kept.id, kept)
    this.#unconfirmedBytes += kept.body.length
    if (this.#channel) this.#send(this.#channel, kept)
  }

  #send(channel: ConfirmChannel, kept: Kept): void {
    kept.returned = false
    const done = (error: unknown) => {
      // Of an earlier channel: the message has been sent again since.
      if (this.#channel !== channel) return
      if (error || kept.returned) this.#kept.restart()
      else this.#confirm(kept)
    }
    this.#write(channel, kept, done)
  }

  #write(channel: ConfirmChannel, { exchange, key, id, body, type, unheard }: Kept, done: (error: unknown) => void) {
    const properties = { messageId: id, persistent: true, mandatory: !unheard, ...(type && { type }) }
    try {
      channel.publish(exchange, key, body, properties, done)
    } catch (error) {
      // The channel has just closed and `lost` is about to say so.
      done(error)
    }
  }

  #sendLive(kept: Kept): void {
    const channel = this.#channel
    const refuse = () => {
      this.#stats.count('live_dropped_total')
      kept.reject(new BusError('the broker is away; clock and status messages are not kept for later'))
    }
    // When the channel closes, amqplib answers what is unconfirmed with an error.
    if (channel) this.#write(channel, kept, (error) => (error ? refuse() : kept.resolve()))
    else refuse()
  }

  #confirm(kept: Kept): void {
    if (!this.#unconfirmed.delete(kept.id)) return
    this.#unconfirmedBytes -= kept.body.length
    kept.resolve()
    for (let next = this.#waiting[0]; next && this.#hasRoom(next); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#admit(next)
    }
  }

  /** No queue took it: a log has been deleted. Its confirmation follows; then everything is declared and sent anew. */
  #onReturn(message: Message): void {
    const kept = this.#unconfirmed.get(String(message.properties.messageId))
    if (kept) kept.returned = true
    this.#stats.count('returned_total')
  }
}
