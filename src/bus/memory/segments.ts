/**
 * SegmentLog: an append-only log of byte records in files (segment-file.ts), the memory bus's disk.
 *
 * Offsets grow by one with each record and never restart. The newest records are also kept in memory, so readers that
 * keep up never touch the disk. Opening reads only the last segment: every other one ends where the next begins.
 *
 * When the disk refuses, records stay in memory only; writing is tried again once a second and then begins with the
 * oldest record that memory still has. What was pushed out of memory meanwhile is a gap, which readers are told of.
 */
import fs from 'node:fs'
import { interval, type Subscription } from 'rxjs'
import type { Clock } from '../../runtime/clock.ts'
import {
  type LogRecord,
  mendSegment,
  openSegment,
  readSegment,
  recordHead,
  recordHeadBytes,
  type Segment,
  segmentHead,
  segmentHeadBytes,
} from './segment-file.ts'

export type { LogRecord }

const segmentBytesMax = 16 * 1024 ** 2
const segmentAgeMaxMs = 10 * 60_000
const recentRecordsMax = 4096
const recentBytesMax = 16 * 1024 ** 2
const readRecordsMax = 256

export interface SegmentLogOptions {
  dir: string
  clock: Clock
  /** A segment whose newest record is older than this is removed when the next one begins. */
  retentionMs: number
  /** All segments together stay within this, a single larger record aside. */
  retentionBytes: number
  /** Told when writing begins to fail (with the problem) and when it works again (undefined). */
  onDisk: (problem: string | undefined) => void
}

export class SegmentLog {
  readonly #options: SegmentLogOptions
  readonly #segmentBytesMax: number
  readonly #segmentAgeMaxMs: number
  readonly #segments: Segment[] = []
  readonly #recent: LogRecord[] = []
  #recentBytes = 0
  #fd: number | undefined
  #end = 0
  /** The offset up to which the disk has everything that it will ever get. */
  #written = 0
  #dirty = false
  #failed = false
  #syncFailed = false
  readonly #everySecond: Subscription

  /** Opens or creates the log; throws with a clear message when the directory cannot be used. */
  constructor(options: SegmentLogOptions) {
    this.#options = options
    this.#segmentBytesMax = Math.min(segmentBytesMax, options.retentionBytes / 4)
    this.#segmentAgeMaxMs = Math.min(segmentAgeMaxMs, options.retentionMs / 4)
    fs.mkdirSync(options.dir, { recursive: true })
    this.#segments = openSegments(options.dir)
    this.#end = this.#written = this.#segments.at(-1)?.end ?? 0
    this.#everySecond = interval(1000, options.clock).subscribe(() => this.#tick())
  }

  /** Oldest offset that can be read; equals `end` for an empty log. */
  get first(): number {
    return this.#segments[0]?.first ?? this.#recent[0]?.offset ?? this.#end
  }

  /** The offset that the next record will get. */
  get end(): number {
    return this.#end
  }

  /** Bytes of all segments on disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  /** Records that only memory has, because the disk refuses. */
  get unwritten(): number {
    return this.#end - this.#written
  }

