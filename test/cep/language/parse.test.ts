import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadRules } from '../../../src/cep/language/load.ts'
import { parseLevel } from '../../../src/cep/language/parse.ts'
import { SentenceError } from '../../../src/cep/language/syntax.ts'

const load = (crit: string, more = '') =>
  loadRules([
    {
      path: 'r.yaml',
      text: `metrics:
  - {match: "c.**", kind: count}
  - {match: "g.**", kind: gauge, unit: B}
  - {match: "t.**", kind: timer}
  - {match: "r.**", kind: percentile, unit: ms}
  - {match: "n.**", kind: counter, unit: B}
facts: {host: {w1: {router: r1}}}
rules:
  other: {crit: "check:router.{router} is not ok"}
  rule:
    every: 10s
    let: {bad: "sum(c.{p}.5*) over 1m", all: "sum(c.{p}.*) over 1m", at: "g.{p}", selected: "c.{p}.*"}
    crit: ${JSON.stringify(crit)}
${more}`,
    },
  ])

describe('a level must parse and make sense:', () => {
  test.each([
    'bad > 10',
    'bad / all > 5% and bad >= 10 for 2m',
    'bad / all > 5%, for 2m, until bad / all < 3%, keep 3m',
    'bad > 10 until < 5 keep 1m',
    'g.{h} < 1GiB for 3 in a row',
    'g.{h} < 1.5GiB for 6 of 10',
    'at < 1GiB',
    'not (bad > 10 or all < 3)',
    '-bad < -10',
    'bad + all * 2 - 3 > 10',
    'rate(c.{p}.*) over 1m > 0.5/s',
    'rate(n.{p}.in) over 5m < 10Mbit/s',
    'p99.9(t.{p}) over 5m > 1.5s',
    'p90(t.**) over 5m > 800ms',
    'avg(r.{p}) over 3m > 1s',
    'avg(sum(c.{p}.*)) over 1m > 5',
    'sum(selected) over 1m > 5',
    'max(g.{c}.{h}) by c > 1GB',
    'check:web.{p} is not ok for 3 in a row',
    'check:web.{p} is at least warn',
    'at least 3 {h} with check:web.{c}.{h} is not ok',
    'at least 50% of {h} with check:web.{c}.{h} is crit for 1m',
    'at most 2 of {h} with g.{h} < 1GiB',
    'any {h} with all {c} with g.{h}.{c} < 1B',
    'no g.{h} for 5m',
    'no c.** for 2m for 1m',
    'no event:beat[job={job}] for 1h',
    'event:a[p={p}] then bad > 3 within 5m without event:b[p={p}], keep 30m',
    'event:a then no event:b within 2h, until event:c',
    'event:a then no event:b for 2m within 2h, keep 1m',
    'count(event:login[user={u}]) over 10m >= 20',
    'distinct(event:login[user={u}], "ip") over 10m >= 3',
    'since(event:done) > 25h',
    'share(bad > 3) over 1h > 50%',
    'count(bad > 3) over 10m >= 3',
    'unusual(bad, vs=1h) > 5',
    'unusual(bad, season=1d, floor=10) < -4',
    'bad > 2 * expected(bad, season=1d)',
    'forecast(g.{h}, from=6h, ahead=1d) < 1GiB',
    'bad < bad 1h ago / 2',
    'abs(change(g.{h}) over 1h) > 1GB',
    'rule:other[router={host.router}] is firing',
    'rule:other is crit and check:x.{router} is ok',
    'source:ingest is not ok',
    'metric:load > 3',
    'req[p={p}, status=5*] > 3'.replace('req', 'sum(req').replace('] >', ']) >'),
    'aws:elb.{name}.latency.average > 1s',
  ])('%s', (sentence) => {
    expect(load(sentence).problems).toEqual([])
  })
})

