/**
 * The rule language as specified: all worked examples, and cases of our own for each section. Each test in the files under
 * test/fixtures/rules is one case; each file in bad/ opens with the place and the beginning of the error it must cause.
 */
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatRuleProblem, loadRules } from '../../../src/cep/language/load.ts'
import { type RuleFile, readRuleFiles } from '../../../src/cep/rule-files.ts'
import { runTest } from '../../../src/cep/testing/run.ts'
import { diffTimelines, formatTimeline } from '../../../src/cep/testing/timeline.ts'

const fixtures = path.resolve(import.meta.dirname, '../../fixtures/rules')

function filesOf(folder: string): RuleFile[] {
  const { files, problems } = readRuleFiles([path.join(fixtures, folder)], (file) => path.basename(file))
  expect(problems).toEqual([])
  return files
}

describe.each(['.', 'conformance', 'second', 'third'].flatMap(filesOf))('$path', ({ path: name, text }) => {
  const loaded = loadRules([{ path: name, text }])

  it('is read without a problem', () => {
    expect(loaded.problems.map(formatRuleProblem).join('\n')).toBe('')
    expect(loaded.rules.length).toBeGreaterThan(0)
    expect(loaded.tests.length).toBeGreaterThan(0)
  })

  const cases = loaded.tests.map((test) => ({ test, title: `${test.rule ?? 'over several rules'}: ${test.name}` }))
  it.each(cases)('$title', ({ test }) => {
    const { problems, mismatches } = runTest(test, loaded, text)
    expect(problems.map(formatRuleProblem)).toEqual([])
    const differences = mismatches.map(({ rule, groupKey, expected, came }) => [
      `${rule} ${groupKey}`,
      ...(expected ? diffTimelines(expected, came) : [`must stay ok: ${formatTimeline(came)}`]),
    ])
    expect(differences.flat().join('\n')).toBe('')
  })
})

describe('a file that is wrong is refused where it is wrong', () => {
  it.each(filesOf('bad'))('$path', ({ path: name, text }) => {
    const [, line, column, code, message] = /^# (\d+):(\d+)(?: error (\w+))?(?:: (.*))?/.exec(text) as RegExpExecArray
    const { problems } = loadRules([{ path: name, text }])
    const found = problems.map((problem) => formatRuleProblem(problem).split('\n')[0])
    const expected = `${name}:${line}:${column}  error[${code ?? ''}`
    expect(
      found.some((problem) => problem?.startsWith(expected) && problem.includes(message ?? '')),
      found.join('\n'),
    ).toBe(true)
  })
})
