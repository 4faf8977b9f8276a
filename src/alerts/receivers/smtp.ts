/**
 * SMTP: connections to one mail server, over nodemailer's SMTPConnection.
 *
 * A used connection waits some seconds for more mail. To a server on this machine one connection is always kept ready,
 * greeted and logged in: greetings are slow on purpose (against spammers), and a page should not wait for one. It is
 * renewed before the server would end it for idling. To other servers nothing is kept: firewalls forget idle
 * connections without a word. Where a kept connection turns out to be gone before any of the message was read, the
 * message leaves over a new one at once. STARTTLS is used where offered, and demanded where a password would
 * otherwise travel in the open; certificates are checked, except on this machine itself.
 */
import net from 'node:net'
import { Readable } from 'node:stream'
import type { NodemailerError, SMTPEnvelope } from 'nodemailer'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Subscription } from 'rxjs'
import { type Clock, sleep } from '../../runtime/clock.ts'
import type { EmailReceiver } from '../../runtime/config.ts'

export interface Sent {
  rejected: readonly string[]
  rejectedErrors?: readonly NodemailerError[] | undefined
  response: string
}

const connectTimeoutMs = 10_000
/** A mail waits so long for the connection that is being made ready, then it takes one of its own. */
const readyWaitMsMax = 2_000
/** Longer than a connection is kept ready; a try is limited by its signal. */
const silenceTimeoutMs = 5 * 60_000
const idleMs = 20_000
/** Below the five minutes after which servers may hang up. */
const readyMs = 4 * 60_000
/** A ready connection that ends sooner is not renewed at once. */
const livedMs = 10_000
const pauseMaxMs = 5 * 60_000

interface Kept {
  connection: SMTPConnection
  idle: Subscription
  /** When it was opened, clock time. */
  openedMs: number
}

export class SmtpConnections {
  readonly #server: Server
  readonly #clock: Clock
  readonly #idle: Kept[] = []
  readonly #all = new Set<SMTPConnection>()
  #readying: Promise<void> | undefined
  #readyAbort = new AbortController()
  #pauseMs = 0
  #timer: Subscription | undefined
  #closed = false
  #problem: string | undefined

