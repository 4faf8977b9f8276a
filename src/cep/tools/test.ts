/**
 * `tocsin rules test`: runs the tests that stand in the rule files, one engine each.
 *
 *     rules/checks.yaml
 *       heartbeat_failing
 *         ✓ two bad results are not three
 *         ✗ the third bad result in a row pages
 *             verifier     expected         came
 *                          ok               ok
 *                        ✗ crit at 1m15s    crit at 1m20s
 *
 *     2 tests of 1 rule in 1 file: 1 failed (30m of time in 12 ms)
 */
import { formatDuration } from '../../model/duration.ts'
import { systemClock } from '../../runtime/clock.ts'
import { formatRuleProblem } from '../language/load.ts'
import { type Mismatch, runTest, type TestResult } from '../testing/run.ts'
import { alwaysOk, diffTimelines, formatTimeline } from '../testing/timeline.ts'
import { byPlace, type Loaded, loadFiles, many, type Outcome, textOf } from './check.ts'

interface Timed extends TestResult {
  tookMs: number
}

export async function rulesTest(paths: readonly string[], { json }: { json: boolean }): Promise<Outcome> {
  const loaded = loadFiles(paths, { strict: false, json })
  if ('exitCode' in loaded) return loaded
  if (loaded.problems.length > 0) return cannotTest(loaded, json)
  const results = loaded.tests.map((test): Timed => {
    const startedMs = systemClock.now()
    const result = runTest(test, loaded, textOf(loaded, test.file))
    return { ...result, tookMs: systemClock.now() - startedMs }
  })
  const exitCode = results.every(({ passed }) => passed) ? 0 : 1
  return { exitCode, text: json ? JSON.stringify(asJson(loaded, results), null, 2) : report(loaded, results) }
}

function cannotTest(loaded: Loaded, json: boolean): Outcome {
  const problems = [...loaded.problems].sort(byPlace)
  if (json) return { exitCode: 1, text: JSON.stringify({ problems, tests: [] }, null, 2) }
  const text = [...problems.map(formatRuleProblem), '', `${many(problems.length, 'problem')}; no test was run`].join(
    '\n',
  )
  return { exitCode: 1, text }
}

function report(loaded: Loaded, results: readonly Timed[]): string {
  const lines: string[] = []
  for (const { path } of loaded.files) {
    const inFile = results.filter(({ test }) => test.file === path)
    lines.push(path)
    for (const [rule, ofRule] of Map.groupBy(inFile, ({ test }) => test.rule ?? 'over several rules')) {
      lines.push(`  ${rule}`, ...ofRule.flatMap(testLines))
    }
    const untested = loaded.rules.filter(({ file, name }) => file === path && !isTested(name, inFile))
    for (const { name } of untested) lines.push(`  ${name}`, '    – no test')
    lines.push('')
  }
  return [...lines, summary(loaded, results)].join('\n')
}

function isTested(rule: string, results: readonly Timed[]): boolean {
  return results.some(({ test }) => test.rule === rule || (test.rule === undefined && rule in test.expect))
}

function testLines({ test, passed, problems, mismatches, groupsSeen, tookMs }: Timed): string[] {
  const slow = tookMs >= 200 ? ` (${tookMs} ms)` : ''
  if (passed) return [`    ✓ ${test.name}${slow}`]
  const indent = (line: string) => `        ${line}`
  const found = problems.flatMap((problem) => formatRuleProblem(problem).split('\n')).map(indent)
  const differing = mismatches.flatMap((mismatch) => mismatchLines(test, mismatch, groupsSeen)).map(indent)
  return [`    ✗ ${test.name}${slow}   ${test.file}:${test.line}`, ...found, ...differing]
}

function mismatchLines(
  test: TestResult['test'],
  { rule, groupKey, expected, came }: Mismatch,
  seen: readonly string[],
): string[] {
  const where = test.rule === undefined ? `${rule} ${groupKey}` : groupKey
  if (!expected) return [`${where} is not named in the test and must stay ok:`, `  ${formatTimeline(came)}`]
  const hint =
    came.changes.length === 0 && seen.length > 0 && !seen.includes(groupKey)
      ? [`  groups that changed: ${seen.join(', ')}`]
      : []
  return [`${where}`, ...diffTimelines(expected, came ?? alwaysOk).map((line) => `  ${line}`), ...hint]
}

function summary(loaded: Loaded, results: readonly Timed[]): string {
  const failed = results.filter(({ passed }) => !passed).length
  const playedMs = results.reduce((sum, { runMs }) => sum + runMs, 0)
  const tookMs = results.reduce((sum, result) => sum + result.tookMs, 0)
  const what = `${many(results.length, 'test')} of ${many(loaded.rules.length, 'rule')} in ${many(loaded.files.length, 'file')}`
  const outcome = results.length === 0 ? 'nothing to run' : failed === 0 ? 'all passed' : `${failed} failed`
  return `${what}: ${outcome} (${formatDuration(playedMs)} of time in ${tookMs} ms)`
}

function asJson(loaded: Loaded, results: readonly Timed[]) {
  const tests = results.map(({ test, passed, problems, mismatches, runMs, tookMs }) => ({
    file: test.file,
    line: test.line,
    rule: test.rule,
    name: test.name,
    passed,
    problems,
    mismatches: mismatches.map(({ rule, groupKey, expected, came }) => ({
      rule,
      group: groupKey,
      expected: expected ? formatTimeline(expected) : 'ok',
      came: formatTimeline(came),
    })),
    runMs,
    tookMs,
  }))
  const failed = tests.filter(({ passed }) => !passed).length
  return { files: loaded.files.length, rules: loaded.rules.length, passed: tests.length - failed, failed, tests }
}
