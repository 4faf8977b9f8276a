/**
 * Directory: finds log files: those of a path's glob, and one that was rotated to another name beside its old one.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { fileId, hashOf, headBytesMax, headBytesTelling, type Position } from './log-file.ts'
import type { LogPath } from './log-path.ts'

export interface FoundFile {
  path: string
  id: string
  size: number
  captures: Record<string, string>
}

/** Files looked at beside a rotated one. */
const besideMax = 10_000

/** The files of a path in order of name; at most `max`, and how many more there are. */
export async function findFiles(
  logPath: LogPath,
  max: number,
): Promise<{ found: FoundFile[]; refused: number; problem?: string }> {
  const names: string[] = []
  try {
    for await (const name of fs.glob(logPath.glob)) names.push(name)
  } catch (error) {
    return { found: [], refused: 0, problem: `cannot be looked for: ${(error as Error).message}` }
  }
  const found: FoundFile[] = []
  let refused = 0
  for (const name of names.sort()) {
    const captures = logPath.match(name)
    if (!captures) continue
    if (found.length >= max) refused++
    else {
      const stat = await fs.stat(name, { bigint: true }).catch(() => undefined)
      if (stat?.isFile()) found.push({ path: name, id: fileId(stat), size: Number(stat.size), captures })
    }
  }
  return { found, refused }
}

/** A file in the directory of `position.path` with the same inode or, of a copy, with the same beginning. */
export async function findRotated(
  position: Position,
  isTaken: (id: string) => boolean,
): Promise<FoundFile | undefined> {
  const folder = path.dirname(position.path)
  const names = await fs.readdir(folder).catch(() => [])
  const beside: FoundFile[] = []
  for (const name of names.slice(0, besideMax)) {
    const file = path.join(folder, name)
    const stat = await fs.stat(file, { bigint: true }).catch(() => undefined)
    if (stat?.isFile()) beside.push({ path: file, id: fileId(stat), size: Number(stat.size), captures: {} })
  }
  const same = beside.find(({ id, size }) => id === position.id && size >= position.offset)
  if (same && (await beginsAs(same.path, position.head))) return same
  for (const file of beside) {
    if (file.id === position.id || isTaken(file.id) || file.size < position.offset) continue
    if (position.head.bytes >= headBytesTelling && (await beginsAs(file.path, position.head))) return file
  }
  return undefined
}

/** Whether a file begins with the bytes of `head`. */
async function beginsAs(file: string, head: Position['head']): Promise<boolean> {
  const bytes = Buffer.alloc(Math.min(head.bytes, headBytesMax))
  try {
    const handle = await fs.open(file)
    try {
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0)
      return hashOf(bytes.subarray(0, bytesRead)) === head.hash
    } finally {
      await handle.close()
    }
  } catch {
    return false
  }
}
