/**
 * Every way in which a mail server or a webhook is documented to fail, and what becomes of a page: one alerts part with a
 * receiver for each row, each with a stand-in of its own that fails as the row says, some of them only once.
 *
 *     delivered    tried again until it was taken, once
 *     fallback     told to the fallback at once, never tried again
 *     tried        still being tried, though there is a fallback
 */
import net from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSigned } from '../support/certificate.ts'
import { type HookServer, startHook } from '../support/hook.ts'
import { type ScriptedServer, type ScriptOptions, type ScriptStep, startScripted } from '../support/smtp-script.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'
import { type Road, startRoad } from './road.ts'

type End = 'delivered' | 'fallback' | 'tried'

interface Row {
  /** What the stand-in says at which step. */
  says: Partial<Record<ScriptStep, string>>
  /** How often; without it, always. */
  times?: number
  end: End
  /** What people are told of it. */
  detail: string
  options?: ScriptOptions
  user?: string
  /** `0.0.0.0` is this machine, but does not count as it: certificates are checked. */
  host?: '0.0.0.0'
  more?: string
}

const here = selfSigned()
const elsewhere = selfSigned('DNS:example.org')
const startTls = (certificate = here): ScriptOptions => ({ offers: ['STARTTLS'], certificate })

const mailRows: Record<string, Row> = {
  'greeting 421': { says: { greeting: '421 too busy' }, times: 1, end: 'delivered', detail: 'greeting: 421 too busy' },
  'greeting 554': { says: { greeting: '554 go away' }, end: 'tried', detail: 'greeting: 554 go away' },
  'greeting that never comes': { says: { greeting: 'hang' }, times: 1, end: 'delivered', detail: 'no answer in time' },
  'greeting of something else': { says: { greeting: 'HTTP/1.1 400 Bad' }, end: 'tried', detail: 'HTTP/1.1 400 Bad' },
  'EHLO 421': { says: { EHLO: '421 later' }, times: 1, end: 'delivered', detail: 'EHLO: 421 later' },
  'EHLO and HELO 550': { says: { EHLO: '550 no', HELO: '550 no' }, end: 'tried', detail: 'HELO: 550 no' },
  'MAIL 451': { says: { MAIL: '451 later' }, times: 1, end: 'delivered', detail: 'MAIL FROM: 451 later' },
  'MAIL 550': { says: { MAIL: '550 not from you' }, end: 'fallback', detail: 'MAIL FROM: 550 not from you' },
  'RCPT 450': { says: { RCPT: '450 greylisted' }, times: 1, end: 'delivered', detail: 'RCPT TO: 450 greylisted' },
  'RCPT 550': { says: { RCPT: '550 no such user' }, end: 'fallback', detail: 'RCPT TO: 550 no such user' },
  'RCPT 552, mailbox full': { says: { RCPT: '552 full' }, times: 1, end: 'delivered', detail: 'RCPT TO: 552 full' },
  // Nothing of the message was read on the kept connection, so it leaves over another one within the same try.
  'DATA 421': { says: { DATA: '421 shutting down' }, times: 1, end: 'delivered', detail: '' },
  'DATA 554': { says: { DATA: '554 no' }, end: 'fallback', detail: 'DATA: 554 no' },
  'cut in the middle of DATA': { says: { middle: 'cut' }, times: 1, end: 'delivered', detail: 'Connection closed' },
  'end of DATA 451': { says: { end: '451 disk full' }, times: 1, end: 'delivered', detail: 'DATA: 451 disk full' },
  'end of DATA 554': { says: { end: '554 spam' }, end: 'fallback', detail: 'DATA: 554 spam' },
  'end of DATA never answered': { says: { end: 'hang' }, times: 1, end: 'delivered', detail: 'no answer in time' },
  'end of DATA answered by hanging up': {
    says: { end: 'cut' },
    times: 1,
    end: 'delivered',
    detail: 'Connection closed',
  },
  'too large, and the shortened mail is taken': {
    says: { end: '552 5.3.4 too big' },
    times: 1,
    end: 'delivered',
    detail: '',
  },
  'STARTTLS 454': {
    ...{ says: { STARTTLS: '454 not now' }, times: 1, end: 'delivered', detail: 'STARTTLS: 454 not now' },
    options: startTls(),
  },
  'STARTTLS broken': {
    ...{ says: { STARTTLS: '220 go ahead\r\nno TLS at all' }, times: 1, end: 'delivered', detail: 'no answer in time' },
    options: startTls(),
  },
  'STARTTLS required but not offered': {
    ...{ says: { STARTTLS: '502 what?' }, end: 'fallback', detail: 'STARTTLS: 502 what?', more: 'tls: required' },
  },
  'a login elsewhere without STARTTLS': {
    ...{ says: { STARTTLS: '502 what?' }, end: 'fallback', detail: 'STARTTLS: 502 what?' },
    ...{ user: 'tocsin:hush-hush@', host: '0.0.0.0', options: { offers: ['AUTH PLAIN'] } },
  },
  'a certificate that is not trusted': {
    ...{ says: {}, end: 'fallback', detail: 'self-signed certificate', options: startTls(elsewhere), host: '0.0.0.0' },
  },
  'a certificate for another host': {
    ...{ says: {}, end: 'fallback', detail: "not in the cert's list", options: startTls(), host: '0.0.0.0' },
  },
  'AUTH 535': {
    ...{ says: { AUTH: '535 5.7.8 wrong password' }, end: 'fallback', detail: 'AUTH: 535 5.7.8 wrong password' },
    ...{ user: 'tocsin:hush-hush@', options: { offers: ['AUTH PLAIN'] } },
  },
  'AUTH 454': {
    ...{ says: { AUTH: '454 4.7.0 later' }, times: 1, end: 'delivered', detail: 'AUTH: 454 4.7.0 later' },
    ...{ user: 'tocsin:hush-hush@', options: { offers: ['AUTH PLAIN'] } },
  },
  'AUTH not offered': {
    ...{ says: {}, end: 'fallback', detail: 'does not offer to log in', user: 'tocsin:hush-hush@' },
  },
}

