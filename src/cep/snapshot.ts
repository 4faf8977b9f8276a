/**
 * Snapshot: the engine between two entries of its log, as bytes and back.
 *
 *     0       4        8       40
 *     'TSNP'  version  sha256  the state: v8.serialize, then zstd
 *
 * What a class puts into a snapshot is said by its `save`; whoever changes what is saved raises `snapshotVersion`, and an
 * engine that meets another version replays its log instead. See docs/adr.
 */
import { createHash } from 'node:crypto'
import v8 from 'node:v8'
import zlib from 'node:zlib'
import { err, ok, type Result } from '../model/result.ts'
import type { Transition } from '../model/transition.ts'
import type { SavedEngine } from './engine.ts'
import type { MinuteMark } from './part-history.ts'

export const snapshotVersion = 5
const magic = 'TSNP'
const stateAt = 40
/** A state larger than this is not believed. */
const stateBytesMax = 4 * 1024 ** 3

export interface Snapshot {
  /** The last entry of the log that is in the state. */
  offset: number
  /** Its id, by which another log that stands in the place of this one is found out. */
  id: string
  engine: SavedEngine
  /** Where the last minutes of the log begin. */
  minutes: readonly MinuteMark[]
  /** Computed, but perhaps not yet published. */
  waiting: readonly Transition[]
}

/** The state as it is now, in bytes that no longer change; to be sealed in one's own time. */
export function packSnapshot(snapshot: Snapshot): Buffer {
  return v8.serialize(snapshot)
}

/** Compresses and signs what was packed, off the main thread. */
export async function sealSnapshot(packed: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  zlib.zstdCompress(packed, (error, state) => (error ? reject(error) : resolve(state)))
  const state = await promise
  const head = Buffer.alloc(stateAt)
  head.write(magic)
  head.writeUInt32LE(snapshotVersion, 4)
  createHash('sha256').update(state).digest().copy(head, 8)
  return Buffer.concat([head, state])
}

/** Reads bytes of unknown origin; never throws. */
export function openSnapshot(bytes: Buffer): Result<Snapshot, string> {
  if (bytes.length < stateAt || bytes.toString('latin1', 0, 4) !== magic) return err('it is not a snapshot')
  const version = bytes.readUInt32LE(4)
  if (version !== snapshotVersion) return err(`it has format ${version}; this program reads ${snapshotVersion}`)
  const state = bytes.subarray(stateAt)
  if (!createHash('sha256').update(state).digest().equals(bytes.subarray(8, stateAt))) return err('it is damaged')
  try {
    // The signature says that we wrote it, and the version that what we wrote has this shape.
    return ok(v8.deserialize(zlib.zstdDecompressSync(state, { maxOutputLength: stateBytesMax })) as Snapshot)
  } catch (error) {
    return err(`it cannot be read: ${(error as Error).message}`)
  }
}
