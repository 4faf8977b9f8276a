import net from 'node:net'
import os from 'node:os'
import { afterEach, describe, expect, test } from 'vitest'
import { openEmail } from '../../src/alerts/receivers/email.ts'
import type { Receiver } from '../../src/alerts/receivers/receiver.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { selfSigned } from '../support/certificate.ts'
import { notificationOf } from '../support/notifications.ts'
import { freePort } from '../support/ports.ts'
import { type SmtpServer, type Step, startSmtp } from '../support/smtp.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const running: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

async function server(options: Parameters<typeof startSmtp>[0] = {}): Promise<SmtpServer> {
  const smtp = await startSmtp(options)
  running.push(smtp)
  return smtp
}

function receiver(smtp: string, given: { to?: string[]; from?: string; stats?: Stats } = {}): Receiver {
  const { to = ['oncall@example.org'], from = 'Tocsin <tocsin@example.org>', stats = new Stats() } = given
  const options = { clock: systemClock, stats, consoleUrl: 'http://console' }
  const opened = openEmail({ to, from, smtp, timeZone: 'UTC' }, options)
  running.push(opened)
  return opened
}

const page = notificationOf([transition('crit', 1_760_000_000_000)])
const forever = new AbortController().signal

describe('a mail that is taken', () => {
  test('carries text, HTML, a key that never changes, and says that a program sent it', async () => {
    const smtp = await server()
    const sent = await receiver(smtp.url).send(page, forever)
    expect(sent).toMatchObject({ outcome: 'delivered' })
    const [received] = await smtp.received(1)
    expect(received).toMatchObject({ from: 'tocsin@example.org', to: ['oncall@example.org'] })
    expect(received?.mail.messageId).toBe(`<${page.key}@example.org>`)
    expect(received?.mail.text).toContain('http_5xx_spike')
    expect(received?.mail.html).toContain('http_5xx_spike')
    const headers = Object.fromEntries(received?.mail.headers.map(({ key, value }) => [key, value]) ?? [])
    expect(headers).toMatchObject({
      'auto-submitted': 'auto-generated',
      'x-tocsin-delivery': page.key,
      'x-tocsin-kind': 'firing',
      'x-tocsin-level': 'crit',
      'x-tocsin-rule': 'http_5xx_spike',
      'x-tocsin-alert': 'http_5xx_spike/verifier',
      importance: 'high',
    })
  })

  test('threads under the first mail about the same alert', async () => {
    const smtp = await server()
    const end = notificationOf([transition('crit', 1000), transition('ok', 2000)], {
      key: 'e'.repeat(32),
      threads: [page.key],
    })
    const oncall = receiver(smtp.url)
    await oncall.send(page, forever)
    await oncall.send(end, forever)
    const [first, second] = await smtp.received(2)
    expect(second?.mail.inReplyTo).toBe(first?.mail.messageId)
    expect(second?.mail.references).toBe(first?.mail.messageId)
  })

  test('no text from a rule gets into the header or ends the message early', async () => {
    const smtp = await server()
    const evil = 'x\r\nBcc: everyone@example.org\r\n\r\n.\r\nMAIL FROM:<evil@example.org>'
    const notification = notificationOf([
      transition('crit', 1000, { rule: evil, group: evil, say: evil, reason: evil }),
    ])
    expect(await receiver(smtp.url).send(notification, forever)).toMatchObject({ outcome: 'delivered' })
    const [received] = await smtp.received(1)
    expect(received?.to).toEqual(['oncall@example.org'])
    expect(received?.mail.bcc ?? []).toEqual([])
    expect(received?.mail.headers.map(({ key }) => key)).not.toContain('bcc')
    expect(received?.mail.text).toContain('MAIL FROM:<evil@example.org>')
    expect(smtp.mails).toHaveLength(1)
  })

  test('anything but ASCII arrives as it was', async () => {
    const smtp = await server()
    const say = 'Wörter, 数字 und 🔔 – alles kaputt'
    await receiver(smtp.url).send(notificationOf([transition('crit', 1000, { say, group: 'größe' })]), forever)
    const [received] = await smtp.received(1)
    expect(received?.mail.subject).toBe(`CRIT größe: ${say} (6.3%) · http_5xx_spike`)
    expect(received?.mail.text).toContain(say)
    expect(received?.raw.split('\r\n').every((line) => line.length <= 998)).toBe(true)
  })

  test('when the usual form fails it still leaves, plain, and the failure is counted', async () => {
    const smtp = await server()
    const stats = new Stats()
    const [alert] = page.alerts
    const broken = { ...page, alerts: [{ ...alert, series: undefined as never }] } as typeof page
    expect(await receiver(smtp.url, { stats }).send(broken, forever)).toMatchObject({ outcome: 'delivered' })
    const [received] = await smtp.received(1)
    expect(received?.mail.subject).toBe('CRIT verifier · http_5xx_spike')
    expect(stats.get('template_errors_total')).toBe(1)
  })
})

