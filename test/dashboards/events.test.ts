/** Deploys and other events that are posted to the console, over a real bus. */
import { afterEach, describe, expect, test } from 'vitest'
import { startCep } from '../../src/cep/index.ts'
import { burstMax } from '../../src/dashboards/event-routes.ts'
import { openApi } from '../../src/dashboards/openapi.ts'
import type { EventMessage } from '../../src/model/event.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Feed, type FeedOptions, openFeed } from '../support/console-feed.ts'
import { openStream } from '../support/event-stream.ts'
import { runTocsin } from '../support/tocsin.ts'
import { until } from '../support/until.ts'

let feed: Feed
let heard: EventMessage[]

async function open(options: FeedOptions = {}): Promise<void> {
  feed = await openFeed(options)
  heard = []
  feed.bus.readLog('engine-log', 'first', (entry) => void (entry.kind === 'events' && heard.push(entry.message)))
}

afterEach(() => feed.stop())

interface Answer {
  error: string
  events: { id: string; name: string; tags: Record<string, string>; atMs: number; isRepeated: boolean }[]
}

async function post(body: unknown, headers: Record<string, string> = {}, address = '/events') {
  const response = await fetch(`${feed.url}${address}`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer }
}

const listed = async () => (await feed.get<Answer>('/api/events')).body.events

describe('an event', () => {
  test('that is posted is on the log once it is answered, in the present bucket, and on graphs', async () => {
    await open()
    const stream = await openStream(`${feed.url}/api/stream`)
    const beforeMs = Date.now()
    const { status, body } = await post({ name: 'deploy', tags: { process: 'verifier', version: 42 }, text: 'by ann' })
    expect(status).toBe(201)
    expect(body.events).toMatchObject([
      { name: 'deploy', tags: { process: 'verifier', version: '42' }, isRepeated: false },
    ])
    const [message] = await until(() => heard.length > 0 && heard)
    expect(message).toMatchObject({ name: 'deploy', text: 'by ann', id: body.events[0]?.id, source: 'console-host1' })
    expect((message?.bucketMs as number) % 1000).toBe(0)
    expect(message?.bucketMs).toBeGreaterThanOrEqual(beforeMs)
    expect(message?.bucketMs).toBeLessThanOrEqual(Date.now() + 1000)
    expect(await until(async () => (await listed())[0])).toMatchObject({ name: 'deploy', text: 'by ann' })
    expect(await stream.next('event')).toMatchObject({ name: 'deploy', tags: { process: 'verifier' } })
    stream.close()
  })

  test('that is sent again under its id or Idempotency-Key counts once, also after the console restarted', async () => {
    await open()
    expect((await post({ name: 'deploy', id: 'build-77' })).status).toBe(201)
    const again = await post({ name: 'deploy', id: 'build-77' })
    expect(again.status).toBe(200)
    expect(again.body.events).toMatchObject([{ id: 'build-77', isRepeated: true }])
    const key = { 'idempotency-key': 'run-1' }
    expect((await post([{ name: 'a' }, { name: 'b' }], key)).body.events.map(({ id }) => id)).toEqual([
      'run-1.0',
      'run-1.1',
    ])
    expect((await post([{ name: 'a' }, { name: 'b' }], key)).status).toBe(200)
    await Promise.all(Array.from({ length: 5 }, () => post({ name: 'deploy', id: 'at-once' })))
    await until(async () => (await listed()).length === 4)
    await feed.restart()
    await until(async () => (await listed()).length === 4)
    expect((await post({ name: 'deploy', id: 'build-77' })).status).toBe(200)
    expect(heard.map(({ id }) => id).sort()).toEqual(['at-once', 'build-77', 'run-1.0', 'run-1.1'])
  })

  test('tells when it happened; rules take it when they hear of it', async () => {
    await open()
    const atMs = Date.now() - 60_000
    await post({ name: 'deploy', at: new Date(atMs).toISOString() })
    await post({ name: 'deploy', at: atMs })
    await until(() => heard.length === 2)
    expect(heard.map((event) => event.atMs)).toEqual([atMs, atMs])
    expect(heard[0]?.bucketMs).toBeGreaterThan(atMs + 50_000)
  })

  test('that is wrong is refused with all that is wrong, in every one of a list, and none of them is taken', async () => {
    await open()
    const wrong = [
      [['x'], '[0] expected an event such as {"name": "deploy"}, got "x"'],
      [{}, 'name: expected letters, digits, _, - and dots such as "deploy", got nothing'],
      [{ name: 'a b' }, 'name: expected letters, digits, _, - and dots such as "deploy", got "a b"'],
      [{ name: 'a', tag: {} }, 'tag: there is no such key'],
      [{ name: 'a', tags: [] }, 'tags: expected an object such as {"process": "verifier"}, got []'],
      [{ name: 'a', tags: { x: '' } }, 'tags.x: expected a text of 1 to 200 characters on one line, got ""'],
      [{ name: 'a', tags: { x: {} } }, 'tags.x: expected a text of 1 to 200 characters on one line, got {}'],
      [
        { name: 'a', at: 'noon' },
        'at: expected a time such as "2026-03-01T14:05:09Z" or epoch milliseconds, got "noon"',
      ],
      [{ name: 'a', at: 1 }, 'at: expected a time of the past day, got 1'],
      [{ name: 'a', id: 'a b' }, 'id: expected at most 200 characters without spaces, got "a b"'],
      [
        { name: '', text: '' },
        'name: expected letters, digits, _, - and dots such as "deploy", got ""; text: expected a text of at most 4000 characters',
      ],
      [[], 'expected 1 to 100 events, got 0'],
    ] as const
    for (const [body, error] of wrong) {
      expect(await post(body).then(({ status, body }) => [status, body.error])).toEqual([400, error])
    }
    const mixed = await post([{ name: 'a' }, { name: '' }, { name: 'c', tags: 1 }])
    expect(mixed.body.error).toMatch(/^\[1\] name: .*; \[2\] tags: /)
    expect((await post(Array.from({ length: 101 }, () => ({ name: 'a' })))).status).toBe(400)
    expect(
      (await post({ name: 'a', tags: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`t${i}`, 'x'])) })).body
        .error,
    ).toBe('tags: 21 of them; at most 20')
    expect((await post({ name: 'a', text: 'x'.repeat(70_000) })).status).toBe(413)
    expect((await post({ name: 'a' }, { 'content-type': 'text/plain' })).status).toBe(415)
    expect(heard).toEqual([])
  })

  test('needs a token of role events, responder or admin where there are tokens; role events may nothing else', async () => {
    const token = (name: string) => `${name}-0123456789abcdef`
    const tokens = ['viewer', 'events', 'responder', 'admin'].map(
      (role) => `${role}: {token: ${token(role)}, role: ${role}}`,
    )
    await open({ dashboards: `  tokens: {${tokens.join(', ')}}` })
    const as = (name: string) => ({ authorization: `Bearer ${token(name)}` })
    expect((await post({ name: 'a' })).status).toBe(401)
    expect((await post({ name: 'a' }, as('viewer'))).body.error).toBe(
      'viewer is a viewer and may not post events; that needs role events',
    )
    for (const role of ['events', 'responder', 'admin']) expect((await post({ name: 'a' }, as(role))).status).toBe(201)
    const silence = { matchers: { rule: 'x' }, reason: 'x', for: '1h' }
    expect((await post(silence, as('events'), '/api/silences')).status).toBe(403)
  })

  test('over the bound of a second is refused and counted, and taken later', async () => {
    await open()
    const list = Array.from({ length: 100 }, () => ({ name: 'a' }))
    const answers = []
    for (let i = 0; i <= burstMax / 100; i++) answers.push(await post(list))
    const last = answers.at(-1)
    expect(answers.slice(0, -1).every(({ status }) => status === 201)).toBe(true)
    expect(last?.status).toBe(429)
    expect(last?.headers.get('retry-after')).toBe('10')
    expect(last?.body.error).toBe('too many events; at most 1000 at once and 100 a second')
    await until(async () => (await post({ name: 'late' })).status === 201)
    await until(async () => (await feed.get('/metrics')).text.match(/events_limited_total\S* 100\b/))
  })

  test('reaches a rule in the bucket it came in, and nobody waits for its console', async () => {
    const rules = 'rules: {bad_deploy: {every: 1s, crit: "event:deploy[process={process}], keep 3s"}}'
    await open({ files: { 'rules/deploy.yaml': rules } })
    const { bus, config } = feed
    const context = { bus, clock: systemClock, log: silentLog, instance: 'host1-cep', host: 'host1' }
    const cep = await startCep(config, context)
    const told: string[] = []
    bus.readLog('alerts-log', 'first', (entry) => {
      if (entry.kind === 'transitions')
        told.push(`${entry.message.rule}/${entry.message.groupKey} ${entry.message.to} ${entry.message.bucketMs}`)
    })
    await post({ name: 'deploy', tags: { process: 'verifier' } })
    const bucketMs = await until(() => heard[0]?.bucketMs)
    await until(() => told.length === 2)
    expect(told).toEqual([`bad_deploy/verifier crit ${bucketMs}`, `bad_deploy/verifier ok ${bucketMs + 3000}`])
    await cep.stop()
  })
})

