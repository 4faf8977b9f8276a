import { afterEach, describe, expect, test } from 'vitest'
import { inFlightMax } from '../../service/app.ts'
import { browserid } from '../../service/browserid.ts'
import { dbwriter } from '../../service/dbwriter.ts'
import { keysigner } from '../../service/keysigner.ts'
import { router } from '../../service/router.ts'
import { staticPages } from '../../service/static.ts'
import { verifier } from '../../service/verifier.ts'
import { until } from '../support/until.ts'
import { type RunningService, startService } from './support.ts'

let service: RunningService
afterEach(() => service.close())

const assertion = (expires: number) =>
  Buffer.from(JSON.stringify({ email: 'a@example.org', expires })).toString('base64url')
const statuses = (count: number, path = '/') =>
  Promise.all(Array.from({ length: count }, async () => (await service.ask('static', path)).status))

describe('heartbeat', () => {
  test('is 200 ok', async () => {
    service = await startService([staticPages])
    expect(await service.ask('static', '/__heartbeat__')).toEqual({ status: 200, text: 'ok' })
    expect(await service.ask('static', '/__heartbeat__?deep')).toEqual({ status: 200, text: 'ok' })
  })

  test('a deep one asks the dependencies and says which are bad, a shallow one does not', async () => {
    service = await startService([router, browserid, dbwriter])
    expect(await service.ask('router', '/__heartbeat__')).toEqual({ status: 200, text: 'ok' })
    expect(await service.ask('router', '/__heartbeat__?deep')).toEqual({
      status: 500,
      text: 'bad: keysigner (connection refused)',
    })
  })

  test('a dependency that hangs is named as well', async () => {
    service = await startService([verifier, browserid])
    await service.break('browserid', { kind: 'hang' })
    const { status, text } = await service.ask('verifier', '/__heartbeat__?deep')
    expect({ status, text }).toEqual({ status: 500, text: 'bad: browserid (no answer within 5s)' })
  })
})

describe('a process that is broken on purpose', () => {
  test('5xx: exactly the given share of the requests fails, and the heartbeat stays well', async () => {
    service = await startService([staticPages])
    await service.break('static', { kind: '5xx', share: 0.25 })
    const got = await statuses(40)
    expect(got.filter((status) => status === 503)).toHaveLength(10)
    expect(got.filter((status) => status === 200)).toHaveLength(30)
    expect((await service.ask('static', '/__heartbeat__')).status).toBe(200)
  })

  test('slow: each request takes that much longer', async () => {
    service = await startService([staticPages])
    await service.break('static', { kind: 'slow', ms: 150 })
    const startedMs = performance.now()
    expect((await service.ask('static', '/')).status).toBe(200)
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(149)
  })

  test('hang: nothing is answered, the heartbeat neither; healing lets those go on who still wait', async () => {
    service = await startService([staticPages])
    await service.break('static', { kind: 'hang' })
    const asked = [service.ask('static', '/'), service.ask('static', '/__heartbeat__')]
    const first = await Promise.race([...asked, service.ask('static', '/__break__')])
    expect(JSON.parse(first.text)).toMatchObject({ broken: true, kind: 'hang' })
    await service.break('static', { kind: 'heal' })
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200])
  })

  test('dependency: calls that need it fail, a deep heartbeat tells, a shallow one does not', async () => {
    service = await startService([browserid])
    await service.break('browserid', { kind: 'dependency' })
    expect((await service.ask('browserid', '/wsapi/list_emails')).status).toBe(503)
    expect((await service.ask('browserid', '/__heartbeat__')).status).toBe(200)
    expect(await service.ask('browserid', '/__heartbeat__?deep')).toEqual({
      status: 500,
      text: 'bad: database (database does not answer)',
    })
  })

  test('kill: the supervisor is asked to kill it for that long', async () => {
    service = await startService([staticPages])
    expect((await service.break('static', { kind: 'kill', forMs: 7000 })).status).toBe(200)
    await until(() => service.kills.length > 0)
    expect(service.kills).toEqual([7000])
  })

  test('heals by itself when its time is over', async () => {
    service = await startService([staticPages])
    await service.break('static', { kind: '5xx', share: 1, forMs: 300 })
    expect((await service.ask('static', '/')).status).toBe(503)
    await until(async () => (await service.ask('static', '/')).status === 200)
    expect(JSON.parse((await service.ask('static', '/__break__')).text)).toEqual({ broken: false })
  })

  test('a new fault takes the place of the former one', async () => {
    service = await startService([staticPages])
    await service.break('static', { kind: 'hang' })
    await service.break('static', { kind: '5xx', share: 1 })
    expect((await service.ask('static', '/')).status).toBe(503)
  })

  test.each([
    ['an unknown kind', { kind: '6xx' }, 'kind: expected 5xx, slow, hang, kill, dependency or heal'],
    ['a share above 1', { kind: '5xx', share: 50 }, 'share: expected more than 0 and at most 1'],
    ['a share of nothing', { kind: '5xx', share: 0 }, 'share: expected more than 0'],
    ['a delay of a day', { kind: 'slow', ms: 86_400_000 }, 'ms: expected 1 to 60000'],
    ['a word that it does not know', { kind: 'hang', until: 'noon' }, 'there is no'],
    [
      'several problems, all of them said',
      { kind: 'hang', ms: '5', forMs: 0 },
      'ms: expected 1 to 60000; forMs: expected 1 to 3600000',
    ],
    ['no body at all', '', 'expected'],
  ])('refuses %s and stays as it is', async (_what, body, message) => {
    service = await startService([staticPages])
    const { status, text } = await service.break('static', body)
    expect(status).toBe(400)
    expect(text).toContain(message)
    expect((await service.ask('static', '/')).status).toBe(200)
  })
})

