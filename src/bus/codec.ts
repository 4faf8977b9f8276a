/**
 * Codec: envelopes as bytes and back. The same bytes stand in the segments on disk and in AMQP bodies.
 *
 *     0     1        2       3         4          8
 *     'T'   version  shape   reserved  head size  head: JSON, padded with spaces to a multiple of 8
 *                    J: the head is the whole envelope
 *                    M: metrics; the head's `columns` says what follows, 8-byte aligned, little endian
 *
 * A metrics body is, column by column, its names (UTF-8, joined by \n, padded to 8) and then its float64 arrays. Names
 * that a source repeats flush after flush are decoded once: the decoder keeps the last blocks per source and column and
 * returns the same array while the bytes are the same.
 */
import type { Distribution } from '../model/distribution.ts'
import { type Envelope, type Hops, kindOf } from '../model/message.ts'
import type { MetricsMessage, ValueColumn } from '../model/metric.ts'
import { err, ok, type Result } from '../model/result.ts'

export const codecVersion = 1
const versionsRead: readonly number[] = [codecVersion]
const magic = 0x54
const shapeJson = 0x4a
const shapeMetrics = 0x4d
const headAt = 8

export function encode(envelope: Envelope): Buffer {
  if (envelope.kind === 'metrics') return encodeMetrics(envelope)
  return frame(shapeJson, JSON.stringify(envelope), [])
}

/** Reads bytes of unknown origin; never throws. The error is one clause for the log. Keep one Decoder per reader. */
export class Decoder {
  readonly #names = new Map<string, { block: Buffer; names: readonly string[] }>()

