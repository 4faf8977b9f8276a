/**
 * Mailbox: a real SMTP server that accepts every mail and shows it as JSON, so that the demo's pages have somewhere to
 * arrive. It sends nothing anywhere.
 *
 *     SMTP   any sender and recipient, no TLS, no login; up to `mailBytesMax` a mail
 *     GET /mails      the last `mailsMax`, newest first
 *     GET /mails/ID   one of them, its HTML as a page (scripts in it do not run)
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import PostalMime, { type Address, type Attachment } from 'postal-mime'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server'
import { type Clock, systemClock } from '../src/runtime/clock.ts'
import { createLog, type Log } from '../src/runtime/log.ts'
import { endWithSupervisor, listen, stopWith, tellSupervisor } from './process.ts'
import { host, mailboxPorts, readSettings } from './settings.ts'

export const mailsMax = 200
export const mailBytesMax = 1024 ** 2
const clientsMax = 50
/** The newest mails keep their pictures; with all of them the list would be long. */
export const picturesMax = 30
const pictureBytesMax = 64 * 1024
const textMax = 256 * 1024

export interface Mail {
  id: string
  /** Arrival, epoch ms. */
  at: number
  from: string
  to: string[]
  subject: string
  text: string
  html: string
  messageId: string
  inReplyTo: string
}

export interface MailboxOptions {
  smtpPort: number
  httpPort: number
  clock: Clock
  log: Log
}

export interface Mailbox {
  smtpPort: number
  httpPort: number
  readonly mails: readonly Mail[]
  close(): Promise<void>
}

export async function startMailbox({ smtpPort, httpPort, clock, log }: MailboxOptions): Promise<Mailbox> {
  const mails: Mail[] = []
  let received = 0
  const keep = async (bytes: Buffer, session: SMTPServerSession): Promise<void> => {
    const mail = await readMail(bytes, session, clock.now())
    mails.unshift({ id: String(++received), ...mail })
    mails.length = Math.min(mails.length, mailsMax)
    const older = mails[picturesMax]
    if (older) mails[picturesMax] = { ...older, html: older.html.replace(/<img [^>]*src="data:[^>]*>/g, '') }
    log.info(`mail to ${mail.to.join(', ')}: ${mail.subject}`)
  }
  const smtp = createSmtp(keep)
  const http = createServer(createPages(mails))
  const ports = { smtpPort: await listenSmtp(smtp, smtpPort), httpPort: await listen(http, httpPort) }
  smtp.on('error', (error) => log.warn(`SMTP: ${error.message}`))
  return {
    ...ports,
    mails,
    async close() {
      const closed = [smtp, http].map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      http.closeAllConnections()
      await Promise.all(closed)
    },
  }
}

type Keep = (bytes: Buffer, session: SMTPServerSession) => Promise<void>

function createSmtp(keep: Keep): SMTPServer {
  return new SMTPServer({
    name: 'mailbox.localhost',
    banner: 'the mailbox of the Tocsin demo',
    // Its certificate would be self-signed, and senders that find STARTTLS refuse such a one.
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: mailBytesMax,
    maxClients: clientsMax,
    closeTimeout: 500,
    onData: (stream, session, callback) => {
      receive(stream)
        .then((bytes) => keep(bytes, session))
        .then(() => callback(), callback)
    },
  })
}

/** The whole mail; rejects one that is larger than allowed, after reading it to its end without keeping it. */
async function receive(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) if (!stream.sizeExceeded) chunks.push(chunk as Buffer)
  if (!stream.sizeExceeded) return Buffer.concat(chunks)
  throw Object.assign(new Error(`a mail may have up to ${mailBytesMax} bytes`), { responseCode: 552 })
}

/** Envelope addresses come first: they tell who it was for, whatever the headers say. */
async function readMail(bytes: Buffer, { envelope }: SMTPServerSession, at: number): Promise<Omit<Mail, 'id'>> {
  const { mailFrom, rcptTo } = envelope
  const recipients = rcptTo.map(({ address }) => address)
  try {
    const email = await PostalMime.parse(bytes)
    return {
      at,
      from: addressText(email.from) || (mailFrom ? mailFrom.address : ''),
      to: recipients,
      subject: email.subject ?? '',
      text: (email.text ?? '').trimEnd().slice(0, textMax),
      html: withPictures((email.html ?? '').trimEnd().slice(0, textMax), email.attachments),
      messageId: email.messageId ?? '',
      inReplyTo: email.inReplyTo ?? '',
    }
  } catch (error) {
    // Kept as it came, so that somebody can see what was wrong with it.
    const text = `(not readable as a mail: ${(error as Error).message})\n\n${bytes.toString().slice(0, textMax)}`
    const from = mailFrom ? mailFrom.address : ''
    return { at, from, to: recipients, subject: '(unreadable)', text, html: '', messageId: '', inReplyTo: '' }
  }
}

/** What the HTML names by `cid:` is put into it, because the pages that show it may load nothing. */
function withPictures(html: string, attachments: readonly Attachment[]): string {
  let shown = html
  for (const { contentId, mimeType, content } of attachments) {
    const id = contentId?.replace(/^<|>$/g, '')
    const bytes = Buffer.from(typeof content === 'string' ? content : new Uint8Array(content))
    if (!id || mimeType !== 'image/png' || bytes.length > pictureBytesMax) continue
    shown = shown.replaceAll(`src="cid:${id}"`, `src="data:image/png;base64,${bytes.toString('base64')}"`)
  }
  return shown
}

function addressText(address: Address | undefined): string {
  if (!address) return ''
  return address.name && address.address ? `${address.name} <${address.address}>` : (address.address ?? address.name)
}

function createPages(mails: readonly Mail[]): Express {
  const app = express()
  app.disable('x-powered-by')
  app.get('/mails', (_request, response) => {
    response.set('cache-control', 'no-store').json(mails)
  })
  app.get('/mails/:id', (request, response) => {
    const mail = mails.find(({ id }) => id === request.params.id)
    response.set('content-security-policy', "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    if (!mail) response.status(404).type('text').send('there is no such mail')
    else if (mail.html) response.type('html').send(mail.html)
    else response.type('text').send(mail.text)
  })
  return app
}

function listenSmtp(smtp: SMTPServer, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    smtp.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} on ${host} is taken by another program`) : error)
    })
    const server = smtp.listen(port, host, () => {
      smtp.removeAllListeners('error')
      resolve((server.address() as AddressInfo).port)
    })
  })
}

async function main(): Promise<void> {
  const log = createLog({ format: 'text' })
  const settings = readSettings(process.env)
  if (!settings.ok) stopWith(log, settings.error)
  const { smtp, http } = mailboxPorts(settings.value.portBase)
  try {
    const mailbox = await startMailbox({ smtpPort: smtp, httpPort: http, clock: systemClock, log })
    endWithSupervisor(() => mailbox.close())
    tellSupervisor({ ready: true })
  } catch (error) {
    stopWith(log, (error as Error).message)
  }
}

if (import.meta.main) await main()
