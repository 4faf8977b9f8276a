/**
 * Connection: one AMQP connection that amqplib's recovery keeps, and its channels that we keep.
 *
 * amqplib opens the connection again whenever it ends; nothing else comes back by itself. So everything that uses a
 * channel is a KeptChannel: `build` declares what it needs and begins to work, and runs again on a new channel whenever
 * the old one ended, for whatever reason (connection lost, channel closed by the broker, consumer cancelled).
 *
 *     waiting --connection up--> building --build done--> up --channel closed, restart()--> waiting
 *                                   └──────fails, after a delay──────────────────────────────^
 */
import { type Channel, type ConfirmChannel, connect, type RecoveringChannelModel } from 'amqplib'
import { type Clock, sleep } from '../../runtime/clock.ts'
import { Nodes } from './nodes.ts'
import { connectionTrouble, type Problems } from './problems.ts'

const connectTimeoutMs = 5000
const delayFirstMs = 100
/** Short, so that after an outage all are back before the others have counted five seconds without them. */
const delayMaxMs = 1500
/** A channel that stood this long is taken for sound: its next loss is a new story, repaired without delay. */
const soundAfterMs = 10_000
/** What is missing may be about to be made anew; after so many failures in a row it is said. */
const failuresUnsaid = 3

export interface ConnectionOptions {
  /** Of the nodes of one cluster. */
  urls: readonly string[]
  /** The broker takes us for dead when it has heard nothing for two to three of these; lock.ts relies on it. */
  heartbeatSeconds: number
  /** Shown by the broker's own tools. */
  name: string
  /** What it is for, such as "reading". */
  purpose: string
  clock: Clock
  problems: Problems
}

export class Connection {
  readonly clock: Clock
  readonly problems: Problems
  readonly #kept = new Set<KeptChannel>()
  readonly #model: Promise<RecoveringChannelModel>
  readonly #who: string
  readonly #nodes: Nodes
  #hasConnected = false
  /** How often the connection was lost. */
  lostConnections = 0
  #closed = false

