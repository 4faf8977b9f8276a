/** The same mails against a mail server of other people: Debian's aiosmtpd, with STARTTLS and a login too. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openEmail } from '../../src/alerts/receivers/email.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { selfSigned } from '../support/certificate.ts'
import { notificationOf } from '../support/notifications.ts'
import { freePort } from '../support/ports.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

interface Aiosmtpd {
  port: number
  isInstalled: boolean
  /** The first mail it took. */
  mail(): Promise<Record<string, unknown> & { text: string }>
}

/** `secure` demands STARTTLS and then the login tocsin with the password `open sesame`. */
async function startAiosmtpd(secure = false): Promise<Aiosmtpd> {
  const port = await freePort()
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-aiosmtpd-'))
  const files = secure ? certificateIn(folder) : []
  const child = spawn('/usr/bin/python3', ['-u', '-c', program, String(port), ...files], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [output, errors] = ['', '']
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  running.push({
    close: () => {
      child.kill()
      fs.rmSync(folder, { recursive: true })
    },
  })
  await until(() => output.includes('ready') || child.exitCode !== null, { timeoutMs: 15_000 })
  const isInstalled = !errors.includes('No module named')
  if (isInstalled && !output.includes('ready')) throw new Error(errors)
  const line = () => output.split('\n').find((one) => one.startsWith('{'))
  return { port, isInstalled, mail: async () => JSON.parse(await until(line)) }
}

function certificateIn(folder: string): string[] {
  const { cert, key } = selfSigned()
  return Object.entries({ cert, key }).map(([name, text]) => {
    const file = path.join(folder, `${name}.pem`)
    fs.writeFileSync(file, text)
    return file
  })
}

function sender(smtp: string) {
  const options = { clock: systemClock, stats: new Stats(), consoleUrl: 'http://console' }
  const opened = openEmail(
    { to: ['oncall@example.org'], from: 'Tocsin <tocsin@example.org>', smtp, timeZone: 'UTC' },
    options,
  )
  running.push(opened)
  return opened
}

const forever = new AbortController().signal
const notification = notificationOf([transition('crit', 1000, { say: 'Größe: 🔔\n.\n..two dots' })])

describe('Debian’s aiosmtpd', () => {
  test('takes the mail and reads the same in it', async ({ skip }) => {
    const server = await startAiosmtpd()
    skip(!server.isInstalled, 'python3-aiosmtpd is not installed')
    const delivery = await sender(`smtp://localhost:${server.port}`).send(notification, forever)
    expect(delivery).toMatchObject({ outcome: 'delivered' })
    const mail = await server.mail()
    expect(mail).toMatchObject({
      from: 'tocsin@example.org',
      to: ['oncall@example.org'],
      subject: 'CRIT verifier: Größe: 🔔 (6.3%) · http_5xx_spike',
      id: `<${notification.key}@example.org>`,
      types: ['text/plain', 'text/html', 'image/png'],
      defects: [],
      secure: false,
    })
    expect(mail.text).toContain('\n.\n..two dots\n')
  })

  test('takes it over STARTTLS from who logs in, and from nobody else', async ({ skip }) => {
    const server = await startAiosmtpd(true)
    skip(!server.isInstalled, 'python3-aiosmtpd is not installed')
    const anybody = await sender(`smtp://localhost:${server.port}`).send(notification, forever)
    expect(anybody).toMatchObject({ outcome: 'refused', detail: expect.stringMatching(/530/) })
    const guessing = await sender(`smtp://tocsin:guessed@localhost:${server.port}`).send(notification, forever)
    expect(guessing).toMatchObject({ outcome: 'failed', needsMending: true, detail: expect.stringContaining('535') })
    const known = sender(`smtp://tocsin:${encodeURIComponent('open sesame')}@localhost:${server.port}`)
    expect(await known.send(notification, forever)).toMatchObject({ outcome: 'delivered' })
    expect(await server.mail()).toMatchObject({ secure: true, user: 'tocsin', to: ['oncall@example.org'], defects: [] })
  })
})

const program = `
import sys, json, ssl, time, email, email.policy
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        print(json.dumps({
            'from': envelope.mail_from, 'to': envelope.rcpt_tos, 'subject': message['subject'], 'id': message['message-id'],
            'types': [part.get_content_type() for part in parts],
            'text': parts[0].get_content().replace('\\r\\n', '\\n'),
            'defects': [str(defect) for part in message.walk() for defect in part.defects],
            'secure': session.ssl is not None,
            'user': session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else '',
        }), flush=True)
        return '250 taken'
def known(server, session, envelope, mechanism, data):
    if data.login == b'tocsin' and data.password == b'open sesame':
        return AuthResult(success=True, auth_data=data)
    return AuthResult(success=False, handled=False)
options = {}
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    options = dict(tls_context=context, require_starttls=True, authenticator=known, auth_required=True)
controller = Controller(Handler(), hostname='127.0.0.1', port=int(sys.argv[1]), **options)
controller.start()
print('ready', flush=True)
while True:
    time.sleep(60)
`
