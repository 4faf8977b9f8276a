import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configShow } from '../../src/cli/config-show.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { formatProblem } from '../../src/runtime/problem.ts'
import { strikeSecrets } from '../../src/runtime/secrets.ts'

let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-config-'))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

function load(text: string, environment: Record<string, string> = {}) {
  const file = path.join(folder, 'tocsin.yaml')
  fs.writeFileSync(file, text)
  return loadConfig(file, environment)
}

function loaded(text: string, environment: Record<string, string> = {}): Config {
  const result = load(text, environment)
  if (!result.ok) throw new Error(result.error.map(formatProblem).join('\n'))
  return result.value
}

function problems(text: string, environment: Record<string, string> = {}): string[] {
  const result = load(text, environment)
  return result.ok ? [] : result.error.map((problem) => formatProblem(problem).replace(`${folder}/`, ''))
}

describe('a configuration', () => {
  test('may be empty: everything has a default', () => {
    const config = loaded('')
    expect(config.bus.url).toBe('memory')
    expect(config.ingest.statsd.udp).toEqual({ host: '127.0.0.1', port: 8125 })
    expect(config.ingest.flushInterval).toBe(1000)
    expect(config.dashboards.listen).toEqual({ host: '127.0.0.1', port: 8989 })
    expect(config.graphite).toBeUndefined()
  })

  test('may be missing only when nobody named it', () => {
    const absent = path.join(folder, 'absent.yaml')
    expect(loadConfig(absent, {}, true).ok).toBe(true)
    const named = loadConfig(absent, {})
    expect(!named.ok && named.error[0]?.message).toMatch(/^cannot be read: ENOENT/)
  })

  test('a size is a number or a text; the journal may be off', () => {
    expect(loaded('').cep.journal).toEqual({ retention: 7 * 86_400_000, bytesMax: 2e9 })
    expect(loaded('cep: {journal: {retention: 1d, bytesMax: 512MiB}}').cep.journal).toEqual({
      retention: 86_400_000,
      bytesMax: 512 * 2 ** 20,
    })
    expect(loaded('cep: {journal: {bytesMax: 5000000}}').cep.journal).toMatchObject({ bytesMax: 5e6 })
    expect(loaded('cep: {journal: false}').cep.journal).toBe(false)
    expect(problems('cep: {journal: {bytesMax: big}}')).toEqual([
      'tocsin.yaml:1:27: cep.journal.bytesMax: expected a size such as "2GB", got "big"',
    ])
    expect(loaded('').cep.memoryMax).toBe(4 * 2 ** 30)
    expect(configShow(loaded('cep: {memoryMax: 512MiB}'), {}).text).toMatch(/memoryMax: 512MiB/)
    expect(problems('cep: {memoryMax: -1}')[0]).toContain('expected a size such as "2GB"')
    expect(problems('cep: {journal: {bytesMax: 10kB}}')[0]).toContain('expected at least "1MB"')
    expect(problems('cep: {journal: {retenton: 1d}}')[0]).toContain('did you mean "retention"?')
    expect(configShow(loaded('cep: {journal: {bytesMax: 2.5GB}}'), {}).text).toMatch(
      /retention: 7d\n +bytesMax: 2500MB/,
    )
  })

  test('accepts every key of the design', () => {
    fs.writeFileSync(path.join(folder, 'hook'), 'shh-secret\n')
    const config = loaded(
      `
bus: {url: "amqp://user:\${RABBITMQ_PASSWORD}@host:5672/vhost", exchange: tocsin, graphiteLines: [stats]}
data: ./var
ingest:
  statsd: {udp: 127.0.0.1:8125, tcp: "[::1]:8125"}
  graphite: {tcp: 127.0.0.1:2013}
  flushInterval: 1s
  seriesMax: 100000
rules: [rules/]
graphite: {carbon: 127.0.0.1:2003, render: http://127.0.0.1:8080, flushInterval: 10s}
checks: [checks/]
cloudwatch2graphite: {regions: [us-west-2, us-east-1], metrics: cloudwatch.yaml}
alerts:
  receivers:
    oncall-email: {email: {to: oncall@example.org, from: tocsin@example.org, smtp: smtp://localhost:25}}
    ops-hook: {webhook: {url: https://example.org/hook, secret: {file: hook}}}
  route: {receiver: oncall-email, routes: [{match: {severity: warn}, receiver: ops-hook}]}
dashboards: {listen: 127.0.0.1:8989, files: [dashboards/]}
`,
      { RABBITMQ_PASSWORD: 'rabbit-password' },
    )
    expect(config.bus.url).toBe('amqp://user:rabbit-password@host:5672/vhost')
    expect(config.ingest.statsd.tcp).toEqual({ host: '::1', port: 8125 })
    expect(config.rules).toEqual([path.join(folder, 'rules')])
    expect(config.alerts.receivers['ops-hook']).toMatchObject({ webhook: { secret: 'shh-secret' } })
  })
})

