/**
 * Email: notifications by SMTP, through nodemailer.
 *
 * Message-ID is made of the notification's key, the same at every attempt; what tells more of an alert or its end refers
 * to the first mail about it, so mail programs show one thread. Addresses that refuse are told apart from those that
 * took it, and only those that may yet take it are tried again. Connections: see smtp.ts.
 */
import type { MailComposerOptions, NodemailerError } from 'nodemailer'
import MailComposer from 'nodemailer/lib/mail-composer'
import { type Clock, formatMailDate } from '../../runtime/clock.ts'
import type { EmailReceiver } from '../../runtime/config.ts'
import { strikeSecrets } from '../../runtime/secrets.ts'
import type { Stats } from '../../runtime/stats.ts'
import { loadRenderer, type Rendering, renderGraph } from '../graph/render.ts'
import type { Notification } from '../notification.ts'
import { type MailContent, plainMail, renderMail } from './mail.ts'
import { type Delivery, detailCharactersMax, type Receiver, shortened, withTemplateProblem } from './receiver.ts'
import { SmtpConnections } from './smtp.ts'
import { type Templates, templated } from './templated.ts'
import { oneLine, type WordingContext } from './wording.ts'

export interface EmailOptions {
  clock: Clock
  stats: Stats
  consoleUrl: string
  /** How pictures are made; by resvg unless a test says otherwise. */
  render?: Rendering
  templates?: Templates | undefined
}

export function openEmail(config: EmailReceiver, options: EmailOptions): Receiver {
  const connections = new SmtpConnections(config, options.clock)
  loadRenderer()
  return {
    send: (notification, signal) => send(connections, notification, config, options, signal),
    get problem() {
      return connections.problem
    },
    close: () => connections.close(),
  }
}

async function send(
  connections: SmtpConnections,
  notification: Notification,
  config: EmailReceiver,
  options: EmailOptions,
  signal: AbortSignal,
): Promise<Delivery> {
  const envelope = { from: addressOf(config.from), to: [...(notification.remaining ?? config.to.map(addressOf))] }
  const deliver = async (mail: MailComposerOptions) => {
    const sent = await connections.send(envelope, await new MailComposer(mail).compile().build(), signal)
    return outcomeOf(sent.rejected, sent.rejectedErrors ?? [], sent.response)
  }
  try {
    const { mail, templateProblem } = await composeMail(notification, config, options)
    const delivery = await deliver(mail).catch((error: NodemailerError) => {
      if (!isTooLarge(error) || signal.aborted) throw error
      options.stats.count('shortened_total')
      return deliver(shortMail(mail))
    })
    return withTemplateProblem(delivery, templateProblem)
  } catch (error) {
    return failureOf(error as NodemailerError, signal)
  }
}

