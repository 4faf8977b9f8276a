/** StatusReader: hears status messages live, through a queue that exists only as long as the reader's channel. */
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { Status } from '../../model/status.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { Reader } from '../bus.ts'
import { Decoder } from '../codec.ts'
import type { Connection, KeptChannel } from './connection.ts'
import { barrierType } from './stream-range.ts'
import type { Topology } from './topology.ts'

/** Waiting for a reader that cannot keep up; beyond it the oldest are dropped, newer ones say more. */
const waitingMax = 1000

export interface StatusReaderOptions {
  connection: Connection
  topology: Topology
  handle: (status: Status) => void
  stats: Stats
  onStop: () => void
}

export class StatusReader implements Reader {
  readonly #with: StatusReaderOptions
  readonly #kept: KeptChannel
  readonly #decoder = new Decoder()
  #barriers: (() => void)[] = []
  #attached: { channel: ConfirmChannel; queue: string } | undefined

  constructor(options: StatusReaderOptions) {
    this.#with = options
    this.#kept = options.connection.keep({
      name: 'hearing status',
      build: (channel) => this.#build(channel),
      lost: () => {
        this.#attached = undefined
      },
    })
  }

  /** Everything that was published and confirmed before has been handled; waits until the reader is attached. */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      this.#barriers.push(resolve)
      this.#sendBarrier()
    })
  }

  async stop(): Promise<void> {
    this.#with.onStop()
    await this.#kept.stop()
    this.#passBarriers()
  }

  async #build(channel: ConfirmChannel): Promise<void> {
    const { exchange } = this.#with.topology
    await channel.assertExchange(exchange, 'topic', { durable: true })
    const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true, maxLength: waitingMax })
    await channel.bindQueue(queue, exchange, 'status.#')
    await channel.consume(queue, (message) => this.#receive(message), { noAck: true })
    this.#attached = { channel, queue }
    if (this.#barriers.length > 0) this.#sendBarrier()
  }

  #receive(message: ConsumeMessage | null): void {
    if (message === null) this.#kept.restart()
    else if (message.properties.type === barrierType) this.#passBarriers()
    else this.#take(message.content)
  }

  #take(body: Buffer): void {
    const decoded = this.#decoder.decode(body)
    if (decoded.ok && decoded.value.kind === 'status') {
      const { message } = decoded.value
      // In a turn of its own: amqplib would take what a handler throws for the channel's fault.
      queueMicrotask(() => this.#with.handle(message))
    } else this.#with.stats.count('bad_messages_total')
  }

  #sendBarrier(): void {
    try {
      this.#attached?.channel.sendToQueue(this.#attached.queue, Buffer.alloc(0), { type: barrierType })
    } catch {
      // The channel has ended; the next one sends it.
    }
  }

  #passBarriers(): void {
    const passed = this.#barriers.splice(0)
    queueMicrotask(() => {
      for (const resolve of passed) resolve()
    })
  }
}
