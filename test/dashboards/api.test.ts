import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type {
  AlertView,
  DashboardsView,
  HeartbeatView,
  RuleDetailView,
  RuleGraphView,
  RuleView,
  TargetView,
} from '../../src/dashboards/view.ts'
import {
  engine,
  type Feed,
  group,
  ingestSource,
  metrics,
  openFeed,
  rule,
  sayAll,
  status,
} from '../support/console-feed.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

let feed: Feed
afterEach(() => feed.stop())

interface Alerts {
  alerts: AlertView[]
}

const alertsNow = async () => (await feed.get<Alerts>('/api/alerts')).body

describe('health and readiness', () => {
  test('/healthz answers as soon as the process lives', async () => {
    feed = await openFeed()
    expect(await feed.get('/healthz')).toMatchObject({ status: 200, text: 'ok\n' })
  })

  test('/readyz is 200 once every part heard of is ready, and names the part and the reason when one is not', async () => {
    feed = await openFeed()
    expect((await feed.get('/readyz')).status).toBe(503)
    await sayAll(feed.bus, [])
    expect((await feed.get('/readyz')).status).toBe(200)
    await feed.bus.publish('status.graphite.host1-a', status('graphite', { ready: false, problem: 'carbon is away' }))
    const { status: code, body } = await feed.get('/readyz')
    expect(code).toBe(503)
    expect(body).toMatchObject({ ready: false, reasons: [{ part: 'graphite', reason: 'carbon is away' }] })
  })

  test('/metrics gives every counter of every part with its instance, labels kept, in Prometheus text', async () => {
    feed = await openFeed()
    const counters = { lines_total: 7, 'bad_lines_total{reason="type"}': 3, series: 12 }
    await feed.bus.publish('status.ingest.host1-a', status('ingest', { counters, instance: 'host1-a' }))
    const { text, headers } = await feed.get('/metrics')
    expect(headers.get('content-type')).toContain('text/plain')
    expect(text).toContain(
      '# TYPE tocsin_ingest_lines_total counter\ntocsin_ingest_lines_total{instance="host1-a"} 7\n',
    )
    expect(text).toContain('tocsin_ingest_bad_lines_total{instance="host1-a",reason="type"} 3\n')
    expect(text).toContain('# TYPE tocsin_ingest_series gauge\n')
    expect(text).toContain('tocsin_part_ready{part="ingest",instance="host1-a"} 1\n')
  })
})

describe('alerts', () => {
  test('a transition becomes a firing alert, crit before warn, and resolves', async () => {
    feed = await openFeed()
    await feed.bus.publish('transitions.http_5xx_spike', transition('warn', 1000, { group: 'router' }))
    await feed.bus.publish('transitions.http_5xx_spike', transition('crit', 1000, { group: 'verifier' }))
    const { alerts } = await until(async () => {
      const answer = await alertsNow()
      return answer.alerts.length === 2 && answer
    })
    expect(alerts.map(({ groupKey, level, state, text }) => [groupKey, level, state, text])).toEqual([
      ['verifier', 'crit', 'firing', '6.3%'],
      ['router', 'warn', 'firing', '6.3%'],
    ])
    await feed.bus.publish('transitions.http_5xx_spike', transition('ok', 5000, { group: 'verifier' }))
    await until(async () => {
      const answer = await alertsNow()
      return answer.alerts[1]?.state === 'resolved' && answer.alerts[1].endedMs === 5000
    })
  })

  test('they are all there again after a restart, from the log', async () => {
    feed = await openFeed()
    await feed.bus.publish('transitions.a', transition('crit', 1000, { rule: 'a' }))
    await feed.restart()
    expect((await alertsNow()).alerts).toHaveLength(1)
  })

  test('/alerts.json has the shape that check_cepmon reads, filtered by rule, host and cluster', async () => {
    feed = await openFeed()
    const web1 = transition('crit', 61_500, {
      rule: 'slow',
      groupKey: 'colo1/web1',
      group: undefined as never,
      reason: '4.13 > 0.1 503s/second for 1 min',
    })
    const named = {
      ...web1,
      group: [
        { name: 'cluster', value: 'colo1' },
        { name: 'host', value: 'web1' },
      ],
    }
    await feed.bus.publish('transitions.slow', named)
    await feed.bus.publish('transitions.other', transition('crit', 61_500, { rule: 'other' }))
    await until(async () => (await feed.get<Alerts>('/alerts.json')).body.alerts.length === 2)
    const { alerts } = (await feed.get<Alerts>('/alerts.json?rule=slow&host=web1&cluster=colo1')).body
    expect(alerts).toEqual([
      {
        statement: 'slow',
        name: 'errors / requests',
        host: 'web1',
        cluster: 'colo1',
        value: 0.063,
        operator: '>',
        threshold: 0.05,
        units: '%',
        average_over: '5 sec',
        level: 'host',
        started: 61,
        expires: expect.any(Number),
        expired: false,
        reason: '4.13 > 0.1 503s/second for 1 min',
      },
    ])
    expect((await feed.get<Alerts>('/alerts.json?host=web2')).body.alerts).toEqual([])
  })
})

