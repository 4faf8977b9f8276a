import { describe, expect, it } from 'vitest'
import { formatRuleProblem, loadRules } from '../../../src/cep/language/load.ts'
import { runTest, type TestResult } from '../../../src/cep/testing/run.ts'
import { formatTimeline } from '../../../src/cep/testing/timeline.ts'

/** Runs the only test of a file made of a rule and a test. */
function run(test: string, rule = 'warn: gauge.{name} > 5ms'): TestResult {
  const indented = test.trim().replaceAll('\n', '\n        ')
  const text = `metrics:
  - {match: "gauge.**", kind: gauge, unit: ms}
  - {match: "count.**", kind: count}
rules:
  high:
    ${rule}
    tests:
      - name: a test
        ${indented}
`
  const loaded = loadRules([{ path: 'high.yaml', text }])
  expect(loaded.problems.map(formatRuleProblem)).toEqual([])
  return runTest(loaded.tests[0] as (typeof loaded.tests)[number], loaded, text)
}

const problemsOf = (result: TestResult) =>
  result.problems.map((problem) => `${problem.line}:${problem.column} ${problem.message}`)
const differencesOf = ({ mismatches }: TestResult) =>
  mismatches.map(
    ({ groupKey, expected, came }) =>
      `${groupKey}: ${expected ? formatTimeline(expected) : '–'} | ${formatTimeline(came)}`,
  )

describe('running a test', () => {
  it('passes when every group did exactly what was expected', () => {
    const result = run('given:\n  gauge.x: 1 for 1m, 9 for 1m, 1\nexpect:\n  x: ok, warn at 1m10s, ok at 2m10s')
    expect(result).toMatchObject({ passed: true, problems: [], mismatches: [] })
  })

  it('fails when a change comes at another time', () => {
    const result = run('given:\n  gauge.x: 1 for 1m, 9\nexpect:\n  x: ok, warn at 1m20s')
    expect(result.passed).toBe(false)
    expect(differencesOf(result)).toEqual(['x: ok, warn at 1m20s | ok, warn at 1m10s'])
  })

  it('fails when a group that is not named does anything', () => {
    const result = run('given:\n  gauge.x: 1\n  gauge.y: 9\nexpect:\n  x: ok')
    expect(differencesOf(result)).toEqual(['y: – | ok, warn at 10s'])
  })

  it('fails when a named group does nothing, and tells which did', () => {
    const result = run('given:\n  gauge.x: 9\nexpect:\n  z: ok, warn at 10s')
    expect(differencesOf(result)).toEqual(['z: ok, warn at 10s | ok', 'x: – | ok, warn at 10s'])
    expect(result.groupsSeen).toEqual(['x'])
  })

  it('goes on for ten minutes after the last expected change, so that a late flap fails', () => {
    const flapAt = (at: string) =>
      `given:\n  gauge.x: "9 for 1m, 1 for ${at}, [9], 1"\nexpect:\n  x: ok, warn at 10s, ok at 1m10s`
    expect(run(flapAt('10m')).passed).toBe(false)
    expect(run(flapAt('10m10s')).passed).toBe(true)
    expect(run(`${flapAt('10m')}\nrun: 5m`)).toMatchObject({ passed: true, runMs: 300_000 })
  })

  it('takes the step of the test, else the rule’s own, else ten seconds', () => {
    expect(run('step: 1s\ngiven:\n  gauge.x: "[1, 9], 1"\nexpect:\n  x: ok, warn at 2s, ok at 3s').passed).toBe(true)
    const given = 'given:\n  gauge.x: "[1, 9], 1"\nexpect:\n  x: ok, warn at 2m, ok at 3m'
    expect(run(given, 'every: 1m\n    warn: gauge.{name} > 5ms').passed).toBe(true)
  })

  it('has its own units, and those of the metric', () => {
    expect(run('given:\n  gauge.x: 0.001s for 1m, 0.009s\nexpect:\n  x: ok, warn at 1m10s').passed).toBe(true)
  })

  it.each([
    ['given:\n  gauge.x: 1 for 1m, abc\nexpect: {}', '10:30 in test "a test": expected a value, found "abc"'],
    [
      'given:\n  gauge.x: 1 for 15s, 1\nexpect: {}',
      '10:11 in test "a test": a time that is not a whole number of steps of 10s',
    ],
    ['given:\n  gauge.*: 1\nexpect: {}', '10:11 in test "a test": a test gives single series: no holes, no stars'],
    ['given:\n  gauge.x: ok for 1m, crit\nexpect: {}', '10:20 in test "a test": a gauge has numbers'],
    [
      'given:\n  check:web.x: 1\nexpect: {}',
      '10:24 in test "a test": a check has states: ok, warn, crit, unknown or nothing',
    ],
    ['given:\n  gauge.x: 4GiB\nexpect: {}', '10:20 in test "a test": 4GiB is not in the unit of gauge.x'],
    [
      'given:\n  rule:other: crit\nexpect: {}',
      '10:11 in test "a test": rule: cannot be given, it follows from what is',
    ],
    [
      'given:\n  events:\n    - noon: event:deploy[process=x]\nexpect: {}',
      '11:15 in test "a test": expected a time such as 10m3s, found "noon"',
    ],
    [
      'given:\n  events:\n    - 1m: deploy[process=x]\nexpect: {}',
      '11:19 in test "a test": expected an event such as event:deploy[process=verifier]',
    ],
    [
      'given:\n  gauge.x: 1\nexpect:\n  x: ok, warned at 1m',
      '12:18 in test "a test": expected a change such as "warn at 7m40s", found "warned at 1m"',
    ],
  ])('finds a slip in the test itself, with its place: %j', (test, problem) => {
    const result = run(test)
    expect(result.passed).toBe(false)
    expect(problemsOf(result)).toEqual([problem])
  })
})
