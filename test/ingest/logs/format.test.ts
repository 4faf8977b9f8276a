/** Lines taken apart: one row a case. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { extractor } from '../../../src/ingest/logs/format.ts'
import { LogPath } from '../../../src/ingest/logs/log-path.ts'
import type { LogConfig } from '../../../src/runtime/config-logs.ts'

/** What the line gives for the captures wanted; undefined where it has another form. */
function taken(format: LogConfig['format'], line: string, ...wanted: string[]): (string | undefined)[] | undefined {
  const into: (string | undefined)[] = wanted.map(() => undefined)
  return extractor(format, wanted)(line, into) ? into : undefined
}

const head = '10.0.0.7 - ann [10/Oct/2026:13:55:36 +0000]'
const request = '"GET /a/b?c=d HTTP/1.1" 200 2326'
const tail = '"http://x/" "curl/8 (\\"x\\")"'
const line = `${head} ${request} ${tail}`

describe('a combined line', () => {
  test.each([
    [
      'all that it has',
      line,
      [
        '10.0.0.7',
        'ann',
        '10/Oct/2026:13:55:36 +0000',
        'GET',
        '/a/b',
        'c=d',
        '200',
        '2326',
        'http://x/',
        'curl/8 (\\"x\\")',
      ],
    ],
    [
      'the common format, without referer and agent',
      `${head} ${request}`,
      ['10.0.0.7', 'ann', '10/Oct/2026:13:55:36 +0000', 'GET', '/a/b', 'c=d', '200', '2326', undefined, undefined],
    ],
    [
      'IPv6, nobody, no bytes',
      '::1 - - [t] "POST / HTTP/2.0" 304 - "-" "-"',
      ['::1', undefined, 't', 'POST', '/', undefined, '304', undefined, undefined, undefined],
    ],
    [
      'a request that is none',
      '10.0.0.7 - - [t] "\\x16\\x03\\x01" 400 157 "-" "-"',
      ['10.0.0.7', undefined, 't', undefined, undefined, undefined, '400', '157', undefined, undefined],
    ],
    [
      'an empty request',
      '10.0.0.7 - - [t] "" 408 0 "-" "-"',
      ['10.0.0.7', undefined, 't', undefined, undefined, undefined, '408', '0', undefined, undefined],
    ],
    [
      'something more behind',
      `${line} 0.001`,
      [
        '10.0.0.7',
        'ann',
        '10/Oct/2026:13:55:36 +0000',
        'GET',
        '/a/b',
        'c=d',
        '200',
        '2326',
        'http://x/',
        'curl/8 (\\"x\\")',
      ],
    ],
  ])('gives %s', (_what, text, expected) => {
    const names = ['remote_addr', 'user', 'time', 'method', 'path', 'query', 'status', 'bytes', 'referer', 'agent']
    expect(taken('combined', text, ...names)).toEqual(expected)
  })

  test.each(['', 'x', `${head} GET / 200 1`, `${head} "GET / HTTP/1.1" abc 1`, `${head} ${request} "unfinished`])(
    'is not: %s',
    (text) => expect(taken('combined', text, 'status')).toBeUndefined(),
  )
})

test.each([
  ['request time', '0.012', '0.012', undefined, undefined],
  ['request and upstream time', '0.012 0.011', '0.012', '0.011', undefined],
  ['times in quotes', '"0.012" "0.011"', '0.012', '0.011', undefined],
  ['forwarded for, then times', '"1.2.3.4, 5.6.7.8" 0.012 0.011', '0.012', '0.011', '1.2.3.4, 5.6.7.8'],
  ['nobody forwarded for, then times', '"-" 0.012 0.011', '0.012', '0.011', undefined],
  ['no upstream', '0.012 -', '0.012', undefined, undefined],
  ['several upstreams, added up', '0.030 0.010, 0.015 : 0.002', '0.030', '0.027', undefined],
  ['keys', 'rt=0.012 uct="0.000" uht="0.011" urt="0.011"', '0.012', '0.011', undefined],
  ['long keys', 'request_time=0.012 upstream_response_time=0.010, 0.001', '0.012', '0.011', undefined],
  ["words of one's own between", 'shop.example.org pool=blue rt=0.5', '0.5', undefined, undefined],
  ['nothing', '', undefined, undefined, undefined],
])('an nginx line may end in %s', (_what, end, requestTime, upstreamTime, forwardedFor) => {
  const text = `${line}${end === '' ? '' : ` ${end}`}`
  const found = taken('nginx', text, 'status', 'request_time', 'upstream_time', 'forwarded_for')
  expect(found?.slice(0, 2)).toEqual(['200', requestTime])
  expect(found?.[2] === undefined ? undefined : Number(found[2])).toEqual(
    upstreamTime === undefined ? undefined : expect.closeTo(Number(upstreamTime)),
  )
  expect(found?.[3]).toBe(forwardedFor)
})

