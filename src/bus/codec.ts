/**
 * Codec: envelopes as bytes and back. The same bytes stand in the segments on disk and in AMQP bodies.
 *
 *     0     1        2       3         4          8
 *     'T'   version  shape   reserved  head size  head: JSON, padded with spaces to a multiple of 8, then the body
 *                    J: the head is the whole envelope and there is no body
 *                    M: metrics; the body holds the columns, see codec/metrics.ts
 *
 * Writing is strict: what could not be read again is refused at once, to the one who publishes it. Reading takes bytes
 * of any origin: what is wrong comes back as one clause for the log, never as an exception. A program reads its own
 * version and the one before.
 */
import { type Envelope, kindOf } from '../model/message.ts'
import { err, ok, type Result } from '../model/result.ts'
import { BusError } from './bus.ts'
import { MetricsReader, writeMetrics } from './codec/metrics.ts'
import { checkHops, checkMessage, plain } from './codec/shapes.ts'

/** 2: gauges tell when they were written. */
export const codecVersion = 2
const versionsRead: readonly number[] = [codecVersion, codecVersion - 1]
const magic = 0x54
const shapeJson = 0x4a
const shapeMetrics = 0x4d
const headAt = 8

/** Throws BusError for what cannot be put into bytes, such as a series name with a line break. */
export function encode(envelope: Envelope): Buffer {
  if (envelope.kind !== 'metrics') return frame(shapeJson, JSON.stringify(envelope), [])
  const written = writeMetrics(envelope)
  if (!written.ok) throw new BusError(`metrics that cannot be published: ${written.error}`, { isFinal: true })
  return frame(shapeMetrics, JSON.stringify(written.value.head), written.value.body)
}

/** Reads bytes of unknown origin; never throws. Keep one Decoder per reader: it remembers names. */
export class Decoder {
  readonly #metrics = new MetricsReader()

  decode(bytes: Buffer): Result<Envelope, string> {
    if (bytes.length < headAt || bytes[0] !== magic) return err('not a Tocsin message')
    if (!versionsRead.includes(bytes[1] as number)) {
      return err(`codec version ${bytes[1]}; this program reads ${versionsRead.join(' and ')}`)
    }
    const bodyAt = headAt + bytes.readUInt32LE(4)
    if (bodyAt > bytes.length) return err('truncated message')
    try {
      return this.#envelope(bytes, JSON.parse(bytes.toString('utf8', headAt, bodyAt)), bodyAt)
    } catch (error) {
      return err(`unreadable message: ${(error as Error).message}`)
    }
  }

  #envelope(bytes: Buffer, head: unknown, bodyAt: number): Result<Envelope, string> {
    if (typeof head !== 'object' || head === null) return err('a message without envelope')
    const { key, id, kind, hops, message } = head as Record<string, unknown>
    if (typeof key !== 'string' || typeof id !== 'string') return err('an envelope without key or id')
    const known = kindOf(key)
    if (known === undefined || known !== kind) return err(`key ${plain(key)} does not go with kind ${plain(kind)}`)
    const wrongHops = checkHops(hops)
    if (wrongHops !== undefined) return err(`${known}: ${wrongHops}`)
    if (known === 'metrics') {
      if (bytes[2] !== shapeMetrics) return err('metrics in the wrong shape')
      const read = this.#metrics.read(head as Record<string, unknown>, bytes, bodyAt)
      if (!read.ok) return err(`metrics: ${read.error}`)
      return ok({ kind: known, key, id, message: read.value, ...(hops !== undefined && { hops }) } as Envelope)
    }
    if (bytes[2] !== shapeJson) return err(`${known} in the wrong shape`)
    if (bodyAt !== bytes.length) return err('bytes behind the message')
    const wrong = checkMessage(known, message)
    if (wrong !== undefined) return err(`${known}: ${wrong}`)
    return ok({ kind: known, key, id, message, ...(hops !== undefined && { hops }) } as Envelope)
  }
}

function frame(shape: number, head: string, body: readonly Buffer[]): Buffer {
  const headBytes = Buffer.from(head, 'utf8')
  const pad = (8 - (headBytes.length % 8)) % 8
  const start = Buffer.alloc(headAt)
  start[0] = magic
  start[1] = codecVersion
  start[2] = shape
  start.writeUInt32LE(headBytes.length + pad, 4)
  return Buffer.concat([start, headBytes, Buffer.alloc(pad, 0x20), ...body])
}