interface HookRow {
  answer: (response: import('node:http').ServerResponse) => unknown
  times?: number
  end: End
  detail: string
  /** Shortest wait that was asked for, ms. */
  waitMs?: number
}

const status = (code: number, headers: Record<string, string> = {}) => {
  return (response: import('node:http').ServerResponse) => response.writeHead(code, headers).end('its words')
}
const inAWhile = () => new Date(Date.now() + 90_000).toUTCString()

const hookRows: Record<string, HookRow> = {
  '429 with Retry-After in seconds': {
    answer: status(429, { 'retry-after': '90' }),
    end: 'tried',
    detail: 'HTTP 429',
    waitMs: 89_000,
  },
  '429 with Retry-After as a date': {
    answer: status(429, { 'retry-after': inAWhile() }),
    end: 'tried',
    detail: 'HTTP 429',
    waitMs: 60_000,
  },
  '429 with Retry-After nobody understands': {
    answer: status(429, { 'retry-after': 'soon' }),
    times: 1,
    end: 'delivered',
    detail: 'HTTP 429',
  },
  '408': { answer: status(408), times: 1, end: 'delivered', detail: 'HTTP 408' },
  '500': { answer: status(500), times: 1, end: 'delivered', detail: 'HTTP 500: its words' },
  '503 with Retry-After': {
    answer: status(503, { 'retry-after': '90' }),
    end: 'tried',
    detail: 'HTTP 503',
    waitMs: 89_000,
  },
  '400': { answer: status(400), end: 'fallback', detail: 'HTTP 400: its words' },
  '401': { answer: status(401), end: 'fallback', detail: 'HTTP 401: its words' },
  '404': { answer: status(404), end: 'fallback', detail: 'HTTP 404: its words' },
  '410': { answer: status(410), end: 'fallback', detail: 'HTTP 410: its words' },
  'a redirect': {
    answer: status(302, { location: 'http://x/y' }),
    end: 'fallback',
    detail: 'HTTP 302 to http://x/y, not followed',
  },
  'no answer': { answer: () => undefined, times: 1, end: 'delivered', detail: 'no answer in time' },
  'a connection reset': {
    answer: (response) => response.destroy(),
    times: 1,
    end: 'delivered',
    detail: 'socket hang up',
  },
  'an answer that is no HTTP': {
    answer: (response) => response.socket?.end('nonsense\r\n\r\n'),
    times: 1,
    end: 'delivered',
    detail: 'Parse Error',
  },
  'too large, and the shortened payload is taken': { answer: status(413), times: 1, end: 'delivered', detail: '' },
  'too large however short': { answer: status(413), end: 'fallback', detail: 'HTTP 413: its words' },
}