describe('an overloaded process', () => {
  test('answers 503 at once, its heartbeat says bad, and it is well again when the load has gone', async () => {
    service = await startService([staticPages])
    await service.break('static', { kind: 'slow', ms: 1500 })
    const asked = statuses(inFlightMax)
    await until(async () => (await service.ask('static', '/__heartbeat__')).text === 'bad', { timeoutMs: 1400 })
    expect(await statuses(3)).toEqual([503, 503, 503])
    expect(new Set(await asked)).toEqual(new Set([200]))
    expect((await service.ask('static', '/__heartbeat__')).text).toBe('ok')
  })
})

describe('the routes', () => {
  test('an assertion is okay until it expires, and malformed ones are a failure, not an error', async () => {
    service = await startService([verifier])
    const verify = async (text: string) =>
      JSON.parse((await service.ask('verifier', '/verify', { assertion: text, audience: 'a' })).text)
    expect(await verify(assertion(4_102_444_800_000))).toMatchObject({ status: 'okay', email: 'a@example.org' })
    expect(await verify(assertion(1))).toMatchObject({ status: 'failure', reason: 'assertion has expired' })
    for (const text of ['', '!', 'bnVsbA', 'W10']) {
      expect(await verify(text)).toMatchObject({ status: 'failure', reason: 'malformed assertion' })
    }
    expect((await service.ask('verifier', '/verify', {})).status).toBe(400)
  })

  test('bad JSON and a body that is too large are the caller’s fault', async () => {
    service = await startService([verifier])
    expect((await service.ask('verifier', '/verify', '{"assertion":')).status).toBe(400)
    expect((await service.ask('verifier', '/verify', { assertion: 'x'.repeat(20_000) })).status).toBe(413)
    expect((await service.ask('verifier', '/__heartbeat__')).status).toBe(200)
  })

  test('the router passes on what comes back, 503 for what cannot be reached, and 504 for what hangs', async () => {
    service = await startService([router, dbwriter, browserid])
    const wrong = await service.ask('router', '/wsapi/authenticate_user', { pass: 'wrong' })
    expect(wrong).toEqual({ status: 401, text: '{"success":false}' })
    expect((await service.ask('router', '/wsapi/cert_key', {})).status).toBe(503)
    await service.break('browserid', { kind: 'hang' })
    expect((await service.ask('router', '/wsapi/list_emails')).status).toBe(504)
  })

  test('certificates are signed', async () => {
    service = await startService([keysigner])
    const { text } = await service.ask('keysigner', '/wsapi/cert_key', { email: 'a@example.org', pubkey: 'key' })
    expect(JSON.parse(text)).toMatchObject({ success: true, cert: expect.stringMatching(/^[\w-]+\.[\w-]+$/) })
  })
})
