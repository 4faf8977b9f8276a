/**
 * Lock: leadership of a role, held by being the single active consumer of a quorum queue.
 *
 * The active consumer alone is given a token, so to have one is to lead. Tokens carry nothing and more than one do no
 * harm: the queue keeps at most one that is not taken, and everyone who wants or has the lock puts one there now and
 * then, so leadership cannot be lost with a token.
 *
 * The holder does not trust silence: twice a second it gives its token back, which as the active consumer it gets again
 * at once. When none has come for `leaseMs` it takes the lock for lost. That is sooner than the broker gives the lock to
 * another, which takes two heartbeats of silence, so there are never two holders, also when a network or a process hangs.
 */
import { randomUUID } from 'node:crypto'
import type { ConfirmChannel, ConsumeMessage } from 'amqplib'
import { interval, type Subscription } from 'rxjs'
import { BusError, type Lock } from '../bus.ts'
import type { Connection, KeptChannel } from './connection.ts'
import type { Publisher } from './publisher.ts'
import { declareLock, type Topology } from './topology.ts'

const renewEveryMs = 500
/** With the half second until the timer looks, still below the two heartbeats (one second each, rabbitmq.ts) of the broker. */
const leaseMs = 1400
const tokenEveryMs = 2000

export class LockClaim {
  /** Resolves when this process leads; rejects with BusError when the claim is given up first. */
  readonly acquired: Promise<Lock>
  readonly #connection: Connection
  readonly #publisher: Publisher
  readonly #role: string
  readonly #kept: KeptChannel
  readonly #acquired = Promise.withResolvers<Lock>()
  readonly #lost = Promise.withResolvers<void>()
  readonly #timer: Subscription
  readonly #onEnd: () => void
  #channel: ConfirmChannel | undefined
  #queue = ''
  #token: ConsumeMessage | undefined
  /** When the token before the present one was given back: leading is certain from then on. */
  #provenMs = 0
  #askedMs = 0
  #isHeld = false
  #ended = false

  constructor(connection: Connection, publisher: Publisher, topology: Topology, role: string, onEnd: () => void) {
    this.#connection = connection
    this.#publisher = publisher
    this.#role = role
    this.#onEnd = onEnd
    this.acquired = this.#acquired.promise
    this.#kept = connection.keep({
      name: `the lock ${role}`,
      build: (channel) => this.#build(channel, topology),
      lost: () => this.#onChannelLost(),
    })
    this.#timer = interval(renewEveryMs, connection.clock).subscribe((turn) => this.#everyTurn(turn))
  }

  /** Gives up waiting, or releases; the next in line has it as soon as the broker has closed the channel. */
  async end(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true
      this.#timer.unsubscribe()
      this.#onEnd()
      this.#lost.resolve()
      if (!this.#isHeld) this.#acquired.reject(new BusError(`gave up waiting for the lock ${this.#role}`))
    }
    await this.#kept.stop()
  }

  async #build(channel: ConfirmChannel, topology: Topology): Promise<void> {
    this.#queue = await declareLock(this.#connection, channel, topology, this.#role)
    await channel.prefetch(1)
    this.#channel = channel
    this.#askedMs = this.#connection.clock.now()
    this.#putToken({ live: false })
    await channel.consume(this.#queue, (message) => (message ? this.#onToken(message) : this.#kept.restart()))
  }

  #onToken(message: ConsumeMessage): void {
    this.#token = message
    this.#provenMs = this.#askedMs
    if (this.#ended || this.#isHeld) return
    this.#isHeld = true
    this.#provenMs = this.#connection.clock.now()
    this.#acquired.resolve({
      isHeld: () => !this.#ended && !this.#isStale(),
      lost: this.#lost.promise,
      release: () => this.end(),
    })
  }

  #everyTurn(turn: number): void {
    const nowMs = this.#connection.clock.now()
    if (this.#isHeld && this.#isStale()) return void this.end()
    if (this.#isHeld) this.#renew(nowMs)
    if (this.#channel && turn % (tokenEveryMs / renewEveryMs) === 0) this.#putToken({ live: true })
  }

  #isStale(): boolean {
    return this.#connection.clock.now() - this.#provenMs >= leaseMs
  }

  #renew(nowMs: number): void {
    const token = this.#token
    if (!token || !this.#channel) return
    this.#token = undefined
    this.#askedMs = nowMs
    try {
      this.#channel.nack(token, false, true)
    } catch {
      // The channel has just closed and `lost` is about to say so.
    }
  }

  /** The first waits until the broker takes it; the ones now and then do not. */
  #putToken({ live }: { live: boolean }): void {
    const token = { exchange: '', key: this.#queue, id: randomUUID(), body: Buffer.alloc(0), unheard: true, live }
    this.#publisher.publish(token).catch(() => {})
  }

  #onChannelLost(): void {
    this.#channel = undefined
    this.#token = undefined
    if (this.#isHeld) void this.end()
  }
}
