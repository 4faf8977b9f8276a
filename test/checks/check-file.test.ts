import { describe, expect, test } from 'vitest'
import { bodyPattern, readCheckFile } from '../../src/checks/check-file.ts'
import { formatProblem } from '../../src/runtime/problem.ts'

function checksIn(text: string, environment = {}) {
  const read = readCheckFile('web.yaml', text, environment)
  if (!read.ok) throw new Error(read.error.map(formatProblem).join('\n'))
  return read.value.map(({ check }) => check)
}

function problemsIn(text: string): string[] {
  const read = readCheckFile('web.yaml', text, {})
  return read.ok ? [] : read.error.map(formatProblem)
}

describe('what is written becomes checks', () => {
  test('an address is enough; everything else has a default', () => {
    expect(checksIn('checks: {web.router: {http: "http://localhost:10000/__heartbeat__"}}')).toEqual([
      {
        name: 'web.router',
        url: 'http://localhost:10000/__heartbeat__',
        method: 'GET',
        headers: {},
        followRedirects: false,
        expect: {},
        intervalMs: 10_000,
        whileFailingMs: 2_000,
        timeoutMs: 5_000,
      },
    ])
  })

  test('a check overrides the defaults of its file', () => {
    const [check] = checksIn(`
      defaults: {interval: 30s, timeout: 3s, headers: {X-From: tocsin}}
      checks:
        a: {http: http://h/, interval: 1m, expect: {status: 204, body: /^ready/i}}
    `)
    expect(check).toMatchObject({
      intervalMs: 60_000,
      timeoutMs: 3_000,
      headers: { 'X-From': 'tocsin' },
      expect: { statuses: [204], body: '/^ready/i' },
    })
  })

  test('while failing a check runs every 2s, or at its interval where that is shorter', () => {
    const checks = checksIn('checks: {a: {http: "http://h/", interval: 1m}, b: {http: "http://h/", interval: 1s}}')
    expect(checks.map(({ whileFailingMs }) => whileFailingMs)).toEqual([2_000, 1_000])
  })

  test('one entry with holes covers a target a row', () => {
    const checks = checksIn(`
      checks:
        web.{process}:
          http: http://127.0.0.1:{port}/{process}
          headers: {Host: "{process}.example.org"}
          each:
            - {process: router, port: 10000}
            - {process: verifier, port: 10004}
    `)
    expect(checks.map(({ name, url, headers }) => [name, url, headers.Host])).toEqual([
      ['web.router', 'http://127.0.0.1:10000/router', 'router.example.org'],
      ['web.verifier', 'http://127.0.0.1:10004/verifier', 'verifier.example.org'],
    ])
  })

  test('secrets come from the environment', () => {
    const text = 'checks: {a: {http: "http://h/", headers: {Authorization: "Bearer ${TOKEN}"}}}'
    expect(checksIn(text, { TOKEN: 'not-for-print' })[0]?.headers).toEqual({ Authorization: 'Bearer not-for-print' })
  })

  test('an empty file holds no checks', () => {
    expect(checksIn('')).toEqual([])
    expect(checksIn('checks:\n')).toEqual([])
  })
})

describe('what is wrong is said with its place, all of it at once', () => {
  test('several mistakes in one file', () => {
    const text = [
      'checks:',
      '  web.a: {http: ftp://h/, intervall: 10s}',
      '  web.b: {http: http://h/, timeout: 5}',
      '  web.c: {interval: 5s}',
      '  web.d: {http: http://h/, expect: {status: 999}}',
    ].join('\n')
    const problems = problemsIn(text)
    expect(problems.map((problem) => problem.split(': ').slice(0, 2).join(': '))).toEqual([
      'web.yaml:2:27: checks.web.a.intervall',
      'web.yaml:3:37: checks.web.b.timeout',
      'web.yaml:4:3: checks.web.c.http',
      'web.yaml:5:45: checks.web.d.expect.status',
    ])
    expect(problems[0]).toContain('did you mean "interval"?')
  })

  const mistakes: [what: string, text: string, problem: string][] = [
    [
      'an address that is none',
      'checks: {a: {http: localhost}}',
      'expected an http:// or https:// address, got "localhost"',
    ],
    [
      'a name with spaces',
      'checks: {a b: {http: "http://h/"}}',
      'expected a series name such as web.router, got "a b"',
    ],
    ['holes without rows', 'checks: {"a.{p}": {http: "http://h/"}}', 'a name with holes needs "each"'],
    ['a row without a value', 'checks: {"a.{p}": {http: "http://h:{port}/", each: [{p: x}]}}', 'no value for {port}'],
    [
      'a pattern that is none',
      'checks: {a: {http: "http://h/", expect: {body: "/(/"}}}',
      'expected a pattern, got /(/',
    ],
    [
      'a longer interval while failing',
      'checks: {a: {http: "http://h/", interval: 1s, whileFailing: 2s}}',
      'longer than the interval',
    ],
    [
      'a header that cannot be sent',
      'checks: {a: {http: "http://h/", headers: {"a b": x}}}',
      'Header name must be a valid HTTP token',
    ],
    [
      'a secret that is not there',
      'checks: {a: {http: "http://h/${NOT_SET}"}}',
      'the environment has no variable NOT_SET',
    ],
    ['a name twice', 'checks:\n  a: {http: "http://h/"}\n  a: {http: "http://h/"}', 'unique'],
    ['not even YAML', 'checks: [', 'web.yaml:1:'],
  ]
  test.each(mistakes)('%s', (_what, text, problem) => {
    const problems = problemsIn(text)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(problem)
    expect(problems[0]).toMatch(/^web\.yaml:\d+:\d+: /)
  })
})

describe('an expected body', () => {
  test('is plain text that the body contains, whatever its characters', () => {
    expect(bodyPattern('a.b (c)?')?.test('xx a.b (c)? yy')).toBe(true)
    expect(bodyPattern('a.b')?.test('aXb')).toBe(false)
  })

  test('is a pattern between slashes, with flags', () => {
    expect(bodyPattern('/^OK \\d+$/im')?.test('first\nok 17')).toBe(true)
    expect(bodyPattern('/^ok$/')?.test('not ok')).toBe(false)
  })
})