describe('a server that says no', () => {
  test.each<[Step, number, string]>([
    ['connect', 421, 'failed'],
    ['connect', 554, 'failed'],
    ['mail', 451, 'failed'],
    ['mail', 550, 'refused'],
    ['rcpt', 450, 'failed'],
    ['rcpt', 452, 'failed'],
    ['rcpt', 550, 'refused'],
    ['rcpt', 552, 'failed'],
    ['data', 421, 'failed'],
    ['data', 451, 'failed'],
    ['data', 554, 'refused'],
  ])('at %s with %i: %s, in the server’s own words', async (step, code, outcome) => {
    const smtp = await server()
    smtp.fail = (at) => (at === step ? { code, text: `no, because of ${step}` } : undefined)
    const delivery = await receiver(smtp.url).send(page, forever)
    expect(delivery).toMatchObject({ outcome, detail: expect.stringContaining(`no, because of ${step}`) })
    expect(smtp.mails).toHaveLength(0)
  })

  test('after a no, the next mail goes through', async () => {
    const smtp = await server()
    const oncall = receiver(smtp.url)
    smtp.fail = (at) => (at === 'data' ? { code: 451, text: 'later' } : undefined)
    expect((await oncall.send(page, forever)).outcome).toBe('failed')
    smtp.fail = () => undefined
    expect((await oncall.send(page, forever)).outcome).toBe('delivered')
  })

  test('addresses that may take it later are named, and only they are tried again', async () => {
    const smtp = await server()
    const oncall = receiver(smtp.url, { to: ['ada@example.org', 'Ben <ben@example.org>', 'cid@example.org'] })
    smtp.fail = (at, address) => {
      if (at !== 'rcpt' || address === 'ada@example.org') return undefined
      return address === 'ben@example.org' ? { code: 450, text: 'greylisted' } : { code: 550, text: 'no such user' }
    }
    const first = await oncall.send(page, forever)
    expect(first).toMatchObject({
      outcome: 'failed',
      remaining: ['ben@example.org'],
      detail: expect.stringContaining('no such user'),
    })
    smtp.fail = () => undefined
    expect(await oncall.send({ ...page, remaining: ['ben@example.org'] }, forever)).toMatchObject({
      outcome: 'delivered',
    })
    expect((await smtp.received(2)).map(({ to }) => to)).toEqual([['ada@example.org'], ['ben@example.org']])
  })

  test('when some took it and the others never will, it is delivered and the others are named', async () => {
    const smtp = await server()
    smtp.fail = (at, address) =>
      at === 'rcpt' && address.startsWith('cid') ? { code: 550, text: 'no such user' } : undefined
    const oncall = receiver(smtp.url, { to: ['ada@example.org', 'cid@example.org'] })
    expect(await oncall.send(page, forever)).toMatchObject({
      outcome: 'delivered',
      detail: expect.stringContaining('not taken for cid@example.org'),
    })
  })
})

