/** Who may read and command: tokens, sessions of the login page, and what another site's page must not do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Attempts, addressesMax, failuresMax, perFailureMs } from '../../src/dashboards/attempts.ts'
import { type Deed, deeds, may, type Role } from '../../src/dashboards/roles.ts'
import { ageMsMax, idleMsMax, Sessions, sessionsMax } from '../../src/dashboards/sessions.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { type Feed, openFeed } from '../support/console-feed.ts'
import { until } from '../support/until.ts'

let feed: Feed
const token = (name: string) => `0123456789abcdef-${name}`
const tokens = `  tokens:
    eve: {token: ${token('eve')}, role: viewer}
    ann: {token: ${token('ann')}, role: responder}
    bob: {token: ${token('bob')}, role: responder}
    root: {token: ${token('root')}, role: admin}
    ci: {token: ${token('ci')}, role: events}`

afterEach(() => feed?.stop())

interface Asked {
  method?: string
  body?: unknown
  headers?: Record<string, string>
}

async function ask(address: string, { method = 'GET', body, headers = {} }: Asked = {}) {
  const response = await fetch(`${feed.url}${address}`, {
    method,
    redirect: 'manual',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const error = text.startsWith('{') ? (JSON.parse(text) as { error?: string }).error : undefined
  return { status: response.status, headers: response.headers, text, error }
}

const bearer = (name: string) => ({ authorization: `Bearer ${token(name)}` })
const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`any:${token(name)}`).toString('base64')}` })
const own = () => ({ origin: feed.url, 'sec-fetch-site': 'same-origin', 'x-tocsin-page': '1' })
const silence = { matchers: { rule: 'a' }, reason: 'x', for: '1h' }

async function logIn(name: string): Promise<{ cookie: string }> {
  const { status, headers } = await ask('/api/session', { method: 'POST', body: { token: token(name) } })
  expect(status).toBe(201)
  return { cookie: (headers.get('set-cookie') ?? '').split(';')[0] ?? '' }
}

describe('where reading needs tokens', () => {
  beforeEach(async () => {
    feed = await openFeed({ dashboards: `  reading: tokens\n${tokens}` })
  })
  const addresses = ['/api/alerts', '/api/stream', '/api/audit', '/events', '/alerts.json', '/', '/rules/a', '/nothing']

  test.each(addresses)('%s is closed to strangers, with the cure', async (address) => {
    const { status, error } = await ask(address)
    expect([status, error]).toEqual([
      401,
      'reading needs a token here: "Authorization: Bearer <token>", or log in at /login',
    ])
    expect((await ask(address, { headers: { authorization: 'Bearer wrong' } })).error).toBe('this token is not known')
    expect((await ask(address, { headers: { cookie: 'tocsin_session=wrong' } })).status).toBe(401)
    expect((await ask(`${address}?token=${token('eve')}`)).status).toBe(401)
  })

  test.each(['/healthz', '/readyz', '/metrics', '/api/session'])('%s stays open', async (address) => {
    expect((await ask(address)).status).not.toBe(401)
  })

  test('a bearer token, Basic authentication and a session read; a token of role events does not', async () => {
    for (const headers of [bearer('eve'), basic('eve'), await logIn('eve')]) {
      expect((await ask('/api/alerts', { headers })).status).toBe(200)
      expect((await ask('/alerts.json', { headers })).status).toBe(200)
    }
    expect(await ask('/api/alerts', { headers: bearer('ci') })).toMatchObject({
      ...{ status: 403, error: 'ci may post events and may not read' },
    })
    expect((await ask('/events', { method: 'POST', body: { name: 'deploy' }, headers: bearer('ci') })).status).toBe(201)
  })

  test('a browser is led to the login page and back', async () => {
    const { status, headers } = await ask('/rules/a?group=b', { headers: { accept: 'text/html,*/*;q=0.8' } })
    expect([status, headers.get('location')]).toEqual([303, '/login?next=%2Frules%2Fa%3Fgroup%3Db'])
  })

  test('a stream ends when its session does', async () => {
    const session = await logIn('eve')
    const response = await fetch(`${feed.url}/api/stream`, { headers: session })
    expect(response.status).toBe(200)
    const ended = response.text()
    expect((await ask('/api/session', { method: 'DELETE', headers: { ...session, ...own() } })).status).toBe(200)
    await ended
    expect((await ask('/api/alerts', { headers: session })).status).toBe(401)
  })
})