  constructor({ urls, heartbeatSeconds, name, purpose, clock, problems }: ConnectionOptions) {
    this.#who = `connection for ${purpose}`
    this.#nodes = new Nodes(urls)
    this.clock = clock
    this.problems = problems
    this.#model = connect(this.#nodes.address(heartbeatSeconds), {
      noDelay: true,
      timeout: connectTimeoutMs,
      clientProperties: { connection_name: name },
      recovery: { initialDelay: delayFirstMs, maxDelay: delayMaxMs, waitForConnect: false },
    })
    this.#model.then((model) => this.#listen(model))
  }

  /** Keeps a channel on this connection until it is stopped; see the drawing above. */
  keep(options: KeptChannelOptions): KeptChannel {
    const kept = new KeptChannel(this, options, () => this.#kept.delete(kept))
    this.#kept.add(kept)
    return kept
  }

  /** A channel of the present connection or the next one; rejects when the connection fails on the way. */
  async channel(): Promise<ConfirmChannel> {
    const channel = await (await this.#model).createConfirmChannel()
    // Without a listener the process would end; whoever uses the channel sees that it closes.
    channel.on('error', () => {})
    return channel
  }

  /** Set until the first connection stands, for as long as nothing worse is known. */
  get notYet(): string | undefined {
    return this.#hasConnected ? undefined : `not yet connected to RabbitMQ at ${this.#nodes.target}`
  }

  /** Lets go of everything, within about two seconds also when the broker does not answer. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#atMost(1000, Promise.all([...this.#kept].map((kept) => kept.stop())))
    await this.#atMost(1000, (await this.#model).close())
  }

  async #atMost(durationMs: number, work: Promise<unknown>): Promise<void> {
    const done = new AbortController()
    await Promise.race([work.catch(() => {}), sleep(durationMs, this.clock, done.signal)])
    done.abort()
  }

  #listen(model: RecoveringChannelModel): void {
    const nodes = this.#nodes
    const blocked = `blocked ${this.#who}`
    const bad = (error: Error) => {
      this.problems.good(blocked)
      const trouble = connectionTrouble(error, nodes.target, nodes.user, nodes.vhost)
      nodes.next()
      if (!this.#closed) this.problems.bad(this.#who, trouble)
    }
    model.on('connect', () => {
      this.#hasConnected = true
      this.problems.good(this.#who)
    })
    model.on('connect-failed', bad)
    model.on('disconnect', (error: Error) => {
      this.lostConnections++
      bad(error)
    })
    // Without a listener the process would end; `disconnect` follows and says the same.
    model.on('error', () => {})
    model.on('blocked', (reason: string) => {
      this.problems.bad(blocked, { kind: 'blocked', text: `RabbitMQ at ${nodes.target} takes nothing now (${reason})` })
    })
    model.on('unblocked', () => this.problems.good(blocked))
  }
}

export interface KeptChannelOptions {
  /** What it is for, such as "reading engine-log"; for people. */
  name: string
  /** Declares and begins; may reject, then it is tried again. */
  build: (channel: ConfirmChannel) => Promise<void>
  /** The channel is gone; called once for every `build` that was begun. */
  lost?: () => void
}

export class KeptChannel {
  readonly #connection: Connection
  readonly #options: KeptChannelOptions
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  readonly #onStop: () => void
  #restart: (() => void) | undefined
  /** In a row. */
  #failures = 0

  constructor(connection: Connection, options: KeptChannelOptions, onStop: () => void) {
    this.#connection = connection
    this.#options = options
    this.#onStop = onStop
    this.#running = this.#run()
  }

  /** Lets go of the present channel and builds a new one. */
  restart(): void {
    this.#restart?.()
  }

  /** Closes the channel for good. Resolves when the broker knows. */
  stop(): Promise<void> {
    this.#stopping.abort()
    this.#restart?.()
    this.#onStop()
    this.#connection.problems.good(this.#options.name)
    return this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#connection
    for (let delayMs = delayFirstMs; !this.#stopping.signal.aborted; ) {
      const channel = await this.#open()
      if (channel === undefined) continue
      const builtMs = clock.now()
      const connections = this.#connection.lostConnections
      await this.#use(channel)
      const isSound = this.#connection.lostConnections > connections || clock.now() - builtMs >= soundAfterMs
      delayMs = isSound ? delayFirstMs : Math.min(delayMaxMs, delayMs * 2)
      // After a lost connection it is amqplib that waits.
      if (this.#connection.lostConnections === connections) await sleep(delayMs, clock, this.#stopping.signal)
    }
  }

  /** Waits for the connection; undefined when it failed on the way or stopping has begun. */
  async #open(): Promise<ConfirmChannel | undefined> {
    const { promise: aborted, resolve: abort } = Promise.withResolvers<undefined>()
    const { signal } = this.#stopping
    const stop = () => abort(undefined)
    signal.addEventListener('abort', stop, { once: true })
    const opening = this.#connection.channel().catch(() => undefined)
    const channel = await Promise.race([opening, aborted])
    signal.removeEventListener('abort', stop)
    if (channel === undefined && signal.aborted) opening.then((late) => late && closeChannel(late))
    if (channel === undefined && !signal.aborted) await sleep(delayFirstMs, this.#connection.clock, signal)
    return channel
  }

  /** Builds on the channel and resolves when it has ended, one way or the other. */
  async #use(channel: ConfirmChannel): Promise<void> {
    const { name, build, lost } = this.#options
    const { problems } = this.#connection
    const ended = new Promise<void>((resolve) => {
      channel.once('close', resolve)
      this.#restart = resolve
    })
    let reason: Error | undefined
    channel.on('error', (error: Error) => {
      reason = error
    })
    const built = build(channel).then(
      () => {
        this.#failures = 0
        problems.good(name)
      },
      (error: Error) => {
        reason ??= error
        this.restart()
      },
    )
    await ended
    this.#restart = undefined
    lost?.()
    await closeChannel(channel)
    await built
    if (reason && this.#isWorthSaying(reason)) {
      problems.bad(name, { kind: `${name} refused`, text: `RabbitMQ refuses ${name}: ${plainRefusal(reason)}` })
    }
  }

  /** The broker said no and will say it again, as opposed to having gone away, or to a queue that was just deleted. */
  #isWorthSaying(reason: Error): boolean {
    this.#failures++
    if (this.#stopping.signal.aborted) return false
    const { code } = reason as { code?: unknown }
    return typeof code === 'number' && code >= 400 && (code !== 404 || this.#failures >= failuresUnsaid)
  }
}

/** Closes a channel that may be closed or dead already. */
async function closeChannel(channel: Channel): Promise<void> {
  try {
    await channel.close()
  } catch {
    // It was closed already.
  }
}

/** `Operation failed: QueueDeclare; 403 (ACCESS-REFUSED) with message "…"` → the quoted message. */
function plainRefusal(error: Error): string {
  return /with message "(.*)"/s.exec(error.message)?.[1] ?? error.message
}
