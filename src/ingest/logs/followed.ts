/**
 * Followed: the log files that are open, and how files come and go.
 *
 *     at its path ──renamed, removed──▶ gone ──a minute without anything new──▶ closed
 *
 * A file is known by its inode, so a renamed one goes on where it is and the new one under its name is another. One that
 * was truncated begins anew; what it had not given yet is taken from its copy where there is one beside it (copytruncate).
 */
import fs from 'node:fs/promises'
import type { Clock } from '../../runtime/clock.ts'
import { type Log, Situation } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import { type FoundFile, findFiles, findRotated } from './directory.ts'
import type { LogEntry } from './log-entry.ts'
import { type LineTaker, LogFile, type Position, turnBytes } from './log-file.ts'
import type { KeptPositions } from './positions.ts'

/** How long a file that is no longer at its path is read on: its writer may not have noticed yet. */
const graceMs = 60_000
/** A file that begins as another is watched so often before it is taken for a new one. */
const copyLooksMax = 10
/** How long the position of a file that cannot be found is kept. */
const absentMsMax = 7 * 86_400_000

export interface FollowedOptions {
  entries: readonly LogEntry[]
  taker: LineTaker
  clock: Clock
  log: Log
  stats: Stats
  /** Open at a time, renamed ones included. */
  filesMax: number
}

export class Followed {
  readonly #options: FollowedOptions
  readonly #files = new Map<string, LogFile>()
  readonly #absent = new Map<string, Position>()
  readonly #situations = new Map<string, Situation>()
  readonly #likeOthers = new Map<string, { size: number; looks: number }>()
  /** Paths of entries that have been looked for before this start. */
  readonly #knownPaths: ReadonlySet<string>
  readonly #buffer = Buffer.allocUnsafe(turnBytes)
  #isFirst = true
  #refused = 0

  constructor(options: FollowedOptions, { paths, files }: KeptPositions) {
    this.#options = options
    this.#knownPaths = new Set(paths)
    const nowMs = options.clock.now()
    for (const position of files) {
      if (nowMs - (position.absentMs ?? nowMs) < absentMsMax)
        this.#absent.set(`${position.log} ${position.id}`, position)
    }
    options.stats.observe('log_files', () => this.#files.size)
    options.stats.observe('log_files_refused', () => this.#refused)
    options.stats.observe('log_problems', () => this.#situations.size)
    options.stats.observe('log_backlog_kib', () => this.files.reduce((sum, { backlog }) => sum + backlog, 0) / 1024)
  }

  get files(): LogFile[] {
    return [...this.#files.values()]
  }

  kept(): KeptPositions {
    const paths = this.#options.entries.map(({ path }) => path.written)
    return { version: 1, paths, files: [...this.files.map((file) => file.position()), ...this.#absent.values()] }
  }

  /** Opens what is new, notes what is gone, and closes what has been gone for long. */
  async discover(): Promise<void> {
    const nowMs = this.#options.clock.now()
    const seen = new Set<string>()
    this.#refused = 0
    for (const entry of this.#options.entries) {
      const { found, refused, problem = 'no file is there yet' } = await findFiles(entry.path, this.#options.filesMax)
      this.#refused += refused
      this.#note(`ingest.logs ${entry.path.written}`, found.length > 0 || this.#isLeft(entry), problem)
      for (const file of found) {
        seen.add(keyOf(entry, file.id))
        await this.#meet(entry, file)
      }
    }
    this.#note(
      'ingest.logs',
      this.#refused === 0,
      `too many files: ${this.#refused} are not read, ${this.#options.filesMax} are`,
    )
    if (this.#isFirst) await this.#findAbsent(nowMs)
    this.#isFirst = false
    for (const [key, file] of this.#files) await this.#miss(key, file, seen.has(key), nowMs)
  }

  /** Whether a file has more to read; one that cannot be read is let go, and tried again by the next discovery. */
  async look(file: LogFile): Promise<boolean> {
    return this.#guarded(file, async () => {
      const seen = await file.look(this.#options.clock.now())
      return seen === 'truncated' ? this.#restart(file) : seen === 'grown'
    })
  }

  /** Takes some lines; true when there is more. */
  async readTurn(file: LogFile): Promise<boolean> {
    return this.#guarded(file, () => file.readTurn(this.#buffer, this.#options.taker))
  }

  async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()))
  }

  async #guarded(file: LogFile, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work()
    } catch (error) {
      this.#note(file.path, false, `cannot be read: ${(error as Error).message}`)
      const key = keyOf(file.entry, file.id)
      this.#absent.set(`${file.entry.path.written} ${file.id}`, file.position())
      this.#files.delete(key)
      await file.close()
      return false
    }
  }

  async #meet(entry: LogEntry, found: FoundFile): Promise<void> {
    const known = this.#files.get(keyOf(entry, found.id))
    if (known) {
      known.path = found.path
      return
    }
    if (this.#files.size >= this.#options.filesMax) {
      this.#refused++
      return
    }
    const file = await this.#open(entry, found)
    if (!file) return
    const isKept = await this.#begin(file, found)
    if (isKept) this.#files.set(keyOf(entry, file.id), file)
    else await file.close()
  }

  /** Where to begin: where it was left, at the end, or at the beginning. False when it is too early to tell. */
  async #begin(file: LogFile, found: FoundFile): Promise<boolean> {
    const { entry } = file
    const position = this.#absent.get(`${entry.path.written} ${file.id}`)
    if (position) {
      this.#absent.delete(`${entry.path.written} ${file.id}`)
      if (!(await file.resume(position))) await this.#takeFromCopy(file, position)
      return true
    }
    const isOld = this.#isFirst && !this.#knownPaths.has(entry.path.written)
    if (isOld && entry.from === 'end') await file.toEnd()
    const original = isOld ? undefined : await this.#originalOf(file)
    if (!original) return true
    const before = this.#likeOthers.get(file.id)
    const looks = (before?.looks ?? 0) + 1
    if (found.size >= original.offset && before?.size === found.size) {
      await file.toEnd()
      file.copyOf = original
    } else if (looks <= copyLooksMax) {
      this.#likeOthers.set(file.id, { size: found.size, looks })
      return false
    }
    this.#likeOthers.delete(file.id)
    return true
  }

