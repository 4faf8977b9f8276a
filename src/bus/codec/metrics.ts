/**
 * Metrics as bytes: a JSON head with the message's scalars, and a body of columns, one after another.
 *
 *     counters   names · sums · samples · [graphite names]
 *     gauges     names · values · [graphite names] · [when written, since version 2]
 *     timers     names · count, sum, sum of squares, min, max of each · values and counts of each, or only
 *                values where the head says that each came once
 *     sets       names              (members stand in the head)
 *     untyped    names · values · [graphite names]
 *
 * Names are UTF-8 joined by \n and padded to 8 bytes; figures are float64, little endian, 8-byte aligned, so reading
 * them is one copy and views into it. The head's `columns` tells for each list of names how many and how many bytes.
 *
 * Names that a source repeats flush after flush are decoded once: while the bytes are the same, readers are given the
 * same array.
 */
import type { Distribution } from '../../model/distribution.ts'
import type { Envelope } from '../../model/message.ts'
import type {
  CounterColumn,
  GaugeColumn,
  MetricsMessage,
  SetColumn,
  TimerColumn,
  ValueColumn,
} from '../../model/metric.ts'
import {
  countsOfOne,
  figuresEach,
  isOnce,
  type PackedDistributions,
  pairsSize,
} from '../../model/packed-distributions.ts'
import { unpackedMembers } from '../../model/packed-members.ts'
import { err, ok, type Result } from '../../model/result.ts'
import { plain } from './shapes.ts'

/** Blocks of names that one reader remembers; beyond it all are forgotten and decoded anew. */
const nameBlocksMax = 1024
const newline = 0x0a
const figuresPerTimer = figuresEach

interface MetricsHead {
  source: string
  bucketMs: number
  stepMs: number
  /** List of names → [how many, bytes]. */
  columns: Record<string, [number, number]>
  timerSizes?: number[]
  timerExact?: number[]
  timerOnce?: number[]
  setMembers?: (readonly string[])[]
  setOverflowed?: number[]
  gaugesHaveOffsets?: true
}

/** The head's fields and the body; an error when the columns could not be read again. */
export function writeMetrics(
  envelope: Extract<Envelope, { kind: 'metrics' }>,
): Result<{ head: object; body: readonly Buffer[] }, string> {
  const { message, key, id, hops } = envelope
  const { counters, gauges, timers, sets, untyped } = message
  const body = new BodyWriter()
  body.names('counters', counters.names)
  body.floats('counters', counters.names, counters.sums)
  body.floats('counters', counters.names, counters.samples)
  body.graphite('counters', counters)
  body.values('gauges', gauges)
  if (gauges.offsetsMs) body.floats('gauges', gauges.names, gauges.offsetsMs)
  body.names('timers', timers.names)
  body.distributions(timers)
  body.names('sets', sets.names)
  body.same('sets', sets.names.length, (sets.packed?.sizes ?? sets.members).length)
  body.values('untyped', untyped)
  if (body.problem !== undefined) return err(body.problem)
  const { source, bucketMs, stepMs } = message
  const head: MetricsHead = {
    source,
    bucketMs,
    stepMs,
    columns: body.columns,
    ...(gauges.offsetsMs && { gaugesHaveOffsets: true }),
    ...timerHead(timers),
    ...setHead(sets),
  }
  return ok({ head: { kind: 'metrics', key, id, ...(hops && { hops }), ...head }, body: body.parts })
}

function timerHead(timers: TimerColumn): Pick<MetricsHead, 'timerSizes' | 'timerExact' | 'timerOnce'> {
  if (timers.names.length === 0) return {}
  if (timers.packed) {
    const { sizes, exact, once } = timers.packed
    return { timerSizes: [...sizes], timerExact: [...exact], timerOnce: [...once] }
  }
  const { distributions } = timers
  return {
    timerSizes: distributions.map(({ values }) => values.length),
    timerExact: distributions.map(({ exact }) => Number(exact)),
    timerOnce: distributions.map(({ counts }) => Number(isOnce(counts))),
  }
}

function setHead(sets: SetColumn): Pick<MetricsHead, 'setMembers' | 'setOverflowed'> {
  if (sets.names.length === 0) return {}
  // Packed ones are unpacked for the moment only: a large bucket's texts must not all stand in memory until it is out.
  const members = sets.packed ? unpackedMembers(sets.packed) : [...sets.members]
  return { setMembers: members, setOverflowed: sets.overflowed.map(Number) }
}