test('the description of the API names both addresses', () => {
  expect(Object.keys(openApi.paths)).toEqual(expect.arrayContaining(['/events', '/api/events']))
})

describe('tocsin event', () => {
  const tocsin = (...words: string[]) => runTocsin([...words, '--console', feed.url], { USER: 'ann' })

  test('posts an event with its tags, once for each id', async () => {
    await open()
    const deploy = ['event', 'deploy', 'process=verifier', 'version=42', '--text', 'a new one', '--id', 'build-7']
    const { exitCode, output } = await tocsin(...deploy)
    expect(output).toMatch(/^20.* UTC {2}event:deploy process=verifier version=42 {2}\(build-7\)\n$/)
    expect(exitCode).toBe(0)
    expect((await tocsin(...deploy)).output).toContain('(build-7, known already)')
    expect(heard).toMatchObject([{ name: 'deploy', tags: { process: 'verifier', version: '42' }, text: 'a new one' }])
    const json = JSON.parse((await tocsin('event', 'rollback', 'process=verifier', '--json')).output)
    expect(json.events).toMatchObject([{ name: 'rollback', isRepeated: false }])
  })

  test('says what is wrong: exit status 1 where it can be mended, 2 where it was not understood', async () => {
    await open()
    expect(await tocsin('event', 'de ploy')).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('name: expected'),
    })
    expect(await tocsin('event', 'deploy', 'verifier')).toMatchObject({
      exitCode: 2,
      output: expect.stringContaining('expected TAG=VALUE such as process=verifier, got "verifier"'),
    })
    expect(await tocsin('event')).toMatchObject({
      exitCode: 2,
      output: expect.stringContaining('expected "event NAME'),
    })
  })
})