const rows: readonly (Pick<Row, 'end' | 'detail' | 'times'> & { title: string; name: string; waitMs?: number })[] = [
  ...Object.entries(mailRows).map(([title, row], i) => ({ title: `mail: ${title}`, name: `mail${i}`, ...row })),
  ...Object.entries(hookRows).map(([title, row], i) => ({ title: `webhook: ${title}`, name: `hook${i}`, ...row })),
  {
    title: 'webhook: a certificate that is not trusted',
    name: 'tls',
    end: 'fallback',
    detail: 'self-signed certificate',
  },
  { title: 'webhook: no TLS where it should be', name: 'plain', end: 'tried', detail: 'EPROTO' },
]

const scripts = new Map<string, ScriptedServer>()
const hooks = new Map<string, HookServer>()
const closing: (() => Promise<unknown> | unknown)[] = []
let net_: HookServer
let road: Road

beforeAll(async () => {
  const trusted = tls.getCACertificates('default')
  // From here on one of the two self-signed certificates is trusted, so that only its name is wrong.
  tls.setDefaultCACertificates([...trusted, here.cert])
  closing.push(() => tls.setDefaultCACertificates(trusted))
  const receivers: string[] = []
  for (const [i, row] of Object.values(mailRows).entries()) receivers.push(await mailReceiver(`mail${i}`, row))
  for (const [i, row] of Object.values(hookRows).entries()) receivers.push(await hookReceiver(`hook${i}`, row))
  receivers.push(await tlsReceivers())
  net_ = await startHook()
  receivers.push(`net: {webhook: {url: "${net_.url}"}}`)
  const routes = rows.map(({ name }) => `{match: {rule: ${name}}, receiver: ${name}}`)
  road = await startRoad(
    `receivers:\n  ${receivers.join('\n  ')}\nfallback: net\nroute: {receiver: net, routes: [${routes.join(', ')}]}`,
  )
  const nowMs = Date.now()
  await road.tick(nowMs)
  for (const { name } of rows) await road.say(transition('crit', nowMs, { rule: name }))
  await until(() => rows.every(isThere), { timeoutMs: 80_000 }).catch(() => {})
}, 100_000)

afterAll(async () => {
  await Promise.all([...scripts.values()].map((script) => script.close()))
  await road.stop()
  for (const hook of [...hooks.values(), net_]) await hook.close()
  for (const close of closing.reverse()) await close()
})

async function mailReceiver(name: string, { says, times, options = {}, user = '', host, more }: Row): Promise<string> {
  const script = await startScripted({ ...options, host: host ?? '127.0.0.1' })
  scripts.set(name, script)
  const counts = new Map<string, number>()
  script.answer = (step) => {
    const count = (counts.get(step) ?? 0) + 1
    counts.set(step, count)
    // A connection is kept ready to a server on this machine, so the first of all is not the first that is sent over.
    const isBefore = step === 'MAIL' || step === 'RCPT' || step === 'DATA' || step === 'middle' || step === 'end'
    return times !== undefined && count > times + (isBefore ? 0 : 1) ? undefined : says[step]
  }
  const url = `smtp://${user}${host ?? '127.0.0.1'}:${script.port}`
  const settings = [
    'to: oncall@example.org',
    `smtp: "${url}"`,
    `timeout: ${patience(Object.values(says))}`,
    ...(more ? [more] : []),
  ]
  return `${name}: {email: {${settings.join(', ')}}}`
}

/** Only who is left hanging is not waited for: other answers may come late on a busy machine. */
function patience(says: readonly string[]): string {
  return says.some((text) => text === 'hang' || text.includes('no TLS')) ? '1s' : '20s'
}

