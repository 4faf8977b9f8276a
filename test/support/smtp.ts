/**
 * A mail server for tests, on npm's smtp-server: keeps what it gets and fails as told, at any step and with any code.
 */
import { once } from 'node:events'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

export interface ReceivedMail {
  from: string
  to: string[]
  /** As received, headers and all. */
  raw: string
  mail: Email
  /** When DATA was done, by performance.now(). */
  atMs: number
  /** Which connection brought it. */
  session: string
  secure: boolean
  user?: string
}

export type Step = 'connect' | 'mail' | 'rcpt' | 'data'

export interface SmtpServer {
  port: number
  url: string
  mails: ReceivedMail[]
  /** Connections accepted so far. */
  connections: number
  /** What to answer at a step: a code and words, or undefined to accept; for `rcpt` the address decides too. */
  fail: (step: Step, address: string) => { code: number; text: string } | undefined
  /** Called with each whole mail before it is answered; may wait. */
  beforeAnswer: (raw: string) => Promise<void> | void
  /** Resolves with the mails once there are at least `count`. */
  received(count: number, timeoutMs?: number): Promise<ReceivedMail[]>
  /** Ends every open connection as a server does that has had enough of an idle client; or `rudely`, by a reset. */
  dropConnections(rudely?: boolean): void
  /** Connections open now. */
  open(): number
  close(): Promise<void>
}

export async function startSmtp(
  options: SMTPServerOptions & { port?: number; host?: string } = {},
): Promise<SmtpServer> {
  const { port = 0, host = '127.0.0.1', ...given } = options
  const waiting: { count: number; resolve: (mails: ReceivedMail[]) => void }[] = []
  const sockets = new Set<import('node:net').Socket>()
  const failed = (failure: { code: number; text: string }) =>
    Object.assign(new Error(failure.text), { responseCode: failure.code })
  const answer = (step: Step, address: string, done: (error?: Error | null) => void) => {
    const failure = smtp.fail(step, address)
    done(failure ? failed(failure) : null)
  }
  const server = new SMTPServer({
    disabledCommands: given.secure || given.key ? [] : ['STARTTLS', 'AUTH'],
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    onConnect: (_session, done) => {
      smtp.connections++
      answer('connect', '', done)
    },
    onMailFrom: (address, _session, done) => answer('mail', address.address, done),
    onRcptTo: (address, _session, done) => answer('rcpt', address.address, done),
    onData: async (stream, session, done) => {
      const chunks: Buffer[] = []
      try {
        for await (const chunk of stream) chunks.push(chunk as Buffer)
      } catch {
        // The sender is gone in the middle of its message.
        return
      }
      const raw = Buffer.concat(chunks).toString('utf8')
      await smtp.beforeAnswer(raw)
      const failure = smtp.fail('data', '')
      if (failure) return done(failed(failure))
      const { mailFrom, rcptTo } = session.envelope
      const user = session.user
      smtp.mails.push({
        from: mailFrom === false ? '' : mailFrom.address,
        to: rcptTo.map(({ address }) => address),
        raw,
        mail: await PostalMime.parse(raw),
        atMs: performance.now(),
        session: session.id,
        secure: session.secure,
        ...(user !== undefined && { user: String(user) }),
      })
      done()
      for (const { count, resolve } of waiting) if (smtp.mails.length >= count) resolve([...smtp.mails])
    },
    ...given,
  })
  server.on('error', () => {})
  server.server.on('connection', (socket: import('node:net').Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.listen(port, host)
  await once(server.server, 'listening')
  const bound = server.server.address() as import('node:net').AddressInfo
  const smtp: SmtpServer = {
    port: bound.port,
    url: `${given.secure ? 'smtps' : 'smtp'}://${host.includes(':') ? `[${host}]` : host}:${bound.port}`,
    mails: [],
    connections: 0,
    fail: () => undefined,
    beforeAnswer: () => {},
    received: (count, timeoutMs = 5_000) =>
      new Promise((resolve, reject) => {
        if (smtp.mails.length >= count) return resolve([...smtp.mails])
        const timer = setTimeout(
          () => reject(new Error(`${smtp.mails.length} of ${count} mails came within ${timeoutMs} ms`)),
          timeoutMs,
        )
        waiting.push({
          count,
          resolve: (mails) => {
            clearTimeout(timer)
            resolve(mails)
          },
        })
      }),
    dropConnections: (rudely = false) => {
      for (const socket of sockets) rudely ? socket.resetAndDestroy() : socket.end()
    },
    open: () => sockets.size,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return smtp
}
