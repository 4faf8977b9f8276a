/**
 * The engine at its log: where it begins (part-begin.ts), what it has read, what it keeps of itself (part-snapshots.ts), and
 * how it goes on when a part of the log is gone.
 */
import path from 'node:path'
import type { Reader } from '../bus/bus.ts'
import type { Context } from '../bus/part.ts'
import type { LogEntry } from '../model/message.ts'
import type { Transition } from '../model/transition.ts'
import type { Config } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { Engine } from './engine.ts'
import { timeOf } from './log-time.ts'
import { lookBack } from './look-back.ts'
import { beginning } from './part-begin.ts'
import { inTurns, logHistory, Minutes } from './part-history.ts'
import { firingAt, toldUntil } from './part-resume.ts'
import { rulesForRunning } from './part-rules.ts'
import { Snapshots } from './part-snapshots.ts'

const options = { defaultStepMs: 1000 }

export interface EngineAtLogOptions {
  config: () => Config
  context: Context
  stats: Stats
  /** Told before the first entry is read: what runs, and what was computed in an earlier life but perhaps not published. */
  begun: (rulesHash: string, waiting: readonly Transition[]) => void
  /** Takes an entry that the engine has to apply; the next one waits for it. */
  handle: (entry: LogEntry) => Promise<void> | void
  /** Transitions that may not have been published yet. */
  waiting: () => readonly Transition[]
}

export class EngineAtLog {
  readonly #with: EngineAtLogOptions
  readonly #snapshots: Snapshots
  readonly #situation: Situation
  #engine: Engine | undefined
  #reader: Reader | undefined
  #opening: Promise<void> | undefined
  #last: { offset: number; id: string } | undefined
  #minutes = new Minutes()
  #isAnotherLog = false
  /** Rules that were edited are seeing the past again; the state is not whole until they have. */
  #looksBack = false
  /** A part of the log is gone before the next entry. */
  #isInterrupted = false

  constructor(given: EngineAtLogOptions) {
    this.#with = given
    const { context, stats } = given
    this.#snapshots = new Snapshots(given.config().data, context, stats)
    this.#situation = new Situation(context.log)
    stats.observe('late_points_total', () => this.#engine?.counters().latePoints ?? 0)
    stats.observe('groups_refused_total', () => this.#engine?.counters().groupsRefused ?? 0)
    stats.observe('rules_stopped', () => this.#engine?.counters().rulesStopped ?? 0)
    stats.observe('rules_resting', () => this.#engine?.rulesResting ?? 0)
  }

  get problem(): string | undefined {
    return this.#situation.problem ?? this.#snapshots.problem
  }

  status(): ReturnType<Engine['status']> {
    return this.#engine?.status() ?? { rulesHash: '', sources: [], rules: [] }
  }

  /** Begins to read. */
  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async caughtUp(): Promise<void> {
    await this.#reader?.caughtUp()
  }

  async stop(): Promise<void> {
    await this.#opening
    await this.#reader?.stop()
  }

  step(entry: LogEntry): readonly Transition[] {
    const { stats } = this.#with
    try {
      return this.#engine?.step(entry) ?? []
    } catch (error) {
      stats.count('engine_errors_total')
      this.#situation.bad(`the engine failed on ${entry.kind} at ${entry.offset}: ${(error as Error).stack}`)
      return []
    }
  }

  /** Takes a snapshot where it is time for one. */
  keep(): void {
    if (this.#snapshots.isDue) void this.keepNow()
  }

  /** Takes a snapshot; resolves when it is on disk, or cannot be. */
  async keepNow(): Promise<void> {
    if (!this.#engine || !this.#last || this.#isInterrupted || this.#looksBack) return
    const engine = this.#engine.save()
    const minutes = this.#minutes.marks
    await this.#snapshots.take({ ...this.#last, engine, minutes, waiting: this.#with.waiting() })
  }

  async #open(): Promise<void> {
    const { bus, log } = this.#with.context
    const begun = await beginning(bus, this.#snapshots, options)
    const { engine, from, snapshot } = begun
    this.#engine = engine
    this.#isAnotherLog = begun.isAnotherLog
    if (snapshot) {
      this.#last = { offset: snapshot.offset, id: snapshot.id }
      this.#minutes = new Minutes(snapshot.minutes)
      await this.#lookBack(snapshot.offset + 1)
      log.info(`the engine goes on from its snapshot, behind entry ${snapshot.offset} of the log`)
    }
    this.#with.begun(this.status().rulesHash, snapshot?.waiting ?? [])
    this.#reader = bus.readLog('engine-log', from, (entry) => this.#read(entry), {
      lost: (wanted, first) => this.#lost(wanted, first),
      bad: (problem, offset) => {
        this.#with.stats.count('bad_messages_total')
        log.warn(`entry ${offset} of the log cannot be read: ${problem}`)
      },
    })
  }

  #lost(wanted: number, first: number): void {
    const { context, stats } = this.#with
    this.#isInterrupted = true
    if (first > wanted) {
      stats.count('entries_lost_total', first - wanted)
      context.log.warn(`the log no longer has entries ${wanted} to ${first - 1}; going on at ${first}`)
    } else context.log.warn(`the log ends before entry ${wanted}, so it is another one; going on at ${first}`)
  }

  #read(entry: LogEntry): Promise<void> | void {
    if (!this.#engine) return this.#begin(entry).then(() => this.#apply(entry))
    if (this.#isInterrupted) return this.#bridge(this.#engine, entry).then(() => this.#apply(entry))
    return this.#apply(entry)
  }

  #apply(entry: LogEntry): Promise<void> | void {
    this.#last = { offset: entry.offset, id: entry.id }
    this.#minutes.note(entry)
    const handled = this.#with.handle(entry)
    if (entry.kind !== 'rules') return handled
    return this.#lookBack(entry.offset).then(() => handled)
  }

  /** Lets rules that were edited see again what the log says before `end`; nothing else is evaluated meanwhile. */
  async #lookBack(end: number): Promise<void> {
    const { context, stats } = this.#with
    const { bus, clock, log } = context
    if (!this.#engine) return
    this.#looksBack = true
    const startedMs = clock.now()
    try {
      const entries = await lookBack(this.#engine, inTurns(logHistory(bus, this.#minutes, end), clock), end)
      stats.set('look_back_ms', clock.now() - startedMs)
      if (entries > 0) log.info(`edited rules saw ${entries} entries again in ${clock.now() - startedMs} ms`)
    } catch (error) {
      stats.count('engine_errors_total')
      log.warn(`edited rules begin without their past: ${(error as Error).message}`)
    }
    this.#looksBack = false
  }

  /** Without a snapshot: the log's beginning may be gone, and with it the rules that ran then and what was firing. */
  async #begin(first: LogEntry): Promise<void> {
    const { config, context } = this.#with
    const { rules, file, cep } = config()
    this.#isInterrupted = false
    const isWhole = first.offset === 0 && !this.#isAnotherLog
    const checked = isWhole ? undefined : rulesForRunning(rules, path.dirname(file), cep.memoryMax)
    if (!checked?.ok) this.#engine = new Engine(options)
    else {
      const firing = await firingAt(context.bus, timeOf(first))
      this.#engine = new Engine({ ...options, rules: checked.value.loaded, firing })
    }
  }

  /** What other engines told while we could not read is taken over; the rest goes on as it was. */
  async #bridge(engine: Engine, entry: LogEntry): Promise<void> {
    this.#isInterrupted = false
    engine.interrupt(await toldUntil(this.#with.context.bus, timeOf(entry)))
  }
}