async function hookReceiver(name: string, { answer, times, detail }: HookRow): Promise<string> {
  const hook = await startHook()
  hooks.set(name, hook)
  hook.answer = (_posted, response) => {
    if (times !== undefined && hook.posts.length > times) response.writeHead(204).end()
    else answer(response)
  }
  return `${name}: {webhook: {url: "${hook.url}", timeout: ${detail === 'no answer in time' ? '1s' : '20s'}}}`
}

async function tlsReceivers(): Promise<string> {
  const secure = tls.createServer({ ...elsewhere }, (socket) => socket.destroy()).on('tlsClientError', () => {})
  const plain = net.createServer((socket) => socket.on('error', () => {}).end('hello\r\n'))
  const ports: number[] = []
  for (const server of [secure, plain]) {
    server.listen(0, '127.0.0.1')
    await until(() => server.listening)
    ports.push((server.address() as net.AddressInfo).port)
    closing.push(() => server.close())
  }
  return ['tls', 'plain'].map((name, i) => `${name}: {webhook: {url: "https://127.0.0.1:${ports[i]}/"}}`).join('\n  ')
}

const receiptsOf = (name: string) => road.receipts.filter(({ receiver }) => receiver === name)
const atTheNet = (name: string) =>
  net_.posts.map(({ body }) => JSON.parse(String(body))).filter(({ rule }) => rule === name)
const outcomes = (name: string) => receiptsOf(name).map(({ outcome, fallback = '' }) => `${outcome} ${fallback}`.trim())

function isThere({ name, end }: (typeof rows)[number]): boolean {
  if (end === 'fallback') return atTheNet(name).length > 0
  return outcomes(name).includes(end === 'delivered' ? 'delivered' : 'failed')
}

describe('what becomes of a page', () => {
  test.each(rows.map((row) => [row.title, row.end, row] as const))(
    '%s: %s',
    (_title, end, { name, detail, waitMs }) => {
      const all = outcomes(name)
      const first = receiptsOf(name)[0]
      expect(all.length, 'a receipt for each try').toBeGreaterThan(0)
      if (detail !== '') {
        expect(first?.detail).toContain(detail)
        expect(road.logged.join(''), 'said once, when it began').toContain(`${name} does not take notifications: `)
      }
      expect(road.logged.join('') + JSON.stringify(road.receipts)).not.toContain('hush-hush')
      if (end === 'delivered') {
        expect(all.at(-1)).toBe('delivered')
        expect(all.slice(0, -1).every((outcome) => outcome === 'failed')).toBe(true)
        expect(atTheNet(name)).toEqual([])
      }
      if (end === 'fallback') {
        expect(all).toEqual(['dead net'])
        expect(atTheNet(name)).toMatchObject([
          { insteadOf: [{ receiver: name, detail: expect.stringContaining(detail) }] },
        ])
      }
      if (end === 'tried') {
        expect(new Set(all)).toEqual(new Set(['failed']))
        expect((first?.retryMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(waitMs ?? 500)
        expect(atTheNet(name)).toEqual([])
      }
    },
  )

  test('nothing is taken twice: every try of a page has its one key, and a mail server took each key once', () => {
    for (const [name, { taken }] of scripts) {
      const key = receiptsOf(name)[0]?.key
      expect(
        taken.every((id) => id.includes(key ?? '?')),
        name,
      ).toBe(true)
      expect(new Set(taken).size, name).toBe(outcomes(name).includes('delivered') ? 1 : 0)
    }
    for (const [name, { posts }] of hooks) {
      expect(new Set(posts.map(({ headers }) => headers['idempotency-key'])).size, name).toBe(1)
    }
  })

  test('all of it is counted', async () => {
    const fallbacks = rows.filter(({ end }) => end === 'fallback').length
    const failures = () => road.receipts.filter(({ outcome }) => outcome !== 'delivered').length
    const latest = () => road.statuses.at(-1)?.counters ?? {}
    await until(() => latest().fallback_total === fallbacks && latest().failed_total === failures())
    const counters = latest()
    expect(counters.dead_total).toBe(0)
    expect(counters.shortened_total).toBe(3)
    expect(counters.retries_total).toBeGreaterThanOrEqual(
      rows.filter(({ end, detail }) => end === 'delivered' && detail).length,
    )
    expect(road.statuses.at(-1)?.problem).toContain('does not take notifications: HTTP 503: its words')
  })
})
