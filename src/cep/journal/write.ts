/**
 * Write: entries of engine-log into the journal's folder, in blocks, packed by zstd off the main thread.
 *
 * Entries gather in one open block, which is closed when it is full or its first entry has waited for some seconds.
 * Closed blocks are packed and written one after another. What waits is bounded: beyond it `append` answers with a
 * promise, and the reader that feeds us waits with it, since the log keeps what we have not taken yet. So a full disk
 * costs nothing until the log's own retention has passed.
 *
 *   append ──▶ open block ──full, old, stop──▶ closed blocks ──zstd──▶ segment ──full, old──▶ next segment
 *
 * A process that dies loses the blocks it had not written; the next one reads them again from the log, since `next` tells
 * behind which entry the journal ends.
 */
import fs from 'node:fs'
import fsPromises, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { interval, type Subscription } from 'rxjs'
import type { LogEntry } from '../../model/message.ts'
import { type Clock, formatIso, sleep } from '../../runtime/clock.ts'
import type { JournalSettings } from '../../runtime/config.ts'
import { type Log, Situation } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import { timeOf } from '../log-time.ts'
import { OpenBlock } from './block.ts'
import { blockBytes, segmentHead, segmentHeadBytes, segmentName } from './format.ts'
import { lastRules, type RulesRecord } from './read.ts'
import { endOf, listSegments, type Segment } from './segments.ts'

const pack = promisify(zstdCompress)

export interface WriterOptions {
  dir: string
  clock: Clock
  log: Log
  stats: Stats
  settings: JournalSettings
  /** Raw bytes of a block; default 1 MiB. */
  blockBytesMax?: number
  /** Packed bytes of a segment; default 64 MiB, or a sixteenth of all. */
  segmentBytesMax?: number
}

const blockAgeMaxMs = 5000
const segmentAgeMaxMs = 3_600_000
/** Closed blocks that may wait to be packed and written. */
const waitingBlocksMax = 4
const retryMsMax = 30_000

interface OpenSegment extends Segment {
  file: FileHandle
  /** The log's time at its end. */
  lastMs: number
}

export class JournalWriter {
  /** Behind the last entry that the journal has or has taken; undefined when it has none. */
  next: number | undefined
  settings: JournalSettings
  readonly #options: Required<WriterOptions>
  readonly #situation: Situation
  readonly #stopping = new AbortController()
  readonly #everySecond: Subscription
  #block: OpenBlock | undefined
  #blockSinceMs = 0
  #waiting = 0
  #waitingBytes = 0
  #written: Promise<void> = Promise.resolve()
  /** Segments behind us, oldest first. */
  #segments: Segment[] = []
  #segment: OpenSegment | undefined
  #sequence = 0
  #nowMs = 0
  #rules: RulesRecord | undefined