describe('a level must be refused:', () => {
  test.each([
    ['bad', 'a number is not a condition'],
    ['bad > ', 'expected a value, found the end'],
    ['bad > 10 for', 'expected a duration such as 5m after "for", found the end'],
    ['bad > 10 for 5', 'expected a duration such as 5m after "for", found "5"'],
    ['bad > 10 for 3 of 2', '3 of 2 can never be'],
    ['bad > 10 keep 5m for 2m', 'expected the end of the sentence, found "for"'],
    ['bad > 10 < 20', 'expected the end of the sentence, found "<"'],
    ['bad-all > 3', '"bad-all" is neither a name nor a path'],
    ['bad*2 > 3', '"bad*2" is neither a name nor a path'],
    ['bad > 5 parsecs', 'expected the end of the sentence, found "parsecs"'],
    ['bad > 5parsecs', 'no unit is called "parsecs"'],
    ['total(c.{p}.*) > 3', 'no function is called "total"'],
    ['p0(t.{p}) > 3s', 'a percentile is above 0 and at most 100'],
    ['sum(r.{p}) over 1m > 1s', 'sum() of a ready-made percentile has no meaning'],
    ['rate(g.{p}) over 1m > 1kB/s', 'rate() of a gauge has no meaning'],
    ['t.{p} > 1s', 'a timer is many values; say which figure is meant'],
    ['n.{p} > 1GB', 'an ever-growing counter says nothing by itself'],
    ['last(c.{p}.*) > 1', 'this matches many series; last() needs one'],
    ['change(g.*) over 1h > 1GB', 'this matches many series; change() needs one'],
    ['check:web.* is not ok', 'this matches many series; say how to combine them'],
    ['check:web.{p} > 3', 'a state is not a number'],
    ['check:web.{p}', 'a state is not a condition'],
    ['bad is ok', 'a number has no state'],
    ['check:web.{p} is fine', 'expected a state (ok, warn, crit, unknown, missing, firing), found "fine"'],
    ['event:a then event:b within 5m', 'this is an instant; say how long it stays on'],
    ['event:a then event:b within 5m for 3m, keep 5m', 'this is an instant and cannot last; leave out "for"'],
    ['event:a and bad > 3', 'an event is not a condition'],
    ['event:a without event:b, keep 5m', '"without" needs a sequence before it: A then B within 5m without C'],
    ['event:a then no event:b within 5m then event:c within 5m, keep 1m', '"then no" may only be the last step'],
    ['bad > g.{h}', 'one side is per {p}, the other per {h}'],
    ['bad > 3 and g.{p} > 3', '3 what? the other side is an amount of data'],
    ['rate(c.{p}.*) over 1m > 3', '3 what? the other side is a rate'],
    ['g.{p} + bad > 3MB', 'cannot add an amount of data and a count'],
    ['count(g.{h} > 1B) by cluster > 2', '{cluster} is not captured inside this call'],
    ['unusual(bad) > 3', 'unusual() needs vs=1h (the hour before) or season=1w (the same time in earlier weeks)'],
    ['forecast(g.{h}, from=1h) < 3B', 'forecast() needs from= and ahead='],
    ['bad < bad 1w ago', "1w ago needs 60480 values at this rule's step; at most 2016 are kept"],
    ['rule:nowhere is firing', 'there is no rule called "nowhere"'],
    ['rule:rule is firing', 'rules refer to each other in a circle: rule → rule'],
    ['rule:other[host={host}] is firing', 'rule:other is not per {host}'],
    ['rule:other[router={host.rack}] is firing', 'no host has a fact called "rack"'],
    ['chek:web.{p} is ok', 'no prefix is called "chek"; there are check, event, aws, rule, source, metric'],
    ['bad > 3, until < g.{h}', 'one side is per {p}, the other per {h}'],
    ['bad > 3 and all > 3, until < 2', '"until <" repeats the left side of a single comparison, and there is none'],
  ])('%s: %s', (sentence, message) => {
    const { problems, rules } = load(sentence)
    expect(problems.map((problem) => problem.message)).toEqual([message])
    expect(rules.map(({ name }) => name)).not.toContain('rule')
  })
})

test.each([
  ['    warn: "g.{h} > 1B"\n', 'warn is per {h}, crit is per {p}; all levels of a rule have the same names'],
  ['    hide when: "rule:othr is firing"\n', 'there is no rule called "othr"'],
  ['    known: host\n', 'the rule is not per {host}'],
  ['    say: "{pp} fails"\n', 'nothing called "pp" is defined in this rule'],
  ['    settle: soon\n', 'settle: expected a duration such as 30s'],
  ['    sya: "{p}"\n', 'rule rule: there is no such key as "sya"'],
  ['    if missing: never\n', 'expected hold, ok, warn or crit'],
  ['    crit: "bad > 3"\n', 'this key stands twice in the same mapping'],
])('a rule with %s is refused', (more, message) => {
  expect(load('bad > 3', more).problems.map((problem) => problem.message)).toContain(message)
})

test('a percentage stands for a ratio wherever it is used', () => {
  expect(load('bad > all * 5%').problems).toEqual([])
})

