import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rulesWhy, type WhyFlags } from '../../../src/cep/tools/why.ts'
import { MadeLog, temporaryFolder, writeJournal } from '../../support/recording.ts'

const rules = `
metrics:
  - {match: "web.*.hits.*", kind: count}
  - {match: "load.*", kind: gauge}
  - {match: "free.*", kind: gauge, unit: B}
rules:
  errors:
    every: 1s
    let:
      bad: sum(web.{host}.hits.5*) over 10s
      all: sum(web.{host}.hits.*) over 10s
    warn: bad / all > 2% for 20s
    crit: bad / all > 50% and bad >= 10 for 12s, until bad / all < 3%, keep 5s
    hide when: rule:many is firing
  many:
    every: 1s
    crit: at least 2 {host} with avg(load.{host}) over 30s > 5
  often:
    every: 10s
    crit: load.{host} > 5 for 3 of 4
  deployed:
    every: 1s
    crit: event:deploy[host={host}] then web.{host}.hits.503 > 3 within 2m, keep 1m
  small:
    every: 10s
    crit: free.{host} < 1GiB
  past:
    every: 10s
    warn: load.{host} 1h ago > 3 or forecast(load.{host}, from=30m, ahead=1h) > 9
`
const startMs = Date.parse('2024-03-01T00:00:00Z')
const folder = temporaryFolder()
const journal = path.join(folder.path, 'journal')

beforeAll(async () => {
  const log = new MadeLog(startMs)
  log.rules(rules)
  for (let i = 1; i <= 600; i++) {
    const bad = i > 100 && i < 150 ? { 'web.a.hits.503': i < 120 ? 1 : 30 } : {}
    const calm = i < 200 ? { 'web.b.hits.200': 5 } : {}
    const gauges =
      i % 10 === 0 ? { 'load.a': 1, 'load.b': i / 50, 'load.c': i > 400 ? 9 : 2, 'free.a': 3 * 2 ** 30 } : {}
    if (i === 60) {
      const message = {
        source: log.source,
        sequence: 1,
        atMs: log.nowMs,
        bucketMs: log.nowMs + 1000,
        name: 'deploy',
        tags: { host: 'a' },
      }
      log.add({ kind: 'events', key: 'events.deploy', message })
    }
    log.second({ 'web.a.hits.200': 10, ...bad, ...calm }, gauges)
  }
  await writeJournal(journal, log.entries, { blockBytesMax: 20_000 })
})
afterAll(() => folder.remove())

function why(rule: string, group: string | undefined, at: string | undefined, flags: Partial<WhyFlags> = {}) {
  const nowMs = startMs + 3_600_000
  return rulesWhy({
    rule,
    group,
    at: at && `2024-03-01T${at}Z`,
    journal,
    json: false,
    nowMs,
    rules: undefined,
    rulesElse: [],
    ...flags,
  })
}

