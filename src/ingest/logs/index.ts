/**
 * Logs: follows log files and gives their lines to the interval that statsd fills too: one source, one marker, one flush.
 *
 *     glob (directory) → open files (followed) → lines (log-file) → captures (format) → samples and events (recipe)
 *
 * One loop reads: files that have more take turns, `turnBytes` each, and between two turns everything else of the process
 * has its own, so that a backlog of any size holds up neither the sockets nor another file. Reading stands still while
 * nothing grows: a look a quarter of a second, a search for files a second.
 */
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { sleep } from '../../runtime/clock.ts'
import type { LogConfig } from '../../runtime/config-logs.ts'
import { Followed } from './followed.ts'
import { LineDesk, type LineDeskOptions } from './line-desk.ts'
import { logEntry } from './log-entry.ts'
import type { LogFile } from './log-file.ts'
import { Positions } from './positions.ts'

export interface LogsOptions extends LineDeskOptions {
  entries: readonly LogConfig[]
  /** The data directory. */
  data: string
  filesMax?: number
}

export interface Logs {
  /** The interval ends here: what was taken so far belongs to the bucket. In the same breath as the aggregate's drain. */
  mark(bucketMs: number): void
  /** The bus has taken the bucket. */
  confirm(bucketMs: number): void
  /** Takes no more lines. */
  stopReading(): Promise<void>
  /** After the last bucket: positions are on disk. */
  close(): Promise<void>
}

/** Files open at a time. */
export const logFilesMax = 500
const lookEveryMs = 250
const discoverEveryMs = 1000
/** A file that has been quiet for so long is looked at with each search only. */
const quietMs = 60_000

/** Follows the files of the configuration; resolves when those that are there have been opened. */
export async function startLogs(options: LogsOptions): Promise<Logs> {
  const { clock, log, stats, data, filesMax = logFilesMax } = options
  const positions = new Positions(path.join(data, 'logs.json'), log)
  const kept = await positions.load()
  const desk = new LineDesk(options)
  const entries = options.entries.map(logEntry)
  const followed = new Followed({ entries, taker: desk, clock, log, stats, filesMax }, kept)
  await followed.discover()
  await positions.write(followed.kept())
  const stopping = new AbortController()
  const reading = new Reading(followed, options, stopping.signal).run()
  return {
    mark(bucketMs) {
      desk.nextInterval()
      positions.mark(bucketMs, followed.kept())
    },
    confirm: (bucketMs) => positions.confirm(bucketMs),
    async stopReading() {
      stopping.abort()
      await reading
    },
    async close() {
      await positions.settled()
      await followed.close()
    },
  }
}

class Reading {
  readonly #followed: Followed
  readonly #options: LogsOptions
  readonly #stopping: AbortSignal
  readonly #due = new Set<LogFile>()

  constructor(followed: Followed, options: LogsOptions, stopping: AbortSignal) {
    this.#followed = followed
    this.#options = options
    this.#stopping = stopping
  }

  async run(): Promise<void> {
    const { clock } = this.#options
    let discoverMs = clock.now()
    let lookMs = clock.now()
    while (!this.#stopping.aborted) {
      const nowMs = clock.now()
      const isSearch = nowMs >= discoverMs
      if (isSearch) {
        await this.#followed.discover()
        discoverMs = clock.now() + discoverEveryMs
      }
      if (isSearch || nowMs >= lookMs) {
        await this.#look(isSearch ? Number.POSITIVE_INFINITY : quietMs)
        lookMs = clock.now() + lookEveryMs
      }
      if (this.#due.size > 0) await this.#everyOneTurn()
      else await sleep(Math.max(0, Math.min(lookMs, discoverMs) - clock.now()), clock, this.#stopping)
    }
  }

  async #look(quietMs: number): Promise<void> {
    const nowMs = this.#options.clock.now()
    const looked = this.#followed.files.filter((file) => !this.#due.has(file) && nowMs - file.grewMs <= quietMs)
    for (const file of looked) {
      if (this.#stopping.aborted) return
      if (await this.#followed.look(file)) this.#due.add(file)
    }
  }

  async #everyOneTurn(): Promise<void> {
    for (const file of [...this.#due]) {
      if (this.#stopping.aborted) return
      if (await this.#followed.readTurn(file)) this.#options.stats.count('log_turns_ended_total')
      else this.#due.delete(file)
      await turn()
    }
  }
}