  /** The file that this one begins like. */
  async #originalOf(file: LogFile): Promise<LogFile | undefined> {
    for (const other of this.#files.values()) {
      if (other.entry === file.entry && other.offset > 0 && (await file.isLike(other))) return other
    }
    return undefined
  }

  /** A truncated file begins anew; true when it has something already. */
  async #restart(file: LogFile): Promise<boolean> {
    this.#options.stats.count('log_truncations_total')
    const position = file.position()
    file.restart()
    await this.#takeFromCopy(file, position)
    return (await file.look(this.#options.clock.now())) === 'grown'
  }

  /** What a file had not given when it was truncated, from its copy. */
  async #takeFromCopy(file: LogFile, position: Position): Promise<void> {
    const copy = this.files.find(({ copyOf }) => copyOf === file)
    if (copy) {
      copy.copyOf = undefined
      await copy.resume(position)
    } else await this.#goOnElsewhere(file.entry, position, file.preset)
  }

  async #findAbsent(nowMs: number): Promise<void> {
    for (const [key, position] of this.#absent) {
      const entry = this.#options.entries.find(({ path }) => path.written === position.log)
      if (!entry) this.#absent.delete(key)
      else if (await this.#goOnElsewhere(entry, position, this.#preset(entry, position.path))) this.#absent.delete(key)
      else this.#absent.set(key, { ...position, absentMs: position.absentMs ?? nowMs })
    }
  }

  /** Goes on at a position in the file of another name that has what is missing; false when there is none. */
  async #goOnElsewhere(entry: LogEntry, position: Position, preset: LogFile['preset']): Promise<boolean> {
    const found = await findRotated(position, (id) => this.#files.has(keyOf(entry, id)))
    const file = found && (await this.#open(entry, found, preset))
    if (!file) return false
    if (!(await file.resume(position))) {
      await file.close()
      return false
    }
    file.grewMs = this.#options.clock.now()
    this.#files.set(keyOf(entry, file.id), file)
    return true
  }

  async #open(
    entry: LogEntry,
    { path, id }: FoundFile,
    preset = this.#preset(entry, path),
  ): Promise<LogFile | undefined> {
    try {
      const handle = await fs.open(path)
      const file = new LogFile({ id, path, entry, preset }, handle)
      this.#note(path, true, '')
      if (await file.isItself()) return file
      await file.close()
    } catch (error) {
      this.#note(path, false, `cannot be read: ${(error as Error).message}`)
    }
    return undefined
  }

  #preset(entry: LogEntry, path: string): LogFile['preset'] {
    const captures = entry.path.match(path) ?? {}
    return entry.captures.map((capture) => (Object.hasOwn(captures, capture) ? captures[capture] : undefined))
  }

  async #miss(key: string, file: LogFile, isSeen: boolean, nowMs: number): Promise<void> {
    if (isSeen) {
      file.goneSinceMs = undefined
      return
    }
    if (file.goneSinceMs === undefined) this.#options.stats.count('log_rotations_total')
    file.goneSinceMs ??= nowMs
    if (nowMs - Math.max(file.goneSinceMs, file.grewMs) < graceMs || file.backlog >= turnBytes) return
    await this.#guarded(file, async () => {
      await file.takeRest(this.#buffer, this.#options.taker)
      return false
    })
    this.#files.delete(key)
    this.#situations.delete(file.path)
    await file.close()
  }

  #isLeft(entry: LogEntry): boolean {
    return this.files.some((file) => file.entry === entry)
  }

  /** Says what is wrong with a path once, and once that it is right again. */
  #note(path: string, isGood: boolean, problem: string): void {
    const known = this.#situations.get(path)
    if (isGood && !known) return
    const situation = known ?? new Situation(this.#options.log)
    this.#situations.set(path, situation)
    if (isGood) {
      situation.good(`${path} is read`)
      this.#situations.delete(path)
    } else situation.bad(`${path}: ${problem}`)
  }
}

function keyOf(entry: LogEntry, id: string): string {
  return `${entry.path.written} ${id}`
}
