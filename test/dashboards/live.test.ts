import { once } from 'node:events'
import net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { clientsMax } from '../../src/dashboards/live.ts'
import type {
  AlertView,
  ChangeView,
  EventView,
  GroupView,
  HeartbeatView,
  HelloView,
  RuleDetailView,
  TargetView,
} from '../../src/dashboards/view.ts'
import { type Feed, group, ingestSource, metrics, openFeed, rule, sayAll } from '../support/console-feed.ts'
import { type EventStream, openStream } from '../support/event-stream.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

let feed: Feed
const streams: EventStream[] = []
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close()
  await feed.stop()
})

async function listen(query = ''): Promise<EventStream> {
  const stream = await openStream(`${feed.url}/api/stream${query}`)
  streams.push(stream)
  return stream
}

test('a page is greeted with everything, then hears a heartbeat each second', async () => {
  feed = await openFeed()
  await feed.bus.publish('transitions.a', transition('crit', 1000))
  await sayAll(feed.bus, [rule('a', [group('x')])])
  const stream = await listen()
  const hello = await stream.next<HelloView>('hello')
  expect(hello).toMatchObject({ rules: [{ name: 'a', state: 'ok' }], mailbox: false })
  const lastBucketMs = await stream.next<HeartbeatView>('heartbeat', ({ outlook }) => outlook.sight === 'clear')
  expect(lastBucketMs.outlook.engineBucketMs).toBeTypeOf('number')
  await until(() => stream.events.filter(({ name }) => name === 'heartbeat').length >= 3)
})

test('a new alert is heard at once, not with the next second, and so is its end', async () => {
  feed = await openFeed()
  const stream = await listen()
  await stream.next('hello')
  const startedMs = performance.now()
  await feed.bus.publish('transitions.a', transition('crit', 1000))
  const raised = await stream.next<ChangeView<AlertView>>('alerts')
  expect(performance.now() - startedMs).toBeLessThan(500)
  expect(raised.set).toMatchObject([{ state: 'firing', level: 'crit' }])
  await feed.bus.publish('transitions.a', transition('ok', 2000))
  await stream.next<ChangeView<AlertView>>('alerts', ({ set }) => set[0]?.state === 'resolved')
})

test("a dashboard's page hears the newest slots of its targets each second", async () => {
  const dashboard = 'title: One\ngraphs:\n  - {title: Requests, targets: ["rate(web.{process}.hits)"]}\n'
  feed = await openFeed({ files: { 'dashboards/one.yaml': dashboard } })
  const stream = await listen('?dashboard=one')
  const source = ingestSource(feed.bus)
  const endMs = Math.floor(Date.now() / 10_000) * 10_000
  await source.flush(endMs, { metrics: [metrics(source.id, endMs, { counters: { 'web.a.hits': 50 } })] })
  const points = await stream.next<TargetView[]>('points', ([view]) => view?.lines.length === 1)
  expect(points[0]).toMatchObject({
    target: 'rate(web.{process}.hits)',
    startMs: endMs,
    lines: [{ name: 'a', values: [5] }],
  })
})

test("a rule's page hears its groups each second, and the rest when it changes", async () => {
  feed = await openFeed()
  const stream = await listen('?rule=a')
  await stream.next<null>('rule', (detail) => detail === null)
  await sayAll(feed.bus, [rule('a', [group('x', { value: 7, text: '7' })], { say: 'hello' })])
  await stream.next<RuleDetailView | null>('rule', (detail) => detail?.say === 'hello')
  await stream.next<{ groups: GroupView[] } | null>('groups', (now) => now?.groups[0]?.value === 7)
  await feed.bus.publish('transitions.a', transition('crit', 1000, { rule: 'a' }))
  await stream.next<RuleDetailView | null>('rule', (detail) => detail?.transitions.length === 1)
})

test('values of firing alerts and events are heard as they come', async () => {
  feed = await openFeed()
  const stream = await listen()
  await sayAll(feed.bus, [rule('a', [group('x', { level: 'crit', text: '7.5%' })])])
  await stream.next<HeartbeatView>('heartbeat', ({ values }) => values?.['a/x'] === '7.5%')
  const deploy = { source: 's', sequence: 1, atMs: 5, bucketMs: 5, name: 'deploy', tags: { version: '42' } }
  await feed.bus.publish('events.deploy', deploy)
  await stream.next<EventView>('event', ({ tags }) => tags.version === '42')
})

test(`more than ${clientsMax} pages are refused with a reason and counted`, async () => {
  feed = await openFeed()
  await Promise.all(Array.from({ length: clientsMax }, () => listen()))
  await expect(listen()).rejects.toThrow('503 {"error":"too many pages are open; close some"}')
  streams.pop()?.close()
  await until(async () => /stream_clients_refused_total\{.*\} 1\n/.test((await feed.get('/metrics')).text))
  await until(async () => await listen().then(() => true))
})

test('a page that does not read is dropped and counted, and the others go on', async () => {
  feed = await openFeed()
  const { port } = new URL(feed.url)
  const deaf = net.connect(Number(port), '127.0.0.1')
  deaf.on('error', () => {})
  deaf.pause()
  await once(deaf, 'connect')
  deaf.write('GET /api/stream?rule=big HTTP/1.1\r\nhost: x\r\n\r\n')
  const stream = await listen()
  const text = 'x'.repeat(40_000)
  const groups = Array.from({ length: 200 }, (_, i) => group(`${i}`, { text }))
  await until(
    async () => {
      await sayAll(feed.bus, [rule('big', groups)])
      return /stream_clients_dropped_total\{.*\} 1\n/.test((await feed.get('/metrics')).text)
    },
    { timeoutMs: 20_000, everyMs: 300 },
  )
  deaf.destroy()
  const count = stream.events.length
  await until(() => stream.events.length > count)
})

test('stopping the console ends the streams', async () => {
  feed = await openFeed()
  const response = await fetch(`${feed.url}/api/stream`)
  await feed.part.stop()
  await response.text().catch(() => {})
  await expect(fetch(feed.url)).rejects.toThrow()
})
