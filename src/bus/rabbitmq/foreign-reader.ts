/**
 * ForeignReader: hands on what foreign producers publish to an exchange of theirs, through a durable queue of ours that
 * all readers of the exchange share. Acknowledged after it was handled; redelivered once; then set aside and counted.
 */
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { Stats } from '../../runtime/stats.ts'
import type { Reader } from '../bus.ts'
import type { Connection, KeptChannel } from './connection.ts'
import { declareForeign, type Topology } from './topology.ts'

const prefetch = 200

export interface ForeignReaderOptions {
  connection: Connection
  topology: Topology
  exchange: string
  handle: (body: Buffer, routingKey: string) => Promise<void>
  stats: Stats
  onStop: () => void
}

export class ForeignReader implements Reader {
  readonly #with: ForeignReaderOptions
  readonly #kept: KeptChannel
  readonly #inbox: { message: ConsumeMessage; channel: ConfirmChannel }[] = []
  readonly #attached = Promise.withResolvers<void>()
  #idle: Promise<void> = Promise.resolve()
  #working = false
  #stopped = false

  constructor(options: ForeignReaderOptions) {
    this.#with = options
    this.#kept = options.connection.keep({
      name: `reading the exchange ${options.exchange}`,
      build: (channel) => this.#build(channel),
      // What was not acknowledged comes again.
      lost: () => {
        this.#inbox.length = 0
      },
    })
  }

  /** Foreign producers publish when they like, so this only means: bound to the exchange, and nothing delivered waits. */
  async caughtUp(): Promise<void> {
    await this.#attached.promise
    await this.#idle
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#with.onStop()
    this.#attached.resolve()
    await this.#idle
    await this.#kept.stop()
  }

  async #build(channel: ConfirmChannel): Promise<void> {
    const { connection, topology, exchange } = this.#with
    const queue = await declareForeign(connection, channel, topology, exchange)
    await channel.prefetch(prefetch)
    await channel.consume(queue, (message) => {
      if (message === null) return this.#kept.restart()
      this.#inbox.push({ message, channel })
      if (!this.#working) this.#idle = this.#work()
    })
    this.#attached.resolve()
  }

  async #work(): Promise<void> {
    this.#working = true
    for (let item = this.#inbox.shift(); item && !this.#stopped; item = this.#inbox.shift()) {
      const { message, channel } = item
      const settle = await this.#handle(message)
      try {
        settle(channel)
      } catch {
        // The channel has ended; the broker delivers the message again.
      }
    }
    this.#working = false
  }

  async #handle(message: ConsumeMessage): Promise<(channel: ConfirmChannel) => void> {
    const { handle, stats } = this.#with
    try {
      await handle(message.content, message.fields.routingKey)
      return (channel) => channel.ack(message)
    } catch {
      const again = !message.fields.redelivered
      stats.count(again ? 'foreign_redelivered_total' : 'foreign_set_aside_total')
      return (channel) => channel.nack(message, false, again)
    }
  }
}