class BodyWriter {
  readonly columns: MetricsHead['columns'] = {}
  readonly parts: Buffer[] = []
  problem: string | undefined

  names(slot: string, names: readonly string[]): void {
    const block = Buffer.from(names.join('\n'), 'utf8')
    if (names.length > 0 && newlines(block) !== names.length - 1) this.problem = `a line break in a name of ${slot}`
    this.columns[slot] = [names.length, block.length]
    this.parts.push(block, Buffer.alloc((8 - (block.length % 8)) % 8))
  }

  floats(slot: string, names: readonly string[], values: Float64Array): void {
    this.same(slot, names.length, values.length)
    this.parts.push(bytesOf(values))
  }

  values(slot: string, column: ValueColumn): void {
    this.names(slot, column.names)
    this.floats(slot, column.names, column.values)
    this.graphite(slot, column)
  }

  graphite(slot: string, { names, graphiteNames }: CounterColumn | ValueColumn): void {
    if (graphiteNames === undefined) return
    this.same(slot, names.length, graphiteNames.length)
    this.names(`${slot}.graphite`, graphiteNames)
  }

  distributions(timers: TimerColumn): void {
    if (timers.packed) {
      this.#packed(timers.names, timers.packed)
      return
    }
    const { names, distributions } = timers
    this.same('timers', names.length, distributions.length)
    const figures = new Float64Array(distributions.length * figuresPerTimer)
    distributions.forEach((d, i) => {
      figures.set([d.count, d.sum, d.sumSquares, d.min, d.max], i * figuresPerTimer)
    })
    this.parts.push(Buffer.from(figures.buffer))
    // One block for all of a message: two small buffers for each timer would cost more than what is in them.
    const once = distributions.map(({ counts }) => isOnce(counts))
    const pairs = new Float64Array(
      distributions.reduce((sum, { values }, i) => sum + pairsSize(values.length, once[i] === true), 0),
    )
    let at = 0
    for (const [i, { values, counts }] of distributions.entries()) {
      this.same('timers', values.length, counts.length)
      if (values.length !== counts.length) return
      pairs.set(values, at)
      if (!once[i]) pairs.set(counts, at + values.length)
      at += pairsSize(values.length, once[i] === true)
    }
    this.parts.push(Buffer.from(pairs.buffer))
  }