  private constructor(options: WriterOptions) {
    const { bytesMax } = options.settings
    this.#options = { blockBytesMax: 2 ** 20, segmentBytesMax: Math.min(64e6, Math.ceil(bytesMax / 16)), ...options }
    this.settings = options.settings
    this.#situation = new Situation(options.log)
    const { stats } = options
    stats.observe('journal_bytes', () => this.bytes)
    stats.observe('journal_segments', () => this.#segments.length + (this.#segment ? 1 : 0))
    stats.observe('journal_unwritten_bytes', () => this.#waitingBytes + (this.#block?.bytes ?? 0))
    this.#everySecond = interval(1000, options.clock).subscribe(() => this.#tick())
  }

  /** Opens or makes the folder and goes on behind what is there; throws with a clear message where it cannot be used. */
  static async open(options: WriterOptions): Promise<JournalWriter> {
    fs.mkdirSync(options.dir, { recursive: true })
    const segments = listSegments(options.dir, (problem) => options.log.warn(problem))
    const writer = new JournalWriter(options)
    try {
      await writer.#goOn(segments)
    } catch (error) {
      writer.#everySecond.unsubscribe()
      throw error
    }
    return writer
  }

  /** What does not work now, for people. */
  get problem(): string | undefined {
    return this.#situation.problem
  }

  /** Bytes of all segments on disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0) + (this.#segment?.bytes ?? 0)
  }

  /** Takes an entry; with too much waiting already, the answer comes when there is room. */
  append(entry: LogEntry, bytes: Buffer): Promise<void> | void {
    if (this.next !== undefined && entry.offset < this.next) return
    this.next = entry.offset + 1
    if (entry.kind === 'clock') this.#nowMs = Math.max(this.#nowMs, entry.message.nowMs)
    else if (this.#nowMs === 0) this.#nowMs = timeOf(entry)
    this.#blockFor(bytes).add(entry.offset, bytes, this.#nowMs, entry.kind === 'rules')
    if (entry.kind === 'rules') this.#rules = { offset: entry.offset, bytes: Buffer.from(bytes) }
    this.#options.stats.count('journal_entries_total')
    if (this.#waiting > waitingBlocksMax) return this.#written
  }

  /** Another log, whose offsets are not those of the one before, begins at `first`. */
  beginAnew(first: number): void {
    this.#close()
    this.#written = this.#written.then(() => this.#endSegment())
    this.next = first
    this.#nowMs = 0
  }

  /** Lets whoever waits for room go on: what the disk refuses now is given up. */
  release(): void {
    this.#stopping.abort()
  }

  /** Writes what waits, as far as the disk lets us; what is not written is read again from the log at the next start. */
  async stop(): Promise<void> {
    this.#everySecond.unsubscribe()
    this.#close()
    this.release()
    await this.#written
    await this.#endSegment()
  }

  /** The open block, with room for a message. */
  #blockFor(message: Buffer): OpenBlock {
    if (this.#block && !this.#block.hasRoomFor(message)) this.#close()
    if (this.#block) return this.#block
    this.#blockSinceMs = this.#options.clock.now()
    const capacity = Math.max(this.#options.blockBytesMax, OpenBlock.bytesFor(message))
    this.#block = new OpenBlock(capacity, this.#rules)
    return this.#block
  }

  async #goOn(segments: Segment[]): Promise<void> {
    this.#sequence = (segments.at(-1)?.sequence ?? 0) + 1
    this.#segments = segments
    for (const segment of [...segments].reverse()) {
      const { last, rules, goodBytes } = await endOf(segment)
      if (last && this.next === undefined) {
        this.next = last.lastOffset + 1
        this.#nowMs = last.toMs
        await this.#reopen(segment, goodBytes, last.toMs)
      }
      if (rules) this.#rules = await lastRules(segment, rules)
      if (this.next !== undefined) return
      // Nothing in it can be read: it goes.
      fs.rmSync(segment.path, { force: true })
      this.#segments.pop()
    }
  }

  async #reopen(segment: Segment, goodBytes: number, lastMs: number): Promise<void> {
    const file = await fsPromises.open(segment.path, 'r+')
    if (goodBytes < segment.bytes) await file.truncate(goodBytes)
    this.#segments.pop()
    this.#segment = { ...segment, bytes: goodBytes, file, lastMs }
    this.#sequence = segment.sequence
  }

  #tick(): void {
    if (this.#block && this.#options.clock.now() - this.#blockSinceMs >= blockAgeMaxMs) this.#close()
    this.#expire()
  }

  /** Closes the open block and has it packed and written behind those before it. */
  #close(): void {
    const block = this.#block
    if (!block) return
    this.#block = undefined
    this.#waiting++
    this.#waitingBytes += block.bytes
    this.#written = this.#written.then(async () => {
      await this.#write(block)
      this.#waiting--
      this.#waitingBytes -= block.bytes
    })
  }

  /** Tries until the block is on disk or we are to stop. Never rejects. */
  async #write(block: OpenBlock): Promise<void> {
    const { clock, stats } = this.#options
    for (let waitMs = 1000; ; waitMs = Math.min(waitMs * 2, retryMsMax)) {
      try {
        await this.#tryWrite(block)
        this.#situation.good('the journal is written again')
        return
      } catch (error) {
        stats.count('journal_write_errors_total')
        this.#situation.bad(
          `the journal cannot be written (${(error as Error).message}); rules are evaluated all the same`,
        )
      }
      if (this.#stopping.signal.aborted) return
      await sleep(waitMs, clock, this.#stopping.signal)
    }
  }

  async #tryWrite(block: OpenBlock): Promise<void> {
    const segment = await this.#segmentFor(block)
    const isFirst = segment.bytes === segmentHeadBytes
    const raw = isFirst ? block.rawWithRules : block.raw
    const hasRules = block.hasRules || (isFirst && block.hasRulesBefore)
    const head = this.#timed(block.head)
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
    segment.lastMs = head.toMs
    this.#options.stats.count('journal_blocks_total')
  }

