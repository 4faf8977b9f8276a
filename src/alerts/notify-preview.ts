/** `tocsin notify preview RECEIVER`: a mail or webhook as it would be sent, sent to nobody. */
import type { MailComposerOptions } from 'nodemailer'
import type { Clock } from '../runtime/clock.ts'
import type { Config, EmailReceiver, WebhookReceiver } from '../runtime/config.ts'
import { strikeSecrets } from '../runtime/secrets.ts'
import { Stats } from '../runtime/stats.ts'
import type { Notification, ToldAlert } from './notification.ts'
import { type NotifyTestOutcome, unknownReceiver } from './notify-test.ts'
import { composeMail } from './receivers/email.ts'
import { receiverSettings } from './receivers/open.ts'
import { composeWebhook } from './receivers/webhook.ts'
import { notificationAbout, sampleAlert } from './sample.ts'

export interface PreviewOptions {
  /** The sample, where there is none. */
  alert?: ToldAlert | undefined
  /** Takes the HTML of a mail, its picture inside. */
  writeHtml?: ((html: string) => void) | undefined
}

/** Exit status 1 where a template fails; what would be sent then is shown all the same. */
export async function notifyPreview(
  config: Config,
  name: string,
  clock: Clock,
  { alert = sampleAlert(clock.now()), writeHtml }: PreviewOptions = {},
): Promise<NotifyTestOutcome> {
  const receiver = config.alerts.receivers[name]
  if (!receiver) return unknownReceiver(name, Object.keys(config.alerts.receivers))
  const notification = notificationAbout(alert, name, clock.now())
  const preview = new Preview(config, clock, notification)
  const { text, templateProblem } =
    'email' in receiver ? await preview.mail(receiver.email, writeHtml) : preview.webhook(receiver.webhook)
  const isHtmlLost = writeHtml !== undefined && !('email' in receiver)
  const error = [
    templateProblem && `tocsin: ${templateProblem}\n    it would leave in our own words, as above`,
    isHtmlLost && `tocsin: ${name} is a webhook and has no HTML`,
  ].filter(Boolean)
  return { exitCode: error.length > 0 ? 1 : 0, text, ...(error.length > 0 && { error: error.join('\n') }) }
}

interface Shown {
  text: string
  templateProblem?: string
}

class Preview {
  readonly #options: { clock: Clock; stats: Stats; connectionsMax: number } & ReturnType<typeof receiverSettings>
  readonly #notification: Notification

  constructor(config: Config, clock: Clock, notification: Notification) {
    this.#options = { clock, stats: new Stats(), connectionsMax: 1, ...receiverSettings(config) }
    this.#notification = notification
  }

  async mail(config: EmailReceiver, writeHtml: PreviewOptions['writeHtml']): Promise<Shown> {
    const { mail, templateProblem } = await composeMail(this.#notification, config, this.#options)
    const { from, to, subject, date, messageId, headers = {}, text, html } = mail
    const all = { From: from, To: to, Subject: subject, Date: date, 'Message-ID': messageId, ...headers }
    const lines = Object.entries(all).map(
      ([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') : String(value)}`,
    )
    if (html !== undefined) writeHtml?.(withPictures(html, mail.attachments))
    return { text: `${lines.join('\n')}\n\n${text}`, ...(templateProblem !== undefined && { templateProblem }) }
  }

  webhook(config: WebhookReceiver): Shown {
    const { body, headers, templateProblem } = composeWebhook(this.#notification, config, this.#options)
    const signed = { ...headers, ...('x-tocsin-signature' in headers && { 'x-tocsin-signature': 'sha256=…' }) }
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}`)
    const json = JSON.stringify(JSON.parse(String(body)), null, 2)
    const text = `POST ${strikeSecrets(config.url)}\n${lines.join('\n')}\n\n${json}`
    return { text, ...(templateProblem !== undefined && { templateProblem }) }
  }
}

/** The HTML by itself, for a browser: pictures stand in it. */
function withPictures(html: string, attachments: MailComposerOptions['attachments'] = []): string {
  let shown = html
  for (const { cid, content } of attachments) {
    if (!cid || !Buffer.isBuffer(content)) continue
    shown = shown.replaceAll(`cid:${cid}`, `data:image/png;base64,${content.toString('base64')}`)
  }
  return shown
}
