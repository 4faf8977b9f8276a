/**
 * Webhook: notifications as JSON by HTTP POST, signed.
 *
 * The body is described by `WebhookBody` (with `format: alertmanager` it is Alertmanager's, see alertmanager.ts); `version` grows when a field changes its meaning, new fields may come at any
 * time. Headers:
 *
 *     Idempotency-Key, X-Tocsin-Delivery    the same at every attempt: whoever honours it hears each thing once
 *     X-Tocsin-Timestamp                    seconds since 1970, when it was sent
 *     X-Tocsin-Signature                    sha256=<hex HMAC-SHA-256 over `<timestamp>.<body>`, with the secret>
 *
 * To verify: compute the HMAC over the timestamp header, a dot and the body's bytes as they came, compare in constant
 * time, and refuse timestamps older than some minutes. 2xx is taken as delivered; 408, 425, 429 (Retry-After is honoured),
 * 5xx and whatever the network does are tried again; every other answer is a refusal. Redirects are not followed.
 * After a 413 the same is sent again at once, shortened.
 */

import { createHmac } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { runbookAddress } from '../../model/runbook.ts'
import { type Clock, formatIso } from '../../runtime/clock.ts'
import type { WebhookReceiver } from '../../runtime/config.ts'
import { strikeSecrets } from '../../runtime/secrets.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { Notification, NotificationKind, ToldAlert } from '../notification.ts'
import { alertmanagerBody } from './alertmanager.ts'
import { type Delivery, detailCharactersMax, type Receiver, shortened, withTemplateProblem } from './receiver.ts'
import { type Bounds, fullBounds, shortBounds, shortenedNotification } from './shorten.ts'
import { type Templated, type Templates, templated } from './templated.ts'
import { consoleLink, oneLine, wording } from './wording.ts'

export interface WebhookBody {
  version: 1
  /** The idempotency key. */
  key: string
  kind: NotificationKind
  /** The worst level told of: warn or crit. */
  level: string
  rule: string
  /** One line for people. */
  title: string
  /** By `alerts.templates.text`. */
  text?: string
  /** When this attempt was sent, RFC 3339. */
  sentAt: string
  alerts: readonly WebhookAlert[]
  /** Alerts of a summary that are not listed. */
  moreCount: number
  /** It tells that the alert flaps, or no longer does; or it gathers what was over the receiver's limit. */
  turn?: Notification['turn']
  /** One sentence on that, or on a silence that soon ends. */
  remark?: string
  /** Receivers that did not take it, so that this one is told instead. */
  insteadOf?: readonly { receiver: string; detail: string }[]
  /** When it passed each edge, epoch ms, as far as known. */
  hops: { packetMs?: number; flushMs?: number; ruleMs?: number; sendMs: number }
}

export interface WebhookAlert {
  /** The alert's identity: rule and group. */
  fingerprint: string
  state: ToldAlert['state']
  level: string
  rule: string
  group: Readonly<Record<string, string>>
  groupKey: string
  tags: Readonly<Record<string, string>>
  since: string
  ended?: string
  say: string
  reason: string
  values: readonly { name: string; value: number | null; text: string }[]
  /** Set while nothing is known of it: its data or its sources are gone. */
  nodata: boolean
  runbook?: string
  url: string
}

export interface WebhookOptions {
  clock: Clock
  consoleUrl: string
  connectionsMax: number
  stats?: Stats
  templates?: Templates | undefined
}

const answerBytesMax = 4096

export function openWebhook(config: WebhookReceiver, options: WebhookOptions): Receiver {
  const { protocol } = new URL(config.url)
  const agentOptions = { keepAlive: true, maxSockets: options.connectionsMax, timeout: 20_000 }
  const agent = protocol === 'https:' ? new https.Agent(agentOptions) : new http.Agent(agentOptions)
  return {
    send: async (notification, signal) => {
      const sendMs = options.clock.now()
      const { problem, ...words } = wordsOf(notification, sendMs, options)
      if (problem !== undefined) options.stats?.count('template_errors_total')
      const attempt = (bounds: Bounds) => {
        const body = written(notification, bounds, { config, consoleUrl: options.consoleUrl, sendMs, words })
        const headers = { ...headersOf(notification), ...signature(body, config.secret, sendMs) }
        return post(config.url, { agent, headers, body, signal, clock: options.clock })
      }
      const first = await attempt(fullBounds)
      if (!isTooLarge(first) || signal.aborted) return withTemplateProblem(first, problem)
      options.stats?.count('shortened_total')
      return withTemplateProblem(await attempt(shortBounds), problem)
    },
    close: () => agent.destroy(),
  }
}

/** Beyond this the body is shortened before anybody refuses it. */
export const bodyBytesMax = 512 * 1024

interface Writing {
  config: WebhookReceiver
  consoleUrl: string
  sendMs: number
  words: Omit<Templated, 'problem'>
}

/** Title and text by `alerts.templates`; nothing where there are none, or where they fail. */
function wordsOf(notification: Notification, sendMs: number, options: WebhookOptions): Templated {
  return templated(notification, { consoleUrl: options.consoleUrl, sendMs, timeZone: 'UTC' }, options.templates)
}

/** What would be posted now, body and headers, in full. */
export function composeWebhook(notification: Notification, config: WebhookReceiver, options: WebhookOptions) {
  const sendMs = options.clock.now()
  const { problem, ...words } = wordsOf(notification, sendMs, options)
  const body = written(notification, fullBounds, { config, consoleUrl: options.consoleUrl, sendMs, words })
  const headers = { ...headersOf(notification), ...signature(body, config.secret, sendMs) }
  return { body, headers, ...(problem !== undefined && { templateProblem: problem }) }
}

