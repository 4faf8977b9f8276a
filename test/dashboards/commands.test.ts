/** What people ask of alerts through the console's API, over a real bus, with a real alerts part that decides. */
import fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startAlerts } from '../../src/alerts/index.ts'
import type { Part } from '../../src/bus/part.ts'
import { openApi } from '../../src/dashboards/openapi.ts'
import type { AlertDetailView, AlertView, AuditView, SilenceView } from '../../src/dashboards/view.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Feed, type FeedOptions, openFeed } from '../support/console-feed.ts'
import { type Given, transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

let feed: Feed
let alerts: Part | undefined
const receivers = 'alerts: {receivers: {ops: {webhook: {url: "http://127.0.0.1:9/"}}}}'

async function open(options: FeedOptions = {}): Promise<void> {
  feed = await openFeed({ settings: receivers, ...options })
  const { bus, config } = feed
  const context = { bus, clock: systemClock, log: silentLog, instance: 'host1-alerts', host: 'host1' }
  alerts = await startAlerts(config, context)
}

afterEach(async () => {
  await alerts?.stop()
  alerts = undefined
  await feed.stop()
})

async function ask<T>(method: string, address: string, body?: unknown, headers: Record<string, string> = {}) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(`${feed.url}${address}`, {
    method,
    headers: { ...json, ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as T & { error: string } }
}

const list = async (query = '') => (await feed.get<{ alerts: AlertView[] }>(`/api/alerts${query}`)).body.alerts
const addressOf = (group: string) => `/api/alerts/${encodeURIComponent(`http_5xx_spike/${group}`)}`
const detail = async (group: string) => (await feed.get<AlertDetailView>(addressOf(group))).body
const silences = async () => (await feed.get<{ silences: SilenceView[] }>('/api/silences')).body.silences

async function fire(group = 'verifier', given: Given = {}): Promise<void> {
  const message = transition('crit', systemClock.now(), { group, ...given })
  await feed.bus.publish(`transitions.${message.rule}`, message)
  await until(async () => (await list()).some(({ groupKey, rule }) => groupKey === group && rule === message.rule))
}

describe('an alert', () => {
  beforeEach(() => open())

  test('tells why who was told, and what was said of it', async () => {
    await fire()
    const acknowledged = await ask<AlertDetailView>('POST', `${addressOf('verifier')}/acknowledge`, {
      ...{ note: 'on it', for: '2h', by: 'ann' },
    })
    expect(acknowledged.status).toBe(200)
    expect(acknowledged.body.alert.acknowledged).toMatchObject({ by: 'ann', note: 'on it', sticky: false })
    expect((await list('?state=acknowledged')).length).toBe(1)
    expect(await list('?state=unhandled')).toEqual([])
    await ask('POST', `${addressOf('verifier')}/note`, { text: 'a bad deploy', by: 'bob' })
    const { decisions, notes, transitions } = await until(async () => {
      const now = await detail('verifier')
      return now.decisions.length === 3 && now
    })
    expect(decisions.map(({ notify, reason, receivers }) => [notify, reason, receivers])).toEqual([
      [false, 'note by bob', []],
      [false, 'acknowledge by ann', []],
      [true, 'raised', ['ops']],
    ])
    expect(notes).toMatchObject([{ by: 'bob', text: 'a bad deploy' }])
    expect(transitions).toHaveLength(1)
    const back = await ask<AlertDetailView>('DELETE', `${addressOf('verifier')}/acknowledge`)
    expect(back.body.alert.acknowledged).toBeUndefined()
    expect(await ask('DELETE', `${addressOf('verifier')}/acknowledge`)).toMatchObject({ status: 409 })
  })

  test('in silence was not told, by the silence that stands in the reason, and is after its end', async () => {
    const matchers = { process: 'ver*' }
    const { status, body } = await ask<{ silence: SilenceView }>('POST', '/api/silences', {
      ...{ matchers, reason: 'deploy', for: '2h', by: 'ann' },
    })
    expect(status).toBe(201)
    expect(body.silence).toMatchObject({ matchers, reason: 'deploy', by: 'ann', state: 'active', hides: 0 })
    await fire()
    expect((await list('?state=silenced'))[0]?.silenced).toMatchObject({ id: body.silence.id, by: 'ann' })
    const { decisions } = await until(async () => {
      const now = await detail('verifier')
      return now.decisions.length === 1 && now
    })
    expect(decisions[0]?.reason).toMatch(
      new RegExp(`^silenced by silence ${body.silence.id} \\(ann, until 20.* UTC\\)$`),
    )
    expect((await silences())[0]?.hides).toBe(1)
    const ended = await ask<{ silence: SilenceView }>('DELETE', `/api/silences/${body.silence.id}`)
    expect(ended.body.silence).toMatchObject({ state: 'ended', endedWhy: 'ended by console' })
    const told = await until(async () => (await detail('verifier')).decisions.find(({ notify }) => notify))
    expect(told).toMatchObject({ receivers: ['ops'], reason: expect.stringContaining('still firing after silence') })
    expect(await ask('DELETE', `/api/silences/${body.silence.id}`)).toMatchObject({ status: 409 })
    expect(await ask('DELETE', '/api/silences/none')).toMatchObject({ status: 404 })
  })

  test('is found by state, rule, group, tag and words', async () => {
    await fire('verifier', { tags: { team: 'core' } })
    await fire('web/web1', { rule: 'slow' })
    const groups = async (query: string) => (await list(query)).map(({ groupKey }) => groupKey).sort()
    expect(await groups('?state=firing')).toEqual(['verifier', 'web/web1'])
    expect(await groups('?rule=http_*')).toEqual(['verifier'])
    expect(await groups('?group=web/*')).toEqual(['web/web1'])
    expect(await groups('?group=host=web1')).toEqual(['web/web1'])
    expect(await groups('?tag=team=c*')).toEqual(['verifier'])
    expect(await groups('?text=SLOW%20fail')).toEqual(['web/web1'])
    expect(await groups('?state=resolved')).toEqual([])
    expect(await groups('?limit=1')).toHaveLength(1)
    expect((await feed.get('/api/alerts?state=odd')).status).toBe(400)
    expect((await feed.get(addressOf('nobody'))).status).toBe(404)
  })

  test('what was said is still known after the console was started again', async () => {
    await fire()
    await ask('POST', `${addressOf('verifier')}/acknowledge`, { by: 'ann' })
    await feed.restart()
    expect((await list())[0]?.acknowledged?.by).toBe('ann')
    const { commands } = (await feed.get<{ commands: AuditView[] }>('/api/audit')).body
    expect(commands).toMatchObject([{ kind: 'acknowledge', by: 'ann' }])
  })
})

describe('a silence', () => {
  beforeEach(() => open())

  test('is previewed before it is made', async () => {
    await fire('verifier')
    await fire('router')
    const { body } = await feed.get<{ total: number; isEverything: boolean; alerts: AlertView[] }>(
      '/api/silences/preview?match=rule=http_*&match=process=r*',
    )
    expect(body).toMatchObject({ total: 1, isEverything: false, alerts: [{ groupKey: 'router' }] })
    expect((await feed.get('/api/silences/preview')).status).toBe(400)
    expect((await feed.get('/api/silences/preview?match=rule')).status).toBe(400)
  })

  test.each([
    ['everything', { matchers: { rule: '*' }, for: '1h' }, 'matches every alert'],
    ['crit for a week', { matchers: { rule: 'a' }, for: '7d' }, 'critical alerts for a week or longer'],
    ['every critical alert', { matchers: { severity: 'crit' }, for: '1h' }, 'matches every critical alert'],
  ])('that hides %s has to be confirmed', async (_what, given, why) => {
    const refused = await ask('POST', '/api/silences', { reason: 'x', ...given })
    expect(refused).toMatchObject({ status: 409, body: { error: expect.stringContaining(why) } })
    expect(refused.body.error).toContain('"confirm": true')
    expect((await ask('POST', '/api/silences', { reason: 'x', ...given, confirm: true })).status).toBe(201)
  })

  test('of warnings may last longer unasked', async () => {
    const given = { matchers: { rule: 'a', severity: 'warn' }, reason: 'x', for: '8d' }
    expect((await ask('POST', '/api/silences', given)).status).toBe(201)
  })

  test.each([
    [{}, 'matchers: expected patterns by name'],
    [{ matchers: { rule: 'a' }, for: '1h' }, 'reason: expected a text'],
    [{ matchers: { rule: 'a' }, reason: 'x' }, 'for: expected how long it lasts, such as "2h"'],
    [{ matchers: { rule: 'a' }, reason: 'x', for: 'soon' }, 'for: expected a duration such as "2h", got "soon"'],
    [{ matchers: { rule: 'a' }, reason: 'x', for: '1h', til: 1 }, 'til: there is no such argument'],
    ['{"matchers":', 'cannot be read'],
    ['[]', 'expected a JSON object'],
  ])('as %j is refused with the reason', async (body, error) => {
    const refused = await ask('POST', '/api/silences', body)
    expect(refused).toMatchObject({ status: 400, body: { error: expect.stringContaining(error) } })
    expect(await silences()).toEqual([])
  })
})

describe('who may command', () => {
  const good = { matchers: { rule: 'a' }, reason: 'x', for: '1h' }
  const tokens = `  tokens:
    ann: {token: 0123456789abcdef-ann, role: responder}
    eve: {token: 0123456789abcdef-eve, role: viewer}`

  test('a page of another site may not, nor anything that a form can send, nor under a foreign name', async () => {
    await open()
    const as = async (headers: Record<string, string>) => (await ask('POST', '/api/silences', good, headers)).status
    expect(await as({ origin: 'http://evil.example' })).toBe(403)
    expect(await as({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await as({ 'content-type': 'text/plain' })).toBe(415)
    expect(await as({ origin: feed.url, 'sec-fetch-site': 'same-origin' })).toBe(201)
  })

  test('with tokens: a responder in its name, a viewer not, nobody without; reading needs none', async () => {
    await open({ dashboards: tokens })
    const as = (token: string) => ask<{ silence: SilenceView }>('POST', '/api/silences', good, { authorization: token })
    expect((await ask('POST', '/api/silences', good)).status).toBe(401)
    expect((await as('Bearer wrong')).status).toBe(401)
    expect(await as('Bearer 0123456789abcdef-eve')).toMatchObject({
      status: 403,
      body: { error: 'eve is a viewer and may not silence; that needs role responder' },
    })
    expect((await as('Bearer 0123456789abcdef-ann')).body.silence.by).toBe('ann')
    expect(await silences()).toHaveLength(1)
  })

  test('a body of more than 64 kB is refused', async () => {
    await open()
    const long = { ...good, reason: 'x'.repeat(70_000) }
    expect((await ask('POST', '/api/silences', long)).status).toBe(413)
  })
})

describe('the description', () => {
  test('names every address and method that the API has, and no other', async () => {
    await open()
    const described = (await feed.get<typeof openApi>('/api/openapi.json')).body
    expect(described).toEqual(JSON.parse(JSON.stringify(openApi)))
    for (const [address, methods] of Object.entries(described.paths)) {
      for (const method of ['get', 'post', 'delete']) {
        const real = address.replace('{name}', 'x').replace('{id}', 'x').replace('{fingerprint}', 'x')
        const response = await fetch(`${feed.url}${real}`, {
          ...{ method: method.toUpperCase(), headers: { 'content-type': 'application/json' } },
          ...(method === 'post' && { body: '{}' }),
        })
        const isThere = response.status !== 405 && !(await firstWords(response)).includes('no such address in the API')
        expect(isThere, `${method} ${address}`).toBe(method in methods)
      }
    }
  })

  test('leaves no route of the sources out', async () => {
    await open()
    const sources = ['routes.ts', 'command-routes.ts', 'mute-routes.ts', 'event-routes.ts', 'session-routes.ts'].map(
      (name) => fs.readFileSync(`src/dashboards/${name}`, 'utf8'),
    )
    const routes = [...sources.join('').matchAll(/router\.(get|post|delete)\('(\/[^']+)'/g)]
    const machine = ['/healthz', '/readyz', '/metrics', '/alerts.json']
    const found = routes.filter(([, , address]) => !machine.includes(address as string))
    const names = found.map(([, method, address]) => `${method} /api${address?.replace(/:(\w+)/g, '{$1}')}`)
    const twice = names.filter((name) => name.endsWith('/api/events')).map((name) => name.replace('/api', ''))
    const described = Object.entries(openApi.paths).flatMap(([address, methods]) =>
      Object.keys(methods).flatMap((method) => (method === 'parameters' ? [] : [`${method} ${address}`])),
    )
    expect([...names, ...twice].sort()).toEqual(described.sort())
  })
})

async function firstWords(response: Response): Promise<string> {
  if (response.status !== 404) {
    await response.body?.cancel()
    return ''
  }
  return response.text()
}
