/**
 * Cep: runs the rules. It reads engine-log from where its snapshot ends, feeds the engine entry by entry (part-engine.ts),
 * and publishes the transitions that are news while it leads (part-publish.ts).
 *
 * It is also where rules get onto the log, when their files differ from what is running, and where the engine's time
 * comes from: one clock message a second. The one wall-clock decision is the watchdog's: are clock messages coming back?
 */
import path from 'node:path'
import type { Subscription } from 'rxjs'
import type { Context, Part } from '../bus/part.ts'
import { reportStatus, type StatusDetails } from '../bus/status.ts'
import type { LogEntry } from '../model/message.ts'
import { aligned } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { Stats } from '../runtime/stats.ts'
import { JournalKeeper } from './journal/keep.ts'
import { EngineAtLog } from './part-engine.ts'
import { BucketHops } from './part-hops.ts'
import { Pace } from './part-pace.ts'
import { Publisher } from './part-publish.ts'
import { rulesForRunning } from './part-rules.ts'
import { type TransitionStream, transitionStream } from './part-stream.ts'
import { within } from './part-within.ts'

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
  readonly #engine: EngineAtLog
  readonly #pace: Pace
  readonly #timers: Subscription[] = []
  #config: Config
  #warned: ReadonlySet<string> = new Set()
  #replayed = false
  #stopped = false
  #rulesProblem: string | undefined
  #rulesHash = ''
  #turnMs = 0

  constructor(config: Config, context: Context) {
    this.#config = config
    this.#context = context
    this.#pace = new Pace(context, this.#stats)
    this.#publisher = new Publisher(context, this.#stats)
    this.#journal = new JournalKeeper(context, this.#stats)
    this.#engine = new EngineAtLog({
      config: () => this.#config,
      context,
      stats: this.#stats,
      begun: (rulesHash, waiting) => {
        this.#rulesHash = rulesHash
        this.#publisher.offer(waiting, () => ({}))
      },
      handle: (entry) => this.#read(entry),
      waiting: () => this.#publisher.unpublished,
    })
    this.stream = transitionStream((entry) => this.#engine.step(entry))
    this.stream.transitions$.subscribe((transitions) => {
      this.#publisher.offer(transitions, (transition) => this.#hops.of(transition))
    })
    this.#stats.observe('rule_problems', () => (this.#rulesProblem ? 1 : 0))
  }

  async start(): Promise<void> {
    const { clock } = this.#context
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
    await within(this.#engine.caughtUp(), replayMsMax, this.#context.clock)
    await this.#engine.stop()
    await this.#publisher.stop()
    await this.#engine.keepNow()
    await this.#journal.stop()
    this.stream.end()
  }

  /** Catches up with the log; then the rules of our files, where they differ from those the log had last. */
  async #replay(): Promise<void> {
    const { clock, log } = this.#context
    const startedMs = clock.now()
    await this.#engine.open()
    await this.#engine.caughtUp()
    if (this.#stopped) return
    this.#pace.expect()
    await this.#loadRules()
    if (this.#rulesProblem !== undefined) log.error(this.#rulesProblem)
    await this.#engine.caughtUp()
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

  #everySecond(nowMs: number): void {
    const { bus, clock, instance } = this.#context
    // After a sleep the seconds that passed come in a row; only the present one is true.
    if (clock.now() - nowMs < 1000) bus.publish('clock', { process: instance, nowMs }).catch(() => {})
    this.#engine.keep()
    if (!this.#replayed) return
    this.#pace.watch()
    if (this.#pace.reachedMs !== undefined) this.#publisher.everySecond(this.#pace.reachedMs)
  }

  /** What rule authors should know is logged when it is new. */
  #warn(warnings: readonly string[] = []): void {
    this.#stats.set('catalogue_disagreements', warnings.length)
    for (const warning of warnings) if (!this.#warned.has(warning)) this.#context.log.warn(warning)
    this.#warned = new Set(warnings)
  }

  #status(): StatusDetails {
    const own = this.#pace.problem ?? this.#publisher.problem ?? this.#engine.problem
    const problem = own ?? this.#journal.problem
    const engine = this.#engine.status()
    this.#warn(engine.warnings)
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