describe('a wrong configuration', () => {
  test('tells all its problems at once, each with line, column, what was expected and what came', () => {
    expect(
      problems(`bus: memry
ingest:
  flushIntervl: 1s
  flushInterval: 1
  statsd: {udp: nope}
rules: rules/
`),
    ).toEqual([
      'tocsin.yaml:1:6: bus: expected "memory" or an amqp:// URL, got "memry"',
      'tocsin.yaml:3:3: ingest.flushIntervl: there is no such key\n    help: did you mean "flushInterval"?',
      'tocsin.yaml:4:18: ingest.flushInterval: expected a duration such as "1s", got 1',
      'tocsin.yaml:5:17: ingest.statsd.udp: expected host:port such as "127.0.0.1:8125", got "nope"',
      'tocsin.yaml:6:8: rules: expected a list, got "rules/"',
    ])
  })

  test.each([
    ['smtp://', 'a host', /expected the (address of a mail server|name of a host)/],
    ['smtp://host:port', 'a port', /expected the address of a mail server/],
    [
      'smtp://tocsin@mail',
      'a password',
      /a user without a password\n {4}help: write smtp:\/\/user:\$\{PASSWORD\}@host/,
    ],
    ['smtp://tocsin:hush%zz@mail', 'a percent sign written as %25', /a % in user or password/],
  ])('a mail receiver with %s lacks %s and is refused where it stands', (smtp, _what, expected) => {
    const found = problems(`alerts:\n  receivers:\n    a: {email: {to: x@example.org, smtp: "${smtp}"}}`)
    expect(found).toEqual([expect.stringMatching(expected)])
    expect(found[0]).toMatch(/^tocsin\.yaml:3:42: alerts\.receivers\.a\.email\.smtp: /)
    expect(found[0]).not.toContain('hush')
  })

  test('a mail receiver with a time zone that does not exist is refused', () => {
    const text = 'alerts: {receivers: {a: {email: {to: x@example.org, timeZone: Europe/Berlinn}}}}'
    expect(problems(text)).toEqual([expect.stringContaining('there is no time zone "Europe/Berlinn"')])
  })

  test('a webhook with an empty secret, or one that is not set, is refused where it stands', () => {
    const hook = (secret: string) => `alerts: {receivers: {a: {webhook: {url: "http://x", secret: ${secret}}}}}`
    expect(problems(hook('""'))[0]).toMatch(/^tocsin\.yaml:1:\d+: alerts\.receivers\.a\.webhook\.secret: /)
    expect(problems(hook('"${NOT_SET}"'))[0]).toMatch(/^tocsin\.yaml:1:\d+: the environment has no variable NOT_SET/)
  })

  test('the configuration that docs/receivers.md shows is right', () => {
    const [, shown = ''] = /```yaml\n([\s\S]*?)```/.exec(fs.readFileSync('docs/receivers.md', 'utf8')) ?? []
    fs.writeFileSync(path.join(folder, 'hook'), 'hook-secret\n')
    expect(problems(shown.replace('/run/secrets/hook', 'hook'), { SMTP_PASSWORD: 'smtp-password' })).toEqual([])
  })

  test('a template is read with the rest, each slip with its place and a cure', () => {
    const text = 'alerts:\n  templates:\n    subject: "{rul} {tags.team} {open"\n    text: "{host} {level}"'
    expect(problems(text)).toEqual([
      'tocsin.yaml:3:14: alerts.templates.subject: there is no hole {rul}\n    help: did you mean {rule}?',
      'tocsin.yaml:3:14: alerts.templates.subject: there is no hole {tags.team}\n    help: did you mean {tag.team}?',
      'tocsin.yaml:3:14: alerts.templates.subject: a brace without its other half\n    help: write {{ and }} for braces themselves',
      expect.stringMatching(
        /^tocsin\.yaml:4:11: .*\{host\}\n {4}help: known: .*; a name of the group is \{group\.host\}$/,
      ),
    ])
  })

  test('fallbacks that lead nowhere or in a circle are each named', () => {
    const receivers = [
      'oncall: {email: {to: x@example.org}, fallback: onccall}',
      'ops: {email: {to: x@example.org}, fallback: boss}',
      'boss: {email: {to: y@example.org}, fallback: ops}',
    ]
    const text = `alerts:\n  fallback: other\n  receivers:\n    ${receivers.join('\n    ')}`
    const circle = 'help: let the last one have no fallback'
    expect(problems(text)).toEqual([
      'tocsin.yaml:2:13: alerts.fallback: there is no receiver "other"\n    help: known: oncall, ops, boss',
      'tocsin.yaml:4:52: alerts.receivers.oncall.fallback: there is no receiver "onccall"\n    help: did you mean "oncall"?',
      `tocsin.yaml:5:49: alerts.receivers.ops.fallback: goes in a circle: ops → boss → ops\n    ${circle}`,
      `tocsin.yaml:6:50: alerts.receivers.boss.fallback: goes in a circle: boss → ops → boss\n    ${circle}`,
    ])
  })

  test.each([
    [
      'a route to nowhere',
      'alerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: {receiver: b}',
      'tocsin.yaml:3:21: alerts.route.receiver: there is no receiver "b"\n    help: known: a',
    ],
    [
      'a route that ends at nobody without saying so',
      'alerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: {routes: [{match: {severity: warn}, receiver: a}]}',
      /^tocsin.yaml:3:3: alerts.route: it leads to no receiver\n {4}help: name one, or "receiver: nobody"/,
    ],
    [
      'a route that nothing reaches',
      'alerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: {receiver: a, routes: [{receiver: a}, {match: {team: x}}]}',
      /alerts\.route\.routes\[1\]: nothing comes here\n {4}help: routes\[0\] before it takes everything/,
    ],
    [
      'a severity that there is not',
      'alerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: {receiver: a, routes: [{match: {severity: critical}}]}',
      /^tocsin.yaml:3:52: alerts.route.routes\[0\].match.severity: expected a pattern that meets warn or crit, got "critical"/,
    ],
    [
      'a regular expression that does not parse',
      'alerts: {maintenance: {m: {match: {cluster: "/we(b/"}, reason: x, from: 2026-03-01T02:00Z, for: 1h}}}',
      /^tocsin.yaml:1:45: alerts.maintenance.m.match.cluster: in the regular expression, at 5: expected a "\)"/,
    ],
    [
      'hours in a zone that there is not',
      'alerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: {receiver: a, routes: [{during: "mon-fri 09:00-17:00 Europe/Berlinn"}]}',
      /^tocsin.yaml:3:42: alerts.route.routes\[0\].during: expected a time zone.*did you mean "Europe\/Berlin"/,
    ],
    [
      'hours that are none',
      'alerts:\n  receivers: {a: {email: {to: x@example.org}}}\n  route: {receiver: a, routes: [{during: "mon-fri 9-5 Europe/Berlin"}]}',
      /expected times such as 09:00-17:00, got "9-5"/,
    ],
    [
      'maintenance that says neither when nor how often',
      'alerts: {maintenance: {m: {match: {cluster: web}, reason: x}}}',
      /^tocsin.yaml:1:24: alerts.maintenance.m: expected "every" \(with at, for, zone\) or "from"/,
    ],
    [
      'maintenance with every key wrong',
      'alerts: {maintenance: {m: {match: {cluster: web}, reason: x, every: someday, at: "25:00", for: long, zone: Mars}}}',
      /m.every: expected "day".*\n.*m.at: expected a time of day.*\n.*m.for: expected a duration.*\n.*m.zone: expected a time zone/,
    ],
    [
      'a limit that is none',
      'alerts: {receivers: {a: {email: {to: x@example.org}, limit: 30/10m}}}',
      /alerts.receivers.a.limit: expected a limit from 2 to 1000 such as "30 per 10m", got "30\/10m"/,
    ],
    [
      'a secret that is empty',
      'alerts: {receivers: {a: {webhook: {url: "http://x/", secret: ""}}}}',
      /a.webhook.secret: expected a secret; what is named is empty/,
    ],
    [
      'figures for Graphite that there are not',
      'graphite: {carbon: 2003, statsd: {percentThreshold: 0, calculatedTimerMetrics: [p99], histogram: [{metric: a, bins: [5, 1]}]}}',
      /statsd.percentThreshold: expected a percentage such as 90 or 99.9, or -10.*got 0\n.*calculatedTimerMetrics\[0\]: expected one of .*upper_percent.*\n.*histogram\[0\].bins: expected upper limits that ascend/,
    ],
    [
      'an option of etsy’s that is misspelt',
      'graphite: {carbon: 2003, statsd: {flushCounts: false, globalSuffix: .eu}}',
      /statsd.flushCounts: there is no such key\n {4}help: did you mean "flush_counts"/,
    ],
    ['a receiver called nobody', 'alerts: {receivers: {nobody: {email: {to: x@example.org}}}}', /choose another name/],
    ['a key twice', 'data: a\ndata: b', /^tocsin\.yaml:2:1: Map keys must be unique/],
    ['YAML that does not parse', 'data: [a', /^tocsin\.yaml:1:\d+: /],
    [
      'an absent environment variable',
      'bus: "amqp://u:${NO_SUCH}@h"',
      /^tocsin\.yaml:1:6: the environment has no variable NO_SUCH/,
    ],
    [
      'an absent secret file',
      'alerts: {receivers: {a: {webhook: {url: "http://x", secret: {file: nowhere}}}}}',
      /^tocsin\.yaml:1:61: cannot read nowhere: no such file/,
    ],
    [
      'graphiteLines on the memory bus',
      'bus: {url: memory, graphiteLines: [stats]}',
      /graphiteLines names exchanges of a RabbitMQ/,
    ],
    [
      'a receiver of two kinds',
      'alerts: {receivers: {a: {emial: {to: x}}}}',
      /alerts\.receivers\.a\.emial: there is no such key\n {4}help: did you mean "email"\?/,
    ],
    ['a list at the top', '- a', /expected a mapping/],
  ])('is refused for %s', (_what, text, expected) => {
    const found = problems(text)
    expect(found.join('\n')).toMatch(expected)
  })
})

