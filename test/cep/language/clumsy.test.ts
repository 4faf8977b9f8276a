/**
 * Files as people in a hurry write them. What is told about each stands in told.txt, whole: where, what, and what to write
 * instead. `npx vitest run test/cep/language/clumsy.test.ts -u` writes it anew; read the difference.
 */
import { describe, expect, it, test } from 'vitest'
import { formatRuleProblem, loadRules, type RuleProblem } from '../../../src/cep/language/load.ts'
import { readRuleFiles } from '../../../src/cep/rule-files.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'
import { rulesCheck } from '../../../src/cep/tools/index.ts'
import { folderWith } from '../../support/tocsin.ts'

const folder = 'test/fixtures/rules/clumsy'
const { files } = readRuleFiles([folder], (file) => file.slice(folder.length + 1))

function problemsOf(file: (typeof files)[number]): RuleProblem[] {
  const loaded = loadRules([file])
  const tests = loaded.tests.map((raw) => prepare(raw, loaded, file.text))
  return [...loaded.problems, ...tests.flatMap((one) => (one.ok ? [] : one.error))]
}

test('what is told about every file stands in told.txt', async () => {
  const told = files.map((file) => problemsOf(file).map(formatRuleProblem).join('\n'))
  await expect(`${told.join('\n\n')}\n`).toMatchFileSnapshot(`../../fixtures/rules/clumsy/told.txt`)
})

describe('every slip is told with its place and its line', () => {
  it.each(files.map((file) => [file.path, file] as const))('%s', (_name, file) => {
    const problems = problemsOf(file)
    expect(problems.length).toBeGreaterThan(0)
    for (const { line, column, source, message } of problems) {
      expect(line).toBeGreaterThan(0)
      expect(column).toBeGreaterThan(0)
      expect(file.text.split('\n')).toContain(source)
      expect(column).toBeLessThanOrEqual((source ?? '').length + 1)
      expect(message.length).toBeGreaterThan(10)
    }
  })
})

test('two files that define one rule are told of each other', () => {
  const rule = 'rules:\n  hot:\n    warn: temp.{host} > 5\n'
  const { problems } = loadRules([
    { path: 'a.yaml', text: rule },
    { path: 'b.yaml', text: `# another team's\n${rule}` },
  ])
  expect(problems.map(formatRuleProblem)).toEqual([
    `b.yaml:3:3  error[name]: a rule called hot stands already in a.yaml:2
    3 |   hot:
      |   ^^^`,
  ])
})

describe('lints', () => {
  const catalogue = 'metrics:\n  - {match: "a.**", kind: gauge}\n  - {match: "c.**", kind: count}\nrules:\n'
  const tested = '    runbook: r.md\n    tests: [{name: x, given: {}, expect: {}}]\n'
  const lints = async (rule: string, strict = false) => {
    const written = folderWith({ 'a.yaml': `${catalogue}  r:\n    every: 10s\n${rule}` })
    const { exitCode, text = '' } = await rulesCheck([`${written.path}/a.yaml`], { strict, json: true })
    written.remove()
    const { problems, warnings } = JSON.parse(text) as { problems: RuleProblem[]; warnings: RuleProblem[] }
    const brief = ({ line, column, code, severity, message }: RuleProblem) =>
      `${line}:${column} ${severity}[${code}] ${message}`
    return { exitCode, told: [...problems, ...warnings].map(brief) }
  }
  const hidden = 'warning[lint] this never comes before crit: whenever it holds, the critical condition holds too'

  it.each([
    ['the same condition', 'a.{h} > 5', 'a.{h} > 5', true],
    ['a limit beyond that of crit', 'a.{h} > 5', 'a.{h} > 3', true],
    ['a limit before that of crit', 'a.{h} > 3', 'a.{h} > 5', false],
    ['the limit itself, once included', 'a.{h} >= 5', 'a.{h} > 5', false],
    ['the limit itself, once excluded', 'a.{h} > 5', 'a.{h} >= 5', true],
    ['downwards', 'a.{h} < 3', 'a.{h} < 5', true],
    ['in opposite directions', 'a.{h} < 3', 'a.{h} > 5', false],
    ['with one more condition', 'a.{h} > 5 and c.{h} > 1', 'a.{h} > 3', true],
    ['with one condition less', 'a.{h} > 5', 'a.{h} > 3 and c.{h} > 1', false],
    ['of something else', 'a.{h} > 5', 'c.{h} > 3', false],
    ['the same condition, sooner', 'a.{h} > 5 for 1m', 'a.{h} > 5 for 5m', false],
    ['the same condition, later', 'a.{h} > 5 for 5m', 'a.{h} > 5 for 1m', true],
    ['a state', 'check:w.{h} is not ok', 'check:w.{h} is not ok', true],
  ])('a warning that never comes before crit: %s', async (_title, warn, crit, isHidden) => {
    const { told } = await lints(`    warn: ${warn}\n    crit: ${crit}\n${tested}`)
    expect(told).toEqual(isHidden ? [`7:11 ${hidden}`] : [])
  })

  it.each([
    ['    warn: sum(c.{h}) over 5m < 3\n', '7:11'],
    ['    warn: 3 > sum(c.{h}) over 5m\n', '7:11'],
    ['    let: {n: "sum(c.{h}) over 5m"}\n    warn: n <= 3\n', '8:11'],
  ])('a sum that is small while its window fills: %s', async (rule, place) => {
    const { told } = await lints(rule + tested)
    expect(told).toEqual([`${place} warning[lint] a sum is small while its window fills; this may hold too early`])
  })

  it('a sum under "until" is none: nothing is cleared while a window fills', async () => {
    expect((await lints(`    warn: sum(c.{h}) over 5m > 9, until < 3\n${tested}`)).told).toEqual([])
  })

  it('a rule without tests, and one that pages and has no runbook', async () => {
    expect((await lints('    warn: a.{h} > 5\n')).told).toEqual(['5:3 warning[lint] rule r has no tests'])
    expect((await lints('    crit: a.{h} > 5\n')).told).toEqual([
      '5:3 warning[lint] rule r has no tests',
      '5:3 warning[lint] rule r wakes people and names no runbook',
    ])
  })

  it('a rule that only a test over several rules names is tested', async () => {
    const file = '    warn: a.{h} > 5\ntests:\n  - {name: x, given: {}, expect: {r: {}}}\n'
    expect((await lints(file)).told).toEqual([])
  })

  it('are errors under --strict, as is a metric that nobody declared', async () => {
    const { exitCode, told } = await lints('    crit: new.{h} > 5\n', true)
    expect(exitCode).toBe(1)
    expect(told).toEqual(['7:11 error[kind] new.{h} is not declared'])
    expect(await lints('    crit: a.{h} > 5\n', true)).toEqual({
      exitCode: 1,
      told: ['5:3 error[lint] rule r has no tests', '5:3 error[lint] rule r wakes people and names no runbook'],
    })
  })
})
