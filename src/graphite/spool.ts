/**
 * Spool: lines on their way to carbon, as files, one a chunk: `<sequence>-<lines>.lines`.
 *
 * A chunk stays after it has been sent, until carbon has taken it for certain (its connection was closed in order by both
 * sides) and `keepMs` have passed without a failure: TCP does not tell what a dying carbon had read, and carbon itself
 * loses what it had not yet written to disk. After a failure everything that is still here is sent again, oldest first;
 * carbon overwrites a point that it has.
 *
 *     waiting ──sent──→ sent ──confirmed and keepMs old──→ gone
 *        ↑────rewind─────┘
 *
 * Bounded by bytes: the oldest chunks go first, and lines that had never been sent are counted as dropped. When the disk
 * refuses, chunks are kept in memory under a bound of their own until it takes files again.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Stats } from '../runtime/stats.ts'
import type { Chunk } from './forward.ts'

/** How long a sent chunk is kept at least. */
export const keepMs = 60_000
export const memoryBytesMax = 32 * 1024 ** 2
/** What a file takes on disk at least. */
const blockBytes = 4096

export interface SpoolOptions {
  dir: string
  bytesMax: number
  stats: Stats
  /** Told when the disk refuses (with the problem) and when it takes files again (undefined). */
  onDisk: (problem: string | undefined) => void
}

export interface Spooled {
  sequence: number
  lines: number
  /** Room taken, on disk or in memory. */
  bytes: number
  /** The text itself while it is not on disk. */
  text?: string
  sent?: { atMs: number; connection: number; confirmed: boolean }
  /** Has been sent at least once. */
  wasSent: boolean
}

export class Spool {
  readonly #options: SpoolOptions
  readonly #chunks: Spooled[] = []
  /** Index of the first chunk that waits. */
  #next = 0
  #sequence = 0
  #bytes = 0
  #memoryBytes = 0

  /** Takes up what a former run left; throws when the directory cannot be written. */
  constructor(options: SpoolOptions) {
    this.#options = options
    fs.mkdirSync(options.dir, { recursive: true })
    fs.accessSync(options.dir, fs.constants.W_OK)
    for (const name of fs.readdirSync(options.dir).sort()) this.#takeUp(name)
    this.#trim()
    options.stats.count('lines_dropped_total', 0)
    options.stats.observe('spool_bytes', () => this.#bytes)
    options.stats.observe('lines_waiting', () => this.waiting.lines)
  }

  /** What has yet to be sent. */
  get waiting(): { lines: number; bytes: number } {
    const sum = { lines: 0, bytes: 0 }
    for (let i = this.#next; i < this.#chunks.length; i++) {
      sum.lines += (this.#chunks[i] as Spooled).lines
      sum.bytes += (this.#chunks[i] as Spooled).bytes
    }
    return sum
  }

  async append({ text, lines }: Chunk): Promise<void> {
    const bytes = roundUp(Buffer.byteLength(text))
    const chunk: Spooled = { sequence: ++this.#sequence, lines, bytes, wasSent: false }
    try {
      await fs.promises.writeFile(`${this.#file(chunk)}.new`, text)
      await fs.promises.rename(`${this.#file(chunk)}.new`, this.#file(chunk))
      this.#options.onDisk(undefined)
    } catch (error) {
      fs.rmSync(`${this.#file(chunk)}.new`, { force: true })
      chunk.text = text
      this.#memoryBytes += bytes
      this.#options.stats.count('spool_disk_errors_total')
      this.#options.onDisk((error as Error).message)
    }
    this.#bytes += bytes
    this.#chunks.push(chunk)
    this.#trim()
  }

  /** The oldest chunk that waits to be sent. */
  next(): Spooled | undefined {
    return this.#chunks[this.#next]
  }

  /** Its text; undefined when it cannot be read, and then it is gone and counted. */
  async read(chunk: Spooled): Promise<string | undefined> {
    if (chunk.text !== undefined) return chunk.text
    try {
      return await fs.promises.readFile(this.#file(chunk), 'utf8')
    } catch {
      this.#drop(this.#chunks.indexOf(chunk))
      return undefined
    }
  }

  /** The chunk has been written to a connection. */
  markSent(chunk: Spooled, connection: number, atMs: number): void {
    const at = this.#chunks.indexOf(chunk)
    if (at === -1) return // Dropped for room while it was being written.
    chunk.sent = { atMs, connection, confirmed: false }
    chunk.wasSent = true
    this.#next = Math.max(this.#next, at + 1)
  }

  /** Carbon has read everything that was sent on the connection. */
  confirm(connection: number): void {
    for (const { sent } of this.#chunks) if (sent?.connection === connection) sent.confirmed = true
  }

  /** Lets go of what was confirmed and has been kept for long enough. */
  release(nowMs: number): void {
    for (let oldest = this.#chunks[0]; oldest?.sent?.confirmed; oldest = this.#chunks[0]) {
      if (nowMs - oldest.sent.atMs < keepMs) return
      this.#remove(0)
    }
  }

  /** After a failure: all that is kept waits again. Returns how many lines will be sent another time. */
  rewind(): number {
    let lines = 0
    for (const chunk of this.#chunks) {
      if (chunk.wasSent) lines += chunk.lines
      delete chunk.sent
    }
    this.#next = 0
    return lines
  }

  #takeUp(name: string): void {
    const [, sequence, lines] = /^(\d{16})-(\d+)\.lines$/.exec(name) ?? []
    const file = path.join(this.#options.dir, name)
    if (name.endsWith('.new')) fs.rmSync(file, { force: true })
    if (sequence === undefined) return
    this.#sequence = Number(sequence)
    const bytes = roundUp(fs.statSync(file).size)
    this.#bytes += bytes
    this.#chunks.push({ sequence: this.#sequence, lines: Number(lines), bytes, wasSent: false })
  }

  /** The newest chunk always stays. */
  #trim(): void {
    while (this.#chunks.length > 1 && this.#bytes > this.#options.bytesMax) this.#drop(0)
    while (this.#memoryBytes > memoryBytesMax) this.#drop(this.#chunks.findIndex(({ text }) => text !== undefined))
  }

  #drop(at: number): void {
    const chunk = this.#chunks[at]
    if (chunk && !chunk.wasSent) this.#options.stats.count('lines_dropped_total', chunk.lines)
    this.#remove(at)
  }

  #remove(at: number): void {
    const [chunk] = this.#chunks.splice(at, 1)
    if (!chunk) return
    if (at < this.#next) this.#next--
    this.#bytes -= chunk.bytes
    if (chunk.text === undefined) fs.rmSync(this.#file(chunk), { force: true })
    else this.#memoryBytes -= chunk.bytes
  }

  #file({ sequence, lines }: Spooled): string {
    return path.join(this.#options.dir, `${String(sequence).padStart(16, '0')}-${lines}.lines`)
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes
}