describe('rules', () => {
  test('a rule whose group is blind is blind, never ok; one without any group says so', async () => {
    feed = await openFeed()
    await sayAll(feed.bus, [
      rule('sees', [group('a')]),
      rule('is_blind', [group('a'), group('b', { blind: true })]),
      rule('has_nothing', []),
      rule('threw', [group('a')], { problem: 'division by zero' }),
      rule('waits', [group('a', { pending: { level: 'crit', sinceMs: 5 } })]),
    ])
    const { rules } = (await feed.get<{ rules: RuleView[] }>('/api/rules')).body
    expect(Object.fromEntries(rules.map(({ name, state }) => [name, state]))).toEqual({
      sees: 'ok',
      is_blind: 'blind',
      has_nothing: 'empty',
      threw: 'stopped',
      waits: 'pending',
    })
  })

  test('its page has sentences, groups, what happened, what was sent to whom, and a line per group', async () => {
    feed = await openFeed()
    const bucketMs = Math.floor(Date.now() / 1000) * 1000
    await sayAll(feed.bus, [
      rule('http_5xx_spike', [group('verifier', { level: 'crit', value: 0.07 })], { say: 'it fails' }),
    ])
    await feed.bus.publish('transitions.http_5xx_spike', transition('crit', bucketMs - 2000))
    await feed.bus.publish('receipts', {
      ...{ key: 'k', receiver: 'oncall', attempt: 1, by: 'a', atMs: 5, outcome: 'delivered', detail: '250 ok' },
      ...{ fingerprint: 'http_5xx_spike/verifier', transition: 't', kind: 'firing' },
    })
    const body = await until(async () => {
      const answer = (await feed.get<RuleDetailView & { graph: RuleGraphView }>('/api/rules/http_5xx_spike?from=-10m'))
        .body
      return answer.receipts.length === 1 && answer
    })
    expect(body).toMatchObject({
      levels: { crit: 'bad / all > 5% for 2m' },
      say: 'it fails',
      groups: [{ key: 'verifier', state: 'crit', threshold: 0.05 }],
      transitions: [{ to: 'crit', groupKey: 'verifier' }],
      receipts: [{ receiver: 'oncall', groupKey: 'verifier', outcome: 'delivered' }],
    })
    const { lines } = body.graph
    expect(lines[0]?.key).toBe('verifier')
    expect(lines[0]?.values.filter((value) => value !== null)).toContain(0.07)
    expect(lines[0]?.values).toContain(0.04) // from the transition's own series
  })
})

test("why the newest rule files were refused is told, in the engine's words", async () => {
  feed = await openFeed()
  await sayAll(feed.bus, [rule('a', [group('x')])], { rulesProblem: 'rules/a.yaml:3:5: expected a level' })
  expect((await feed.get('/api/rules')).body).toMatchObject({ problem: 'rules/a.yaml:3:5: expected a level' })
  expect((await feed.get('/api/status')).body).toMatchObject({
    rulesProblem: 'rules/a.yaml:3:5: expected a level',
    outlook: { sight: 'partial' },
  })
})

describe('outlook', () => {
  const outlook = async () => (await feed.get<HeartbeatView>('/api/status')).body.outlook

  test('all is clear only when the engine is alive, leads, has rules, and data flows', async () => {
    feed = await openFeed()
    expect(await outlook()).toMatchObject({
      sight: 'none',
      reasons: ['the engine has not reported yet', expect.anything()],
    })
    await sayAll(feed.bus, [rule('a', [group('x')])])
    expect(await outlook()).toMatchObject({ sight: 'clear', reasons: [] })
    await sayAll(feed.bus, [rule('a', [group('x')])], { sources: [] })
    expect(await outlook()).toMatchObject({ sight: 'none', reasons: ['no source is sending data'] })
    await sayAll(feed.bus, [])
    expect(await outlook()).toMatchObject({ sight: 'none', reasons: ['no rules are running'] })
    const dead = { source: 'b-1', name: 'b', state: 'dead' as const, lastBucketMs: 0, latenessMs: 0 }
    await sayAll(feed.bus, [rule('a', [group('x', { blind: true })])], { sources: [...engine([]).sources, dead] })
    expect(await outlook()).toMatchObject({ sight: 'partial', reasons: ['source b is dead', '1 group is blind'] })
  })
})

