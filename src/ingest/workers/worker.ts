/**
 * Worker: one thread, seen from the part. It is started again when it dies or does not answer.
 *
 * What a dead thread had taken since its last report, and what stood in its sockets, is lost; the others go on meanwhile.
 */
import path from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
import { type Clock, sleep } from '../../runtime/clock.ts'
import type { HostPort } from '../../runtime/config.ts'
import type { Log } from '../../runtime/log.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { FromThread, Report, ThreadOptions, ToThread } from './messages.ts'

/** How long a flush waits for a report; one that comes later belongs to the next. */
const answerMaxMs = 2_000
/** A thread that owes a report this long is taken for hung. */
const hungAfterMs = 10_000
const restartMinMs = 100
const restartMaxMs = 10_000
/** A thread that has lived so long has started well. */
const provenAfterMs = 60_000

export interface WorkerOptions {
  name: string
  thread: ThreadOptions
  clock: Clock
  log: Log
  stats: Stats
  /** A report that nobody waits for any more. */
  onLate: (shard: number, report: Report) => void
  /** A thread has ended; its shard will not be heard of again. */
  onGone: (shard: number) => void
}

/** Shards of former threads must not be taken for those of present ones. */
let shards = 0

export class Worker {
  /** Number of the present thread's shard. */
  shard = 0
  readonly #options: WorkerOptions
  #thread: Thread | undefined
  #address: HostPort | undefined
  #waiting: ((report: Report | undefined) => void) | undefined
  /** When the report that is owed was asked for. */
  #owedSinceMs: number | undefined
  #isStopping = false
  #failures = 0
  #grantedBytes = 0
  readonly #stopped = new AbortController()

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  get isUp(): boolean {
    return this.#thread !== undefined
  }

  /** Receive buffer of each of its sockets. */
  get grantedBytes(): number {
    return this.#grantedBytes
  }

  /** Starts the thread; its sockets come with `listen`. */
  start(): Promise<void> {
    this.shard = ++shards
    const { shard } = this
    const startedMs = this.#options.clock.now()
    const file = path.join(import.meta.dirname, `thread${path.extname(import.meta.filename)}`)
    const thread = new Thread(file, { workerData: this.#options.thread, execArgv: [], name: this.#options.name })
    this.#thread = thread
    thread.on('message', (message: FromThread) => this.#hear(shard, message))
    let reason = 'it ended'
    thread.on('error', (error: Error) => {
      reason = error.message
    })
    thread.once('exit', () => this.#ended(thread, shard, reason, startedMs))
    return this.#answer(thread, 'start')
  }

  /** Opens the sockets; rejects with one sentence when it cannot. */
  async listen(address: HostPort): Promise<void> {
    this.#address = address
    if (!this.#thread) return
    const listening = this.#answer(this.#thread, 'listen')
    this.tell({ do: 'listen', address })
    await listening
  }

  /** What came since the last report; undefined when it does not answer in time. */
  async report(): Promise<Report | undefined> {
    const nowMs = this.#options.clock.now()
    if (this.#owedSinceMs !== undefined) {
      if (nowMs - this.#owedSinceMs > hungAfterMs) this.kill(`it has not answered for ${hungAfterMs / 1000} s`)
      return undefined
    }
    if (!this.#thread) return undefined
    this.#owedSinceMs = nowMs
    this.tell({ do: 'report' })
    return this.#awaitReport()
  }

  tell(message: ToThread): void {
    this.#thread?.postMessage(message)
  }

  /** Ends the thread as if it had died. */
  kill(reason: string): void {
    this.#options.log.error(`ingest: ${this.#options.name} is ended: ${reason}`)
    void this.#thread?.terminate()
  }

  /** Closes the sockets; the answer is the last report. */
  async stop(): Promise<Report | undefined> {
    this.#isStopping = true
    this.#stopped.abort()
    const thread = this.#thread
    if (!thread) return undefined
    this.tell({ do: 'stop' })
    const report = await this.#awaitReport()
    await thread.terminate()
    return report
  }

  async #awaitReport(): Promise<Report | undefined> {
    const { promise, resolve } = Promise.withResolvers<Report | undefined>()
    this.#waiting = resolve
    const patience = new AbortController()
    void sleep(answerMaxMs, this.#options.clock, patience.signal).then(() => resolve(undefined))
    const report = await promise
    patience.abort()
    if (this.#waiting === resolve) this.#waiting = undefined
    if (!report && this.isUp) this.#options.stats.count('worker_reports_late_total')
    return report
  }

  #hear(shard: number, message: FromThread): void {
    if (message.did === 'log') this.#options.log[message.level](message.message, message.fields)
    if (message.did === 'listen') this.#grantedBytes = message.grantedBytes
    if (message.did !== 'report') return
    this.#owedSinceMs = undefined
    if (this.#waiting) this.#waiting(message.report)
    else this.#options.onLate(shard, message.report)
  }

  #answer(thread: Thread, wanted: FromThread['did']): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (reason: string) => {
        thread.off('message', hear)
        reject(new Error(reason))
      }
      const hear = (message: FromThread) => {
        if (message.did === 'fail') failed(message.message)
        if (message.did !== wanted) return
        thread.off('message', hear)
        resolve()
      }
      thread.on('message', hear)
      thread.once('exit', () => failed(`${this.#options.name} ended while it started`))
    })
  }

  #ended(thread: Thread, shard: number, reason: string, startedMs: number): void {
    if (this.#thread === thread) this.#thread = undefined
    this.#owedSinceMs = undefined
    this.#waiting?.(undefined)
    this.#options.onGone(shard)
    if (this.#isStopping || !this.#address) return
    const { clock, log, stats, name } = this.#options
    stats.count('worker_deaths_total')
    if (clock.now() - startedMs > provenAfterMs) this.#failures = 0
    const waitMs = Math.min(restartMaxMs, restartMinMs * 2 ** this.#failures++)
    log.error(`ingest: ${name} died: ${reason}; what it had taken in this interval is lost, it is started again`)
    void sleep(waitMs, clock, this.#stopped.signal).then(() => this.#restart())
  }

  async #restart(): Promise<void> {
    if (this.#isStopping || !this.#address) return
    try {
      await this.start()
      await this.listen(this.#address)
      this.#options.log.info(`ingest: ${this.#options.name} is up again`)
    } catch (error) {
      this.#options.log.error(`ingest: ${this.#options.name} cannot be started: ${(error as Error).message}`)
      void this.#thread?.terminate()
    }
  }
}
