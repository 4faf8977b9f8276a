/**
 * Send: the only writer to carbon. Takes chunks from the spool, in order, over one lasting connection.
 *
 *     away ──connected, spool rewound──→ sending ──closed, stalled──→ away (after a growing pause)
 *
 * Every `renewMs` a new connection takes over and the former one is ended in order, which proves that carbon read what was
 * sent on it (connection.ts) and finds hosts that vanished without a word. One connection is always open, so that a carbon
 * that dies is noticed at once and everything of the last minute is sent again.
 *
 * The guarantee: a line that is in the spool reaches a carbon that takes it, across any number of restarts of either side.
 * It is lost only when the spool overflows (counted), the disk is lost, or a carbon that was killed had held it in memory
 * for longer than `keepMs`.
 */
import { type Clock, sleep } from '../runtime/clock.ts'
import type { HostPort } from '../runtime/config.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { Connection } from './connection.ts'
import type { Spool } from './spool.ts'

export const renewMs = 30_000
const pauseMinMs = 250
const pauseMaxMs = 10_000
/** How long an orderly stop goes on sending, and then waits for carbon to read it. */
const stopWaitMs = 3000
const waitingBytesMax = 32 * 1024 ** 2
const roomPollMs = 50

export interface SendOptions {
  carbon: HostPort
  spool: Spool
  clock: Clock
  log: Log
  stats: Stats
}

export class Sender {
  readonly #options: SendOptions
  readonly #situation: Situation
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>
  #carbon: HostPort
  #current: Connection | undefined
  #retiring: Connection | undefined
  #retireProblem: string | undefined
  #connections = 0
  #wasConnected = false
  #wake = Promise.withResolvers<void>()
  #drained = Promise.withResolvers<void>()
  #stopping = false

  constructor(options: SendOptions) {
    this.#options = options
    this.#carbon = options.carbon
    this.#situation = new Situation(options.log)
    options.stats.observe('connected', () => (this.#current ? 1 : 0))
    for (const name of ['lines_sent_total', 'lines_resent_total', 'reconnects_total']) {
      options.stats.count(name, 0)
    }
    this.#running = this.#run()
  }

  /** What is wrong, for people; undefined while carbon takes lines. */
  get problem(): string | undefined {
    return this.#situation.problem
  }

  /** There may be something new in the spool. */
  wake(): void {
    this.#wake.resolve()
  }

  /**
   * Resolves when the spool has room for more: while carbon takes lines, whoever catches up on the log goes at its pace.
   * While carbon is away there is no waiting: the spool is bounded by itself.
   */
  async room(): Promise<void> {
    const { clock, spool } = this.#options
    while (this.#current && !this.#stopping && spool.waiting.bytes > waitingBytesMax) await sleep(roomPollMs, clock)
  }

  /** Goes on with another carbon, which gets all that the spool keeps. */
  moveTo(carbon: HostPort): void {
    if (carbon.host === this.#carbon.host && carbon.port === this.#carbon.port) return
    this.#carbon = carbon
    this.#current?.destroy('the address of carbon changed')
  }

  /** Orderly: sends what waits, as far as carbon takes it within a few seconds; the rest stays in the spool. */
  async stop(): Promise<void> {
    const { clock } = this.#options
    this.#stopping = true
    this.wake()
    if (this.#current) await orAfter(stopWaitMs, this.#drained.promise, clock)
    this.#stopped.abort()
    this.wake()
    const last = this.#current
    if (last) await orAfter(stopWaitMs, last.finish(), clock)
    last?.destroy()
    this.#retiring?.destroy()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, stats, spool } = this.#options
    for (let pauseMs = pauseMinMs; !this.#stopped.signal.aborted; ) {
      const connection = await this.#connect()
      if (connection) {
        const sinceMs = clock.now()
        if (this.#wasConnected) stats.count('reconnects_total')
        this.#wasConnected = true
        stats.count('lines_resent_total', spool.rewind())
        this.#situation.good(`carbon at ${address(this.#carbon)} takes lines again`)
        const problem = await this.#feed(connection)
        if (this.#stopped.signal.aborted) return
        this.#abandon(problem)
        if (clock.now() - sinceMs > pauseMaxMs) pauseMs = pauseMinMs
      }
      await sleep(pauseMs, clock, this.#stopped.signal)
      pauseMs = Math.min(pauseMaxMs, pauseMs * 2)
    }
  }

  async #connect(): Promise<Connection | undefined> {
    try {
      return await Connection.open(++this.#connections, this.#carbon, this.#options.clock, this.#stopped.signal)
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#away((error as Error).message)
      return undefined
    }
  }

  /** Sends until something goes wrong, and says what. */
  async #feed(first: Connection): Promise<string> {
    const { clock, spool } = this.#options
    this.#current = first
    this.#retireProblem = undefined
    for (let renewAtMs = clock.now() + renewMs; !this.#stopped.signal.aborted; ) {
      if (this.#retireProblem !== undefined) return this.#retireProblem
      if (clock.now() >= renewAtMs && !this.#retiring) {
        if (!(await this.#renew())) return this.problem ?? 'carbon is away'
        renewAtMs = clock.now() + renewMs
      }
      spool.release(clock.now())
      const problem = await this.#sendNext(this.#current, renewAtMs)
      if (problem !== undefined) return problem
    }
    return 'stopped'
  }

  /** Sends one chunk, or waits for one; tells what went wrong with the connection. */
  async #sendNext(connection: Connection, untilMs: number): Promise<string | undefined> {
    const { clock, spool, stats } = this.#options
    const chunk = spool.next()
    if (!chunk) {
      if (this.#stopping) this.#drained.resolve()
      return this.#idle(connection, Math.min(1000, untilMs - clock.now()))
    }
    const text = await spool.read(chunk)
    if (text === undefined) return undefined
    if (!(await connection.write(text))) return (await connection.over) ?? 'carbon closed the connection'
    spool.markSent(chunk, connection.id, clock.now())
    stats.count('lines_sent_total', chunk.lines)
    return undefined
  }

  async #idle(connection: Connection, waitMs: number): Promise<string | undefined> {
    const { clock } = this.#options
    const settled = new AbortController()
    const woken = this.#wake.promise.then(() => undefined)
    const late = sleep(Math.max(1, waitMs), clock, settled.signal).then(() => undefined)
    const problem = await Promise.race([connection.over, woken, late])
    settled.abort()
    this.#wake = Promise.withResolvers()
    return problem
  }

  /** A new connection takes over; the former one is ended and, when carbon has read it all, confirmed. */
  async #renew(): Promise<boolean> {
    const fresh = await this.#connect()
    if (!fresh) return false
    const former = this.#current as Connection
    this.#current = fresh
    this.#retiring = former
    former.finish().then(async (confirmed) => {
      if (this.#retiring === former) this.#retiring = undefined
      if (confirmed) this.#options.spool.confirm(former.id)
      else this.#retireProblem = (await former.over) ?? 'carbon takes nothing'
      this.wake()
    })
    return true
  }

  #abandon(problem: string): void {
    this.#current?.destroy()
    this.#retiring?.destroy()
    this.#current = this.#retiring = undefined
    this.#away(problem)
  }

  #away(problem: string): void {
    this.#situation.bad(`carbon at ${address(this.#carbon)} takes no lines, they wait in the spool: ${problem}`)
  }
}

function address({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Resolves when `wanted` settles, or after `waitMs`. */
export async function orAfter(waitMs: number, wanted: Promise<unknown>, clock: Clock): Promise<void> {
  const settled = new AbortController()
  await Promise.race([wanted, sleep(waitMs, clock, settled.signal)])
  settled.abort()
}
