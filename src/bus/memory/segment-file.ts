/**
 * SegmentFile: one file of a segment log, `<first offset, 16 digits>.log`.
 *
 *     0         4          8                16
 *     'TSEG'    version    created, float64 epoch ms
 *     then records, one after another:
 *     0            4            8
 *     body size    CRC-32       body …              all little endian, body at least one byte
 *
 * Only its end can be torn, by a process or machine that died while writing. A record that was spoilt later is skipped;
 * it keeps its place, so the offsets behind it stay right.
 */
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import { crc32 } from 'node:zlib'

export const segmentHeadBytes = 16
export const recordHeadBytes = 8
const magic = 0x47455354
const version = 1

export interface LogRecord {
  offset: number
  bytes: Buffer
}

export interface Segment {
  first: number
  /** The offset behind its last record, as far as is known. */
  end: number
  path: string
  bytes: number
  createdMs: number
}

export function segmentHead(createdMs: number): Buffer {
  const head = Buffer.alloc(segmentHeadBytes)
  head.writeUInt32LE(magic, 0)
  head.writeUInt32LE(version, 4)
  head.writeDoubleLE(createdMs, 8)
  return head
}

/** What stands before a body. */
export function recordHead(body: Buffer): Buffer {
  const head = Buffer.alloc(recordHeadBytes)
  head.writeUInt32LE(body.length, 0)
  head.writeUInt32LE(crc32(body), 4)
  return head
}

/** Reads only the head; undefined for a file that is not a segment of ours, such as one that was never begun. */
export function openSegment(path: string, first: number): Segment | undefined {
  const fd = fs.openSync(path, 'r')
  try {
    const head = Buffer.alloc(segmentHeadBytes)
    if (fs.readSync(fd, head) < segmentHeadBytes) return undefined
    if (head.readUInt32LE(0) !== magic || head.readUInt32LE(4) !== version) return undefined
    return { first, end: first, path, bytes: fs.fstatSync(fd).size, createdMs: head.readDoubleLE(8) }
  } finally {
    fs.closeSync(fd)
  }
}

/** Finds the end of a segment by reading it, and cuts off what is torn behind its last good record. */
export function mendSegment(segment: Segment): Segment {
  const { records, goodBytes } = parseSegment(fs.readFileSync(segment.path), segment.first)
  if (goodBytes < segment.bytes) fs.truncateSync(segment.path, goodBytes)
  return { ...segment, end: (records.at(-1)?.offset ?? segment.first - 1) + 1, bytes: goodBytes }
}

/** The records at or behind `from`; none when the file is gone or unreadable. */
export async function readSegment(segment: Segment, from: number): Promise<LogRecord[]> {
  try {
    const { records } = parseSegment(await fsPromises.readFile(segment.path), segment.first)
    return records.filter(({ offset }) => offset >= from && offset < segment.end)
  } catch {
    return []
  }
}

function parseSegment(file: Buffer, first: number): { records: LogRecord[]; goodBytes: number } {
  const records: LogRecord[] = []
  let goodBytes = segmentHeadBytes
  for (let at = segmentHeadBytes, offset = first; at + recordHeadBytes < file.length; offset++) {
    const size = file.readUInt32LE(at)
    const end = at + recordHeadBytes + size
    if (size === 0 || end > file.length) break
    const bytes = file.subarray(at + recordHeadBytes, end)
    if (crc32(bytes) === file.readUInt32LE(at + 4)) {
      records.push({ offset, bytes })
      goodBytes = end
    }
    at = end
  }
  return { records, goodBytes }
}