  decode(bytes: Buffer): Result<Envelope, string> {
    if (bytes.length < headAt || bytes[0] !== magic) return err('not a Tocsin message')
    if (!versionsRead.includes(bytes[1] as number)) {
      return err(`codec version ${bytes[1]}; this program reads ${versionsRead.join(' and ')}`)
    }
    const headSize = bytes.readUInt32LE(4)
    if (headAt + headSize > bytes.length) return err('truncated message')
    try {
      const head = JSON.parse(bytes.toString('utf8', headAt, headAt + headSize))
      if (typeof head !== 'object' || head === null || typeof head.key !== 'string' || typeof head.id !== 'string') {
        return err('an envelope without key or id')
      }
      const kind = kindOf(head.key)
      if (kind === undefined || kind !== head.kind) return err(`unknown kind of message, key "${head.key}"`)
      if (bytes[2] === shapeJson) return kind === 'metrics' ? err('metrics in the wrong shape') : ok(head as Envelope)
      if (bytes[2] !== shapeMetrics || kind !== 'metrics') return err(`unknown shape ${bytes[2]}`)
      return ok(this.#metrics(head as MetricsHead, bytes, headAt + headSize))
    } catch (error) {
      return err(`unreadable message: ${(error as Error).message}`)
    }
  }

  #metrics(head: MetricsHead, bytes: Buffer, bodyAt: number): Envelope {
    const read = new BodyReader(bytes, bodyAt, head.columns, (slot, block) => this.#namesOf(head, slot, block))
    const column = (name: string) => ({ names: read.names(name), values: read.floats(), ...graphite(read, head, name) })
    const counters = {
      names: read.names('counters'),
      sums: read.floats(),
      samples: read.floats(),
      ...graphite(read, head, 'counters'),
    }
    const gauges = column('gauges')
    const timerNames = read.names('timers')
    const figures = read.floats(timerNames.length * 5)
    const distributions = timerNames.map((_, i): Distribution => {
      const [count, sum, sumSquares, min, max] = figures.subarray(i * 5, i * 5 + 5) as unknown as [
        number,
        number,
        number,
        number,
        number,
      ]
      const size = head.timerSizes?.[i] as number
      return {
        count,
        sum,
        sumSquares,
        min,
        max,
        exact: head.timerExact?.[i] === 1,
        values: read.floats(size),
        counts: read.floats(size),
      }
    })
    const setNames = read.names('sets')
    const sets = {
      names: setNames,
      members: head.setMembers ?? [],
      overflowed: (head.setOverflowed ?? []).map(Boolean),
    }
    const untyped = column('untyped')
    read.end()
    const message: MetricsMessage = {
      source: head.source,
      bucketMs: head.bucketMs,
      stepMs: head.stepMs,
      counters,
      gauges,
      timers: { names: timerNames, distributions },
      sets,
      untyped,
    }
    return { kind: 'metrics', key: head.key, id: head.id, message, ...(head.hops && { hops: head.hops }) }
  }

  #namesOf(head: MetricsHead, slot: string, block: Buffer): readonly string[] {
    // The first names tell the batches of one flush apart.
    const key = `${head.source} ${slot} ${block.toString('latin1', 0, 64)}`
    const last = this.#names.get(key)
    if (last?.block.equals(block)) return last.names
    const names = block.length === 0 ? [] : block.toString('utf8').split('\n')
    if (this.#names.size >= nameBlocksMax) this.#names.clear()
    // A copy: the block is a view into a buffer that may be reused.
    this.#names.set(key, { block: Buffer.from(block), names })
    return names
  }
}

/** Blocks of names remembered by one decoder; beyond it all are forgotten and decoded anew. */
const nameBlocksMax = 1024

interface MetricsHead {
  kind: 'metrics'
  key: string
  id: string
  hops?: Hops
  source: string
  bucketMs: number
  stepMs: number
  /** Column name → [series, bytes of names]. */
  columns: Record<string, [number, number]>
  timerSizes?: number[]
  timerExact?: number[]
  setMembers?: string[][]
  setOverflowed?: number[]
}

function encodeMetrics(envelope: Extract<Envelope, { kind: 'metrics' }>): Buffer {
  const { message, key, id, hops } = envelope
  const { counters, gauges, timers, sets, untyped } = message
  const columns: MetricsHead['columns'] = {}
  const body: Buffer[] = []
  const putNames = (slot: string, names: readonly string[]) => {
    const block = Buffer.from(names.join('\n'), 'utf8')
    columns[slot] = [names.length, block.length]
    body.push(block, padding(block.length))
  }
  const putFloats = (values: Float64Array) =>
    body.push(Buffer.from(values.buffer, values.byteOffset, values.byteLength))
  const putGraphite = (slot: string, names?: readonly string[]) => {
    if (names) putNames(`${slot}.graphite`, names)
  }
  putNames('counters', counters.names)
  putFloats(counters.sums)
  putFloats(counters.samples)
  putGraphite('counters', counters.graphiteNames)
  const putValues = (slot: string, column: ValueColumn) => {
    putNames(slot, column.names)
    putFloats(column.values)
    putGraphite(slot, column.graphiteNames)
  }
  putValues('gauges', gauges)
  putNames('timers', timers.names)
  const figures = new Float64Array(timers.distributions.length * 5)
  timers.distributions.forEach((d, i) => {
    figures.set([d.count, d.sum, d.sumSquares, d.min, d.max], i * 5)
  })
  putFloats(figures)
  for (const distribution of timers.distributions) {
    putFloats(distribution.values)
    putFloats(distribution.counts)
  }
  putNames('sets', sets.names)
  putValues('untyped', untyped)
  const head: MetricsHead = {
    kind: 'metrics',
    key,
    id,
    ...(hops && { hops }),
    source: message.source,
    bucketMs: message.bucketMs,
    stepMs: message.stepMs,
    columns,
  }
  if (timers.names.length > 0) {
    head.timerSizes = timers.distributions.map((d) => d.values.length)
    head.timerExact = timers.distributions.map((d) => Number(d.exact))
  }
  if (sets.names.length > 0) {
    head.setMembers = sets.members as string[][]
    head.setOverflowed = sets.overflowed.map(Number)
  }
  return frame(shapeMetrics, JSON.stringify(head), body)
}

function graphite(read: BodyReader, head: MetricsHead, slot: string): { graphiteNames?: readonly string[] } {
  return head.columns[`${slot}.graphite`] ? { graphiteNames: read.names(`${slot}.graphite`) } : {}
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

function padding(length: number): Buffer {
  return Buffer.alloc((8 - (length % 8)) % 8)
}

/** Walks a metrics body; throws RangeError where it is shorter or longer than its head says. */
class BodyReader {
  #at = 0
  #series = 0
  readonly #body: ArrayBuffer
  readonly #bytes: Buffer
  readonly #columns: MetricsHead['columns']
  readonly #decodeNames: (slot: string, block: Buffer) => readonly string[]

  constructor(
    bytes: Buffer,
    bodyAt: number,
    columns: MetricsHead['columns'],
    decodeNames: (slot: string, block: Buffer) => readonly string[],
  ) {
    // One copy into an aligned buffer of our own; the float arrays are views into it.
    this.#body = new ArrayBuffer(bytes.length - bodyAt)
    this.#bytes = Buffer.from(this.#body)
    bytes.copy(this.#bytes, 0, bodyAt)
    this.#columns = columns
    this.#decodeNames = decodeNames
  }

  names(slot: string): readonly string[] {
    const [series, size] = this.#columns[slot] as [number, number]
    const block = this.#take(size)
    this.#take((8 - (size % 8)) % 8)
    this.#series = series
    if (series === 0) return []
    const names = this.#decodeNames(slot, block)
    if (names.length !== series) throw new RangeError(`${names.length} names for ${series} ${slot}`)
    return names
  }

  floats(length = this.#series): Float64Array {
    const at = this.#at
    this.#take(length * 8)
    return new Float64Array(this.#body, at, length)
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('bytes after the last column')
  }

  #take(size: number): Buffer {
    if (!Number.isInteger(size) || size < 0 || this.#at + size > this.#bytes.length)
      throw new RangeError('truncated column')
    this.#at += size
    return this.#bytes.subarray(this.#at - size, this.#at)
  }
}
