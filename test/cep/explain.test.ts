/** What "rules explain" tells of a rule before it runs. */
import { describe, expect, it, test } from 'vitest'
import { type Explanation, explain } from '../../src/cep/explain/explain.ts'
import { explanationText } from '../../src/cep/explain/text.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { rulesExplain } from '../../src/cep/tools/index.ts'

const folder = 'test/fixtures/rules'

/** The only or the last rule of a file with these keys. */
function explained(rules: string, more = ''): Explanation {
  const text = `${more}\nrules:\n${rules.replace(/^/gm, '  ')}`
  const loaded = loadRules([{ path: 'a.yaml', text }])
  expect(loaded.problems).toEqual([])
  return explain(loaded.rules.at(-1) as (typeof loaded.rules)[number], loaded)
}

const levels = (rules: string, more?: string) =>
  explained(rules, more).levels.map(({ hold, until, keep }) => ({ hold, until, keep }))
const delay = (rules: string, more?: string) =>
  explained(rules, more).delays.map(
    ({ level, parts, totalMs }) =>
      `${level} ${totalMs / 1000}s: ${parts.map(({ ms, what }) => `${ms / 1000}s ${what}`).join(' + ')}`,
  )

const catalogue = `
metrics:
  - {match: "req.**", kind: count}
  - {match: "temp.**", kind: gauge, step: 30s}
  - {match: "time.**", kind: timer}
  - {match: "octets.**", kind: counter, unit: B}
  - {match: "aws:elb.**", kind: count, step: 1m}
`

describe('defaults are said', () => {
  it('what clears a level is the negation, and the first good bucket does', () => {
    expect(levels('hot:\n  warn: temp.{host} > 5', catalogue)).toEqual([
      {
        hold: 'at once: the first bad bucket (default)',
        until: 'not (temp.{host} > 5) (default: the negation)',
        keep: 'nothing (default): off with the first good bucket',
      },
    ])
  })

  it('"until < x" is spelt out, also where a let stands for the comparison', () => {
    const hot = 'hot:\n  let: {high: "temp.{host} > 5"}\n  warn: high for 1m, until < 3, keep 2m'
    expect(levels(hot, catalogue)).toEqual([
      { hold: 'for 1m: 60 buckets of 1s, none of them good', until: 'temp.{host} < 3', keep: '2m: 120 good buckets' },
    ])
  })

  it('every, if missing, at most, forget and settle stand in the text with their defaults', () => {
    const hot = 'calm:\n  warn: temp.{host} > 9\nhot:\n  warn: temp.{host} > 5\n  hide when: rule:calm is firing'
    const text = explanationText(explained(hot, catalogue))
    expect(text).toContain('every        1s (default; 10s in tests)')
    expect(text).toContain('if missing   hold: the level stays as it is (default)')
    expect(text).toContain('at most      1000 groups (default)')
    expect(text).toContain('forget       a group after 1d of silence (default)')
    expect(text).toContain('hide when    rule:calm is firing')
    expect(text).toContain('settle       1m of calm before it is shown (default)')
  })
})

test('an objective is told as sentences, its factors multiplied out', async () => {
  const { text = '' } = await rulesExplain([`${folder}/05-slo.rules.yaml`], { json: false, names: ['availability'] })
  expect(text).toContain('budget   14.4 × 0.1% = 1.44%, 6 × 0.1% = 0.6%, 3 × 0.1% = 0.3%, 1 × 0.1% = 0.1%')
  expect(text).toContain('crit   (bad over 1h / all over 1h > 1.44% and bad over 5m / all over 5m > 1.44%')
  expect(text).toContain('       or bad over 6h / all over 6h > 0.6% and bad over 30m / all over 30m > 0.6%)')
  expect(text).toContain('       and bad over 1h >= 10')
})

test('what is read is named with its kind, unit and step', () => {
  const rule =
    'all:\n  crit: sum(req.{host}.*) over 1m > 5 and p99(time.{host}) over 5m > 1s and check:web.{host} is not ok and new.{host} > 1'
  expect(explained(rule, catalogue).reads.map(({ path, kind, unit, step }) => [path, kind, unit, step])).toEqual([
    ['req.{host}.*', 'count', '', '1s'],
    ['time.{host}', 'timer', 'ms', '1s'],
    ['check:web.{host}', 'check', '', 'its own interval'],
    ['new.{host}', 'not declared: what the bus says, a gauge in tests', '', '10s (60s as a Graphite line)'],
  ])
})