describe('a session', () => {
  beforeEach(async () => {
    feed = await openFeed({ dashboards: `${tokens}\n  behindProxy: true` })
  })
  const command = (headers: Record<string, string>) =>
    ask('/api/silences', { method: 'POST', body: silence, headers }).then(({ status }) => status)

  test('is a cookie that scripts cannot read and other sites do not send, over https only where https is', async () => {
    const post = (headers: Record<string, string>) =>
      ask('/api/session', { method: 'POST', body: { token: token('ann') }, headers })
    const plain = (await post({})).headers.get('set-cookie') ?? ''
    expect(plain).toMatch(/^tocsin_session=[\w-]{43}; .*HttpOnly; SameSite=Strict$/)
    expect((await post({ 'x-forwarded-proto': 'https' })).headers.get('set-cookie')).toContain('; Secure')
  })

  test('commands in the name of the token from the console’s own page, and from no other', async () => {
    const session = await logIn('ann')
    expect(await command({ ...session, ...own() })).toBe(201)
    const { origin } = own()
    expect(await command({ ...session, origin, 'x-tocsin-page': '1' })).toBe(201)
    const forged: Record<string, string>[] = [
      {},
      { origin },
      { 'x-tocsin-page': '1' },
      { ...own(), origin: 'https://evil.example' },
      { ...own(), origin: 'null' },
      { ...own(), 'sec-fetch-site': 'cross-site' },
      { ...own(), 'sec-fetch-site': 'same-site' },
    ]
    for (const headers of forged) expect(await command({ ...session, ...headers }), JSON.stringify(headers)).toBe(403)
    expect(await command({ ...session, ...own(), 'content-type': 'application/x-www-form-urlencoded' })).toBe(415)
    expect(await command(bearer('ann'))).toBe(201)
    expect(await command(basic('ann'))).toBe(403)
  })

  test('ends when its token is replaced or taken away', async () => {
    const session = await logIn('ann')
    const name = async () => JSON.parse((await ask('/api/session', { headers: session })).text).name
    expect(await name()).toBe('ann')
    const { dashboards } = feed.config
    const ann = { token: token('other'), role: 'responder' as const }
    const changed = { ...dashboards, tokens: { ...dashboards.tokens, ann } }
    await feed.part.reload?.({ ...feed.config, dashboards: changed })
    expect(await name()).toBeUndefined()
    expect(await command({ ...session, ...own() })).toBe(401)
  })

  test('is not given for a wrong token, and guessing is slowed by address', async () => {
    const guess = (text: unknown, from = '10.0.0.1') =>
      ask('/api/session', { method: 'POST', body: { token: text }, headers: { 'x-forwarded-for': from } })
    for (let count = 0; count < failuresMax; count++) expect((await guess(`wrong${count}`)).status).toBe(401)
    expect((await guess(token('ann'))).status).toBe(429)
    expect((await guess(token('ann'), '10.0.0.2')).status).toBe(201)
    expect((await guess(42, '10.0.0.2')).status).toBe(401)
    expect((await guess(token('ci'), '10.0.0.2')).status).toBe(403)
  })

  test('cannot be opened for a person by another site', async () => {
    const asked = { method: 'POST', body: { token: token('ann') }, headers: { origin: 'https://evil.example' } }
    expect((await ask('/api/session', asked)).status).toBe(403)
  })
})

