/**
 * Log file: one file that is being read, by its open handle, so that renaming and removing it change nothing.
 *
 * Lines are taken whole: `offset` is where the first line begins that has not been taken. The file's beginning (`head`)
 * is compared whenever the file has grown, because a file that was truncated and written again may be longer than before.
 */
import { createHash } from 'node:crypto'
import type fs from 'node:fs/promises'
import type { LogEntry } from './log-entry.ts'

/** Longer lines are skipped and counted. */
export const logLineBytesMax = 64 * 1024
/** Read at a time from one file; then others have their turn. */
export const turnBytes = 128 * 1024
/** Bytes that a file is recognised by. */
export const headBytesMax = 1024
/** So many tell one file from another. */
export const headBytesTelling = 64

/** All that is kept of a file across restarts. */
export interface Position {
  /** The path of the entry. */
  log: string
  path: string
  /** Device and inode. */
  id: string
  offset: number
  /** How many of the file's first bytes are compared, and their hash. */
  head: { bytes: number; hash: string }
  /** The line at the offset, from 1; absent where reading did not begin at the beginning. */
  line?: number
  /** Since when it could not be found. */
  absentMs?: number
  /** The offset is inside of a line that is too long. */
  inLongLine?: true
}

export interface LineTaker {
  /** bytes[start, end) is a line without its end; `file` knows where it stands. */
  line(bytes: Buffer, start: number, end: number, file: LogFile): void
  tooLong(file: LogFile): void
  bytesRead(bytes: number): void
}

export type Look = 'same' | 'grown' | 'truncated'

export class LogFile {
  readonly id: string
  readonly entry: LogEntry
  path: string
  /** What the captures of the path are, in the order of the entry's captures. */
  readonly preset: readonly (string | undefined)[]
  offset = 0
  line: number | undefined = 1
  /** The file that this one is a copy of: what that one lost when it was truncated is here. */
  copyOf: LogFile | undefined
  /** Not at the path where it was found: renamed or removed; since when. */
  goneSinceMs: number | undefined
  /** When it last had something new. */
  grewMs = 0
  size = 0
  /** For sampling: when a bad line was last shown, and how many came since. */
  shownMs = Number.NEGATIVE_INFINITY
  unshown = 0
  #mtimeMs = 0
  #inLongLine = false
  #head: Buffer = Buffer.alloc(0)
  #hashed: Position['head'] = { bytes: 0, hash: '' }
  readonly #handle: fs.FileHandle

  constructor(at: { id: string; path: string; entry: LogEntry; preset: LogFile['preset'] }, handle: fs.FileHandle) {
    this.id = at.id
    this.path = at.path
    this.entry = at.entry
    this.preset = at.preset
    this.#handle = handle
  }

  get head(): Buffer {
    return this.#head
  }

  /** Bytes that have not been taken. */
  get backlog(): number {
    return Math.max(0, this.size - this.offset)
  }

