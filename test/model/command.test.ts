import { describe, expect, test } from 'vitest'
import { type ArgumentValue, matchersMax, readCommand } from '../../src/model/command.ts'
import { glob, reach } from '../../src/model/match.ts'

const read = (kind: string, args: Record<string, ArgumentValue>) =>
  readCommand({ id: 'c1', kind, by: 'ann', atMs: 1, arguments: args })

describe('commands that must be read', () => {
  test.each<[string, Record<string, ArgumentValue>]>([
    ['acknowledge', { fingerprint: 'a/b' }],
    ['acknowledge', { fingerprint: 'a/b', note: 'on it', sticky: true, untilMs: 5, episode: 'e' }],
    ['unacknowledge', { fingerprint: 'a/b' }],
    ['silence', { matchers: { rule: 'a*' }, reason: 'deploy', startsMs: 1, endsMs: 2 }],
    ['silence', { matchers: { rule: 'a*' }, reason: 'deploy', startsMs: 1, endsMs: 2, quietMs: 60_000 }],
    ['expire', { silence: 's1' }],
    ['extend', { silence: 's1', endsMs: 9 }],
    ['release', { maintenance: 'm1' }],
    ['note', { fingerprint: 'a/b', text: 'looking' }],
  ])('%s %j', (kind, args) => {
    expect(read(kind, args)).toMatchObject({ ok: true, value: { kind, id: 'c1', by: 'ann', ...args } })
  })
})

const sunday = { every: 'sunday', at: '02:00', for: '2h', zone: 'Europe/Amsterdam' }
const maintain = { matchers: { cluster: 'web' }, reason: 'deploy' }

describe('commands that must not', () => {
  const silence = { matchers: { rule: 'a' }, reason: 'deploy', startsMs: 1, endsMs: 2 }
  test.each<[string, Record<string, ArgumentValue>, string, string]>([
    [
      'dance',
      {},
      'kind',
      'expected acknowledge, unacknowledge, silence, expire, extend, maintain, release, note, retry, dismiss, got "dance"',
    ],
    ['acknowledge', {}, 'fingerprint', 'expected a text'],
    ['acknowledge', { fingerprint: 'a', sticky: 'yes' }, 'sticky', 'expected true or false, got "yes"'],
    [
      'acknowledge',
      { fingerprint: 'a', til: 5 },
      'til',
      'there is no such argument; known: fingerprint, note, untilMs',
    ],
    ['note', { fingerprint: 'a', text: ' ' }, 'text', 'expected a text, got an empty one'],
    ['note', { fingerprint: 'a', text: 'x'.repeat(1001) }, 'text', 'expected at most 1000 characters, got 1001'],
    ['silence', { ...silence, endsMs: 1 }, 'endsMs', 'expected a time after startsMs'],
    ['silence', { ...silence, endsMs: 4e13 }, 'endsMs', 'expected at most a year after startsMs'],
    ['silence', { ...silence, endsMs: 1e20 }, 'endsMs', 'expected milliseconds, got 100000000000000000000'],
    ['silence', { ...silence, matchers: {} }, 'matchers', 'expected at least one, such as {"rule": "http_*"}'],
    ['silence', { ...silence, matchers: { rule: '' } }, 'matchers.rule', 'expected a pattern such as "http_*", got ""'],
    [
      'silence',
      { ...silence, matchers: { rule: '/(a/' } },
      'matchers.rule',
      'in the regular expression, at 3: expected a ")"',
    ],
    ['silence', { ...silence, matchers: { severity: 'critical' } }, 'matchers.severity', 'that meets warn or crit'],
    ['extend', { silence: 's1' }, 'endsMs', 'expected milliseconds'],
    ['maintain', { ...maintain, recurrence: { ...sunday, zone: 'Mars/Base' } }, 'zone', 'expected a time zone'],
    ['maintain', { ...maintain, recurrence: { ...sunday, every: 'someday' } }, 'every', 'expected "day"'],
    ['maintain', maintain, 'startsMs', 'expected milliseconds'],
    ['silence', { ...silence, reason: '' }, 'reason', 'expected a text, got an empty one'],
  ])('%s %j: %s', (kind, args, path, message) => {
    const result = read(kind, args)
    expect(result.ok).toBe(false)
    if (!result.ok) expect(result.error).toContainEqual({ path, message: expect.stringContaining(message) })
  })

  test(`more than ${matchersMax} patterns`, () => {
    const matchers = Object.fromEntries(Array.from({ length: matchersMax + 1 }, (_, i) => [`t${i}`, 'x']))
    expect(read('silence', { ...silence, matchers }).ok).toBe(false)
  })
})

test('a pattern matches whole texts, with * for any text', () => {
  expect(glob('http_*', 'http_5xx')).toBe(true)
  expect(glob('*_5*x', 'http_5xx')).toBe(true)
  expect(glob('http', 'http_5xx')).toBe(false)
  expect(reach({ rule: '*', process: '**' })).toBe('every alert')
  expect(reach({ rule: '*', process: 'a*' })).toBeUndefined()
})

test('maintenance is once or recurring', () => {
  expect(read('maintain', { ...maintain, startsMs: 1, endsMs: 2 })).toMatchObject({
    value: { when: { startsMs: 1, endsMs: 2 } },
  })
  expect(read('maintain', { ...maintain, recurrence: sunday })).toMatchObject({ value: { when: sunday } })
})
