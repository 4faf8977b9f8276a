/**
 * Connection: one TCP connection to carbon that can say, in the end, whether carbon read everything.
 *
 * Carbon answers nothing, but it closes its side only when it has read to the end of ours. So a connection that we ended
 * and that closed without an error is the acknowledgement that plaintext lacks.
 */
import net from 'node:net'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { HostPort } from '../runtime/config.ts'

const connectTimeoutMs = 10_000
/** A carbon that takes nothing for so long is given up; it may pause while its own cache is full. */
const stalledMaxMs = 60_000

export class Connection {
  readonly id: number
  /** Settles with the reason when the connection is over, whoever ended it; undefined is an orderly end that we began. */
  readonly over: Promise<string | undefined>
  readonly #socket: net.Socket
  readonly #clock: Clock
  #endedByUs = false
  #failure: string | undefined

  private constructor(id: number, socket: net.Socket, clock: Clock) {
    this.id = id
    this.#socket = socket
    this.#clock = clock
    socket.setKeepAlive(true, 10_000)
    socket.on('error', (error) => {
      this.#failure ??= error.message
    })
    socket.resume()
    this.over = new Promise((resolve) => {
      socket.once('close', () =>
        resolve(this.#failure ?? (this.#endedByUs ? undefined : 'carbon closed the connection')),
      )
    })
  }

  /** Rejects when carbon does not answer within 10 s or the signal is aborted. */
  static async open(id: number, carbon: HostPort, clock: Clock, signal: AbortSignal): Promise<Connection> {
    const socket = net.connect(carbon.port, carbon.host)
    const { promise, resolve, reject } = Promise.withResolvers<Connection>()
    const settled = new AbortController()
    socket.once('connect', () => resolve(new Connection(id, socket, clock)))
    socket.once('error', (error) => reject(new Error(reasonOf(error))))
    sleep(connectTimeoutMs, clock, settled.signal).then(() => reject(new Error('no answer within 10 s')))
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true, signal: settled.signal })
    if (signal.aborted) reject(new Error('stopped'))
    try {
      return await promise
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      settled.abort()
    }
  }

  /** True when the kernel has taken the text; false when the connection is over. */
  async write(text: string): Promise<boolean> {
    if (this.#socket.destroyed || this.#endedByUs) return false
    const written = new Promise<boolean>((resolve) => this.#socket.write(text, (error) => resolve(!error)))
    return (await this.#within(Promise.race([written, this.over.then(() => false)]))) ?? false
  }

  /** Ends our side and waits until carbon has read it all; true when it has. */
  async finish(): Promise<boolean> {
    this.#endedByUs = true
    this.#socket.end()
    return (await this.#within(this.over.then((problem) => problem === undefined))) ?? false
  }

  destroy(problem?: string): void {
    this.#failure ??= problem
    this.#socket.destroy()
  }

  /** The outcome, or undefined after too long, and then the connection is destroyed. */
  async #within<T>(outcome: Promise<T>): Promise<T | undefined> {
    const settled = new AbortController()
    const late = sleep(stalledMaxMs, this.#clock, settled.signal).then(() => {
      if (!settled.signal.aborted) this.destroy('carbon takes nothing')
      return undefined
    })
    const result = await Promise.race([outcome, late])
    settled.abort()
    return result
  }
}

/** A host with several addresses fails with several errors. */
function reasonOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((inner: Error) => inner.message).join(', ') : error.message
}
