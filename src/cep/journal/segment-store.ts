/**
 * Segment store: the files of a journal that is being written: which one takes a block, when the next begins, and which
 * ones retention has overtaken. Whole segments are removed, oldest first, by age and by size.
 *
 * What fails is thrown and leaves the open segment as it was, so that the same block can be tried again.
 */
import fs from 'node:fs'
import fsPromises, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { type Clock, formatIso } from '../../runtime/clock.ts'
import type { JournalSettings } from '../../runtime/config.ts'
import type { Log } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { OpenBlock } from './block.ts'
import { blockBytes, segmentHead, segmentHeadBytes, segmentName } from './format.ts'
import { lastRules, type RulesRecord } from './read.ts'
import { endOf, listSegments, type Segment } from './segments.ts'

const pack = promisify(zstdCompress)
const segmentAgeMaxMs = 3_600_000

export interface StoreOptions {
  dir: string
  clock: Clock
  log: Log
  stats: Stats
  settings: JournalSettings
  segmentBytesMax?: number
}

/** Where the journal ends that was there before. */
export interface JournalEnd {
  /** Behind its last entry; undefined when it has none. */
  next: number | undefined
  /** The log's time there, 0 when it has none. */
  toMs: number
  rules: RulesRecord | undefined
}

interface OpenSegment extends Segment {
  file: FileHandle
}

export class SegmentStore {
  settings: JournalSettings
  readonly #options: StoreOptions
  readonly #segmentBytesMax: number
  /** Segments behind us, oldest first. */
  readonly #segments: Segment[]
  #segment: OpenSegment | undefined
  #sequence: number

  private constructor(options: StoreOptions, segments: Segment[]) {
    const { bytesMax } = options.settings
    this.#options = options
    this.#segmentBytesMax = options.segmentBytesMax ?? Math.min(64e6, Math.ceil(bytesMax / 16))
    this.settings = options.settings
    this.#segments = segments
    this.#sequence = (segments.at(-1)?.sequence ?? 0) + 1
  }

  /** Opens or makes the folder and finds its end; what is torn there is cut off. */
  static async open(options: StoreOptions): Promise<{ store: SegmentStore; end: JournalEnd }> {
    fs.mkdirSync(options.dir, { recursive: true })
    const segments = listSegments(options.dir, (problem) => options.log.warn(problem))
    const store = new SegmentStore(options, segments)
    return { store, end: await store.#goOn() }
  }

  /** Bytes of all segments on disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0) + (this.#segment?.bytes ?? 0)
  }

  get count(): number {
    return this.#segments.length + (this.#segment ? 1 : 0)
  }

  /** Packs a block and writes it behind the last one. */
  async write(block: OpenBlock): Promise<void> {
    const head = this.#timed(block.head)
    const segment = await this.#segmentFor(head)
    const isFirst = segment.bytes === segmentHeadBytes
    const raw = isFirst ? block.rawWithRules : block.raw
    const hasRules = block.hasRules || (isFirst && block.hasRulesBefore)
    const stored = await pack(raw, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
    const bytes = blockBytes({ ...head, rawBytes: raw.length, hasRules }, stored)
    try {
      await writeAll(segment.file, bytes, segment.bytes)
    } catch (error) {
      // What is torn is cut off; where even that fails, readers stop there and the next block is written over it.
      await segment.file.truncate(segment.bytes).catch(() => {})
      throw error
    }
    segment.bytes += bytes.length
    this.#options.stats.count('journal_blocks_total')
  }

  /** Ends the open segment; the next block begins another. */
  async end(): Promise<void> {
    const segment = this.#segment
    if (!segment) return
    this.#segment = undefined
    this.#sequence = segment.sequence + 1
    const { file, ...rest } = segment
    this.#segments.push(rest)
    await file.datasync().catch(() => {})
    await file.close().catch(() => {})
  }

  /** Removes what is beyond the age or the size; a clause for people where that does not work. */
  expire(): string | undefined {
    const { retention, bytesMax } = this.settings
    const oldestMs = this.#options.clock.now() - retention
    for (let bytes = this.bytes; this.#segments[0]; ) {
      const oldest = this.#segments[0]
      // A segment ends where the next one begins.
      const endMs = this.#segments[1]?.firstMs ?? this.#segment?.firstMs ?? Number.POSITIVE_INFINITY
      if (bytes + this.#segmentBytesMax <= bytesMax && endMs > oldestMs) return undefined
      if (!this.#segment && this.#segments.length === 1) return undefined
      try {
        fs.rmSync(oldest.path, { force: true })
      } catch (error) {
        return `old segments of the journal cannot be removed (${(error as Error).message})`
      }
      this.#options.stats.count('journal_segments_removed_total')
      bytes -= oldest.bytes
      this.#segments.shift()
    }
    return undefined
  }

  async #goOn(): Promise<JournalEnd> {
    const end: JournalEnd = { next: undefined, toMs: 0, rules: undefined }
    for (const segment of [...this.#segments].reverse()) {
      const { last, rules, goodBytes } = await endOf(segment)
      if (last) {
        if (rules) end.rules = await lastRules(segment, rules)
        await this.#reopen(segment, goodBytes)
        return { ...end, next: last.lastOffset + 1, toMs: last.toMs }
      }
      // Nothing in it can be read: it goes.
      fs.rmSync(segment.path, { force: true })
      this.#segments.pop()
    }
    return end
  }

  async #reopen(segment: Segment, goodBytes: number): Promise<void> {
    const file = await fsPromises.open(segment.path, 'r+')
    if (goodBytes < segment.bytes) await file.truncate(goodBytes)
    this.#segments.pop()
    this.#segment = { ...segment, bytes: goodBytes, file }
    this.#sequence = segment.sequence
  }

  /** The segment that takes a block; begins another when the present one is full, old, or was taken away. */
  async #segmentFor({ fromMs, toMs }: OpenBlock['head']): Promise<OpenSegment> {
    const present = this.#segment
    if (present && fs.existsSync(present.path)) {
      const isFull = present.bytes >= this.#segmentBytesMax || toMs - present.firstMs >= segmentAgeMaxMs
      if (!isFull || present.bytes === segmentHeadBytes) return present
    }
    await this.end()
    fs.mkdirSync(this.#options.dir, { recursive: true })
    this.#segment = await this.#begin(fromMs)
    this.expire()
    return this.#segment
  }

  async #begin(firstMs: number): Promise<OpenSegment> {
    const file = path.join(this.#options.dir, segmentName(this.#sequence, formatIso(firstMs)))
    const handle = await fsPromises.open(file, 'w')
    try {
      await writeAll(handle, segmentHead(this.#sequence, firstMs), 0)
    } catch (error) {
      await handle.close()
      fs.rmSync(file, { force: true })
      throw error
    }
    return { path: file, sequence: this.#sequence, firstMs, bytes: segmentHeadBytes, file: handle }
  }

  /** A block in which nothing tells the time, such as rules alone at the very beginning, is of now. */
  #timed(head: OpenBlock['head']): OpenBlock['head'] {
    const nowMs = this.#options.clock.now()
    return head.toMs > 0 ? head : { ...head, fromMs: nowMs, toMs: nowMs }
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, at)
  if (bytesWritten !== bytes.length)
    throw new Error(`ENOSPC: only ${bytesWritten} of ${bytes.length} bytes could be written`)
}
