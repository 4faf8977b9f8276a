/**
 * Read: entries out of a journal's folder, from a time to a time, at full speed and in bounded memory: while one block is
 * handled the next ones are read and unpacked.
 *
 * Entries come a block at a time, in the order of the log and each once. First, where the range begins in the middle,
 * the rules that were in force there. A block that was spoilt, and a segment that retention has removed meanwhile, are told
 * to `bad` and passed over.
 */
import fsPromises, { type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import { Decoder } from '../../bus/codec.ts'
import type { LogEntry } from '../../model/message.ts'
import { readRecords } from './format.ts'
import { type Block, endOf, listSegments, type Segment, storedOf, walkBlocks, withSegment } from './segments.ts'

const unpack = promisify(zstdDecompress)
/** Blocks that are read and unpacked while one is handled. */
const aheadBlocks = 3

export interface Range {
  /** Everything that was written at or after this time of the log, epoch ms; a little before it may come too. */
  fromMs?: number | undefined
  /** Nothing that was written after this time; a little of it may come too. */
  toMs?: number | undefined
}

export interface ReadOptions extends Range {
  /** Without the rules in force before the range. */
  withoutRules?: boolean
  bad?: (problem: string) => void
}

/** Entries that were written together. */
export interface Batch {
  entries: LogEntry[]
  /** The log's time at its end, epoch ms. */
  toMs: number
}

/** From the first entry to the last, epoch ms; undefined where there is none. */
export async function journalSpan(segments: readonly Segment[]): Promise<{ fromMs: number; toMs: number } | undefined> {
  for (const segment of [...segments].reverse()) {
    const { last } = await endOf(segment)
    if (last) return { fromMs: (segments[0] as Segment).firstMs, toMs: last.toMs }
  }
  return undefined
}

/** Entries of a folder, in batches. Throws where the folder cannot be read. */
export async function* readJournal(dir: string, options: ReadOptions = {}): AsyncGenerator<Batch> {
  yield* readSegments(listSegments(dir, options.bad), options)
}

/** One entry after another, for those to whom the last bit of speed does not matter. */
export async function* journalEntries(dir: string, options: ReadOptions = {}): AsyncGenerator<LogEntry> {
  for await (const { entries } of readJournal(dir, options)) yield* entries
}

export async function* readSegments(segments: readonly Segment[], options: ReadOptions = {}): AsyncGenerator<Batch> {
  const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY, bad = () => {} } = options
  const reading = new Reading(options.withoutRules === true, bad)
  // A segment begins where the one before it ends.
  const first = segments.findLastIndex((segment) => segment.firstMs <= fromMs)
  for (const segment of segments.slice(Math.max(0, first))) {
    let file: FileHandle
    try {
      file = await fsPromises.open(segment.path, 'r')
    } catch (error) {
      bad(`${segment.path} cannot be read: ${(error as Error).message}`)
      continue
    }
    try {
      yield* reading.segment(file, segment, fromMs, toMs)
    } finally {
      await file.close()
    }
    if (reading.isPast) return
  }
}

class Reading {
  isPast = false
  readonly #decoder = new Decoder()
  readonly #bad: (problem: string) => void
  readonly #withoutRules: boolean
  /** Whoever has come from before knows the rules in force. */
  #hasRules = false

  constructor(withoutRules: boolean, bad: (problem: string) => void) {
    this.#withoutRules = withoutRules
    this.#bad = bad
  }

  async *segment(file: FileHandle, segment: Segment, fromMs: number, toMs: number): AsyncGenerator<Batch> {
    let rules: Block | undefined
    const ahead: { block: Block; raw: Promise<Buffer | undefined> }[] = []
    for await (const block of walkBlocks(file)) {
      if (block.toMs < fromMs) {
        if (block.hasRules) rules = block
        continue
      }
      if (block.fromMs > toMs) {
        this.isPast = true
        break
      }
      if (rules && !this.#withoutRules) yield* this.#rulesBefore(file, rules)
      rules = undefined
      ahead.push({ block, raw: this.#raw(file, block, segment) })
      const ready = ahead.length > aheadBlocks ? ahead.shift() : undefined
      if (ready) yield* this.#batch(ready.block, await ready.raw)
    }
    for (const { block, raw } of ahead) yield* this.#batch(block, await raw)
  }

  /** Unpacks a block; undefined, and told, when it cannot be. Never rejects, since nobody may be waiting yet. */
  async #raw(file: FileHandle, block: Block, segment: Segment): Promise<Buffer | undefined> {
    try {
      const stored = await storedOf(file, block)
      if (stored) return await unpack(stored)
    } catch {
      // Told below.
    }
    this.#bad(`${segment.path} at ${block.at}: ${block.entries} entries are spoilt and passed over`)
    return undefined
  }

  *#batch(block: Block, raw: Buffer | undefined): Generator<Batch> {
    if (!raw) return
    const entries: LogEntry[] = []
    for (const { offset, isRepeated, bytes } of readRecords(raw)) {
      if (isRepeated && (this.#hasRules || this.#withoutRules)) continue
      this.#decode(offset, bytes, entries)
    }
    this.#hasRules = true
    yield { entries, toMs: block.toMs }
  }

  async *#rulesBefore(file: FileHandle, block: Block): AsyncGenerator<Batch> {
    const raw = await storedOf(file, block).then((stored) => stored && unpack(stored))
    const entries: LogEntry[] = []
    for (const { offset, bytes } of readRecords(raw ?? Buffer.alloc(0))) this.#decode(offset, bytes, entries)
    const last = entries.findLast(({ kind }) => kind === 'rules')
    this.#hasRules = true
    if (last) yield { entries: [last], toMs: block.toMs }
  }

  #decode(offset: number, bytes: Buffer, into: LogEntry[]): void {
    const decoded = this.#decoder.decode(bytes)
    if (decoded.ok) into.push({ ...decoded.value, offset })
    else this.#bad(`entry ${offset} of the journal cannot be read: ${decoded.error}`)
  }
}

export interface RulesRecord {
  offset: number
  bytes: Buffer
}

/** The last rules of a segment, as its bytes, for a writer that goes on behind it. */
export async function lastRules(segment: Segment, block: Block): Promise<RulesRecord | undefined> {
  return withSegment(segment, async (file) => {
    const stored = await storedOf(file, block)
    if (!stored) return undefined
    const decoder = new Decoder()
    let last: RulesRecord | undefined
    for (const { offset, bytes } of readRecords(await unpack(stored))) {
      const decoded = decoder.decode(bytes)
      if (decoded.ok && decoded.value.kind === 'rules') last = { offset, bytes: Buffer.from(bytes) }
    }
    return last
  })
}
