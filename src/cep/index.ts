/**
 * Cep: runs the rules. It reads engine-log from the first message kept, so that a restart is a replay, feeds the engine
 * entry by entry, and publishes the transitions that are news while it leads (part-publish.ts).
 *
 * It is also where rules get onto the log, when their files differ from what is running, and where the engine's time
 * comes from: one clock message a second. The one wall-clock decision is the watchdog's: are clock messages coming back?
 */
import path from 'node:path'
import type { Subscription } from 'rxjs'
import type { Reader } from '../bus/bus.ts'
import type { Context, Part } from '../bus/part.ts'
import { reportStatus, type StatusDetails } from '../bus/status.ts'
import type { LogEntry } from '../model/message.ts'
import type { Transition } from '../model/transition.ts'
import { aligned } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { Situation } from '../runtime/log.ts'
import { Stats } from '../runtime/stats.ts'
import { Engine } from './engine.ts'
import { JournalKeeper } from './journal/keep.ts'
import { BucketHops } from './part-hops.ts'
import { Pace } from './part-pace.ts'
import { Publisher } from './part-publish.ts'
import { firingAt, timeOf } from './part-resume.ts'
import { rulesForRunning } from './part-rules.ts'
import { type TransitionStream, transitionStream } from './part-stream.ts'
import { within } from './part-within.ts'

const liveStepMs = 1000
/** A start waits this long for the replay; a longer one goes on behind it, and the part is not ready until it is done. */
const replayMsMax = 2000
/** Replaying, other work gets its turn this often. */
const turnMs = 20

export interface CepPart extends Part {
  /** The engine's transitions as they are computed, for others to compose. */
  readonly stream: Pick<TransitionStream, 'transitions$' | 'rule'>
}

export async function startCep(config: Config, context: Context): Promise<CepPart> {
  const cep = new Cep(config, context)
  await cep.start()
  return cep
}

class Cep implements CepPart {
  readonly stream: TransitionStream
  readonly #context: Context
  readonly #stats = new Stats()
  readonly #hops = new BucketHops()
  readonly #publisher: Publisher
  readonly #journal: JournalKeeper
  readonly #engineSituation: Situation
  readonly #pace: Pace
  readonly #timers: Subscription[] = []
  #config: Config
  #engine: Engine | undefined
  #reader: Reader | undefined
  #replayed = false
  #stopped = false
  #rulesProblem: string | undefined
  #rulesHash = ''
  #turnMs = 0

  constructor(config: Config, context: Context) {
    this.#config = config
    this.#context = context
    this.#engineSituation = new Situation(context.log)
    this.#pace = new Pace(context, this.#stats)
    this.#publisher = new Publisher(context, this.#stats)
    this.#journal = new JournalKeeper(context, this.#stats)
    this.stream = transitionStream((entry) => this.#step(entry))
    this.stream.transitions$.subscribe((transitions) => {
      this.#publisher.offer(transitions, (transition) => this.#hops.of(transition))
    })
    this.#stats.observe('rule_problems', () => (this.#rulesProblem ? 1 : 0))
    this.#stats.observe('late_points_total', () => this.#engine?.counters().latePoints ?? 0)
    this.#stats.observe('groups_refused_total', () => this.#engine?.counters().groupsRefused ?? 0)
    this.#stats.observe('rules_stopped', () => this.#engine?.counters().rulesStopped ?? 0)
  }

  async start(): Promise<void> {
    const { bus, clock, log } = this.#context
    this.#reader = bus.readLog('engine-log', 'first', (entry) => this.#read(entry), {
      lost: (wanted, first) => {
        this.#stats.count('entries_lost_total', first - wanted)
        log.warn(`the log no longer has entries ${wanted} to ${first - 1}; going on at ${first}`)
      },
      bad: (problem, offset) => {
        this.#stats.count('bad_messages_total')
        log.warn(`entry ${offset} of the log cannot be read: ${problem}`)
      },
    })
    this.#timers.push(aligned(1000, clock).subscribe((nowMs) => this.#everySecond(nowMs)))
    this.#timers.push(reportStatus('cep', this.#context, this.#stats, () => this.#status()))
    await this.#journal.configure(this.#config)
    await within(this.#replay(), replayMsMax, clock)
  }