describe('graphite.statsd', () => {
  test('takes etsy’s options as they are written there, and config show tells all that is in force', () => {
    const config = loaded(
      'graphite: {carbon: 2003, statsd: {percentThreshold: [50, -10], histogram: [{metric: "", bins: [1, .inf]}], deleteIdleStats: true}}',
    )
    expect(config.graphite?.statsd).toMatchObject({
      percentThreshold: [50, -10],
      histogram: [{ metric: '', bins: [1, 'inf'] }],
      deleteIdleStats: true,
      gaugesMaxTTL: 1,
      flush_counts: true,
      legacyNamespace: true,
      globalPrefix: 'stats',
    })
    const shown = JSON.parse(configShow(config, { json: true }).text as string)
    expect(shown.graphite.statsd).toEqual(config.graphite?.statsd)
  })
})

describe('secrets', () => {
  const text = `
bus: "amqp://user:\${RABBITMQ_PASSWORD}@host"
alerts:
  receivers:
    a: {webhook: {url: "https://example.org/\${TOKEN}", secret: {file: key}}}
    b: {email: {to: x@example.org, smtp: "smtp://me:literal-password@mail"}}
    c: {webhook: {url: "https://example.org", secret: literal-secret}}
`
  const environment = { RABBITMQ_PASSWORD: 'hunter-22', TOKEN: 'pw' }

  test('are shown as they stand in the file, never as they are', () => {
    fs.writeFileSync(path.join(folder, 'key'), 'the-key')
    for (const json of [true, false]) {
      const shown = configShow(loaded(text, environment), { json }).text as string
      expect(shown).toContain('${RABBITMQ_PASSWORD}')
      expect(shown).toContain('${TOKEN}')
      expect(shown).toContain('{file: key}')
      expect(shown).not.toMatch(/hunter-22|\/pw|the-key|literal-password|literal-secret/)
    }
  })

  test('are struck out of whatever is logged, also inside URLs', () => {
    loaded(text, environment)
    expect(strikeSecrets('connect to amqp://user:hunter-22@host failed')).toBe(
      'connect to amqp://user:${RABBITMQ_PASSWORD}@host failed',
    )
    expect(strikeSecrets('smtp://me:literal-password@mail')).toBe('smtp://me:***@mail')
  })

  test('are not told by the problem of a value that holds one', () => {
    expect(problems('bus: "htp://u:${PASSWORD}@h"', { PASSWORD: 'pw' })).toEqual([
      'tocsin.yaml:1:6: bus: expected "memory" or an amqp:// URL, got "htp://u:${PASSWORD}@h"',
    ])
  })

  test('from a file are taken whole, even when they look like a reference', () => {
    fs.writeFileSync(path.join(folder, 'key'), 'a${NOT_ONE}b')
    expect(loaded(text, environment).alerts.receivers.a).toMatchObject({ webhook: { secret: 'a${NOT_ONE}b' } })
  })
})

