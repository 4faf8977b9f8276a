/** Maintenance and silences through the API, over a real bus, with a real alerts part and windows of the configuration. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startAlerts } from '../../src/alerts/index.ts'
import type { Part } from '../../src/bus/part.ts'
import type { AlertDetailView, MaintenanceView, PreviewView, SilenceView } from '../../src/dashboards/view.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Feed, openFeed } from '../support/console-feed.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const settings = `alerts:
  receivers: {ops: {webhook: {url: "http://127.0.0.1:9/"}}}
  maintenance:
    always: {match: {process: static}, reason: known, from: 2020-01-01T00:00Z, until: 2090-01-01T00:00Z}
    weekly: {match: {process: web*}, reason: patching, every: [sat, sun], at: "02:00", for: 2h, zone: Europe/Amsterdam}`

let feed: Feed
let alerts: Part

beforeEach(async () => {
  feed = await openFeed({ settings })
  const { bus, config } = feed
  alerts = await startAlerts(config, { bus, clock: systemClock, log: silentLog, instance: 'host1-a', host: 'host1' })
  await tick()
})
afterEach(async () => {
  await alerts.stop()
  await feed.stop()
})

const tick = () => feed.bus.publish('clock', { process: 'cep-1', nowMs: systemClock.now() })
const windows = async () => (await feed.get<{ maintenance: MaintenanceView[] }>('/api/maintenance')).body.maintenance
const detail = async (group: string) =>
  (await feed.get<AlertDetailView>(`/api/alerts/${encodeURIComponent(`http_5xx_spike/${group}`)}`)).body

async function ask<T>(method: string, address: string, body: object) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${feed.url}${address}`, {
    method,
    headers,
    body: JSON.stringify({ by: 'ann', ...body }),
  })
  return { status: response.status, body: (await response.json()) as T & { error: string } }
}

async function fire(group: string): Promise<void> {
  await feed.bus.publish('transitions.x', transition('crit', systemClock.now(), { group }))
  await until(async () => (await feed.get('/api/alerts')).text.includes(`"groupKey":"${group}"`))
}

test('windows of the configuration are listed with what they hide, and say why an alert is quiet', async () => {
  await until(async () => (await windows()).length === 2)
  await fire('static')
  expect(await windows()).toMatchObject([
    { id: 'always', state: 'active', isPlanned: true, by: 'tocsin.yaml', hides: 1 },
    { id: 'weekly', isPlanned: true, recurs: 'every sat, sun at 02:00 for 2h, Europe/Amsterdam' },
  ])
  const { alert, quietWhy, rulesWhy } = await detail('static')
  expect(alert.maintenance).toMatchObject({ id: 'always' })
  expect(quietWhy).toEqual(['in maintenance always (tocsin.yaml) until 2090-01-01 00:00:00 UTC'])
  expect(rulesWhy).toMatch(/^tocsin rules why http_5xx_spike static --at 20.*Z$/)
  const told = await until(async () => (await detail('static')).decisions[0])
  expect(told).toMatchObject({
    notify: false,
    reason: expect.stringContaining('in maintenance always (tocsin.yaml: known'),
  })
  expect((await feed.get('/api/alerts?state=unhandled')).body).toMatchObject({ alerts: [] })
})

test('one is begun, mutes, and is ended; then what still fires is told', async () => {
  const given = { matchers: { process: 'ver*' }, reason: 'deploy 42', for: '2h' }
  const begun = await ask<{ maintenance: MaintenanceView }>('POST', '/api/maintenance', given)
  expect(begun).toMatchObject({ status: 201, body: { maintenance: { state: 'active', by: 'ann', hides: 0 } } })
  await fire('verifier')
  await until(async () =>
    (await detail('verifier')).decisions.some(({ reason }) => reason.includes('in maintenance m-')),
  )
  const { id } = begun.body.maintenance
  expect(await ask('DELETE', `/api/maintenance/${id}`, {})).toMatchObject({ status: 200 })
  await until(async () => (await detail('verifier')).decisions.some(({ notify }) => notify))
  expect(await ask('DELETE', `/api/maintenance/${id}`, {})).toMatchObject({ status: 409 })
  expect(await ask('DELETE', '/api/maintenance/none', {})).toMatchObject({ status: 404 })
})

test('a window of the configuration that is not active cannot be ended here', async () => {
  await until(async () => (await windows()).some(({ id, state }) => id === 'weekly' && state === 'waiting')).catch(
    () => {},
  )
  const weekly = (await windows()).find(({ id }) => id === 'weekly')
  if (weekly?.state !== 'waiting') return
  const refused = await ask('DELETE', '/api/maintenance/weekly', {})
  expect(refused).toMatchObject({ status: 409, body: { error: expect.stringContaining('take it out there') } })
})

test('the preview names the next times, in the zone asked for', async () => {
  const query = 'match=process=web*&every=sunday&at=02:30&for=2h&zone=Europe/Amsterdam'
  const { body } = await feed.get<PreviewView>(`/api/maintenance/preview?${query}`)
  expect(body).toMatchObject({ total: 0, lately: 0, isEverything: false, alerts: [] })
  expect(body.occurrences).toHaveLength(5)
  const refused = await feed.get<{ error: string }>(
    '/api/maintenance/preview?match=a=b&every=sunday&at=2&for=x&zone=Here',
  )
  expect(refused.status).toBe(400)
  expect(refused.body.error).toMatch(/at: expected a time of day.*for: expected a duration.*zone: expected a time zone/)
})

test.each([
  [{ matchers: { rule: 'a' }, reason: 'x' }, 400, 'for: expected a duration'],
  [{ matchers: { rule: 'a' }, for: '1h' }, 400, 'reason: expected a text'],
  [{ matchers: { rule: '/(/' }, reason: 'x', for: '1h' }, 400, 'matchers.rule: in the regular expression'],
  [{ matchers: { rule: 'a' }, reason: 'x', every: 'sunday', from: 'now' }, 400, 'from: expected "every" or "from"'],
  [{ matchers: { rule: 'a' }, reason: 'x', for: 7 }, 400, 'for: expected a text'],
  [{ matchers: { rule: '*' }, reason: 'x', for: '1h' }, 409, 'matches every alert; send "confirm": true'],
  [{ matchers: { rule: 'a' }, reason: 'x', for: '8d' }, 409, 'hides critical alerts for a week or longer'],
])('%j is refused: %i', async (body, status, error) => {
  const refused = await ask('POST', '/api/maintenance', body)
  expect(refused).toMatchObject({ status, body: { error: expect.stringContaining(error) } })
})

test('a silence lasts longer when it is extended, and over a week only when that is confirmed', async () => {
  const { body } = await ask<{ silence: SilenceView }>('POST', '/api/silences', {
    ...{ matchers: { process: 'web' }, reason: 'x', for: '1h' },
  })
  const address = `/api/silences/${body.silence.id}/extend`
  const longer = await ask<{ silence: SilenceView }>('POST', address, { for: '2h' })
  expect(longer.body.silence.endsMs - body.silence.endsMs).toBe(7_200_000)
  expect(longer.body.silence.extendedBy).toBe('ann')
  expect(await ask('POST', address, { for: '7d' })).toMatchObject({ status: 409 })
  expect(await ask('POST', address, { for: '7d', confirm: true })).toMatchObject({ status: 200 })
  expect(await ask('POST', address, { for: '400d', confirm: true })).toMatchObject({ status: 400 })
  expect(await ask('POST', address, { for: 'long' })).toMatchObject({ status: 400 })
  expect(await ask('POST', '/api/silences/none/extend', { for: '1h' })).toMatchObject({ status: 404 })
})
