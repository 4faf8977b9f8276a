/**
 * Segments: an append-only log of byte records in files, the memory bus's disk.
 *
 *     <dir>/<first offset, 16 digits>.log, records one after another:
 *     0            4            8
 *     body size    CRC-32       body …         both little endian
 *
 * Offsets grow by one with each record and never restart. A torn last record (the process died while writing) is cut off
 * when the log is opened. The newest records are also kept in memory, so readers that keep up never touch the disk.
 */
import fs from 'node:fs'
import { crc32 } from 'node:zlib'
import { interval, type Subscription } from 'rxjs'
import type { Clock } from '../runtime/clock.ts'

const segmentBytesMax = 16 * 1024 ** 2
const segmentAgeMaxMs = 10 * 60_000
const recentRecordsMax = 4096
const recentBytesMax = 64 * 1024 ** 2
const recordHead = 8

export interface SegmentLogOptions {
  dir: string
  clock: Clock
  /** Whole segments older than this, or beyond the byte limit, are removed. */
  retentionMs: number
  retentionBytes: number
  /** Told when writing begins to fail (with the problem) and when it works again (undefined). */
  onDisk: (problem: string | undefined) => void
}

export interface LogRecord {
  offset: number
  bytes: Buffer
}

interface Segment {
  first: number
  end: number
  path: string
  bytes: number
  createdMs: number
}

export class SegmentLog {
  readonly #options: SegmentLogOptions
  readonly #segments: Segment[] = []
  readonly #recent: LogRecord[] = []
  #recentBytes = 0
  #fd: number | undefined
  #end = 0
  #dirty = false
  #failed = false
  readonly #sync: Subscription

  /** Opens or creates the log; throws with a clear message when the directory cannot be written. */
  constructor(options: SegmentLogOptions) {
    this.#options = options
    fs.mkdirSync(options.dir, { recursive: true })
    fs.accessSync(options.dir, fs.constants.W_OK)
    for (const name of fs.readdirSync(options.dir).sort()) {
      if (/^\d{16}\.log$/.test(name)) this.#segments.push(this.#scan(name))
    }
    this.#end = this.#segments.at(-1)?.end ?? 0
    this.#sync = interval(1000, options.clock).subscribe(() => this.#everySecond())
  }

  /** Oldest offset that can be read; equals `end` for an empty log. */
  get first(): number {
    return this.#segments[0]?.first ?? this.#recent[0]?.offset ?? this.#end
  }

  /** The offset that the next record will get. */
  get end(): number {
    return this.#end
  }

  append(bytes: Buffer): number {
    const offset = this.#end++
    this.#write(offset, bytes)
    this.#recent.push({ offset, bytes })
    this.#recentBytes += bytes.length
    while (this.#recent.length > recentRecordsMax || this.#recentBytes > recentBytesMax) {
      this.#recentBytes -= (this.#recent.shift() as LogRecord).bytes.length
    }
    return offset
  }

  /** Some records from `from` on, in order; at least one when `from < end`. Where records are missing, later ones come. */
  read(from: number): LogRecord[] {
    const oldest = this.#recent[0]
    if (oldest && from >= oldest.offset) return this.#recent.slice(from - oldest.offset, from - oldest.offset + 256)
    const segment = this.#segments.find((candidate) => candidate.end > from)
    const records = segment ? readSegment(segment).filter(({ offset }) => offset >= from) : []
    return records.length > 0 ? records : this.#recent.slice(0, 256)
  }

  close(): void {
    this.#sync.unsubscribe()
    this.#closeFile()
  }

  #write(offset: number, bytes: Buffer): void {
    try {
      const segment = this.#writable(offset)
      const record = Buffer.allocUnsafe(recordHead + bytes.length)
      record.writeUInt32LE(bytes.length, 0)
      record.writeUInt32LE(crc32(bytes), 4)
      bytes.copy(record, recordHead)
      const written = fs.writeSync(this.#fd as number, record)
      if (written !== record.length) throw new Error(`only ${written} of ${record.length} bytes were written`)
      segment.bytes += record.length
      segment.end = offset + 1
      this.#dirty = true
      if (this.#failed) this.#options.onDisk(undefined)
      this.#failed = false
    } catch (error) {
      this.#failed = true
      // The next record begins a new segment, so that a torn one stays at the end of its file.
      this.#closeFile()
      this.#options.onDisk((error as Error).message)
    }
  }

  #writable(offset: number): Segment {
    const nowMs = this.#options.clock.now()
    const current = this.#segments.at(-1)
    if (
      this.#fd !== undefined &&
      current &&
      current.bytes < segmentBytesMax &&
      nowMs - current.createdMs < segmentAgeMaxMs
    ) {
      return current
    }
    this.#closeFile()
    this.#expire(nowMs)
    const path = `${this.#options.dir}/${String(offset).padStart(16, '0')}.log`
    this.#fd = fs.openSync(path, 'w')
    const segment = { first: offset, end: offset, path, bytes: 0, createdMs: nowMs }
    this.#segments.push(segment)
    return segment
  }

  #expire(nowMs: number): void {
    const { retentionMs, retentionBytes } = this.#options
    let bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
    for (let oldest = this.#segments[0]; oldest; oldest = this.#segments[0]) {
      const next = this.#segments[1]
      const expired = bytes > retentionBytes || (next !== undefined && nowMs - next.createdMs > retentionMs)
      if (!expired) return
      fs.rmSync(oldest.path, { force: true })
      bytes -= oldest.bytes
      this.#segments.shift()
    }
  }

  #everySecond(): void {
    if (!this.#dirty || this.#fd === undefined) return
    this.#dirty = false
    fs.fdatasync(this.#fd, (error) => {
      if (error && error.code !== 'EBADF') this.#options.onDisk(error.message)
    })
  }

  #closeFile(): void {
    if (this.#fd === undefined) return
    try {
      fs.fdatasyncSync(this.#fd)
    } catch {
      // Already reported by the write that failed.
    }
    fs.closeSync(this.#fd)
    this.#fd = undefined
  }

  #scan(name: string): Segment {
    const path = `${this.#options.dir}/${name}`
    const segment: Segment = {
      first: Number(name.slice(0, 16)),
      end: 0,
      path,
      bytes: 0,
      createdMs: fs.statSync(path).mtimeMs,
    }
    const records = readSegment({ ...segment, bytes: Number.POSITIVE_INFINITY })
    segment.end = segment.first + records.length
    segment.bytes = records.reduce((sum, { bytes }) => sum + recordHead + bytes.length, 0)
    if (fs.statSync(path).size > segment.bytes) fs.truncateSync(path, segment.bytes)
    return segment
  }
}

function readSegment(segment: Segment): LogRecord[] {
  const file = fs.readFileSync(segment.path)
  const records: LogRecord[] = []
  for (let at = 0, offset = segment.first; at + recordHead <= Math.min(file.length, segment.bytes); offset++) {
    const size = file.readUInt32LE(at)
    const bytes = file.subarray(at + recordHead, at + recordHead + size)
    if (bytes.length < size || crc32(bytes) !== file.readUInt32LE(at + 4)) break
    records.push({ offset, bytes })
    at += recordHead + size
  }
  return records
}
