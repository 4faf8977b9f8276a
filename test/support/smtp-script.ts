/**
 * A mail server that says exactly what a test wants, line by line: for the answers that no well-behaved server gives.
 *
 * Without a script it takes every mail. `answer` is asked at each step and may say something else, or `hang`, or `cut`.
 * STARTTLS is offered, refused, broken or kept as told.
 */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'

/** `end` is the answer to the message itself; `middle` is reached when some of it has come. */
export type ScriptStep =
  | 'greeting'
  | 'EHLO'
  | 'HELO'
  | 'STARTTLS'
  | 'AUTH'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'middle'
  | 'end'

export interface ScriptedServer {
  port: number
  /** Message-IDs of the mails that were taken, in order. */
  taken: string[]
  connections: number
  /** What to say at a step instead of the usual: a line, `hang` or `cut`. */
  answer: (step: ScriptStep, line: string) => string | undefined
  close(): Promise<void>
}

export interface ScriptOptions {
  host?: string
  /** Lines of the EHLO answer, such as `STARTTLS` or `AUTH PLAIN`. */
  offers?: readonly string[]
  certificate?: { key: string; cert: string }
}

const usual: Readonly<Record<ScriptStep, string>> = {
  greeting: '220 here',
  EHLO: '',
  HELO: '250 here',
  STARTTLS: '220 go ahead',
  AUTH: '235 you are known',
  MAIL: '250 fine',
  RCPT: '250 fine',
  DATA: '354 go ahead',
  middle: '',
  end: '250 taken',
}

export async function startScripted(options: ScriptOptions = {}): Promise<ScriptedServer> {
  const sockets = new Set<Socket>()
  const server = net.createServer((socket) => {
    script.connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    new Conversation(socket, script, options).begin()
  })
  server.listen(0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  const script: ScriptedServer = {
    port: (server.address() as AddressInfo).port,
    taken: [],
    connections: 0,
    answer: () => undefined,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return script
}

class Conversation {
  #socket: Socket
  readonly #script: ScriptedServer
  readonly #options: ScriptOptions
  #unread = ''
  #message: string | undefined

  constructor(socket: Socket, script: ScriptedServer, options: ScriptOptions) {
    this.#socket = socket
    this.#script = script
    this.#options = options
  }

  begin(): void {
    this.#listen()
    this.#say('greeting', '')
  }

  #listen(): void {
    this.#socket.on('data', (chunk) => {
      this.#unread += String(chunk)
      this.#read()
    })
  }

  #read(): void {
    while (!this.#socket.destroyed) {
      const end = this.#unread.indexOf('\r\n')
      if (end === -1) break
      const line = this.#unread.slice(0, end)
      this.#unread = this.#unread.slice(end + 2)
      if (this.#message !== undefined) this.#messageLine(line)
      else this.#command(line)
    }
  }

  #messageLine(line: string): void {
    if (this.#message === '' && this.#say('middle', line) === 'cut') return
    this.#message += `${line}\n`
    if (line !== '.') return
    const [, id = ''] = /^Message-ID: (.*)$/im.exec(this.#message ?? '') ?? []
    this.#message = undefined
    if (this.#say('end', id) === usual.end) this.#script.taken.push(id)
  }

  #command(line: string): void {
    const word = line.split(' ')[0]?.toUpperCase() ?? ''
    if (word === 'QUIT') this.#socket.end('221 bye\r\n')
    else if (word === 'RSET' || word === 'NOOP') this.#socket.write('250 fine\r\n')
    else if (!(word in usual)) this.#socket.write('500 what?\r\n')
    else {
      const said = this.#say(word as ScriptStep, line)
      if (word === 'DATA' && said === usual.DATA) this.#message = ''
      if (word === 'STARTTLS' && said === usual.STARTTLS) this.#encrypt()
    }
  }

  #say(step: ScriptStep, line: string): string {
    const text = this.#script.answer(step, line) ?? usual[step]
    if (text === 'cut') this.#socket.destroy()
    else if (step === 'EHLO' && text === '') this.#offer()
    else if (text !== 'hang' && text !== '') this.#socket.write(`${text}\r\n`)
    return text
  }

  #offer(): void {
    const lines = ['here', ...(this.#options.offers ?? [])]
    this.#socket.write(lines.map((line, i) => `250${i === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join(''))
  }

  #encrypt(): void {
    this.#socket.removeAllListeners('data')
    this.#unread = ''
    const secure = new tls.TLSSocket(this.#socket, { isServer: true, ...this.#options.certificate })
    secure.on('error', () => this.#socket.destroy())
    this.#socket = secure
    this.#listen()
  }
}