describe('series and dashboards', () => {
  test('a target pools what its star lumps and names lines by what its hole keeps', async () => {
    feed = await openFeed()
    const source = ingestSource(feed.bus)
    const endMs = Math.floor(Date.now() / 10_000) * 10_000
    const counters = { 'web.a.response.500': 4, 'web.a.response.503': 6, 'web.b.response.200': 30 }
    await source.flush(endMs, { metrics: [metrics(source.id, endMs, { counters })] })
    const target = encodeURIComponent('rate(web.{process}.response.*)')
    const { targets } = await until(async () => {
      const answer = (await feed.get<{ targets: TargetView[] }>(`/api/series?target=${target}&from=-2m`)).body
      return answer.targets[0]?.lines.length && answer
    })
    expect(targets).toMatchObject([
      {
        how: 'rate',
        startMs: endMs,
        lines: [
          { name: 'a', values: [1] },
          { name: 'b', values: [3] },
        ],
      },
    ])
  })

  const good = 'title: One\ngraphs:\n  - {title: Requests, unit: /s, targets: ["rate(web.*)"]}\n'

  test('a dashboard is read from its file; a broken edit is located and keeps the former version', async () => {
    feed = await openFeed({ files: { 'dashboards/one.yaml': good } })
    expect((await feed.get('/api/dashboards')).body).toEqual({
      dashboards: [{ name: 'one', title: 'One', graphs: ['Requests'] }],
      problems: [],
    })
    fs.writeFileSync(path.join(feed.dir, 'dashboards/one.yaml'), good.replace('rate(web.*)', 'ratio(web.*)'))
    await feed.part.reload?.(feed.config)
    const { problems } = (await feed.get<DashboardsView>('/api/dashboards')).body
    expect(problems).toEqual([expect.stringMatching(/^one\.yaml:3:\d+: .*there is no function "ratio"/)])
    expect((await feed.get('/api/dashboards/one')).body).toMatchObject({
      graphs: [{ targets: [{ target: 'rate(web.*)' }] }],
    })
  })
})

describe('bad requests', () => {
  test.each([
    ['/api/nothing', 404],
    ['/nothing', 404],
    ['/api/rules/nothing', 404],
    ['/api/dashboards/nothing', 404],
    ['/api/series', 400],
    ['/api/series?target=nonsense', 400],
    ['/api/series?target=rate(a..b)', 400],
    ['/api/series?target=rate(a)&from=yesterday', 400],
    ['/api/series?target=rate(a)&from=9&until=3', 400],
    ['/alerts.json?rule=a&rule=b', 400],
    ['/api/rules/%E0%A4%A', 400],
    ['/api/mailbox', 404],
    ['/api/stream?target=(', 400],
  ])('%s is answered %i with a reason in JSON', async (address, code) => {
    feed = await openFeed()
    const { status, body } = await feed.get(address)
    expect(status).toBe(code)
    expect(body).toEqual({ error: expect.any(String) })
  })

  test('they are counted', async () => {
    feed = await openFeed()
    await feed.get('/nothing')
    await feed.get('/api/series')
    await until(async () => /http_bad_requests_total\{[^}]*\} 2\n/.test((await feed.get('/metrics')).text))
  })

  test('a body that is too long or no JSON is refused, and so is every method but GET', async () => {
    feed = await openFeed()
    const post = (body: string) =>
      fetch(`${feed.url}/api/alerts`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    expect((await post(JSON.stringify('x'.repeat(70_000)))).status).toBe(413)
    expect((await post('{')).status).toBe(400)
    expect((await post('{}')).status).toBe(405)
  })

  test('every answer forbids what the console does not need', async () => {
    feed = await openFeed()
    const { headers } = await feed.get('/api/alerts')
    expect(headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-powered-by')).toBeNull()
  })

  test('an address that is taken is a clear error at start', async () => {
    feed = await openFeed()
    const second = openFeed({ port: Number(new URL(feed.url).port) })
    await expect(second).rejects.toThrow('another Tocsin')
  })
})
