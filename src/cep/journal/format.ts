/**
 * Journal format: one segment of the journal, `<sequence, 8 digits>-<time of its first entry>.journal`.
 *
 *     0        4         8                    16
 *     'TJNL'   version   sequence, float64    time of the first entry, float64 epoch ms
 *     then blocks, one after another:
 *     0        4              8           12       16        20      24             32            40     48   56
 *     'TBLK'   stored bytes   raw bytes   CRC-32   entries   flags   first offset   last offset   from   to   zstd …
 *     which unpack to records:
 *     0      4       8                           16
 *     size   flags   offset in the log, float64  the message as the codec wrote it …
 *
 * All little endian. `from` and `to` are the log's own time, the greatest clock message so far, so they never go back
 * within one log. The CRC covers the rest of the block. Flag 1: the block holds a `rules` message. The
 * first block of a segment begins with the rules then in force, so that any segment can be replayed without the ones
 * before it; that record has flag 1, and a reader that has come from the segment before passes over it.
 */
import { crc32 } from 'node:zlib'

export const segmentHeadBytes = 24
export const blockHeadBytes = 56
export const recordHeadBytes = 16
const segmentMagic = 0x4c4e4a54
const blockMagic = 0x4b4c4254
const version = 1
const flagRules = 1
const flagRepeated = 1

export interface BlockHead {
  storedBytes: number
  rawBytes: number
  crc: number
  entries: number
  hasRules: boolean
  firstOffset: number
  lastOffset: number
  fromMs: number
  toMs: number
}

export function segmentName(sequence: number, time: string): string {
  return `${String(sequence).padStart(8, '0')}-${time.replace(/[-:]/g, '').replace(/\.\d+/, '')}.journal`
}

/** The sequence number of a file of the journal; undefined for any other file. */
export function sequenceOf(name: string): number | undefined {
  const match = /^(\d{8,})-\d{8}T\d{6}Z\.journal$/.exec(name)
  return match ? Number(match[1]) : undefined
}

export function segmentHead(sequence: number, firstMs: number): Buffer {
  const head = Buffer.alloc(segmentHeadBytes)
  head.writeUInt32LE(segmentMagic, 0)
  head.writeUInt32LE(version, 4)
  head.writeDoubleLE(sequence, 8)
  head.writeDoubleLE(firstMs, 16)
  return head
}

/** One clause for people where it is no segment that we can read. */
export function readSegmentHead(head: Buffer): { sequence: number; firstMs: number } | string {
  if (head.length < segmentHeadBytes) return 'it was never begun'
  if (head.readUInt32LE(0) !== segmentMagic) return 'it is not a journal segment'
  const found = head.readUInt32LE(4)
  if (found !== version) return `it is of version ${found}; this program reads version ${version}`
  return { sequence: head.readDoubleLE(8), firstMs: head.readDoubleLE(16) }
}

/** The head of a block and what follows it, ready to be written. */
export function blockBytes(head: Omit<BlockHead, 'crc' | 'storedBytes'>, stored: Buffer): Buffer {
  const bytes = Buffer.alloc(blockHeadBytes + stored.length)
  bytes.writeUInt32LE(blockMagic, 0)
  bytes.writeUInt32LE(stored.length, 4)
  bytes.writeUInt32LE(head.rawBytes, 8)
  bytes.writeUInt32LE(head.entries, 16)
  bytes.writeUInt32LE(head.hasRules ? flagRules : 0, 20)
  bytes.writeDoubleLE(head.firstOffset, 24)
  bytes.writeDoubleLE(head.lastOffset, 32)
  bytes.writeDoubleLE(head.fromMs, 40)
  bytes.writeDoubleLE(head.toMs, 48)
  stored.copy(bytes, blockHeadBytes)
  bytes.writeUInt32LE(crcOf(bytes), 12)
  return bytes
}

/** Undefined where no block begins, as behind the end of a segment or in a torn one. */
export function readBlockHead(bytes: Buffer): BlockHead | undefined {
  if (bytes.length < blockHeadBytes || bytes.readUInt32LE(0) !== blockMagic) return undefined
  return {
    storedBytes: bytes.readUInt32LE(4),
    rawBytes: bytes.readUInt32LE(8),
    crc: bytes.readUInt32LE(12),
    entries: bytes.readUInt32LE(16),
    hasRules: (bytes.readUInt32LE(20) & flagRules) !== 0,
    firstOffset: bytes.readDoubleLE(24),
    lastOffset: bytes.readDoubleLE(32),
    fromMs: bytes.readDoubleLE(40),
    toMs: bytes.readDoubleLE(48),
  }
}

/** Whether a whole block, head included, is as it was written. */
export function isWhole(block: Buffer, { crc }: BlockHead): boolean {
  return crcOf(block) === crc
}

export interface JournalRecord {
  offset: number
  /** Said again at the beginning of a segment. */
  isRepeated: boolean
  bytes: Buffer
}

/** Of all of a block but its magic and the CRC itself. */
function crcOf(block: Buffer): number {
  return crc32(block.subarray(16), crc32(block.subarray(4, 12)))
}

/** Puts a record where there is room for it, and tells where the next one goes. */
export function writeRecord(into: Buffer, at: number, { offset, isRepeated, bytes }: JournalRecord): number {
  into.writeUInt32LE(bytes.length, at)
  into.writeUInt32LE(isRepeated ? flagRepeated : 0, at + 4)
  into.writeDoubleLE(offset, at + 8)
  bytes.copy(into, at + recordHeadBytes)
  return at + recordHeadBytes + bytes.length
}

/** The records of an unpacked block; ends early where it is not what it should be. */
export function* readRecords(raw: Buffer): Generator<JournalRecord> {
  for (let at = 0; at + recordHeadBytes <= raw.length; ) {
    const end = at + recordHeadBytes + raw.readUInt32LE(at)
    if (end > raw.length) return
    const isRepeated = (raw.readUInt32LE(at + 4) & flagRepeated) !== 0
    yield { offset: raw.readDoubleLE(at + 8), isRepeated, bytes: raw.subarray(at + recordHeadBytes, end) }
    at = end
  }
}