describe('a server that is not there', () => {
  test('refused: failed and unreachable, and the problem is known before there is anything to send', async () => {
    const oncall = receiver(`smtp://127.0.0.1:${await freePort()}`)
    await until(() => oncall.problem)
    expect(oncall.problem).toContain('ECONNREFUSED')
    expect(await oncall.send(page, forever)).toMatchObject({ outcome: 'failed', unreachable: true })
  })

  test('silent: given up when the try’s time is over', async () => {
    const silent = net.createServer(() => {}).listen(0, '127.0.0.1')
    running.push(silent)
    await until(() => silent.listening)
    const abort = new AbortController()
    const sending = receiver(`smtp://localhost:${(silent.address() as net.AddressInfo).port}`).send(page, abort.signal)
    setTimeout(() => abort.abort(), 50)
    expect(await sending).toEqual({ outcome: 'failed', detail: 'no answer in time', unreachable: true })
  })

  test('it never answers after the message: given up, and the next try is a new connection', async () => {
    const smtp = await server()
    const { promise: stuck, resolve: release } = Promise.withResolvers<void>()
    smtp.beforeAnswer = () => stuck
    const oncall = receiver(smtp.url)
    const abort = new AbortController()
    const sending = oncall.send(page, abort.signal)
    setTimeout(() => abort.abort(), 300)
    expect(await sending).toMatchObject({ outcome: 'failed', unreachable: true })
    release()
    smtp.beforeAnswer = () => {}
    expect(await oncall.send(page, forever)).toMatchObject({ outcome: 'delivered' })
  })

  test('it hangs up in the middle of the message: failed, never lost', async () => {
    const smtp = await server()
    smtp.beforeAnswer = () => smtp.dropConnections(true)
    const oncall = receiver(smtp.url)
    expect(await oncall.send(page, forever)).toMatchObject({ outcome: 'failed', unreachable: true })
    smtp.beforeAnswer = () => {}
    expect(await oncall.send(page, forever)).toMatchObject({ outcome: 'delivered' })
  })
})

describe('connections', () => {
  test('to a server on this machine one is ready before the first mail, and many mails share it', async () => {
    const smtp = await server()
    const oncall = receiver(smtp.url)
    await until(() => smtp.connections === 1)
    for (let i = 0; i < 5; i++) await oncall.send({ ...page, key: `${i}`.repeat(32) }, forever)
    expect(await smtp.received(5)).toHaveLength(5)
    expect(smtp.connections).toBe(1)
  })

  test('where the server has ended an idle one, the mail leaves at once over another', async () => {
    const smtp = await server()
    const oncall = receiver(smtp.url)
    await oncall.send(page, forever)
    smtp.dropConnections()
    const startMs = performance.now()
    expect(await oncall.send(page, forever)).toMatchObject({ outcome: 'delivered' })
    expect(performance.now() - startMs).toBeLessThan(1_000)
    expect(smtp.connections).toBe(2)
  })

  test('localhost is what this machine says it is: also where the server listens on IPv6 alone', async ({ skip }) => {
    const hasIpv6 = Object.values(os.networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'))
    skip(!hasIpv6, 'this machine has no IPv6')
    const smtp = await server({ host: '::1' })
    expect(await receiver(smtp.url).send(page, forever)).toMatchObject({ outcome: 'delivered' })
  })

  test('closing leaves no connection behind', async () => {
    const smtp = await server()
    const oncall = receiver(smtp.url)
    await oncall.send(page, forever)
    oncall.close()
    await until(() => smtp.open() === 0)
  })
})

describe('encryption and logging in', () => {
  const certificate = selfSigned()

  test('STARTTLS is used where offered; on this machine a self-signed certificate is accepted', async () => {
    const smtp = await server({ ...certificate })
    await receiver(smtp.url).send(page, forever)
    expect(await smtp.received(1)).toMatchObject([{ secure: true }])
  })

  test('over STARTTLS the URL’s user logs in, never before', async () => {
    const smtp = await server({
      ...certificate,
      authOptional: false,
      onAuth: ({ username = '', password }, _session, done) =>
        password === 'open sesame' ? done(null, { user: username }) : done(new Error('wrong password')),
    })
    const url = smtp.url.replace('smtp://', 'smtp://tocsin:open%20sesame@')
    expect(await receiver(url).send(page, forever)).toMatchObject({ outcome: 'delivered' })
    expect(await smtp.received(1)).toMatchObject([{ secure: true, user: 'tocsin' }])
  })

  test('smtps:// is encrypted from the start, and the URL’s user logs in', async () => {
    const smtp = await server({
      ...certificate,
      secure: true,
      authOptional: false,
      onAuth: ({ username = '', password }, _session, done) =>
        password === 'p@ss:word' ? done(null, { user: username }) : done(new Error('wrong password')),
    })
    const url = (password: string) => smtp.url.replace('smtps://', `smtps://tocsin:${encodeURIComponent(password)}@`)
    expect(await receiver(url('p@ss:word')).send(page, forever)).toMatchObject({ outcome: 'delivered' })
    expect(await smtp.received(1)).toMatchObject([{ secure: true, user: 'tocsin' }])
    const wrong = await receiver(url('guessed')).send(page, forever)
    expect(wrong).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('wrong password') })
    expect(wrong.detail).not.toContain('guessed')
  })
})