test('a JSON line gives its keys and what is inside them, as text; absent, empty and composed values are missing', () => {
  const json = JSON.stringify({
    status: 200,
    http: { path: '/a', deep: { er: true } },
    'a.b': 'x',
    none: null,
    list: [1],
    dash: '-',
  })
  const wanted = [
    'status',
    'http.path',
    'http.deep.er',
    'a.b',
    'none',
    'list',
    'http',
    'absent.x',
    'dash',
    'constructor',
  ]
  expect(taken('json', json, ...wanted)).toEqual(['200', '/a', 'true', 'x', ...Array(6).fill(undefined)])
  for (const bad of ['', '{', '[]', '1', 'null', '"x"']) expect(taken('json', bad, 'a')).toBeUndefined()
})

test('a regular expression gives its named groups; a group that did not match is missing', () => {
  const format = { regex: '^(?<level>\\w+)(?: took (?<ms>\\d+))?' }
  expect(taken(format, 'INFO took 12', 'level', 'ms')).toEqual(['INFO', '12'])
  expect(taken(format, 'INFO', 'ms', 'level')).toEqual([undefined, 'INFO'])
  expect(taken(format, '!', 'level')).toBeUndefined()
})

test('an expression that could try for ever gives up trying: it takes time in proportion to the line', () => {
  const startMs = performance.now()
  expect(taken({ regex: '^(?<x>(a+)+)$' }, `${'a'.repeat(1000)}b`, 'x')).toBeUndefined()
  expect(taken({ regex: '^(?<x>(?:\\w+\\s?)*)$' }, `${'word '.repeat(100)}!`, 'x')).toBeUndefined()
  expect(performance.now() - startMs).toBeLessThan(5000)
})

test('no line throws, whatever the format', () => {
  const formats: LogConfig['format'][] = ['nginx', 'combined', 'json', { regex: '(?<status>\\d+)' }]
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.string().map((more) => `${line} ${more}`),
  )
  fc.assert(
    fc.property(fc.constantFrom(...formats), text, (format, one) => {
      taken(format, one, 'status', 'request_time', 'path')
    }),
  )
})

test.each([
  ['/var/log/nginx/{site}.access.log', '/var/log/nginx/shop.access.log', { file: 'shop.access.log', site: 'shop' }],
  ['/var/log/nginx/{site}.access.log', '/var/log/nginx/a.b.access.log', { file: 'a.b.access.log', site: 'a.b' }],
  ['/srv/{app}/log/*.log', '/srv/shop/log/x.log', { file: 'x.log', app: 'shop' }],
  ['/srv/**/x.log', '/srv/a/b/x.log', { file: 'x.log' }],
  ['/srv/**/x.log', '/srv/x.log', { file: 'x.log' }],
  ['/srv/[ab]?.{log,txt}', '/srv/a1.txt', { file: 'a1.txt' }],
  ['/srv/{a}/{a}.log', '/srv/x/x.log', { file: 'x.log', a: 'x' }],
  ['/srv/{a}/{a}.log', '/srv/x/y.log', undefined],
  ['/srv/*.log', '/srv/a/x.log', undefined],
  ['/srv/*', '/srv/x.log.1.gz', undefined],
])('the path %s means %s', (written, file, captures) => {
  expect(new LogPath(written).match(file)).toEqual(captures)
})

test('a path finds as a shell does, with its names as stars', () => {
  expect(new LogPath('/a/{site}/[ab]/{x,y}.log').glob).toBe('/a/*/[ab]/{x,y}.log')
})
