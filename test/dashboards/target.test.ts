import { expect, test } from 'vitest'
import { parseTarget } from '../../src/dashboards/target.ts'

test.each([
  ['rate(browserid.{process}.response.5*)', 'rate', ['process']],
  ['p99.9(browserid.*.response_time)', 'percentile', []],
  [' sum( aws:elb.{name}.requestcount ) ', 'sum', ['name']],
  ['max(check:web.{process})', 'max', ['process']],
  ['avg(metric:requests[process={process}, status=5*])', 'avg', ['process']],
])('%s is a target', (text, pool, holes) => {
  expect(parseTarget(text)).toMatchObject({ ok: true, value: { pool, path: { holes } } })
})

test.each([
  ['', 'expected a function around a path'],
  ['a.b.c', 'expected a function around a path'],
  ['ratio(a.b)', 'there is no function "ratio"'],
  ['p0(a.b)', 'there is no function "p0"'],
  ['p100(a.b)', 'there is no function "p100"'],
  ['rate()', 'a path needs a name'],
  ['rate(a..b)', 'a segment is empty (column 8)'],
  ['sum(event:deploy)', '"event:" has no numbers to draw'],
  [`sum(${'a'.repeat(600)})`, 'at most 500'],
])('%s is refused', (text, message) => {
  expect(parseTarget(text)).toEqual({ ok: false, error: expect.stringContaining(message) })
})
