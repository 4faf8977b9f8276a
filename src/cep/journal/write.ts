/**
 * Write: entries of engine-log into the journal's folder, in blocks, packed by zstd off the main thread.
 *
 * Entries gather in one open block, which is closed when it is full or its first entry has waited for some seconds.
 * Closed blocks are packed and written one after another (segment-store.ts). What waits is bounded: beyond it `append`
 * answers with a promise, and the reader that feeds us waits with it, since the log keeps what we have not taken yet. So a
 * full disk costs nothing until the log's own retention has passed.
 *
 *   append ──▶ open block ──full, old, stop──▶ closed blocks ──zstd──▶ segment ──full, old──▶ next segment
 *
 * A process that dies loses the blocks it had not written; the next one reads them again from the log, since `next` tells
 * behind which entry the journal ends.
 */
import { interval, type Subscription } from 'rxjs'
import type { LogEntry } from '../../model/message.ts'
import { type Clock, sleep } from '../../runtime/clock.ts'
import type { JournalSettings } from '../../runtime/config.ts'
import { type Log, Situation } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import { timeOf } from '../log-time.ts'
import { OpenBlock } from './block.ts'
import type { RulesRecord } from './read.ts'
import { SegmentStore } from './segment-store.ts'

export interface WriterOptions {
  dir: string
  clock: Clock
  log: Log
  stats: Stats
  settings: JournalSettings
  /** Raw bytes of a block; default 1 MiB. */
  blockBytesMax?: number
  /** Packed bytes of a segment; default 64 MB, or a sixteenth of all. */
  segmentBytesMax?: number
}

const blockAgeMaxMs = 5000
/** Closed blocks that may wait to be packed and written. */
const waitingBlocksMax = 4
const retryMsMax = 30_000

export class JournalWriter {
  /** Behind the last entry that the journal has or has taken; undefined when it has none. */
  next: number | undefined
  readonly #options: WriterOptions
  readonly #store: SegmentStore
  readonly #situation: Situation
  readonly #stopping = new AbortController()
  readonly #everySecond: Subscription
  #block: OpenBlock | undefined
  #blockSinceMs = 0
  #waiting = 0
  #waitingBytes = 0
  #written: Promise<void> = Promise.resolve()
  #nowMs = 0
  #rules: RulesRecord | undefined

  private constructor(options: WriterOptions, store: SegmentStore) {
    this.#options = options
    this.#store = store
    this.#situation = new Situation(options.log)
    const { stats } = options
    stats.observe('journal_bytes', () => store.bytes)
    stats.observe('journal_segments', () => store.count)
    stats.observe('journal_unwritten_bytes', () => this.#waitingBytes + (this.#block?.bytes ?? 0))
    this.#everySecond = interval(1000, options.clock).subscribe(() => this.#tick())
  }

  /** Opens or makes the folder and goes on behind what is there; throws with a clear message where it cannot be used. */
  static async open(options: WriterOptions): Promise<JournalWriter> {
    const { store, end } = await SegmentStore.open(options)
    const writer = new JournalWriter(options, store)
    writer.next = end.next
    writer.#nowMs = end.toMs
    writer.#rules = end.rules
    return writer
  }

  /** What does not work now, for people. */
  get problem(): string | undefined {
    return this.#situation.problem
  }

  /** Retention may change while the journal is written. */
  set settings(settings: JournalSettings) {
    this.#store.settings = settings
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
    this.#written = this.#written.then(() => this.#store.end())
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
    await this.#store.end()
  }

  /** The open block, with room for a message. */
  #blockFor(message: Buffer): OpenBlock {
    if (this.#block && !this.#block.hasRoomFor(message)) this.#close()
    if (this.#block) return this.#block
    this.#blockSinceMs = this.#options.clock.now()
    const { blockBytesMax = 2 ** 20 } = this.#options
    const capacity = Math.max(blockBytesMax, OpenBlock.bytesFor(message))
    this.#block = new OpenBlock(capacity, this.#rules)
    return this.#block
  }

  #tick(): void {
    if (this.#block && this.#options.clock.now() - this.#blockSinceMs >= blockAgeMaxMs) this.#close()
    const problem = this.#store.expire()
    if (problem !== undefined) this.#situation.bad(problem)
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
        await this.#store.write(block)
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
}
