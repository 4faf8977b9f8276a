/** The second reading of the language, and the engine, give the same timelines for all rule files that are kept as fixtures. */
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadRules } from '../../../src/cep/language/load.ts'
import { readRuleFiles } from '../../../src/cep/rule-files.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'
import { bothTimelines } from './both.ts'

const fixtures = path.resolve(import.meta.dirname, '../../fixtures/rules')
/**
 * What the naive reading leaves out: sets, retirement, bounds, groups that come back after they were forgotten, and that a
 * rule without kept names has no group before its first event.
 */
const leftOut = /"members"|"retired"|"bounded|"absent_events"|forgotten at [^,"]*,/
/** Long windows over many ticks, recomputed from raw points, take many seconds; shorter ones show the same. */
const slow = /"seven_hours"|"seasonal"/
/** A week of ticks recomputed from raw points takes minutes. */
const longestSteps = 3000

describe.each(['.', 'conformance', 'second', 'third'])('%s', (folder) => {
  const { files } = readRuleFiles([path.join(fixtures, folder)], (file) => path.basename(file))
  describe.each(files)('$path', (file) => {
    const loaded = loadRules([file])
    const tests = loaded.tests.filter((test) => {
      const written = JSON.stringify([test.rule, test.expect])
      if (leftOut.test(written) || slow.test(written)) return false
      const prepared = prepare(test, loaded, file.text)
      return prepared.ok && prepared.value.runMs / prepared.value.stepMs <= longestSteps
    })
    const cases = tests.map((test) => ({ test, title: `${test.rule ?? 'over several rules'}: ${test.name}` }))
    it.each(cases)('$title', ({ test }) => {
      const { engine, reference } = bothTimelines(test, loaded, file.text)
      expect(engine).toEqual(reference)
    })
  })
})
