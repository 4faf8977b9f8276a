/** What both adapters refuse to publish, so that a part written against one works on the other. */
import { type Kind, kindOf } from '../model/message.ts'
import { BusError } from './bus.ts'

/** AMQP's own limit for a routing key. */
const keyBytesMax = 255
/** The broker's default limit in RabbitMQ 4. */
export const messageBytesMax = 16 * 1024 ** 2

export function checkedKind(key: string): Kind {
  const kind = kindOf(key)
  if (kind === undefined) throw refusal(`no such routing key: ${key.slice(0, keyBytesMax)}`)
  const size = Buffer.byteLength(key)
  if (size > keyBytesMax) throw refusal(`a routing key of ${size} bytes; at most ${keyBytesMax} are allowed`)
  return kind
}

export function checkedSize(body: Buffer): Buffer {
  if (body.length <= messageBytesMax) return body
  throw refusal(`a message of ${body.length} bytes; at most ${messageBytesMax} are allowed`)
}

function refusal(why: string): BusError {
  return new BusError(why, { isFinal: true })
}
