/**
 * LogReader: reads one log, which is a stream queue, in order and each message once.
 *
 * It keeps its own offset. Whenever its channel has to be built anew it asks the stream for its range and goes on behind
 * the message it took last, if that is still the same message: a stream that was deleted and made again counts from 0,
 * and then `lost` is told. Messages that a publisher sent twice are dropped by id; so that this also holds for a reader
 * that starts in the middle, it looks at the ids of some messages before its first.
 *
 * Barriers are messages that a reader puts on the log's end for itself; every reader swallows them.
 */
import { randomUUID } from 'node:crypto'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { LogName } from '../../model/message.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { HandleEntry, Offset, Reader, ReadOptions } from '../bus.ts'
import { Decoder } from '../codec.ts'
import { Deduplicator } from '../deduplicator.ts'
import type { Connection, KeptChannel } from './connection.ts'
import type { Publisher } from './publisher.ts'
import { barrierType, streamRange } from './stream-range.ts'
import { declareLogs, logQueue, type Topology } from './topology.ts'

const prefetch = 256
/** Messages before the first whose ids are looked at. More than a publisher has unconfirmed in any ordinary moment. */
const lookBehind = 1000

export interface LogReaderOptions {
  connection: Connection
  publisher: Publisher
  topology: Topology
  log: LogName
  from: Offset
  handle: HandleEntry
  options: ReadOptions
  stats: Stats
  onStop: () => void
}

export class LogReader implements Reader {
  readonly #with: LogReaderOptions
  readonly #queue: string
  readonly #kept: KeptChannel
  readonly #decoder = new Decoder()
  readonly #deduplicator = new Deduplicator()
  readonly #inbox: { message: ConsumeMessage; channel: ConfirmChannel }[] = []
  readonly #barriers = new Map<string, () => void>()
  #channel: ConfirmChannel | undefined
  #idle: Promise<void> = Promise.resolve()
  #working = false
  #stopped = false
  /** Where to begin, or the offset behind the message that was taken last. */
  #next: Offset
  #last: { offset: number; id: unknown } | undefined
  /** After an attachment: the first delivery must be `#last`, or the stream is another one. */
  #checking = false
  /** The stream was found to be another one than before; the next attachment begins it anew. */
  #isAnother = false

  constructor(options: LogReaderOptions) {
    this.#with = options
    this.#next = options.from
    this.#queue = logQueue(options.topology, options.log)
    this.#kept = options.connection.keep({
      name: `reading ${options.log}`,
      build: (channel) => this.#build(channel),
    })
  }

  caughtUp(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const token = randomUUID()
      this.#barriers.set(token, resolve)
      this.#sendBarrier(token)
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#with.onStop()
    await Promise.all([this.#kept.stop(), this.#idle])
    for (const resolve of this.#barriers.values()) resolve()
    this.#barriers.clear()
  }

  async #build(channel: ConfirmChannel): Promise<void> {
    const { connection, publisher, topology } = this.#with
    await declareLogs(connection, channel, topology)
    const range = await streamRange(connection, publisher, this.#queue)
    await this.#idle
    const start = this.#startIn(range)
    this.#channel = channel
    await channel.prefetch(prefetch)
    const receive = (message: ConsumeMessage | null) => this.#receive(message, channel)
    await channel.consume(this.#queue, receive, { arguments: { 'x-stream-offset': start } })
    // One that was sent before the stream was made anew, or before a reader of `next` stood at its place, never comes.
    for (const token of this.#barriers.keys()) this.#sendBarrier(token)
  }

  /** The offset to attach at. Settles `#next`. */
  #startIn({ first, end }: { first: number; end: number }): number {
    const wanted = this.#next
    const isKept = !this.#isAnother && (typeof wanted !== 'number' || (wanted >= first && wanted <= end))
    this.#isAnother = false
    if (!isKept) this.#with.options.lost?.(wanted as number, first)
    if (!isKept || wanted === 'first') this.#next = first
    else if (wanted === 'next') this.#next = end
    const next = this.#next as number
    this.#checking = isKept && this.#last !== undefined && this.#last.offset >= first
    if (!isKept) this.#last = undefined
    if (this.#checking) return this.#last?.offset as number
    return Math.max(first, next - (this.#last === undefined && wanted !== 'next' ? lookBehind : 0))
  }

  #receive(message: ConsumeMessage | null, channel: ConfirmChannel): void {
    // The broker has cancelled the consumer: its queue was deleted or its node went away.
    if (message === null) {
      this.#kept.restart()
      return
    }
    // What still comes on a channel that we have given up comes again on the next.
    if (channel !== this.#channel) return
    this.#inbox.push({ message, channel })
    if (!this.#working) this.#idle = this.#work()
  }

  async #work(): Promise<void> {
    this.#working = true
    let untold = 0
    for (let item = this.#inbox.shift(); item && !this.#stopped; item = this.#inbox.shift()) {
      const handling = this.#take(item.message)
      if (handling) await handling
      if (++untold >= prefetch / 2 || this.#inbox.length === 0) {
        untold = 0
        acknowledge(item.channel, item.message)
      }
    }
    this.#inbox.length = 0
    this.#working = false
  }

  /** Handles one message, or decides that it is not for the handler. */
  #take(message: ConsumeMessage): Promise<void> | undefined {
    const offset = Number(message.properties.headers?.['x-stream-offset'])
    const id: unknown = message.properties.messageId
    if (this.#checking && !this.#isSameLog(offset, id)) return
    if (offset < (this.#next as number)) {
      if (typeof id === 'string') this.#deduplicator.isNew(id)
      return
    }
    // Retention has overtaken us while we were reading. (A single offset is missing wherever the broker begins a segment.)
    if (offset > (this.#next as number) + 1) this.#with.options.lost?.(this.#next as number, offset)
    this.#next = offset + 1
    this.#last = { offset, id }
    if (message.properties.type === barrierType) this.#passBarrier(message.content.toString())
    else if (typeof id !== 'string' || this.#deduplicator.isNew(id)) return this.#decode(message.content, offset)
    else this.#with.stats.count('duplicates_total')
  }

  #decode(body: Buffer, offset: number): Promise<void> | undefined {
    const decoded = this.#decoder.decode(body)
    if (decoded.ok) return this.#with.handle({ ...decoded.value, offset }, body) || undefined
    this.#with.stats.count('bad_messages_total')
    this.#with.options.bad?.(decoded.error, offset)
  }

  /** False when another message stands where the last one stood: then all begins anew at the stream's first message. */
  #isSameLog(offset: number, id: unknown): boolean {
    this.#checking = false
    if (this.#last?.offset === offset && this.#last.id === id) return true
    this.#isAnother = true
    this.#channel = undefined
    this.#inbox.length = 0
    this.#kept.restart()
    return false
  }

  #passBarrier(token: string): void {
    this.#barriers.get(token)?.()
    this.#barriers.delete(token)
  }

  #sendBarrier(token: string): void {
    const id = randomUUID()
    const barrier = { exchange: '', key: this.#queue, id, body: Buffer.from(token), type: barrierType }
    // Refused only when the bus closes, and then `stop` follows.
    this.#with.publisher.publish(barrier).catch(() => {})
  }
}

function acknowledge(channel: ConfirmChannel, message: ConsumeMessage): void {
  try {
    channel.ack(message, true)
  } catch {
    // The channel has ended; the offset is what counts.
  }
}
