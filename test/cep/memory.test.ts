/** What a rule may need at worst, and rules that may need more than there is. */
import fs from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import { formatRuleProblem, loadRules } from '../../src/cep/language/load.ts'
import { ruleMemory } from '../../src/cep/memory.ts'
import { rulesCheck } from '../../src/cep/tools/index.ts'
import { folderWith } from '../support/tocsin.ts'

const catalogue = `metrics:
  - {match: "req.**", kind: count}
  - {match: "temp.**", kind: gauge}
  - {match: "time.**", kind: timer}
rules:
`

function partsOf(condition: string, every = '10s'): string[] {
  const text = `${catalogue}  a:\n    every: ${every}\n    warn: ${condition}\n`
  const loaded = loadRules([{ path: 'a.yaml', text }])
  expect(loaded.problems).toEqual([])
  const [rule] = loaded.rules
  const { parts } = ruleMemory(rule as NonNullable<typeof rule>, rule?.everyMs as number)
  return parts
    .slice(1)
    .map(({ what, shape, bytesPerGroup, groups }) => `${what} | ${shape} | ${bytesPerGroup} B × ${groups}`)
}

describe('bytes a group', () => {
  it.each([
    [
      'a sum of counts: 16 a pane',
      'sum(req.{host}.*) over 1m > 5',
      'sum(req.{host}.*) over 1m | 6 panes of 10s | 120 B × 1000',
    ],
    [
      'at most 360 panes',
      'sum(req.{host}.*) over 3d > 5',
      'sum(req.{host}.*) over 3d | 360 panes of 12m | 5784 B × 1000',
    ],
    [
      'a mean of gauges: 24',
      'avg(temp.{host}) over 1m > 5',
      'avg(temp.{host}) over 1m | 6 panes of 10s | 168 B × 1000',
    ],
    [
      'a deviation: 48',
      'stddev(temp.{host}) over 1m > 5',
      'stddev(temp.{host}) over 1m | 6 panes of 10s | 312 B × 1000',
    ],
    [
      'a percentile: bins',
      'p99(time.{host}) over 1h > 1s',
      'p99(time.{host}) over 1h | 30 panes of 2m, 549 bins | 68076 B × 1000',
    ],
    [
      'distinct members',
      'distinct(event:login[user={user}], "ip") over 1h > 5',
      'distinct(event:login[user={user}], "ip") over 1h | 10000 members of 64 B | 640000 B × 1000',
    ],
    ['one group where nothing is kept', 'sum(req.**) over 1m > 5', 'sum(req.**) over 1m | 6 panes of 10s | 120 B × 1'],
  ])('%s', (_title, condition, expected) => {
    expect(partsOf(condition)).toEqual([expected])
  })

  it.each([
    ['x ago', 'temp.{host} > temp.{host} 1h ago', '1h ago | 361 values | 2888 B × 1000'],
    ['vs', 'unusual(temp.{host}, vs=1h) > 5', 'unusual(…, vs=1h) | 360 values | 5760 B × 1000'],
    [
      'season',
      'unusual(temp.{host}, season=1d) > 5',
      'unusual(…, season=1d) | 69120 values of 8 seasons | 552960 B × 1000',
    ],
    ['forecast', 'forecast(temp.{host}, from=1h, ahead=1h) > 5', 'forecast(…, from=1h) | 360 points | 28800 B × 1000'],
    ['for', 'temp.{host} > 5 for 10m', 'warn: for 10m | 60 buckets | 480 B × 1000'],
    ['n of m', 'temp.{host} > 5 for 6 of 10', 'warn: 6 of 10 | 10 buckets | 80 B × 1000'],
    [
      'a sequence',
      'event:a[host={host}] then event:b[host={host}] within 5m, keep 1m',
      'sequence | 2 steps | 24 B × 1000',
    ],
    [
      'members of a quorum',
      'at least 3 {host} with avg(temp.{host}) over 1m > 5',
      'avg(temp.{host}) over 1m | 6 panes of 10s | 168 B × 10000',
    ],
  ])('%s', (_title, condition, expected) => {
    expect(partsOf(condition)).toContain(expected)
  })

  it('a let that is used twice is counted once', () => {
    const text = `${catalogue}  a:
    every: 1m
    let: {usual: "unusual(temp.{host}, vs=1h)"}
    warn: usual > 3
    crit: usual > 5
    say: "{usual}"
`
    const [rule] = loadRules([{ path: 'a.yaml', text }]).rules
    const { parts } = ruleMemory(rule as NonNullable<typeof rule>, 60_000)
    expect(parts.filter(({ what }) => what.startsWith('unusual'))).toHaveLength(1)
  })
})