  #packed(names: readonly string[], { sizes, exact, once, figures, pairs }: PackedDistributions): void {
    this.same('timers', names.length, sizes.length)
    this.same('timers', names.length, exact.length)
    this.same('timers', names.length * figuresPerTimer, figures.length)
    this.same('timers', names.length, once.length)
    const wanted = sizes.reduce((sum, size, i) => sum + pairsSize(size, once[i] === 1), 0)
    this.same('timers', wanted, pairs.length)
    this.parts.push(bytesOf(figures), bytesOf(pairs))
  }

  same(slot: string, wanted: number, came: number): void {
    if (wanted !== came) this.problem = `${came} entries for ${wanted} names in ${slot}`
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

function newlines(block: Buffer): number {
  let count = 0
  for (let at = block.indexOf(newline); at !== -1; at = block.indexOf(newline, at + 1)) count++
  return count
}

/** Reads metrics; remembers the names it has seen. */
export class MetricsReader {
  readonly #blocks = new Map<string, { block: Buffer; names: readonly string[] }>()

  read(head: Record<string, unknown>, bytes: Buffer, bodyAt: number): Result<MetricsMessage, string> {
    const { source, bucketMs, stepMs, columns } = head
    if (typeof source !== 'string') return err(`source: expected a text, got ${plain(source)}`)
    if (typeof bucketMs !== 'number') return err(`bucketMs: expected a number, got ${plain(bucketMs)}`)
    if (typeof stepMs !== 'number') return err(`stepMs: expected a number, got ${plain(stepMs)}`)
    if (typeof columns !== 'object' || columns === null)
      return err(`columns: expected an object, got ${plain(columns)}`)
    const names = (slot: string, block: Buffer) => this.#namesOf(source, slot, block)
    const body = new BodyReader(bytes, bodyAt, columns as MetricsHead['columns'], names)
    const counters = body.counters()
    const gauges = body.gauges(head.gaugesHaveOffsets === true)
    const timers = body.timers(head.timerSizes, head.timerExact, head.timerOnce)
    const sets = setsOf(body.names('sets'), head.setMembers, head.setOverflowed)
    const untyped = body.values('untyped')
    body.end()
    return ok({ source, bucketMs, stepMs, counters, gauges, timers, sets, untyped })
  }

  #namesOf(source: string, slot: string, block: Buffer): readonly string[] {
    // The first names tell the batches of one flush apart.
    const key = `${source} ${slot} ${block.toString('latin1', 0, 64)}`
    const last = this.#blocks.get(key)
    if (last?.block.equals(block)) return last.names
    const names = block.toString('utf8').split('\n')
    if (this.#blocks.size >= nameBlocksMax) this.#blocks.clear()
    // A copy: the block is a view into a buffer that may be reused.
    this.#blocks.set(key, { block: Buffer.from(block), names })
    return names
  }
}

function setsOf(names: readonly string[], members: unknown, overflowed: unknown): SetColumn {
  if (names.length === 0) return { names, members: [], overflowed: [] }
  if (!Array.isArray(members) || !Array.isArray(overflowed)) throw new RangeError('sets without members')
  if (members.length !== names.length || overflowed.length !== names.length) {
    throw new RangeError(`${members.length} lists of members for ${names.length} sets`)
  }
  for (const list of members) {
    if (!Array.isArray(list) || list.some((member) => typeof member !== 'string')) {
      throw new RangeError(`expected a list of members, got ${plain(list)}`)
    }
  }
  return { names, members, overflowed: overflowed.map(Boolean) }
}

/** Walks a body; throws RangeError, in words for people, where it is not what its head says. */
class BodyReader {
  #at = 0
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

  counters(): CounterColumn {
    const names = this.names('counters')
    const sums = this.floats(names.length)
    return { names, sums, samples: this.floats(names.length), ...this.#graphite('counters', names) }
  }

  values(slot: string): ValueColumn {
    const names = this.names(slot)
    return { names, values: this.floats(names.length), ...this.#graphite(slot, names) }
  }

  gauges(haveOffsets: boolean): GaugeColumn {
    const column = this.values('gauges')
    return haveOffsets ? { ...column, offsetsMs: this.floats(column.names.length) } : column
  }

  timers(sizes: unknown, exact: unknown, once: unknown = []): TimerColumn {
    const names = this.names('timers')
    if (names.length === 0) return { names, distributions: [] }
    if (!Array.isArray(sizes) || !Array.isArray(exact) || !Array.isArray(once))
      throw new RangeError('timers without sizes')
    const figures = this.floats(names.length * figuresPerTimer)
    const distributions = names.map((_, i): Distribution => {
      const figure = (at: number) => figures[i * figuresPerTimer + at] as number
      const values = this.floats(sizes[i])
      const counts = once[i] === 1 ? countsOfOne(sizes[i]) : this.floats(sizes[i])
      const [count, sum, sumSquares, min, max] = [figure(0), figure(1), figure(2), figure(3), figure(4)]
      return { count, sum, sumSquares, min, max, exact: exact[i] === 1, values, counts }
    })
    return { names, distributions }
  }

  names(slot: string): readonly string[] {
    const column: unknown = this.#columns[slot]
    if (!Array.isArray(column)) throw new RangeError(`no column ${slot}`)
    const [wanted, size] = column
    const block = this.#take(size)
    this.#take((8 - (size % 8)) % 8)
    if (wanted === 0) return []
    const names = this.#decodeNames(slot, block)
    if (names.length !== wanted) throw new RangeError(`${names.length} names for ${plain(wanted)} ${slot}`)
    return names
  }

  floats(length: number): Float64Array {
    const at = this.#at
    this.#take(length * 8)
    return new Float64Array(this.#body, at, length)
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('bytes behind the last column')
  }

  #graphite(slot: string, names: readonly string[]): { graphiteNames?: readonly string[] } {
    if (this.#columns[`${slot}.graphite`] === undefined) return {}
    const graphiteNames = this.names(`${slot}.graphite`)
    if (graphiteNames.length === names.length) return { graphiteNames }
    throw new RangeError(`${graphiteNames.length} Graphite names for ${names.length} ${slot}`)
  }

  #take(size: number): Buffer {
    if (!Number.isInteger(size) || size < 0 || this.#at + size > this.#bytes.length) {
      throw new RangeError('truncated column')
    }
    this.#at += size
    return this.#bytes.subarray(this.#at - size, this.#at)
  }
}