  /** Rules from files that are right are published; wrong ones change nothing and are told by the rejection. */
  async reload(config: Config): Promise<void> {
    this.#config = config
    await this.#journal.configure(config)
    await this.#loadRules()
    if (this.#rulesProblem !== undefined) throw new Error(this.#rulesProblem)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) timer.unsubscribe()
    await within(this.#reader?.caughtUp(), replayMsMax, this.#context.clock)
    await this.#reader?.stop()
    await this.#publisher.stop()
    await this.#journal.stop()
    this.stream.end()
  }

  /** Catches up with the log; then the rules of our files, where they differ from those the log had last. */
  async #replay(): Promise<void> {
    const { clock, log } = this.#context
    const startedMs = clock.now()
    await this.#reader?.caughtUp()
    if (this.#stopped) return
    this.#pace.expect()
    await this.#loadRules()
    if (this.#rulesProblem !== undefined) log.error(this.#rulesProblem)
    await this.#reader?.caughtUp()
    this.#replayed = true
    const entries = this.#stats.get('entries_total')
    if (entries > 1) log.info(`replayed ${entries} entries of the log in ${clock.now() - startedMs} ms`)
  }

  /** Puts the rules of our files on the log where they differ from those that are there; wrong ones change nothing. */
  async #loadRules(): Promise<void> {
    const { bus, log } = this.#context
    const checked = this.#ownRules()
    if (!checked.ok) {
      const running = this.#rulesHash === '' ? 'no rules are running' : 'the former rules keep running'
      this.#rulesProblem = `the rule files are wrong; ${running}\n${checked.error.join('\n')}`
      return
    }
    this.#rulesProblem = undefined
    const { message, loaded, absent } = checked.value
    if (message.hash === this.#rulesHash) return
    for (const path of absent) log.warn(`${path}: there are no rules there`)
    try {
      await bus.publish('rules', message)
      this.#rulesHash = message.hash
      log.info(`${loaded.rules.length} rules from ${message.files.length} files (${message.hash})`)
    } catch (error) {
      this.#rulesProblem = `the rules cannot be published: ${(error as Error).message}`
    }
  }

  #ownRules() {
    const { rules, file, cep } = this.#config
    return rulesForRunning(rules, path.dirname(file), cep.memoryMax)
  }

  #read(entry: LogEntry): Promise<void> | void {
    const { clock } = this.#context
    if (!this.#engine) return this.#begin(entry).then(() => this.#read(entry))
    this.#stats.count('entries_total')
    this.#pace.note(entry)
    if (entry.kind === 'rules') this.#rulesHash = entry.message.hash
    this.#hops.note(entry)
    this.stream.push(entry)
    if (this.#replayed || clock.now() - this.#turnMs < turnMs) return
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#turnMs = clock.now()
        resolve()
      }),
    )
  }

  #step(entry: LogEntry): readonly Transition[] {
    try {
      return this.#engine?.step(entry) ?? []
    } catch (error) {
      this.#stats.count('engine_errors_total')
      this.#engineSituation.bad(`the engine failed on ${entry.kind} at ${entry.offset}: ${(error as Error).stack}`)
      return []
    }
  }

  /** The log's beginning may be gone, and with it the rules that ran then and what was firing; see part-resume.ts. */
  async #begin(first: LogEntry): Promise<void> {
    const checked = first.offset > 0 ? this.#ownRules() : undefined
    if (!checked?.ok) this.#engine = new Engine({ defaultStepMs: liveStepMs })
    else {
      const firing = await firingAt(this.#context.bus, timeOf(first))
      this.#engine = new Engine({ defaultStepMs: liveStepMs, rules: checked.value.loaded, firing })
    }
  }

  #everySecond(nowMs: number): void {
    const { bus, clock, instance } = this.#context
    // After a sleep the seconds that passed come in a row; only the present one is true.
    if (clock.now() - nowMs < 1000) bus.publish('clock', { process: instance, nowMs }).catch(() => {})
    if (!this.#replayed) return
    this.#pace.watch()
    if (this.#pace.reachedMs !== undefined) this.#publisher.compare(this.#pace.reachedMs)
  }

  #status(): StatusDetails {
    const own = this.#pace.problem ?? this.#publisher.problem ?? this.#engineSituation.problem
    const problem = own ?? this.#journal.problem
    const engine = this.#engine?.status() ?? { rulesHash: '', sources: [], rules: [] }
    const lastBucketMs = engine.rules.reduce((last, rule) => Math.max(last, rule.lastBucketMs), 0)
    const rulesProblem = this.#rulesProblem
    return {
      ready: this.#replayed && !this.#pace.isStopped,
      ...((problem ?? rulesProblem) !== undefined && { problem: problem ?? firstLine(rulesProblem) }),
      ...(lastBucketMs > 0 && { lastBucketMs }),
      engine: { ...engine, leader: this.#publisher.leads, ...(rulesProblem !== undefined && { rulesProblem }) },
    }
  }
}

function firstLine(text = ''): string {
  return text.split('\n', 1)[0] as string
}