/** 5.3.4 is "message too big for system" of RFC 3463; older servers only say it in words. */
function isTooLarge({ code, responseCode = 0, response = '' }: NodemailerError): boolean {
  const isAboutSize = /\b5\.[23]\.[34]\b|too (big|large)|size (limit|exceed)|exceeds .*size/i.test(response)
  return (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode >= 500 && isAboutSize
}

const shortTextCharactersMax = 1_500

/** The words alone, and not too many. */
function shortMail({ html: _, attachments: __, text, ...mail }: MailComposerOptions): MailComposerOptions {
  const said = shortened(String(text), shortTextCharactersMax)
  return { ...mail, text: `${said}\n\n(Shortened, because the mail server did not take the whole mail.)\n` }
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
    : { outcome: 'delivered', detail, complaint: detail }
}

function failureOf(error: NodemailerError, signal: AbortSignal): Delivery {
  if (signal.aborted) return { outcome: 'failed', detail: 'no answer in time', unreachable: true }
  const detail = words(saidAt(error))
  const isJudged = error.code === 'EENVELOPE' || error.code === 'EMESSAGE'
  if (!isJudged)
    return { outcome: 'failed', detail, unreachable: true, ...(needsMending(error) && { needsMending: true }) }
  const all = error.rejectedErrors ?? []
  const forGood = all.length > 0 ? all.every(isForGood) : isForGood(error)
  if (forGood) return { outcome: 'refused', detail }
  const remaining = all.filter((one) => !isForGood(one)).flatMap(({ recipient }) => recipient ?? [])
  const some = remaining.length > 0 && remaining.length < all.length
  return { outcome: 'failed', detail, unreachable: false, ...(some && { remaining }) }
}

/** `RCPT TO: 550 no such user`: where in the conversation, and what was said there. */
function saidAt({ command = '', response, message }: NodemailerError): string {
  if (!response) return message
  return `${command === 'CONN' ? 'greeting' : command.split(' ')[0] === 'AUTH' ? 'AUTH' : command || 'answer'}: ${response}`
}

/** A wrong password, a certificate that is not trusted, encryption that is not to be had: tries alone mend none. */
function needsMending({ code, responseCode = 0, message }: NodemailerError): boolean {
  const isForNow = responseCode >= 400 && responseCode < 500
  if (code === 'EAUTH' || code === 'ETLS') return !isForNow
  return code === 'ESOCKET' && /certificate|altname/i.test(message)
}

/** 5yz is for good; but 552 (mailbox full) passes, and 503 is about the session. */
function isForGood({ responseCode = 0 }: NodemailerError): boolean {
  return responseCode >= 500 && responseCode !== 552 && responseCode !== 503
}

function words(text: string): string {
  return shortened(strikeSecrets(oneLine(text)), detailCharactersMax)
}

export interface ComposedMail {
  mail: MailComposerOptions & { subject: string; text: string; html?: string }
  templateProblem?: string
}

/** The mail as it would leave now. */
export async function composeMail(
  notification: Notification,
  config: EmailReceiver,
  options: Pick<EmailOptions, 'clock' | 'stats' | 'consoleUrl' | 'render' | 'templates'>,
): Promise<ComposedMail> {
  const { clock, stats, consoleUrl, templates } = options
  const { key } = notification
  const context = { consoleUrl, sendMs: clock.now(), timeZone: config.timeZone }
  const picture = await pictureOf(notification, options)
  const cid = `graph.${key}@${domainOf(config.from)}`
  const { problem: ownProblem, ...ours } = contentOf(notification, context, picture && `cid:${cid}`)
  const { problem: theirProblem, ...theirs } = templated(notification, context, templates)
  const templateProblem = ownProblem ?? theirProblem
  if (templateProblem !== undefined) stats.count('template_errors_total')
  const mail = {
    ...addressing(notification, config, context.sendMs),
    ...ours,
    ...theirs,
    ...(picture && { attachments: [{ ...pngPart, content: picture, cid }] }),
    // Nothing in a mail comes from a file or another server, whatever its text says.
    disableFileAccess: true,
    disableUrlAccess: true,
    textEncoding: 'quoted-printable' as const,
  }
  return { mail, ...(templateProblem !== undefined && { templateProblem }) }
}

function addressing({ key, threads, rule, level, kind, alerts }: Notification, config: EmailReceiver, sendMs: number) {
  const id = (of: string) => `<${of}@${domainOf(config.from)}>`
  return {
    from: config.from,
    to: config.to,
    messageId: id(key),
    ...(threads.length > 0 && { inReplyTo: id(threads[0] as string), references: threads.map(id) }),
    date: formatMailDate(sendMs),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      ...(level === 'crit' && kind === 'firing' && { Importance: 'high', 'X-Priority': '1 (Highest)' }),
      'X-Tocsin-Delivery': key,
      'X-Tocsin-Kind': kind,
      'X-Tocsin-Level': level,
      'X-Tocsin-Rule': shortened(oneLine(rule), 200),
      'X-Tocsin-Alert': shortened(oneLine(alerts.map(({ fingerprint }) => fingerprint).join(' ')), 500),
    },
  } satisfies MailComposerOptions
}

const pngPart = { filename: 'graph.png', contentType: 'image/png', contentDisposition: 'inline' as const }

/** Of one alert's values; a summary has none. */
async function pictureOf(
  { alerts }: Notification,
  options: Pick<EmailOptions, 'clock' | 'stats' | 'render'>,
): Promise<Buffer | undefined> {
  const [only, ...others] = alerts
  return only && others.length === 0 ? renderGraph(only, options, options.render) : undefined
}

/** Our own words; plain ones and the problem where even these fail. */
function contentOf(
  notification: Notification,
  context: WordingContext,
  graphUrl: string | undefined,
): MailContent & { problem?: string } {
  try {
    return renderMail(notification, context, graphUrl)
  } catch (error) {
    const problem = (error as Error).message
    return { ...plainMail(notification, problem), problem }
  }
}

/** `Tocsin <a@b>` → `a@b`. */
function addressOf(from: string): string {
  return /<([^<>]*)>\s*$/.exec(from)?.[1] ?? from
}

function domainOf(from: string): string {
  return (addressOf(from).split('@')[1] ?? '').replace(/[^A-Za-z0-9.-]/g, '') || 'tocsin'
}