describe('detection delay', () => {
  it.each([
    ['a bare gauge: the bucket alone', 'a:\n  warn: temp.{host} > 5', 'warn 1s: 1s until the bucket of 1s closes'],
    [
      'a window, and "for"',
      'a:\n  every: 10s\n  crit: avg(temp.{host}) over 5m > 5 for 2m',
      'crit 280s: 10s until the bucket of 10s closes + 150s for half of the windows to show it + 120s of "for"',
    ],
    [
      'windows in windows',
      'a:\n  every: 10s\n  crit: avg(sum(req.{host}.*) over 1m) over 5m > 5',
      'crit 190s: 10s until the bucket of 10s closes + 180s for half of the windows to show it',
    ],
    [
      'either of two: the quicker',
      'a:\n  every: 10s\n  crit: sum(req.{host}.*) over 1m > 5 or sum(req.{host}.*) over 1h > 9',
      'crit 40s: 10s until the bucket of 10s closes + 30s for half of the windows to show it',
    ],
    [
      'silence',
      'a:\n  crit: no temp.{host} for 5m',
      'crit 301s: 1s until the bucket of 1s closes + 300s of silence or waiting, as the condition says',
    ],
    [
      'results of a check, counted',
      'a:\n  crit: check:web.{host} is not ok for 3 in a row',
      'crit 21s: 1s until the bucket of 1s closes + 20s for 3 in a row, one each 10s',
    ],
    [
      'Graphite lines, which may be late',
      'a:\n  every: 10s\n  crit: rate(octets.{host}) over 1m > 5MB/s',
      'crit 45s: 10s until the bucket of 10s closes + 30s for half of the windows to show it + 5s of lateness that Graphite lines are allowed',
    ],
    [
      'CloudWatch, which is later, also through another rule',
      'b:\n  every: 1m\n  warn: sum(aws:elb.{name}.errors) over 2m > 5\na:\n  crit: any {name} with rule:b is firing',
      'crit 181s: 1s until the bucket of 1s closes + 180s of lateness that CloudWatch is allowed',
    ],
  ])('%s', (_title, rule, expected) => {
    expect(delay(rule, catalogue)).toEqual([expected])
  })

  it('a new group is silent until half of its window, of its history or of two seasons has passed', () => {
    const warmUp = (condition: string) =>
      explained(`a:\n  every: 1m\n  warn: ${condition}`, catalogue).warmUpMs / 60_000
    expect(warmUp('temp.{host} > 5')).toBe(0)
    expect(warmUp('avg(temp.{host}) over 10m > 5')).toBe(5)
    expect(warmUp('unusual(temp.{host}, vs=1h) > 5')).toBe(30)
    expect(warmUp('unusual(temp.{host}, season=1d) > 5')).toBe(2 * 24 * 60)
    expect(warmUp('temp.{host} - temp.{host} 1h ago > 5')).toBe(60)
  })
})

test('CloudWatch beside statsd draws a note, alone it does not', () => {
  const notes = (condition: string) => explained(`a:\n  every: 1m\n  warn: ${condition}`, catalogue).notes
  expect(notes('sum(aws:elb.{name}.errors) over 5m > 5')).toEqual([])
  expect(notes('sum(aws:elb.{name}.errors) over 5m > 5 and sum(req.{name}.*) over 5m > 5')).toEqual([
    'CloudWatch and req.{name}.* stand in one rule: its buckets close when CloudWatch has had its 3 minutes, so req.{name}.* is judged 3 minutes late too',
  ])
})

describe('the example sentence', () => {
  it('is what the first page of its tests says', async () => {
    const { text } = await rulesExplain([`${folder}/01-http-5xx.rules.yaml`], { json: true, names: [] })
    expect(JSON.parse(text ?? '').rules[0].example).toEqual({
      say: 'verifier: 9.09% of requests fail (60 of 660 in the last minute)',
      test: 'a spike warns, then pages, then clears late because of the lower clear line',
    })
  })

  it('is made up just beyond the limit where there are no tests', () => {
    const rule =
      'a:\n  let:\n    slow: p99(time.{host}) over 5m\n    free: avg(temp.{host})\n  crit: slow > 2s and free < 10\n  say: "{host}: {slow}, {free}"'
    expect(explained(rule, catalogue).example).toEqual({ say: 'host1: 2.4s, 8', test: undefined })
  })

  it('is not there without "say"', () => {
    expect(explained('a:\n  warn: temp.{host} > 5', catalogue).example).toBeUndefined()
  })
})

describe('rules explain', () => {
  it('explains all rules or those named, in any of the files', async () => {
    const all = await rulesExplain([folder], { json: true, names: [] })
    expect(all.exitCode).toBe(0)
    expect(JSON.parse(all.text ?? '').rules.length).toBeGreaterThan(15)
    const two = await rulesExplain([folder], { json: true, names: ['router_down', 'host_down'] })
    expect(JSON.parse(two.text ?? '').rules.map(({ rule }: Explanation) => rule)).toEqual(['router_down', 'host_down'])
  })

  it('names the tests of a rule, also those that span rules', async () => {
    const { text } = await rulesExplain([folder], { json: true, names: ['host_down'] })
    expect(JSON.parse(text ?? '').rules[0].tests).toEqual([
      "the router dies; its hosts are hidden from the first moment, the other site's host is not",
    ])
  })

  it('does not know a rule that is not there, and says which was meant', async () => {
    const { exitCode, error } = await rulesExplain([folder], { json: false, names: ['host_don'] })
    expect(exitCode).toBe(2)
    expect(error).toBe('there is no rule called "host_don"\n    did you mean "host_down"?')
  })

  it('shows what is wrong where the rule cannot be read', async () => {
    const { exitCode, text } = await rulesExplain([`${folder}/bad/misspelled-name.bad.yaml`], {
      json: false,
      names: [],
    })
    expect(exitCode).toBe(1)
    expect(text).toMatch(/error\[name\][\s\S]*1 problem; nothing is explained$/)
  })
})