describe('roles', () => {
  const allowed: Record<Deed, string> = {
    'post events': '                 .     E         R       A',
    acknowledge: '                   .     .         R       A',
    'take an acknowledgement back': '.     .         R       A',
    'write notes': '                 .     .         R       A',
    silence: '                       .     .         R       A',
    'extend a silence': '            .     .         R       A',
    'end a silence': '               .     .         R       A',
    'plan maintenance': '            .     .         R       A',
    'end maintenance': '             .     .         R       A',
    'change what somebody else set': '.    .         .       A',
    'send dead letters again': '     .     .         .       A',
    'dismiss dead letters': '        .     .         .       A',
  }
  const roles: readonly Role[] = ['viewer', 'events', 'responder', 'admin']
  const command = (name: string, address: string, method = 'POST', body: unknown = silence) =>
    ask(address, { method, body, headers: bearer(name) }).then(({ status }) => status)

  test.each(deeds)('%s', (deed) => {
    const row = (allowed[deed] ?? '').trim().split(/\s+/)
    expect(roles.map((role) => may(role, deed))).toEqual(row.map((mark) => mark !== '.'))
  })

  test('are asked for each command of the API', async () => {
    feed = await openFeed({ dashboards: tokens })
    const commands: [method: string, address: string, least: 'responder' | 'admin'][] = [
      ['POST', '/api/alerts/a/acknowledge', 'responder'],
      ['DELETE', '/api/alerts/a/acknowledge', 'responder'],
      ['POST', '/api/alerts/a/note', 'responder'],
      ['POST', '/api/silences', 'responder'],
      ['POST', '/api/silences/x/extend', 'responder'],
      ['DELETE', '/api/silences/x', 'responder'],
      ['POST', '/api/maintenance', 'responder'],
      ['DELETE', '/api/maintenance/x', 'responder'],
      ['POST', '/api/dead-letters/x/retry', 'admin'],
      ['DELETE', '/api/dead-letters/x', 'admin'],
    ]
    for (const [method, address, least] of commands) {
      const isRefused = async (name: string) => (await command(name, address, method, {})) === 403
      const refused = [await isRefused('eve'), await isRefused('ci'), await isRefused('ann'), await isRefused('root')]
      expect(refused, `${method} ${address}`).toEqual([true, true, least === 'admin', false])
    }
  })

  test('let a responder change its own silences, and an admin everybody’s', async () => {
    feed = await openFeed({ dashboards: tokens })
    const made = await ask('/api/silences', { method: 'POST', body: silence, headers: bearer('ann') })
    const { id } = JSON.parse(made.text).silence
    const extend = `/api/silences/${id}/extend`
    expect(await command('bob', extend, 'POST', { for: '1h' })).toBe(403)
    expect(await command('bob', `/api/silences/${id}`, 'DELETE')).toBe(403)
    expect(await command('ann', extend, 'POST', { for: '1h' })).toBe(200)
    expect(await command('root', `/api/silences/${id}`, 'DELETE')).toBe(200)
    await until(async () => (await ask('/api/silences')).text.includes('ended by root'))
  })
})

describe('bounds', () => {
  test('a session ends when it is not used, and at last in any case', async () => {
    const clock = new ManualClock(0)
    const sessions = new Sessions(clock, new Stats())
    const hash = Buffer.alloc(32)
    const idle = sessions.open('ann', hash)
    await clock.advanceTo(idleMsMax + 1)
    expect(sessions.use(idle)).toBeUndefined()
    const used = sessions.open('ann', hash)
    const step = idleMsMax / 2
    const endMs = clock.now() + ageMsMax
    while (clock.now() + step <= endMs) {
      await clock.advanceTo(clock.now() + step)
      expect(sessions.use(used)?.name).toBe('ann')
    }
    await clock.advanceTo(endMs + 1)
    expect(sessions.use(used)).toBeUndefined()
  })

  test('over the most sessions, the one used longest ago ends, counted', () => {
    const stats = new Stats()
    const sessions = new Sessions(new ManualClock(0), stats)
    const ids = Array.from({ length: sessionsMax }, () => sessions.open('ann', Buffer.alloc(32)))
    sessions.use(ids[0] as string)
    sessions.open('ann', Buffer.alloc(32))
    expect(sessions.use(ids[0] as string)).toBeDefined()
    expect(sessions.use(ids[1] as string)).toBeUndefined()
    expect(stats.snapshot().sessions_dropped_total).toBe(1)
  })

  test('wrong tokens are forgiven one by one, and addresses are forgotten over the bound', async () => {
    const clock = new ManualClock(0)
    const attempts = new Attempts(clock)
    for (let count = 0; count < failuresMax; count++) attempts.fail('a')
    expect(attempts.mayTry('a')).toBe(false)
    await clock.advanceTo(perFailureMs)
    expect(attempts.mayTry('a')).toBe(true)
    attempts.fail('a')
    expect(attempts.mayTry('a')).toBe(false)
    for (let count = 0; count < addressesMax; count++) attempts.fail(`b${count}`)
    expect(attempts.mayTry('a')).toBe(true)
  })
})

test('reading by tokens with nobody who could read is refused at load', async () => {
  const wrong = '  reading: tokens\n  tokens: {ci: {token: 0123456789abcdef-ci, role: events}}'
  await expect(openFeed({ dashboards: wrong })).rejects.toThrow(/reading: nobody could read/)
})
