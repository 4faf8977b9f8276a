/**
 * Segments: the files of a journal's folder, in order, and how one is walked block by block without unpacking it.
 */
import fs from 'node:fs'
import fsPromises, { type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import {
  type BlockHead,
  blockHeadBytes,
  isWhole,
  readBlockHead,
  readSegmentHead,
  segmentHeadBytes,
  sequenceOf,
} from './format.ts'

export interface Segment {
  path: string
  sequence: number
  /** Time of its first entry, epoch ms. */
  firstMs: number
  bytes: number
}

/** A block in its file. */
export interface Block extends BlockHead {
  at: number
}

/** The segments of a folder, oldest first; what is none of ours or cannot be read is told to `bad` and passed over. */
export function listSegments(dir: string, bad: (problem: string) => void = () => {}): Segment[] {
  const segments: Segment[] = []
  for (const name of fs.readdirSync(dir)) {
    if (sequenceOf(name) === undefined) continue
    const file = path.join(dir, name)
    const segment = openSegment(file)
    if (typeof segment === 'string') bad(`${file} is passed over: ${segment}`)
    else segments.push(segment)
  }
  return segments.sort((a, b) => a.sequence - b.sequence)
}

/** Reads only the head of one segment; one clause for people where it is none. */
export function openSegment(file: string): Segment | string {
  let fd: number | undefined
  try {
    fd = fs.openSync(file, 'r')
    const head = Buffer.alloc(segmentHeadBytes)
    const read = readSegmentHead(head.subarray(0, fs.readSync(fd, head)))
    return typeof read === 'string' ? read : { path: file, ...read, bytes: fs.fstatSync(fd).size }
  } catch (error) {
    return (error as Error).message
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** The blocks of a segment that are there in full, by their heads alone. Ends at the first place where none begins. */
export async function* walkBlocks(file: FileHandle): AsyncGenerator<Block> {
  // Heads are read many at a time where blocks are small.
  const ahead = Buffer.alloc(16_384)
  let [from, length] = [0, 0]
  const { size } = await file.stat()
  for (let at = segmentHeadBytes; at + blockHeadBytes <= size; ) {
    if (at < from || at + blockHeadBytes > from + length) {
      from = at
      length = (await file.read(ahead, 0, ahead.length, at)).bytesRead
    }
    const head = readBlockHead(ahead.subarray(at - from, at - from + blockHeadBytes))
    if (!head) return
    const end = at + blockHeadBytes + head.storedBytes
    if (end > size) return
    yield { ...head, at }
    at = end
  }
}

/** What a block stores; undefined when it is not as it was written. */
export async function storedOf(file: FileHandle, block: Block): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(blockHeadBytes + block.storedBytes)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, block.at)
  return bytesRead === bytes.length && isWhole(bytes, block) ? bytes.subarray(blockHeadBytes) : undefined
}

export async function withSegment<T>(segment: Segment, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await fsPromises.open(segment.path, 'r')
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

export interface SegmentEnd {
  /** Length of what can be read; what is behind it is torn. */
  goodBytes: number
  last: Block | undefined
  /** The last block that holds rules. */
  rules: Block | undefined
}

/** Where a segment ends: behind its last block that is as it was written. */
export async function endOf(segment: Segment): Promise<SegmentEnd> {
  return withSegment(segment, async (file) => {
    const end: SegmentEnd = { goodBytes: segmentHeadBytes, last: undefined, rules: undefined }
    for await (const block of walkBlocks(file)) {
      if (!(await storedOf(file, block))) break
      end.goodBytes = block.at + blockHeadBytes + block.storedBytes
      end.last = block
      if (block.hasRules) end.rules = block
    }
    return end
  })
}
