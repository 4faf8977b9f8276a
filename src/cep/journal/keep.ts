/**
 * Keep: the journal as part of a running engine. It reads engine-log for itself, behind the last entry that the journal
 * has, so it has neither gaps nor doubles across restarts and needs no care from the engine.
 *
 * One process at a time writes a folder: where another one does, this one waits for it to go and takes over where it
 * ended. Whatever the disk does, the engine goes on; what is wrong is told once, counted and shown in the status.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Reader } from '../../bus/bus.ts'
import { lockDirectory } from '../../bus/memory/directory-lock.ts'
import type { Context } from '../../bus/part.ts'
import { sleep } from '../../runtime/clock.ts'
import type { Config, JournalSettings } from '../../runtime/config.ts'
import { Situation } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import { within } from '../part-within.ts'
import { JournalWriter } from './write.ts'

const retryMs = 5000
const stopMsMax = 2000

/** Where the journal of a data directory is. */
export function journalDir(data: string): string {
  return path.join(data, 'journal')
}

export class JournalKeeper {
  readonly #context: Context
  readonly #stats: Stats
  readonly #situation: Situation
  #stopping = new AbortController()
  #opening: Promise<void> = Promise.resolve()
  #writer: JournalWriter | undefined
  #reader: Reader | undefined
  #unlock: (() => void) | undefined
  #settings: JournalSettings | false = false

  constructor(context: Context, stats: Stats) {
    this.#context = context
    this.#stats = stats
    this.#situation = new Situation(context.log)
  }

  get problem(): string | undefined {
    return this.#situation.problem ?? this.#writer?.problem
  }

  /** Begins, ends or changes what is kept, as the configuration says. */
  async configure({ cep, data }: Config): Promise<void> {
    const { journal } = cep
    const wasOn = this.#settings !== false
    this.#settings = journal
    if (journal === false) return this.stop()
    if (this.#writer) this.#writer.settings = journal
    if (wasOn) return
    this.#stopping = new AbortController()
    this.#opening = this.#open(journalDir(data), this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#opening
    if (this.#reader) await within(this.#reader.caughtUp(), stopMsMax, this.#context.clock)
    this.#writer?.release()
    await this.#reader?.stop()
    await this.#writer?.stop()
    this.#unlock?.()
    this.#reader = this.#writer = this.#unlock = undefined
  }

  /** Tries until the folder is ours or we are to stop. */
  async #open(dir: string, stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      try {
        await this.#begin(dir)
        this.#situation.good('the journal is kept again')
        return
      } catch (error) {
        this.#unlock?.()
        this.#unlock = undefined
        this.#situation.bad(`the journal is not kept: ${(error as Error).message}`)
      }
      await sleep(retryMs, this.#context.clock, stopped)
    }
  }

  async #begin(dir: string): Promise<void> {
    const { bus, clock, log } = this.#context
    fs.mkdirSync(dir, { recursive: true })
    this.#unlock = lockDirectory(dir)
    const settings = this.#settings as JournalSettings
    const writer = await JournalWriter.open({ dir, clock, log, stats: this.#stats, settings })
    this.#writer = writer
    this.#reader = bus.readLog('engine-log', writer.next ?? 'first', (entry, bytes) => writer.append(entry, bytes), {
      lost: (wanted, first) => this.#lost(writer, wanted, first),
    })
  }

  /** The log begins later than where the journal ends, or is another one than before. */
  #lost(writer: JournalWriter, wanted: number, first: number): void {
    if (first < wanted) {
      this.#context.log.info('the journal goes on with another log')
      writer.beginAnew(first)
      return
    }
    this.#stats.count('journal_entries_lost_total', first - wanted)
    this.#context.log.warn(`the log no longer has entries ${wanted} to ${first - 1}, which the journal lacks`)
  }
}