  constructor({ smtp, tls }: Pick<EmailReceiver, 'smtp' | 'tls'>, clock: Clock) {
    this.#server = serverOf(smtp, tls)
    this.#clock = clock
    if (this.#server.isHere) void this.#makeReady()
  }

  /** Why no connection can be kept ready; undefined where all is well or nothing is kept. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Rejects with nodemailer's error. */
  async send(envelope: SMTPEnvelope, message: Buffer, signal: AbortSignal): Promise<Sent> {
    await this.#waitForReady(signal)
    const kept = this.#idle.pop()
    if (kept) {
      kept.idle.unsubscribe()
      const stream = Readable.from([message])
      try {
        return await this.#sendOver(kept, envelope, stream, signal)
      } catch (error) {
        // The server hung up while the connection waited: it has not seen the message.
        if (signal.aborted || stream.readableDidRead || !isHangUp(error as NodemailerError)) throw error
      }
    }
    const opened = { connection: await this.#open(signal), openedMs: this.#clock.now() }
    return this.#sendOver(opened, envelope, Readable.from([message]), signal)
  }

  /** A ready connection that is about to be there is worth waiting for; one that is stuck is let go. */
  async #waitForReady(signal: AbortSignal): Promise<void> {
    if (this.#idle.length > 0 || this.#readying === undefined) return
    const patience = new AbortController()
    const isLate = sleep(readyWaitMsMax, this.#clock, patience.signal).then(() => true)
    const isStuck = await Promise.race([this.#readying, isLate, aborted(signal).then(() => true)])
    patience.abort()
    if (isStuck) this.#readyAbort.abort()
    signal.throwIfAborted()
  }

  close(): void {
    this.#closed = true
    this.#readyAbort.abort()
    this.#timer?.unsubscribe()
    for (const { connection, idle } of this.#idle.splice(0)) {
      idle.unsubscribe()
      connection.quit()
    }
  }

  async #sendOver(
    { connection, openedMs }: Omit<Kept, 'idle'>,
    envelope: SMTPEnvelope,
    message: Readable,
    signal: AbortSignal,
  ): Promise<Sent> {
    const abort = () => connection.close()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const sent = await new Promise<Sent>((resolve, reject) => {
        aborted(signal).then(() => reject(new Error('aborted')))
        connection.send(envelope, message, (error, info) => (error ? reject(error) : resolve(info)))
      })
      this.#keep(connection, openedMs)
      return sent
    } catch (error) {
      // After a refusal the connection would do, but a fresh one is sure to.
      connection.close()
      if (this.#server.isHere) void this.#makeReady()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #keep(connection: SMTPConnection, openedMs: number): void {
    if (this.#closed) connection.quit()
    if (this.#closed || !this.#all.has(connection)) return
    const isReady = this.#server.isHere && this.#idle.length === 0
    const waitMs = isReady ? Math.max(0, readyMs - (this.#clock.now() - openedMs)) : idleMs
    const idle = this.#clock.schedule(() => connection.quit(), waitMs)
    this.#idle.push({ connection, idle, openedMs })
  }

  /** Opens the ready connection, unless there is one. */
  #makeReady(): Promise<void> {
    if (this.#closed || this.#idle.length > 0) return Promise.resolve()
    this.#timer?.unsubscribe()
    if (this.#readying) return this.#readying
    this.#readyAbort = new AbortController()
    this.#readying = this.#openReady(this.#readyAbort.signal).finally(() => {
      this.#readying = undefined
    })
    return this.#readying
  }

  async #openReady(signal: AbortSignal): Promise<void> {
    try {
      const connection = await this.#open(signal)
      this.#problem = undefined
      this.#keep(connection, this.#clock.now())
    } catch (error) {
      this.#problem = signal.aborted ? 'it does not greet in time' : (error as Error).message
      this.#readyLater()
    }
  }

  #readyLater(): void {
    if (this.#closed) return
    this.#pauseMs = Math.min(pauseMaxMs, Math.max(1_000, this.#pauseMs * 2))
    this.#timer?.unsubscribe()
    this.#timer = this.#clock.schedule(() => void this.#makeReady(), this.#pauseMs)
  }

  /** Greeted and, where the URL has a user, logged in. */
  async #open(signal: AbortSignal): Promise<SMTPConnection> {
    const { options, auth } = this.#server
    const socket = await openSocket(options.host, options.port, signal)
    const connection = new SMTPConnection({ ...options, connection: socket })
    const openedMs = this.#clock.now()
    this.#all.add(connection)
    connection.once('end', () => this.#ended(connection, openedMs))
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) => {
        // In this order: closing ends the connection, and that would be a hang-up.
        reject(error)
        connection.close()
      }
      // Stays on, so that an error while idle is nobody's crash; 'end' follows.
      connection.on('error', failed)
      connection.once('end', () => reject(hangUp(options)))
      signal.addEventListener('abort', () => failed(new Error('aborted')), { once: true })
      connection.connect((error) => {
        if (error) failed(error)
        else if (!auth) resolve()
        else if (!connection.allowsAuth) failed(noLogin())
        else connection.login({ credentials: auth }, (refused) => (refused ? failed(refused) : resolve()))
      })
    })
    return connection
  }

  #ended(connection: SMTPConnection, openedMs: number): void {
    this.#all.delete(connection)
    const at = this.#idle.findIndex((kept) => kept.connection === connection)
    if (at === -1) return
    for (const { idle } of this.#idle.splice(at, 1)) idle.unsubscribe()
    if (!this.#server.isHere || this.#closed) return
    if (this.#clock.now() - openedMs < livedMs) {
      this.#readyLater()
    } else {
      this.#pauseMs = 0
      void this.#makeReady()
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function isHangUp({ code, responseCode }: NodemailerError): boolean {
  return responseCode === 421 || (responseCode === undefined && code !== 'EENVELOPE')
}

function noLogin(): Error {
  return Object.assign(new Error('the mail server does not offer to log in'), { code: 'EAUTH' })
}

function hangUp({ host, port }: Server['options']): Error {
  return Object.assign(new Error(`the mail server ${host}:${port} hung up`), { code: 'ECONNECTION' })
}

interface Server {
  /** On this machine: certificates are not checked, a connection is kept ready. */
  isHere: boolean
  options: ReturnType<typeof optionsOf>
  auth: { user: string; pass: string } | undefined
}

function serverOf(smtp: string, tls: EmailReceiver['tls']): Server {
  const url = new URL(smtp)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isHere = host === 'localhost' || host === '::1' || /^127\./.test(host)
  const [user, pass] = [url.username, url.password].map(decodeURIComponent) as [string, string]
  const isTlsRequired = tls === undefined ? user !== '' && !isHere : tls === 'required'
  return { isHere, options: optionsOf(url, host, isHere, isTlsRequired), auth: user ? { user, pass } : undefined }
}

function optionsOf({ protocol, port }: URL, host: string, isHere: boolean, requireTLS: boolean) {
  const secure = protocol === 'smtps:'
  return {
    host,
    port: Number(port) || (secure ? 465 : 25),
    secure,
    requireTLS: requireTLS && !secure,
    tls: { rejectUnauthorized: !isHere },
    greetingTimeout: connectTimeoutMs,
    connectionTimeout: connectTimeoutMs,
    socketTimeout: silenceTimeoutMs,
  }
}

/** By the system's own resolver, so that /etc/hosts counts and an address that refuses gives way to the next. */
function openSocket(host: string, port: number, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, timeout: connectTimeoutMs, noDelay: true, signal })
    const failed = (error: NodeJS.ErrnoException) => {
      socket.destroy()
      reject(new Error(`no connection to ${host}:${port}: ${error.message || error.code}`))
    }
    socket.once('error', failed)
    socket.once('timeout', () => failed(new Error(`no answer within ${connectTimeoutMs / 1000} s`)))
    socket.once('connect', () => {
      socket.removeAllListeners('timeout')
      socket.removeListener('error', failed)
      resolve(socket)
    })
  })
}