describe('rules why', () => {
  it('shows every part of each level beside its value, and how long it has held', async () => {
    const { exitCode, text } = await why('errors', 'a', '00:02:05')
    expect(exitCode).toBe(0)
    expect(text).toContain(`errors a, the 1s that ended 2024-03-01 00:02:05 UTC
warn since 2024-03-01 00:01:43 UTC; not crit: the condition holds since 2024-03-01 00:02:03 UTC, but not for 12s yet: 3 of 12 bad buckets
`)
    expect(text).toContain(`  bad / all > 50% and bad >= 10             yes
  ├ bad / all > 50%                         yes
  │ └ bad / all                             64.79%
  │   ├ bad                                 184
  │   │ └ sum(web.{host}.hits.5*) over 10s  184     series web.a.hits.503
  │   └ all                                 284
  │     └ sum(web.{host}.hits.*) over 10s   284     2 series: web.a.hits.200, web.a.hits.503
  └ bad >= 10                               yes
`)
    expect(text).toContain('hide when\n  rule:many is firing  no\n  └ rule:many          ok')
    expect(text).toContain('transitions until then\n  2024-03-01 00:02:02 UTC  warn')
    expect(text).toContain('asked: the rules that ran then (hash-of-')
  })

  it.each([
    ['errors', 'a', '00:01:30', 'not crit: bad / all > 50% is not met: bad / all is 0%'],
    ['errors', 'a', '00:02:20', 'crit since 2024-03-01 00:01:43 UTC'],
    ['errors', 'b', '00:05:00', 'not crit: bad >= 10 is not met: bad is 0'],
    [
      'many',
      'all',
      '00:05:00',
      'not crit: at least 2 {host} with avg(load.{host}) over 30s > 5 is not met: 1 of 3 hold',
    ],
    [
      'often',
      'b',
      '00:04:30',
      'not crit: the condition holds since 2024-03-01 00:04:20 UTC, but not often enough yet: 2 bad of the last 4 (3 of 4 are needed)',
    ],
    ['small', 'a', '00:05:00', 'not crit: free.{host} < 1GiB is not met: free.{host} is 3GiB'],
    [
      'past',
      'a',
      '00:05:00',
      'not warn: load.{host} 1h ago > 3 is missing: there is no value of that time, and forecast(load.{host}, from=30m, ahead=1h) > 9 is missing: there is not enough history yet',
    ],
  ])('says in one sentence what %s %s is at %s', async (rule, group, at, verdict) => {
    expect((await why(rule, group, at)).text?.split('\n')[1]).toBe(verdict)
  })

  it('says where a group is hidden, and by what', async () => {
    const { text } = await why('errors', 'a', '00:08:00', { json: true })
    expect(JSON.parse(text as string)).toMatchObject({
      hidden: false,
      hide: { text: 'rule:many is firing', value: true, children: [{ text: 'rule:many', value: 'crit' }] },
    })
  })

  it('shows the built-in rule about sources too', async () => {
    const { text } = await why('source_dead', undefined, '00:05:00')
    expect(text?.split('\n')[1]).toBe('not crit: source:{source} is crit is not met: source:{source} is ok')
  })

  it('says how far a sequence is', async () => {
    const { text } = await why('deployed', 'a', '00:01:30')
    expect(text).toContain('reached 2024-03-01 00:00:59 UTC')
  })

  it('says why a value is missing', async () => {
    const { text } = await why('errors', 'b', '00:05:00')
    expect(text).toMatch(/bad \/ all +missing +division by zero: all is 0/)
    expect(text).toMatch(/last point 2024-03-01 00:03:19 UTC, 1m41s before/)
  })

  it('gives the same whether it begins at the beginning or shortly before', async () => {
    const whole = JSON.parse((await why('errors', 'a', '00:02:20', { json: true })).text as string)
    expect(whole.levels[0].tree.children[0].children[0]).toMatchObject({ text: 'bad / all', value: 0.75, shown: '75%' })
  })

  it('asks other rules where they are named', async () => {
    const file = path.join(folder.path, 'changed.yaml')
    fs.writeFileSync(file, rules.replace('for 12s', 'for 2s'))
    const { text } = await why('errors', 'a', '00:02:05', { rules: [file] })
    expect(text?.split('\n')[1]).toBe('crit since 2024-03-01 00:01:43 UTC')
    expect(text).toContain(`asked: ${file}`)
  })

  it('without a time it is the end of the recording', async () => {
    expect((await why('small', 'a', undefined)).text).toContain('that ended 2024-03-01 00:10:00 UTC')
  })

  it.each<[string, string | undefined, string, string]>([
    ['erors', 'a', '00:05:00', 'there is no rule "erors" in the rules that ran then'],
    ['erors', 'a', '00:05:00', 'did you mean "errors"?'],
    [
      'errors',
      'web-a',
      '00:05:00',
      'there is no group "web-a" in errors at 2024-03-01 00:05:00 UTC, which is per {host}\n    there are: a, b',
    ],
    ['errors', undefined, '00:05:00', 'which group of errors? It is per {host}, and had 2:\n    a  ok\n    b  ok'],
    ['errors', 'a', '03:00:00', '2024-03-01 03:00:00 UTC was not recorded; '],
    ['errors', 'a', '03:00:00', 'is from 2024-03-01 00:00:01 UTC to 2024-03-01 00:10:00 UTC (9m59s)'],
    ['deployed', 'x', '00:00:30', 'deployed had no group at 2024-03-01 00:00:30 UTC: no series that it names had come'],
  ])('%s %s at %s could not be asked', async (rule, group, at, problem) => {
    const { exitCode, error } = await why(rule, group, at)
    expect(exitCode).toBe(2)
    expect(error).toContain(problem)
  })

  it('a time that is none says what one looks like', async () => {
    const { exitCode, error } = await why('errors', 'a', undefined, { at: 'lunch' })
    expect([exitCode, error]).toEqual([
      2,
      'tocsin: --at: expected a time such as 2024-03-01T13:00:00Z, 13:00 or "2h ago", got "lunch"',
    ])
  })
})
