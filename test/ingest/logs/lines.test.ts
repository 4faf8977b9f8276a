/** What becomes of lines: series, events, bad lines, bounds. */
import { afterEach, expect, test } from 'vitest'
import { logEventsMax } from '../../../src/ingest/logs/line-desk.ts'
import { logLineBytesMax } from '../../../src/ingest/logs/log-file.ts'
import { type Bench, openBench } from './setup.ts'

let bench: Bench

afterEach(() => bench.end())

const line = (status: number, path = '/', more = '0.012') =>
  `10.0.0.7 - ann [10/Oct/2026:13:55:36 +0000] "GET ${path} HTTP/1.1" ${status} 100 "-" "curl/8.1" ${more}`

test('lines become counters, timers in milliseconds, gauges and sets, named by captures of line and path', async () => {
  bench = openBench([
    {
      ...{ path: '{site}.log', format: 'nginx', from: 'beginning' },
      metrics: [
        { counter: 'zeus.{site}.response.{status}' },
        { counter: 'zeus.{site}.bytes', value: '{bytes}' },
        { timer: 'zeus.{site}.response_time', value: '{request_time}', unit: 's' },
        { gauge: 'zeus.last', value: '{status}' },
        { set: 'zeus.users', value: '{user}' },
      ],
    },
  ])
  bench.write('shop.log', line(200), line(503), line(200, '/', '0.25'))
  await bench.step()
  expect(bench.made()).toEqual({
    'c zeus.shop.response.200': [2, 2],
    'c zeus.shop.response.503': [1, 1],
    'c zeus.shop.bytes': [300, 3],
    't zeus.shop.response_time': [3, '12×2', '250×1'],
    'g zeus.last': 200,
    's zeus.users': ['ann'],
  })
})

test('a capture is one segment of a name, cleaned as statsd names are; in a tag it keeps more', async () => {
  bench = openBench([
    {
      ...{ path: 'x.log', format: { regex: '^(?<word>.*)$' }, from: 'beginning' },
      metrics: [{ counter: 'a.{word}' }, { counter: 'b', tags: { word: '{word}' } }],
    },
  ])
  bench.write('x.log', 'v1.2/x y', 'ümlaut', 'a,b;c')
  await bench.step()
  expect(bench.made()).toEqual({
    'c a.v1_2-x_y': [1, 1],
    'c a.mlaut': [1, 1],
    'c a.abc': [1, 1],
    'c b;word=v1.2/x_y': [1, 1],
    'c b;word=ümlaut': [1, 1],
    'c b;word=a_bc': [1, 1],
  })
})

test('a metric that lacks a capture is left out and counted, the others of the line are not', async () => {
  bench = openBench([
    {
      ...{ path: 'x.log', format: 'nginx', from: 'beginning' },
      metrics: [{ counter: 'all' }, { timer: 'up', value: '{upstream_time}' }, { counter: 'by.{user}' }],
    },
  ])
  bench.write('x.log', line(200).replace('ann', '-'))
  await bench.step()
  expect(bench.made()).toEqual({ 'c all': [1, 1] })
  expect(bench.stats.get('log_values_missing_total')).toBe(2)
})

test.each([
  ['{status} = 401', [401]],
  ['{status} != 401', [200, 404, 503]],
  ['{status} >= 404', [404, 503]],
  ['{status} > 404', [503]],
  ['{status} < 401', [200]],
  ['{status} <= 401', [200, 401]],
  ['{status} ~ ^[45]', [401, 404, 503]],
  ['{status} !~ "^[45]"', [200]],
  ['{status} >= 400 and {status} < 500 and {path} = /', [401, 404]],
  ['{user} = nobody', []],
  ['{referer} != x', [200, 401, 404, 503]],
  ['{referer} !~ x', [200, 401, 404, 503]],
  ['{referer} >= 0', []],
])('when: %s', async (when, expected) => {
  bench = openBench([
    { path: 'x.log', format: 'combined', from: 'beginning', metrics: [{ counter: 'got.{status}', when }] },
  ])
  bench.write('x.log', ...[200, 401, 404, 503].map((status) => line(status)))
  await bench.step()
  expect(Object.keys(bench.made())).toEqual(expected.map((status) => `c got.${status}`))
})

