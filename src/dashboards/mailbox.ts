/**
 * Mailbox: the demo's mail sink, as the console shows it. Asked only while somebody looks; a sink that is away or answers
 * nonsense leaves the last known mails and a reason.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { MailView } from './view.ts'

export const mailsMax = 200
const timeoutMs = 3000
const answerBytesMax = 8 * 1024 ** 2

const mail = z.object({
  at: z.union([z.number(), z.string()]),
  from: z.string().default(''),
  to: z.union([z.string(), z.array(z.string())]).transform((to) => (typeof to === 'string' ? to : to.join(', '))),
  subject: z.string().default(''),
  text: z.string().nullish(),
  html: z.union([z.string(), z.literal(false)]).nullish(),
})

interface Mail extends MailView {
  html: string | undefined
}

export class Mailbox {
  readonly url: string
  #mails: Mail[] = []
  #problem: string | undefined
  #asking: Promise<void> | undefined

  constructor(url: string) {
    this.url = url
  }

  get problem(): string | undefined {
    return this.#problem
  }

  /** The newest first. */
  list(): MailView[] {
    return this.#mails.map(({ html: _, ...view }) => view)
  }

  html(id: string): string | undefined {
    return this.#mails.find((one) => one.id === id)?.html
  }

  /** Asks the sink; calls while one is under way share its answer. Never rejects. */
  refresh(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(): Promise<void> {
    try {
      const response = await fetch(this.url, { signal: AbortSignal.timeout(timeoutMs) })
      if (!response.ok) throw new Error(`it answered ${response.status}`)
      const text = await response.text()
      if (text.length > answerBytesMax) throw new Error('its answer is too long')
      const mails = z.array(mail).parse(JSON.parse(text))
      this.#mails = mails
        .map(readMail)
        .sort((a, b) => b.atMs - a.atMs)
        .slice(0, mailsMax)
      this.#problem = undefined
    } catch (error) {
      this.#problem = `the mailbox cannot be read: ${error instanceof z.ZodError ? 'it is not a list of mails' : causeOf(error)}`
    }
  }
}

function readMail({ at, from, to, subject, text, html }: z.output<typeof mail>): Mail {
  const atMs = typeof at === 'number' ? at : Date.parse(at) || 0
  const id = createHash('sha256')
    .update(JSON.stringify([at, from, to, subject, text]))
    .digest('hex')
    .slice(0, 16)
  return { id, atMs, from, to, subject, text: text ?? '', hasHtml: Boolean(html), html: html || undefined }
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error && cause.message ? cause.message : message
}
