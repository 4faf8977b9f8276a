/**
 * Positions: how far each log file has been taken, kept in the data directory across restarts.
 *
 * What is kept belongs to a bucket that the bus has taken, so a restart neither misses a line nor takes one twice; only a
 * kill between the bus's answer and the write, some milliseconds, takes the lines of one bucket again. Written to a new
 * file that then takes the place of the old one; one write at a time, the newest wins.
 */
import fs from 'node:fs/promises'
import { type Log, Situation } from '../../runtime/log.ts'
import type { Position } from './log-file.ts'

export interface KeptPositions {
  version: 1
  /** Paths of the entries that have been looked for before. */
  paths: readonly string[]
  files: readonly Position[]
}

export class Positions {
  readonly #file: string
  readonly #situation: Situation
  #waiting: { bucketMs: number; kept: KeptPositions }[] = []
  #next: KeptPositions | undefined
  #writing: Promise<void> | undefined
  #written = ''

  constructor(file: string, log: Log) {
    this.#file = file
    this.#situation = new Situation(log)
  }

  /** What was kept; nothing when there is no file. One that cannot be read is told and taken as none. */
  async load(): Promise<KeptPositions> {
    const none: KeptPositions = { version: 1, paths: [], files: [] }
    try {
      const kept = JSON.parse(await fs.readFile(this.#file, 'utf8')) as KeptPositions
      if (kept.version !== 1 || !Array.isArray(kept.paths) || !Array.isArray(kept.files))
        throw new Error('of another form')
      return kept
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none
      this.#situation.bad(
        `${this.#file} cannot be used, log files begin as at a first start: ${(error as Error).message}`,
      )
      return none
    }
  }

  /** The bucket holds all lines up to here. */
  mark(bucketMs: number, kept: KeptPositions): void {
    this.#waiting.push({ bucketMs, kept })
    if (this.#waiting.length > waitingMax) this.#waiting.shift()
  }

  /** The bus has taken the bucket. */
  confirm(bucketMs: number): void {
    const due = this.#waiting.filter((one) => one.bucketMs <= bucketMs).at(-1)
    this.#waiting = this.#waiting.filter((one) => one.bucketMs > bucketMs)
    if (due) void this.write(due.kept)
  }

  /** Resolves when the newest positions are on disk, or could not be written, which is told. */
  write(kept: KeptPositions): Promise<void> {
    this.#next = kept
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    for (let kept = this.#next; kept; kept = this.#next) {
      this.#next = undefined
      const text = JSON.stringify(kept)
      if (text === this.#written) continue
      try {
        await replaceFile(this.#file, text)
        this.#written = text
        this.#situation.good('positions of log files are kept again')
      } catch (error) {
        this.#situation.bad(`positions of log files cannot be kept: ${(error as Error).message}`)
      }
    }
  }
}

/** Buckets that the bus has not taken yet. */
const waitingMax = 1000

async function replaceFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`
  const handle = await fs.open(fresh, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await fs.rename(fresh, file)
}