describe('rules beyond the budget are refused with the arithmetic', () => {
  const problems = (rules: string, memoryMax: number) =>
    loadRules([{ path: 'a.yaml', text: catalogue + rules }], { memoryMax }).problems.map(formatRuleProblem)

  it('one that is too much alone, at its "at most"', () => {
    const rules = '  hot:\n    warn: avg(temp.{host}) over 1h > 90\n    at most: 5000000 hosts\n'
    expect(problems(rules, 4e9)).toEqual([
      `a.yaml:8:14  error[memory]: rule hot may need 53.3 GB of memory, and 4.0 GB are allowed: 10.7 kB a group × 5000000 groups
    8 |     at most: 5000000 hosts
      |              ^^^^^^^^^^^^^
      = help: say fewer groups (at most: 370000 hosts), or shorter windows or a longer "every", or raise cep.memoryMax in the configuration`,
    ])
    expect(problems(rules.replace('5000000', '370000'), 4e9)).toEqual([])
  })

  it('all together, at the one that needs most, whose name stands for an "at most" that is not said', () => {
    const rules = '  hot:\n    warn: avg(temp.{host}) over 1h > 90\n  cold:\n    warn: avg(temp.{host}) over 1m < 9\n'
    const [only, ...more] = problems(rules, 13e6)
    expect(more).toEqual([])
    expect(only).toContain(
      'a.yaml:6:3  error[memory]: the rules together may need 14.1 MB of memory, and 13.0 MB are allowed: ',
    )
    expect(only).toContain('hot 10.7 MB (10.7 kB a group × 1000 groups), cold 3.5 MB (3.5 kB a group × 1000 groups)')
    expect(only).toContain('at most: 890 groups')
  })

  it('many others are summed up', () => {
    const many = Array.from({ length: 10 }, (_, i) => `  r${i}:\n    warn: avg(temp.{host}) over 1m < ${i}\n`).join('')
    expect(problems(many, 5e6)[0]).toMatch(
      /r3 3\.5 MB \(3\.5 kB a group × 1000 groups\), 6 more 20\.8 MB[\s\S]*help: say fewer groups \(at most: …\) in several rules, or/,
    )
  })

  it('"rules check" says so, at 4 GiB or what the configuration allows', async () => {
    const folder = folderWith({
      'a.yaml': `${catalogue}  hot:\n    warn: avg(temp.{host}) over 1h > 90\n    at most: 500000 hosts\n`,
    })
    const check = (memoryMax?: number) =>
      rulesCheck([`${folder.path}/a.yaml`], { strict: false, json: false, memoryMax })
    expect(await check()).toMatchObject({ exitCode: 1, text: expect.stringContaining('error[memory]') })
    expect(await check(8e9)).toMatchObject({ exitCode: 0 })
    folder.remove()
  })
})

test('the shipped rules and the worked examples fit with room to spare', () => {
  const read = (folder: string) =>
    fs
      .readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => ({ path: name, text: fs.readFileSync(`${folder}/${name}`, 'utf8') }))
  expect(loadRules(read('rules'), { memoryMax: 512 * 2 ** 20 }).problems).toEqual([])
  const examples = read('test/fixtures/rules').filter(({ path }) => !path.startsWith('01'))
  expect(loadRules([...read('rules'), ...examples], { memoryMax: 4 * 2 ** 30 }).problems).toEqual([])
})