test('all problems of all files come at once, each where it is, also inside quotes and folded text', () => {
  const { problems } = loadRules([
    { path: 'a.yaml', text: 'rules:\n  a:\n    crit: >\n      c.{p} > 3\n      and nothing_here > 2\n' },
    { path: 'b.yaml', text: 'rules:\n  a:\n    crit: "c.{p} >\\x20thre"\n' },
  ])
  expect(problems.map(({ file, line, column, message }) => [file, line, column, message])).toEqual([
    ['a.yaml', 5, 11, 'nothing called "nothing_here" is defined in this rule'],
    ['b.yaml', 2, 3, 'a rule called a stands already in a.yaml:2'],
  ])
})

test('entries and facts say one thing over all files; a duplicate that differs names both places', () => {
  const text = 'metrics:\n  - {match: "a.*", kind: gauge}\nfacts:\n  host: {w: {r: x}}\n'
  const { problems } = loadRules([
    { path: 'a.yaml', text },
    { path: 'b.yaml', text },
    { path: 'c.yaml', text: text.replace('gauge', 'count').replace('r: x', 'r: y') },
  ])
  expect(problems.map(({ file, line, message }) => [file, line, message])).toEqual([
    ['c.yaml', 2, 'a.* is declared otherwise already in a.yaml:2'],
    ['c.yaml', 4, 'other facts about host stand already in a.yaml:4'],
  ])
})

test('a small sum, a step that is not said and an unknown unit are warnings, not errors', () => {
  const text =
    'rules:\n  a: {crit: "sum(c.{p}.*) over 1m < 5"}\n  b: {crit: "g.{p} > 5 for 3 in a row"}\n  d: {crit: "g.{p} > 1GiB"}\n'
  const { problems, warnings } = loadRules([{ path: 'a.yaml', text }])
  expect(problems).toEqual([])
  expect(warnings.map(({ code, line }) => [code, line])).toEqual([
    ['lint', 2],
    ['step', 3],
    ['unit', 4],
  ])
  const strict = loadRules([{ path: 'a.yaml', text }], { strict: true })
  expect(strict.problems.map(({ code, line }) => [code, line])).toEqual([
    ['kind', 2],
    ['kind', 3],
    ['kind', 4],
  ])
})

test('a path whose series are declared in two ways is a warning', () => {
  const catalogue = (first: string) =>
    `metrics:\n  - {match: "d.x.**", ${first}}\n  - {match: "d.**", kind: gauge, unit: s}\n`
  const told = (first: string, path: string) =>
    loadRules([{ path: 'a.yaml', text: `${catalogue(first)}rules:\n  a: {warn: "${path} > 1s"}\n` }], {
      lint: true,
    }).warnings.filter(({ code }) => code === 'kind')
  const message = 'some series of d.{k}.{h} are declared otherwise, by d.x.**; here all are taken by d.**'
  expect(told('kind: gauge, unit: ms', 'd.{k}.{h}').map((one) => one.message)).toEqual([message])
  expect(told('kind: gauge, unit: s', 'd.{k}.{h}')).toEqual([])
  expect(told('kind: gauge, unit: ms', 'd.{k:a|b}.{h}')).toEqual([])
  expect(told('kind: gauge, unit: ms', 'd.x.{h}')).toEqual([])
})

test('an anchor may be merged into a rule', () => {
  const text =
    'rules:\n  a: &common\n    every: 10s\n    crit: "g.{h} > 3"\n  b:\n    <<: *common\n    crit: "g.{h} > 5"\n'
  const { problems, rules } = loadRules([{ path: 'a.yaml', text }])
  expect(problems).toEqual([])
  expect(rules.map(({ name, everyMs, levels }) => [name, everyMs, levels.crit])).toEqual([
    ['a', 10_000, 'g.{h} > 3'],
    ['b', 10_000, 'g.{h} > 5'],
  ])
})

test('whatever is written, parsing gives a sentence or a located error', () => {
  const words = ['bad', 'c.{p}.*', '5', '5%', '1m', '>', '<', 'for', 'until', 'keep', 'and', 'or', 'not', 'no', 'then']
  const more = [
    'within',
    'without',
    '(',
    ')',
    ',',
    'sum(',
    'over',
    'by',
    'is',
    'ok',
    '{h}',
    'at',
    'least',
    'with',
    '"x"',
  ]
  const sentence = fc.array(fc.constantFrom(...words, ...more, 'in', 'a', 'row', 'of', '-', '*', '['), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(
      fc.oneof(
        sentence.map((list) => list.join(' ')),
        fc.string(),
      ),
      (text) => {
        try {
          parseLevel(text)
        } catch (error) {
          expect(error).toBeInstanceOf(SentenceError)
          const { range } = error as SentenceError
          expect(range.start).toBeGreaterThanOrEqual(0)
          expect(range.end).toBeLessThanOrEqual(text.length)
        }
      },
    ),
    { numRuns: 2000 },
  )
})
