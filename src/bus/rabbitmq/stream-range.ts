/**
 * Stream range: which offsets a stream has now. The protocol has no question for it, so we put a barrier at its end and
 * look where it lands.
 */
import { randomUUID } from 'node:crypto'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { Connection } from './connection.ts'
import type { Publisher } from './publisher.ts'

/** The AMQP type property of messages that are not for parts. */
export const barrierType = 'barrier'

export interface StreamRange {
  /** Offset of the oldest message. */
  first: number
  /** Offset that the next message would have had; it is the barrier's. */
  end: number
}

export async function streamRange(connection: Connection, publisher: Publisher, queue: string): Promise<StreamRange> {
  const channel = await connection.channel()
  try {
    const token = randomUUID()
    const isOurs = ({ properties }: ConsumeMessage) => properties.messageId === token
    const end = offsetOf(channel, queue, 'next', isOurs)
    await end.attached
    // By the publisher: a connection that publishes is one that a broker short of memory does not listen to.
    const barrier = { exchange: '', key: queue, id: token, body: Buffer.from(token), type: barrierType }
    publisher.publish(barrier).catch(() => {})
    const endOffset = await end.found
    const first = offsetOf(channel, queue, 'first', () => true)
    await first.attached
    return { first: await first.found, end: endOffset }
  } finally {
    await channel.close().catch(() => {})
  }
}

/** Offset of the first message from `from` on that is `wanted`. */
function offsetOf(
  channel: ConfirmChannel,
  queue: string,
  from: 'first' | 'next',
  wanted: (message: ConsumeMessage) => boolean,
): { attached: Promise<unknown>; found: Promise<number> } {
  const { promise: found, resolve, reject } = Promise.withResolvers<number>()
  found.catch(() => {}) // When attaching fails, nobody gets to wait for it.
  channel.on('error', reject)
  channel.once('close', () => reject(new Error('the channel closed')))
  const consumerTag = randomUUID()
  let isFound = false
  const receive = (message: ConsumeMessage | null) => {
    if (message === null) return reject(new Error('the stream was deleted'))
    if (!isFound && wanted(message)) {
      isFound = true
      resolve(Number(message.properties.headers?.['x-stream-offset']))
      channel.cancel(consumerTag).catch(() => {})
    }
    channel.ack(message)
  }
  const attached = channel
    .prefetch(8)
    .then(() => channel.consume(queue, receive, { consumerTag, arguments: { 'x-stream-offset': from } }))
  return { attached, found }
}