test('lines become events with tags, at most so many in an interval; more are counted', async () => {
  bench = openBench([
    {
      ...{ path: 'x.log', format: 'combined', from: 'beginning' },
      events: [{ event: 'login_failed', when: '{status} = 401', tags: { ip: '{remote_addr}', user: '{user}' } }],
    },
  ])
  bench.write('x.log', line(200), line(401))
  await bench.step()
  expect(bench.events()).toEqual([{ name: 'login_failed', tags: { ip: '10.0.0.7', user: 'ann' } }])
  bench.write('x.log', ...Array.from({ length: logEventsMax + 10 }, () => line(401)))
  await bench.step()
  expect(bench.events()).toHaveLength(logEventsMax)
  expect(bench.stats.get('log_events_refused_total')).toBe(10)
  bench.append('x.log', `${line(401)}\n`)
  await bench.step()
  expect(bench.events()).toHaveLength(1)
})

test('bad lines are counted by reason, and shown once a minute a file with the place', async () => {
  bench = openBench([
    { path: '*.log', format: { regex: '^(?<n>\\S+) ok$' }, from: 'beginning', metrics: [{ gauge: 'n', value: '{n}' }] },
  ])
  bench.write('a.log', '1 ok', 'x', 'y', 'abc ok')
  bench.write('b.log', 'z')
  await bench.step()
  expect(bench.stats.get('log_bad_lines_total{reason="format"}')).toBe(3)
  expect(bench.stats.get('log_bad_lines_total{reason="value"}')).toBe(1)
  expect(bench.logged).toEqual([
    `bad line in ${bench.at('a.log')}, line 2, byte 5: expected a line of format regex: "x"`,
    `bad line in ${bench.at('b.log')}, line 1, byte 0: expected a line of format regex: "z"`,
  ])
  await bench.clock.advanceBy(60_000)
  bench.append('a.log', 'abc ok\n')
  await bench.step()
  expect(bench.logged[2]).toBe(
    `bad line in ${bench.at('a.log')}, line 5, byte 16: expected a number, got "abc": "abc ok" (and 2 more in this file since the one before)`,
  )
  expect(bench.made()).toEqual({ 'g n': 1 })
})

test('a line over the bound is skipped and counted, at once or in pieces; those around it are taken', async () => {
  bench = openBench([
    { path: 'x.log', format: { regex: '^(?<word>\\w+)$' }, from: 'beginning', metrics: [{ counter: 'w.{word}' }] },
  ])
  const long = 'x'.repeat(logLineBytesMax + 1)
  bench.write('x.log', 'a', long, 'b', 'x'.repeat(500_000), 'c')
  await bench.step()
  bench.append('x.log', 'x'.repeat(200_000))
  await bench.step()
  bench.append('x.log', 'x'.repeat(200_000))
  await bench.restart()
  bench.append('x.log', 'x\nd\n')
  await bench.step()
  expect(bench.made()).toEqual({ 'c w.a': [1, 1], 'c w.b': [1, 1], 'c w.c': [1, 1], 'c w.d': [1, 1] })
  expect(bench.stats.get('log_bad_lines_total{reason="length"}')).toBe(3)
})

test('a longest line is still taken', async () => {
  bench = openBench([{ path: 'x.log', format: { regex: '^x+$' }, from: 'beginning', metrics: [{ counter: 'w' }] }])
  bench.write('x.log', 'x'.repeat(logLineBytesMax), 'x'.repeat(logLineBytesMax))
  await bench.step()
  expect(bench.made()).toEqual({ 'c w': [2, 2] })
})

test('series over seriesMax are refused, counted and named', async () => {
  const metrics = [{ counter: 'w.{word}' }]
  bench = openBench([{ path: 'x.log', format: { regex: '^(?<word>.*)$' }, from: 'beginning', metrics }], {
    seriesMax: 2,
  })
  bench.write('x.log', 'a', 'b', 'c', 'a')
  await bench.step()
  expect(bench.made()).toEqual({ 'c w.a': [2, 2], 'c w.b': [1, 1] })
  expect(bench.stats.get('series_refused_total')).toBe(1)
  expect(bench.logged).toEqual([`no room for new series "w.c" from ${bench.at('x.log')}: ingest.seriesMax`])
})

test('random words stay within bounds of memory: what is remembered of names is limited', async () => {
  const metrics = [{ counter: 'w.{word}' }]
  bench = openBench([{ path: 'x.log', format: { regex: '^(?<word>.*)$' }, from: 'beginning', metrics }], {
    seriesMax: 50,
  })
  bench.write('x.log', ...Array.from({ length: 30_000 }, (_, i) => `word${i}`), 'word1')
  await bench.step()
  expect(Object.keys(bench.made())).toHaveLength(50)
  expect(bench.stats.get('series_refused_total')).toBe(29_950)
})
