import { describe, expect, test } from 'vitest'
import { literalName, matchPath, matchTagged, parsePath } from '../../src/model/path.ts'

const pattern = (text: string) => {
  const parsed = parsePath(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error.column}: ${parsed.error.message}`)
  return parsed.value
}
const holes = (text: string, series: string) => matchPath(pattern(text), series)

describe('a path', () => {
  test.each([
    ['a.b', 'a.b', []],
    ['browserid.{process}.http.5*', 'browserid.verifier.http.503', ['verifier']],
    ['browserid.{process}.http.5*', 'browserid.verifier.http.5', ['verifier']],
    ['a.?', 'a.b', []],
    ['interface-{nic}.{direction:rx|tx}.{host}', 'interface-eth1.tx.web1', ['eth1', 'tx', 'web1']],
    ['x.{code:5*|40?}', 'x.404', ['404']],
    ['memory.gauge-free.**', 'memory.gauge-free.web.web1', []],
    ['a.**.{host}', 'a.b.c.d', ['d']],
    ['**', 'a', []],
    ['{a}.{a}', 'x.x', ['x']],
    ['metric:load', 'load', []],
    ['check:web.{process}', 'web.router', ['router']],
    ['aws:elb.{name}.latency', 'aws:elb.front.latency', ['front']],
    ['requests[process={process}, status=5*]', 'requests;extra=1;process=router;status=502', ['router']],
    ['requests', 'requests;process=router', []],
    ['hits[ip={ip:10.*|127.0.0.1}]', 'hits;ip=10.2.3.4', ['10.2.3.4']],
    ['a.$#@+~-_', 'a.$#@+~-_', []],
  ])('%s matches %s', (path, series, expected) => {
    expect(holes(path, series)).toEqual(expected)
  })

  test.each([
    ['a.b', 'a.b.c'],
    ['a.*', 'a.b.c'],
    ['a.?', 'a.bc'],
    ['a.**', 'a'],
    ['{a}.{a}', 'x.y'],
    ['a{x}', 'a'],
    ['x.{code:5*|40?}', 'x.204'],
    ['**', 'aws:elb.front.latency'],
    ['aws:elb.{name}.latency', 'elb.front.latency'],
    ['requests[status=5*]', 'requests'],
    ['requests[status=5*]', 'requests;status=404'],
  ])('%s does not match %s', (path, series) => {
    expect(holes(path, series)).toBeUndefined()
  })

  test('an ambiguous hole takes as little as it can', () => {
    expect(holes('{cluster}-{host}', 'web-east-1')).toEqual(['web', 'east-1'])
  })

  test('an event is matched by name and tags', () => {
    const tags = new Map([['process', 'verifier']])
    expect(matchTagged(pattern('event:deploy[process={process}]'), 'deploy', tags)).toEqual(['verifier'])
    expect(matchTagged(pattern('event:deploy'), 'deploy', tags)).toEqual([])
  })

  test('holes are named once, in order of appearance', () => {
    expect(pattern('a.{b}.{a}[x={c}, y={b}]').holes).toEqual(['b', 'a', 'c'])
  })

  test('what lumps is known, and a plain name is itself', () => {
    expect([pattern('a.*').lumps, pattern('a.{b}').lumps, pattern('a[x=1|2]').lumps]).toEqual([true, false, true])
    expect([literalName(pattern('a.b')), literalName(pattern('aws:a')), literalName(pattern('a.{b}'))]).toEqual([
      'a.b',
      'aws:a',
      undefined,
    ])
  })

  test('facts are looked up where a rule is referred to', () => {
    expect(pattern('rule:router_down[router={host.router}]').tags[0]).toMatchObject({ hole: 'host', fact: 'router' })
  })
})

test.each([
  ['', 1, 'a path needs a name'],
  ['a..b', 3, 'a segment is empty'],
  ['a.', 3, 'a segment is empty'],
  ['a.b**', 4, '"**" must be a segment of its own'],
  ['a.{Host}', 4, 'a hole needs a name of a-z, 0-9 and _, such as {host}'],
  ['a.{host', 8, 'expected "}" at the end of the hole'],
  ['a.{host:}', 9, 'expected a value, such as rx or 5*'],
  ['chek:a.b', 1, 'no prefix is called "chek"; there are check, event, aws, rule, source, metric'],
  ['a[x]', 4, 'expected "=" after the tag x'],
  ['a[x=1', 6, 'expected "," or "]" after a tag'],
  ['a[x=1]b', 7, '"b" cannot stand in a path'],
  ['a b', 2, '" " cannot stand in a path'],
  ['check:', 7, 'a path needs a name'],
])('%s is refused at column %i', (path, column, message) => {
  expect(parsePath(path)).toEqual({ ok: false, error: { column, message } })
})