  /** The segment that takes a block; begins another when the present one is full or old. */
  async #segmentFor(block: OpenBlock): Promise<OpenSegment> {
    const { firstMs, bytes } = this.#segment ?? { firstMs: 0, bytes: 0 }
    const { fromMs, toMs } = this.#timed(block.head)
    const isFull = bytes >= this.#options.segmentBytesMax || toMs - firstMs >= segmentAgeMaxMs
    if (this.#segment && (!isFull || bytes === segmentHeadBytes)) return this.#segment
    await this.#endSegment()
    const name = segmentName(this.#sequence, formatIso(fromMs))
    const file = await fsPromises.open(path.join(this.#options.dir, name), 'w')
    const segment = { path: path.join(this.#options.dir, name), sequence: this.#sequence, firstMs: fromMs }
    try {
      await writeAll(file, segmentHead(segment.sequence, fromMs), 0)
    } catch (error) {
      await file.close()
      fs.rmSync(segment.path, { force: true })
      throw error
    }
    this.#segment = { ...segment, bytes: segmentHeadBytes, file, lastMs: fromMs }
    this.#expire()
    return this.#segment
  }

  /** A block in which nothing tells the time, such as rules alone at the very beginning, is of now. */
  #timed(head: OpenBlock['head']): OpenBlock['head'] {
    const nowMs = this.#options.clock.now()
    return head.toMs > 0 ? head : { ...head, fromMs: nowMs, toMs: nowMs }
  }

  async #endSegment(): Promise<void> {
    const segment = this.#segment
    if (!segment) return
    this.#segment = undefined
    this.#sequence = segment.sequence + 1
    const { file, lastMs, ...rest } = segment
    this.#segments.push(rest)
    await file.datasync().catch(() => {})
    await file.close().catch(() => {})
  }

  /** Removes whole segments, oldest first, that are beyond the age or the size. */
  #expire(): void {
    const { retention, bytesMax } = this.settings
    const oldestMs = this.#options.clock.now() - retention
    for (let bytes = this.bytes; this.#segments[0]; ) {
      const oldest = this.#segments[0]
      // A segment ends where the next one begins.
      const endMs = this.#segments[1]?.firstMs ?? this.#segment?.firstMs ?? Number.POSITIVE_INFINITY
      if (bytes + this.#options.segmentBytesMax <= bytesMax && endMs > oldestMs) return
      if (!this.#segment && this.#segments.length === 1) return
      try {
        fs.rmSync(oldest.path, { force: true })
      } catch (error) {
        this.#situation.bad(`old segments of the journal cannot be removed (${(error as Error).message})`)
        return
      }
      this.#options.stats.count('journal_segments_removed_total')
      bytes -= oldest.bytes
      this.#segments.shift()
    }
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, at)
  if (bytesWritten !== bytes.length)
    throw new Error(`ENOSPC: only ${bytesWritten} of ${bytes.length} bytes could be written`)
}