  position(): Position {
    const { path, id, offset, line } = this
    return {
      ...{ log: this.entry.path.written, path, id, offset, head: this.#headHash() },
      ...(line !== undefined && { line }),
      ...(this.#inLongLine && { inLongLine: true }),
    }
  }

  /** Goes on at a position of this file, or of one that it is a copy of. False when the file begins otherwise. */
  async resume({ offset, head, line, inLongLine }: Position): Promise<boolean> {
    const { size } = await this.#handle.stat()
    const found = await this.#read(Math.min(head.bytes, headBytesMax))
    if (size < offset || hashOf(found) !== head.hash) return false
    this.#head = found
    this.offset = offset
    this.line = line
    this.#inLongLine = inLongLine === true
    this.size = 0
    return true
  }

  /** Whether the path still led to this file when it was opened. */
  async isItself(): Promise<boolean> {
    return fileId(await this.#handle.stat({ bigint: true })) === this.id
  }

  /** Whether it begins as the other file does, as far as both go. */
  async isLike(other: LogFile): Promise<boolean> {
    const mine = await this.#read(other.head.length)
    return mine.length >= headBytesTelling && mine.equals(other.head.subarray(0, mine.length))
  }

  /** Passes over what is there, up to the last line's beginning. */
  async toEnd(): Promise<void> {
    const { size } = await this.#handle.stat()
    const from = Math.max(0, size - logLineBytesMax)
    const tail = Buffer.alloc(size - from)
    const { bytesRead } = await this.#handle.read(tail, 0, tail.length, from)
    const newlineAt = tail.subarray(0, bytesRead).lastIndexOf(newline)
    this.offset = newlineAt >= 0 ? from + newlineAt + 1 : from === 0 ? 0 : size
    if (this.offset > 0) this.line = undefined
    await this.#growHead(size)
  }

  /** Whether there is more to read. */
  async look(nowMs: number): Promise<Look> {
    const { size, mtimeMs } = await this.#handle.stat()
    if (size < this.offset) return 'truncated'
    const hasChanged = size !== this.size || mtimeMs !== this.#mtimeMs
    this.size = size
    this.#mtimeMs = mtimeMs
    if (!hasChanged) return 'same'
    if (!(await this.#read(this.#head.length)).equals(this.#head)) return 'truncated'
    await this.#growHead(size)
    this.grewMs = nowMs
    return 'grown'
  }

  /** The file was truncated: it begins anew. */
  restart(): void {
    this.offset = 0
    this.line = 1
    this.size = 0
    this.#inLongLine = false
    this.#head = Buffer.alloc(0)
    this.#hashed = { bytes: 0, hash: '' }
  }

  /** Takes the lines of one turn; true when there is more. Between reading and taking nothing else runs. */
  async readTurn(buffer: Buffer, taker: LineTaker): Promise<boolean> {
    const { bytesRead } = await this.#handle.read(buffer, 0, turnBytes, this.offset)
    taker.bytesRead(bytesRead)
    const bytes = buffer.subarray(0, bytesRead)
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      this.#takeLine(bytes, start, end, taker)
      start = end + 1
    }
    const taken = this.offset
    if (bytesRead - start > logLineBytesMax) {
      this.#inLongLine = true
      start = bytesRead
    }
    this.offset += start
    return bytesRead === turnBytes && this.offset > taken
  }

  /** Takes what stands after the last newline: nobody will finish that line any more. */
  async takeRest(buffer: Buffer, taker: LineTaker): Promise<void> {
    const { bytesRead } = await this.#handle.read(buffer, 0, turnBytes, this.offset)
    if (bytesRead === 0) return
    this.#takeLine(buffer, 0, bytesRead, taker)
    this.offset += bytesRead
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {})
  }

  #takeLine(bytes: Buffer, start: number, end: number, taker: LineTaker): void {
    if (this.#inLongLine) {
      this.#inLongLine = false
      taker.tooLong(this)
    } else if (end - start > logLineBytesMax) taker.tooLong(this)
    else {
      const textEnd = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
      if (textEnd > start) taker.line(bytes, start, textEnd, this)
    }
    if (this.line !== undefined) this.line++
  }

  #headHash(): Position['head'] {
    if (this.#hashed.bytes !== this.#head.length || this.#hashed.hash === '') {
      this.#hashed = { bytes: this.#head.length, hash: hashOf(this.#head) }
    }
    return this.#hashed
  }

  async #growHead(size: number): Promise<void> {
    const wanted = Math.min(size, headBytesMax)
    if (wanted > this.#head.length) this.#head = await this.#read(wanted)
  }

  async #read(length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    const { bytesRead } = length > 0 ? await this.#handle.read(bytes, 0, length, 0) : { bytesRead: 0 }
    return bytes.subarray(0, bytesRead)
  }
}

const newline = 0x0a
const carriageReturn = 0x0d

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url')
}

/** A file's identity: its device and inode. */
export function fileId({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`
}