describe('ingest.logs', () => {
  const problems = (...lines: string[]) => {
    const text = `ingest:\n  logs:\n${lines.map((line) => `    - ${line}\n`).join('')}`
    const loaded = load(text)
    return loaded.ok ? [] : loaded.error.map(({ line, column, message }) => `${line}:${column} ${message}`)
  }

  test('is short for the common case, and paths are resolved against the file', () => {
    expect(
      problems(
        '{path: "logs/{site}.log", format: nginx, metrics: [{counter: "z.{site}.{status}"}, {timer: z.t, value: "{request_time}", unit: s}]}',
        '{path: x.log, format: json, metrics: [{counter: "a.{any.thing}"}]}',
        '{path: x.log, format: {regex: "(?<user>.*)"}, from: beginning, events: [{event: login, tags: {user: "{user}", file: "{file}"}}]}',
      ),
    ).toEqual([])
  })

  test.each([
    [
      '{path: x, format: nginx, metrics: [{counter: "a.{staus}"}]}',
      '3:52 ingest.logs[0].metrics[0].counter: no capture is called {staus}; did you mean {status}?, got "a.{staus}"',
    ],
    [
      '{path: x, format: combined, metrics: [{counter: "{site}"}]}',
      '3:55 ingest.logs[0].metrics[0].counter: no capture is called {site}; known: file, remote_addr, user, time, method, path, query, status, bytes, referer, agent; to take it from the path, write {site} there, got "{site}"',
    ],
    [
      '{path: x, format: {regex: "(?<a>"}, metrics: [{counter: "{a}"}]}',
      expect.stringMatching(/^3:33 ingest\.logs\[0\]\.format\.regex: the regular expression is wrong: /),
    ],
    [
      '{path: x, format: {regex: "(a)\\\\1"}, metrics: [{counter: a}]}',
      expect.stringMatching(
        /^3:33 ingest\.logs\[0\]\.format\.regex: expected a regular expression without look-ahead, back-references/,
      ),
    ],
    [
      '{path: x, format: json, metrics: [{timer: a}]}',
      expect.stringContaining('a timer needs a value such as "{request_time}"'),
    ],
    [
      '{path: x, format: json, metrics: [{counter: a, timer: b}]}',
      expect.stringContaining('expected one of counter, timer, gauge and set, got counter and timer'),
    ],
    ['{path: x, format: json, metrics: [{counter: a, unit: s}]}', expect.stringContaining('only a timer has a unit')],
    [
      '{path: x, format: json, metrics: [{counter: "a b"}]}',
      expect.stringContaining('expected a name of letters, digits, _, -, dots and captures'),
    ],
    [
      '{path: x, format: json, metrics: [{counter: "a.{b"}]}',
      expect.stringContaining('expected captures such as {status}, got "a.{b"'),
    ],
    [
      '{path: x, format: json, metrics: [{counter: a, when: "status = 1"}]}',
      expect.stringContaining('expected a test such as {status} >= 500, got "status = 1"'),
    ],
    [
      '{path: x, format: json, metrics: [{counter: a, when: "{status} > x"}]}',
      expect.stringContaining('expected a number after >, got "x"'),
    ],
    [
      '{path: x, format: json, metrics: [{counter: a, when: "{s} ~ ("}]}',
      expect.stringContaining('the regular expression is wrong'),
    ],
    ['{path: x, format: json}', expect.stringContaining('expected metrics or events; nothing is made of these lines')],
    ['{path: x, format: csv, metrics: [{counter: a}]}', expect.stringContaining('ingest.logs[0].format: expected')],
  ])('is refused with its place: %s', (written, problem) => {
    expect(problems(written)[0]).toEqual(problem)
  })
})