  /** Takes charge of a record, at least one byte long: on disk if it lets us, in memory in any case. */
  append(bytes: Buffer): number {
    const offset = this.#end++
    this.#recent.push({ offset, bytes })
    this.#recentBytes += bytes.length
    if (!this.#failed) this.#write()
    while (this.#recent.length > recentRecordsMax || this.#recentBytes > recentBytesMax) {
      this.#recentBytes -= (this.#recent.shift() as LogRecord).bytes.length
    }
    return offset
  }

  /**
   * Some records from `from` on, in order; at least one when `from < end`. Where records are missing, later ones come.
   * Answers at once from memory, and with a promise from disk.
   */
  read(from: number): LogRecord[] | Promise<LogRecord[]> {
    const oldest = this.#recent[0]
    if (oldest === undefined || from < oldest.offset) return this.#readDisk(from)
    return this.#recent.slice(from - oldest.offset, from - oldest.offset + readRecordsMax)
  }

  close(): void {
    this.#everySecond.unsubscribe()
    if (this.#failed) this.#write()
    if (this.#fd === undefined) return
    try {
      fs.fdatasyncSync(this.#fd)
    } catch {
      // Nobody is left to be told; the writes themselves went through.
    }
    fs.closeSync(this.#fd)
    this.#fd = undefined
  }

  async #readDisk(from: number): Promise<LogRecord[]> {
    // The list may change while a file is being read.
    for (const segment of [...this.#segments]) {
      if (segment.end <= from) continue
      const records = await readSegment(segment, from)
      if (records.length > 0) return records
    }
    return this.#recent.slice(0, readRecordsMax)
  }

  /** Writes what memory has and the disk has not. */
  #write(): void {
    const oldest = this.#recent[0]?.offset ?? this.#end
    if (this.#written < oldest) {
      // Pushed out of memory before the disk took it: the gap must lie between segments.
      this.#closeFile()
      this.#written = oldest
    }
    try {
      for (const { offset, bytes } of this.#recent.slice(this.#written - oldest)) {
        const record = [recordHead(bytes), bytes]
        this.#writeRecord(this.#writable(offset, recordHeadBytes + bytes.length), record)
        this.#written = offset + 1
      }
      if (this.#failed) this.#options.onDisk(undefined)
      this.#failed = false
    } catch (error) {
      this.#failed = true
      this.#options.onDisk((error as Error).message)
    }
  }

  #writeRecord(segment: Segment, record: readonly Buffer[]): void {
    try {
      writeAll(this.#fd as number, record)
    } catch (error) {
      this.#cutTorn(segment)
      throw error
    }
    segment.bytes += sizeOf(record)
    segment.end++
    this.#dirty = true
  }

  /** Ends a segment whose last record went only half into it; one without any record goes altogether. */
  #cutTorn(segment: Segment): void {
    try {
      fs.ftruncateSync(this.#fd as number, segment.bytes)
    } catch {
      // Then reading stops at the torn record, which is its end as well.
    }
    this.#closeFile()
    if (segment.end > segment.first) return
    this.#segments.pop()
    fs.rmSync(segment.path, { force: true })
  }

  /** The segment that takes a record; begins a new one when the present one is full or old. */
  #writable(offset: number, size: number): Segment {
    const nowMs = this.#options.clock.now()
    const current = this.#segments.at(-1)
    const isYoung = current && nowMs - current.createdMs < this.#segmentAgeMaxMs
    const hasRoom = current && (current.bytes + size <= this.#segmentBytesMax || current.end === current.first)
    if (this.#fd !== undefined && isYoung && hasRoom) return current
    this.#closeFile()
    this.#expire(nowMs)
    const path = `${this.#options.dir}/${String(offset).padStart(16, '0')}.log`
    this.#fd = fs.openSync(path, 'w')
    try {
      writeAll(this.#fd, [segmentHead(nowMs)])
    } catch (error) {
      this.#closeFile()
      fs.rmSync(path, { force: true })
      throw error
    }
    const segment = { first: offset, end: offset, path, bytes: segmentHeadBytes, createdMs: nowMs }
    this.#segments.push(segment)
    return segment
  }

  /** Removes whole segments, oldest first, before a new one begins. */
  #expire(nowMs: number): void {
    const { retentionMs, retentionBytes } = this.#options
    const bytesMax = retentionBytes - this.#segmentBytesMax
    for (let bytes = this.bytes; this.#segments[0]; ) {
      const oldest = this.#segments[0]
      // Its newest record is as old as the segment after it.
      const newestMs = this.#segments[1]?.createdMs ?? nowMs
      if (bytes <= bytesMax && nowMs - newestMs <= retentionMs) return
      fs.rmSync(oldest.path, { force: true })
      bytes -= oldest.bytes
      this.#segments.shift()
    }
  }

  #tick(): void {
    if (this.#failed) this.#write()
    if (!this.#dirty || this.#fd === undefined) return
    this.#dirty = false
    fs.fdatasync(this.#fd, (error) => {
      if (error) this.#options.onDisk(error.message)
      else if (this.#syncFailed && !this.#failed) this.#options.onDisk(undefined)
      this.#syncFailed = error !== null
    })
  }

  /** Synced behind our back: a slow disk must not hold up the bus. */
  #closeFile(): void {
    if (this.#fd === undefined) return
    const fd = this.#fd
    this.#fd = undefined
    fs.fdatasync(fd, () => fs.close(fd, () => {}))
  }
}

/** Finds the segments of a directory, in order; only the last is read. A file that is none is put out of the way. */
function openSegments(dir: string): Segment[] {
  const segments: Segment[] = []
  for (const name of fs.readdirSync(dir).sort()) {
    if (!/^\d{16}\.log$/.test(name)) continue
    const path = `${dir}/${name}`
    const segment = openSegment(path, Number(name.slice(0, 16)))
    if (segment === undefined) putAway(path)
    else segments.push(segment)
  }
  return segments.map((segment, i) => {
    const next = segments[i + 1]
    return next ? { ...segment, end: next.first } : mendSegment(segment)
  })
}

function putAway(path: string): void {
  if (fs.statSync(path).size < segmentHeadBytes) fs.rmSync(path)
  else fs.renameSync(path, `${path}.unreadable`)
}

/** In one call, and without a copy of what may be megabytes. */
function writeAll(fd: number, parts: readonly Buffer[]): void {
  const written = fs.writevSync(fd, parts)
  if (written !== sizeOf(parts)) throw new Error(`ENOSPC: only ${written} of ${sizeOf(parts)} bytes could be written`)
}

function sizeOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}