/** The body's bytes within the bounds; where they are still too many, within the short ones. */
function written(notification: Notification, bounds: Bounds, writing: Writing): Buffer {
  const { config, consoleUrl, sendMs, words } = writing
  const short = shortenedNotification(notification, bounds)
  const body =
    config.format === 'alertmanager'
      ? alertmanagerBody(short, consoleUrl)
      : webhookBody(short, consoleUrl, sendMs, words)
  const bytes = Buffer.from(JSON.stringify(body))
  return bytes.length > bodyBytesMax && bounds !== shortBounds ? written(notification, shortBounds, writing) : bytes
}

function isTooLarge(delivery: Delivery): boolean {
  return delivery.outcome === 'refused' && delivery.detail.startsWith('HTTP 413')
}

export function webhookBody(
  notification: Notification,
  consoleUrl: string,
  sendMs: number,
  words: Omit<Templated, 'problem'> = {},
): WebhookBody {
  const { key, kind, level, rule, alerts, moreCount, turn, remark, hops, insteadOf } = notification
  const title = words.subject ?? wording(notification, { consoleUrl, sendMs, timeZone: 'UTC' }).subject
  return {
    version: 1,
    key,
    kind,
    level,
    rule,
    title,
    ...(words.text !== undefined && { text: words.text }),
    sentAt: formatIso(sendMs),
    alerts: alerts.map((alert) => webhookAlert(alert, consoleUrl)),
    moreCount,
    ...(turn !== undefined && { turn }),
    ...(remark !== undefined && { remark }),
    ...(insteadOf && { insteadOf: insteadOf.map(({ receiver, detail }) => ({ receiver, detail })) }),
    hops: { ...hops, sendMs },
  }
}

function webhookAlert(alert: ToldAlert, consoleUrl: string): WebhookAlert {
  const { fingerprint, state, level, rule, group, groupKey, tags, say, reason, values, nodata, runbook } = alert
  return {
    fingerprint,
    state,
    level,
    rule,
    group: Object.fromEntries(group.map(({ name, value }) => [name, value])),
    groupKey,
    tags,
    since: formatIso(alert.sinceMs),
    ...(alert.endedMs !== undefined && { ended: formatIso(alert.endedMs) }),
    say,
    reason,
    values: values.map(({ name, value, text }) => ({ name, value, text })),
    nodata,
    ...(runbook !== undefined && { runbook: runbookAddress(runbook, consoleUrl) }),
    url: consoleLink(alert, consoleUrl),
  }
}

function headersOf({ key }: Notification): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'tocsin',
    'idempotency-key': key,
    'x-tocsin-delivery': key,
  }
}

function signature(body: Buffer, secret: string | undefined, sendMs: number): Record<string, string> {
  const timestamp = String(Math.floor(sendMs / 1000))
  if (secret === undefined) return { 'x-tocsin-timestamp': timestamp }
  const digest = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')
  return { 'x-tocsin-timestamp': timestamp, 'x-tocsin-signature': `sha256=${digest}` }
}

interface Post {
  agent: http.Agent
  headers: Record<string, string>
  body: Buffer
  signal: AbortSignal
  clock: Clock
}

/** One POST; once more, at once, when a kept connection turns out to be gone before anything was answered. */
function post(url: string, given: Post, isSecond = false): Promise<Delivery> {
  const { agent, headers, body, signal, clock } = given
  return new Promise((resolve) => {
    const { request } = url.startsWith('https:') ? https : http
    const length = { 'content-length': String(body.length) }
    const asked = request(url, { method: 'POST', agent, headers: { ...headers, ...length }, signal })
    asked.once('response', (response) => resolve(read(response, clock)))
    asked.once('error', (error: NodeJS.ErrnoException) => {
      const wasKept = asked.reusedSocket && error.code === 'ECONNRESET' && !isSecond && !signal.aborted
      if (wasKept) return resolve(post(url, given, true))
      const detail = signal.aborted ? 'no answer in time' : words(error.message || String(error.code))
      const needsMending = !signal.aborted && /certificate|altname/i.test(error.message)
      resolve({ outcome: 'failed', detail, unreachable: true, ...(needsMending && { needsMending }) })
    })
    asked.end(body)
  })
}

/** The status decides; of the answer's text the beginning is kept for people. */
async function read(response: http.IncomingMessage, clock: Clock): Promise<Delivery> {
  const { statusCode = 0, headers } = response
  const text = await beginning(response)
  const elsewhere =
    statusCode >= 300 && statusCode < 400 && headers.location ? ` to ${headers.location}, not followed` : ''
  const detail = words(`HTTP ${statusCode}${elsewhere}${text ? `: ${text}` : ''}`)
  if (statusCode >= 200 && statusCode < 300) return { outcome: 'delivered', detail }
  if (statusCode < 500 && !statusesToRetry.includes(statusCode)) return { outcome: 'refused', detail }
  const retryAfterMs = retryAfter(headers['retry-after'], clock.now())
  return { outcome: 'failed', detail, unreachable: false, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

async function beginning(response: http.IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += String(chunk)
      if (text.length > answerBytesMax) break
    }
  } catch {
    // The status has been said; the rest of the answer matters to nobody.
  }
  return text.slice(0, answerBytesMax)
}

/** Request timeout, too early, too many requests: the same may be taken later. */
const statusesToRetry: readonly number[] = [408, 425, 429]

/** Seconds, or a date of HTTP; undefined for anything else and for what is past. */
function retryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1000
  const waitMs = Date.parse(header) - nowMs
  return waitMs > 0 ? waitMs : undefined
}

function words(text: string): string {
  return shortened(strikeSecrets(oneLine(text)), detailCharactersMax)
}
