/**
 * State: what a restarted forwarder has to know, in two small files under `<data>/graphite`.
 *
 *     position.json   where to read on; replaced after every hand-over to the spool
 *     idle.jsonl      the idle series and the offset they are as of; replaced once a minute and at the end
 *
 * Each is written beside and renamed, so a killed process leaves the former one. A file that cannot be read counts as
 * absent: the forwarder then starts at the beginning of the log.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Position } from './forward.ts'
import { type IdleMemory, restoreIdle, saveIdle } from './idle.ts'

const linesPerWrite = 2000

export class StateFiles {
  readonly #dir: string

  /** Throws with a clear message when the directory cannot be written. */
  constructor(dir: string) {
    this.#dir = dir
    fs.mkdirSync(dir, { recursive: true })
    fs.accessSync(dir, fs.constants.W_OK)
  }

  readPosition(): Position | undefined {
    try {
      const saved = JSON.parse(fs.readFileSync(this.#file('position.json'), 'utf8')) as Position
      const { firstOffset, nextOffset, writtenMs, lateOffsets } = saved
      const isWhole = [firstOffset, nextOffset, writtenMs].every((value) => Number.isFinite(value))
      return isWhole && Array.isArray(lateOffsets) ? { firstOffset, nextOffset, writtenMs, lateOffsets } : undefined
    } catch {
      return undefined
    }
  }

  async writePosition(position: Position): Promise<void> {
    const file = this.#file('position.json')
    await fs.promises.writeFile(`${file}.new`, JSON.stringify(position))
    await fs.promises.rename(`${file}.new`, file)
  }

  /** Fills the memory; returns the offset from which the log has to be read to bring it up to date. */
  readIdle(memory: IdleMemory): number | undefined {
    try {
      const [head, ...lines] = fs.readFileSync(this.#file('idle.jsonl'), 'utf8').split('\n')
      const { offset } = JSON.parse(head as string) as { offset?: unknown }
      if (typeof offset !== 'number') return undefined
      for (const line of lines) restoreIdle(memory, line)
      return offset
    } catch {
      return undefined
    }
  }

  /** Written in pieces, so that other work of the process goes on between them. */
  async writeIdle(memory: IdleMemory, offset: number): Promise<void> {
    const name = this.#file('idle.jsonl')
    const file = await fs.promises.open(`${name}.new`, 'w')
    try {
      let piece = [`${JSON.stringify({ offset })}\n`]
      for (const line of saveIdle(memory)) {
        piece.push(line)
        if (piece.length < linesPerWrite) continue
        await file.write(piece.join(''))
        piece = []
      }
      await file.write(piece.join(''))
    } finally {
      await file.close()
    }
    await fs.promises.rename(`${name}.new`, name)
  }

  #file(name: string): string {
    return path.join(this.#dir, name)
  }
}
