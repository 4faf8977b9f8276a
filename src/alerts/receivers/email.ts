/**
 * Email: notifications by SMTP, through nodemailer.
 *
 * A few connections are kept for 20 s after use, so that a burst does not pay for each; where the server has closed one
 * meanwhile, the mail leaves at once over a new one. Message-ID is made of the notification's key, the same at every
 * attempt; what tells more of an alert or its end refers to the first mail about it, so mail programs show one thread.
 * STARTTLS is used where offered; certificates are checked except on this machine itself.
 */
import net from 'node:net'
import { createTransport, type NodemailerError, type SendMailOptions, type SMTPPoolOptions } from 'nodemailer'
import { type Clock, formatMailDate } from '../../runtime/clock.ts'
import type { EmailReceiver } from '../../runtime/config.ts'
import { strikeSecrets } from '../../runtime/secrets.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { Notification } from '../notification.ts'
import { type MailContent, plainMail, renderMail } from './mail.ts'
import { type Delivery, detailCharactersMax, type Receiver, shortened } from './receiver.ts'
import { oneLine } from './wording.ts'

export interface EmailOptions {
  clock: Clock
  stats: Stats
  consoleUrl: string
  /** Connections at most. */
  connectionsMax: number
}

const idleTimeoutMs = 20_000
const connectTimeoutMs = 10_000
const silenceTimeoutMs = 30_000

export function openEmail(config: EmailReceiver, options: EmailOptions): Receiver {
  const transport = openTransport(config.smtp, options.connectionsMax)
  return {
    send: (notification, signal) =>
      send(transport, mailOf(notification, config, options), notification, config, signal),
    close: () => transport.close(),
  }
}

type Mail = ReturnType<typeof mailOf>

async function send(
  transport: ReturnType<typeof openTransport>,
  mail: Mail,
  notification: Notification,
  config: EmailReceiver,
  signal: AbortSignal,
): Promise<Delivery> {
  const to = [...(notification.remaining ?? config.to)]
  const attempt = () =>
    transport.sendMail({ ...mail, to: config.to, envelope: { from: addressOf(config.from), to }, signal })
  try {
    const sent = await attempt().catch((error: NodemailerError) => {
      // A connection that was kept open and is gone: the server never saw the message.
      if (error.code !== 'ECONNECTION' || error.responseCode !== undefined || signal.aborted) throw error
      return attempt()
    })
    return outcomeOf(sent.rejected, sent.rejectedErrors ?? [], sent.response)
  } catch (error) {
    return failureOf(error as NodemailerError, signal)
  }
}

/** Some took it. Those who may yet take it are tried again, those who never will are named. */
function outcomeOf(rejected: readonly string[], errors: readonly NodemailerError[], response: string): Delivery {
  if (rejected.length === 0) return { outcome: 'delivered', detail: words(response) }
  const remaining = rejected.filter(
    (address) => !errors.some((error) => error.recipient === address && isForGood(error)),
  )
  const detail = words(
    `not taken for ${rejected.join(', ')}: ${errors.map(({ response: said, message }) => said ?? message).join('; ')}`,
  )
  return remaining.length > 0
    ? { outcome: 'failed', detail, unreachable: false, remaining }
    : { outcome: 'delivered', detail }
}

function failureOf(error: NodemailerError, signal: AbortSignal): Delivery {
  if (signal.aborted) return { outcome: 'failed', detail: 'no answer in time', unreachable: true }
  const detail = words(error.response ?? error.message)
  const judged = error.code === 'EENVELOPE' || error.code === 'EMESSAGE'
  const all = error.rejectedErrors ?? []
  const forGood = all.length > 0 ? all.every(isForGood) : isForGood(error)
  if (judged && forGood) return { outcome: 'refused', detail }
  const remaining = all.filter((one) => !isForGood(one)).flatMap(({ recipient }) => recipient ?? [])
  const some = remaining.length > 0 && remaining.length < all.length
  return { outcome: 'failed', detail, unreachable: !judged, ...(some && { remaining }) }
}

/** 5yz is for good; but 552 (mailbox full) passes, and 503 is about the session. */
function isForGood({ responseCode = 0 }: NodemailerError): boolean {
  return responseCode >= 500 && responseCode !== 552 && responseCode !== 503
}

function words(text: string): string {
  return shortened(strikeSecrets(oneLine(text)), detailCharactersMax)
}

function mailOf(notification: Notification, config: EmailReceiver, { clock, stats, consoleUrl }: EmailOptions) {
  const { key, threads, rule, level, kind, alerts } = notification
  const context = { consoleUrl, sendMs: clock.now(), timeZone: config.timeZone }
  const id = (of: string) => `<${of}@${domainOf(config.from)}>`
  return {
    from: config.from,
    ...contentOf(notification, context, stats),
    messageId: id(key),
    ...(threads.length > 0 && { inReplyTo: id(threads[0] as string), references: threads.map(id) }),
    date: formatMailDate(context.sendMs),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-Tocsin-Delivery': key,
      'X-Tocsin-Kind': kind,
      'X-Tocsin-Level': level,
      'X-Tocsin-Rule': oneLine(rule),
      'X-Tocsin-Alert': shortened(oneLine(alerts.map(({ fingerprint }) => fingerprint).join(' ')), 500),
    },
    ...(level === 'crit' && kind === 'firing' && { priority: 'high' as const }),
    // Nothing in a mail comes from a file or another server, whatever its text says.
    disableFileAccess: true,
    disableUrlAccess: true,
    textEncoding: 'quoted-printable' as const,
  } satisfies SendMailOptions
}

function contentOf(notification: Notification, context: Parameters<typeof renderMail>[1], stats: Stats): MailContent {
  try {
    return renderMail(notification, context)
  } catch (error) {
    stats.count('template_errors_total')
    return plainMail(notification, (error as Error).message)
  }
}

function openTransport(smtp: string, maxConnections: number) {
  const url = new URL(smtp)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'smtps:'
  const port = Number(url.port) || (secure ? 465 : 25)
  const isHere = host === 'localhost' || host === '::1' || /^127\./.test(host)
  const auth = url.username
    ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
    : undefined
  return createTransport({
    pool: true,
    maxConnections,
    maxRequeues: 0,
    idleTimeout: idleTimeoutMs,
    host,
    port,
    secure,
    auth,
    tls: { rejectUnauthorized: !isHere },
    greetingTimeout: connectTimeoutMs,
    connectionTimeout: connectTimeoutMs,
    socketTimeout: silenceTimeoutMs,
    // By the system's own resolver, so that /etc/hosts counts and an address that refuses gives way to the next.
    getSocket: (_options: unknown, done: Connected) => connect(host, port, done),
  })
}

type Connected = Parameters<NonNullable<SMTPPoolOptions['getSocket']>>[1]

function connect(host: string, port: number, done: Connected): void {
  const socket = net.connect({ host, port, timeout: connectTimeoutMs, noDelay: true })
  const settle = (error: Error | null) => {
    socket.removeAllListeners()
    if (error) socket.destroy()
    done(error, { connection: socket })
  }
  socket.once('connect', () => settle(null))
  socket.once('error', (error) => settle(error))
  socket.once('timeout', () =>
    settle(new Error(`no connection to ${host}:${port} within ${connectTimeoutMs / 1000} s`)),
  )
}

/** `Tocsin <a@b>` → `a@b`. */
function addressOf(from: string): string {
  return /<([^<>]*)>\s*$/.exec(from)?.[1] ?? from
}

function domainOf(from: string): string {
  return (addressOf(from).split('@')[1] ?? '').replace(/[^A-Za-z0-9.-]/g, '') || 'tocsin'
}
