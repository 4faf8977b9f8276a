/** A restart is invisible: an engine that is restored from what another saved goes on as that one would have. */
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Engine } from '../../../src/cep/engine.ts'
import { loadRules } from '../../../src/cep/language/load.ts'
import { readRuleFiles } from '../../../src/cep/rule-files.ts'
import { ruleFile } from '../reference/generate.ts'
import { redelivered, shuffled } from './disturb.ts'
import { Chance } from './hour.ts'
import { recordedTest, restarted, run, runWithRestarts } from './log.ts'

const fixtures = path.resolve(import.meta.dirname, '../../fixtures/rules')

it('in the middle of any log and any rule, at any entry', () => {
  fc.assert(
    fc.property(ruleFile, fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), (text, points) => {
      const loaded = loadRules([{ path: 'made-up.yaml', text }])
      const [test] = loaded.problems.length > 0 ? [] : loaded.tests
      const recorded = test && recordedTest(test, loaded, text)
      if (!recorded) return
      const restarts = points.map((point) => point % recorded.entries.length)
      expect(runWithRestarts(recorded, restarts)).toEqual(run(new Engine(recorded.options), recorded.entries))
    }),
    { numRuns: 150 },
  )
})

it('nor does the order of data inside of buckets matter, nor what is delivered again', () => {
  fc.assert(
    fc.property(ruleFile, fc.integer({ min: 1, max: 2 ** 30 }), (text, seed) => {
      const loaded = loadRules([{ path: 'made-up.yaml', text }])
      const [test] = loaded.problems.length > 0 ? [] : loaded.tests
      const recorded = test && recordedTest(test, loaded, text)
      if (!recorded) return
      const { options, entries } = recorded
      const disturbed = redelivered(shuffled(entries, new Chance(seed)), new Chance(seed))
      expect(run(new Engine(options), disturbed)).toEqual(run(new Engine(options), entries))
    }),
    { numRuns: 100 },
  )
})

describe.each(['.', 'conformance', 'second'])('with the rules in fixtures/%s', (folder) => {
  const { files } = readRuleFiles([path.join(fixtures, folder)], (file) => path.basename(file))
  describe.each(files)('$path', (file) => {
    const loaded = loadRules([file])
    const cases = loaded.tests.map((test) => ({ test, title: `${test.rule ?? 'several rules'}: ${test.name}` }))
    it.each(cases)('$title', ({ test }) => {
      const recorded = recordedTest(test, loaded, file.text, 700)
      if (!recorded) return
      const { options, entries } = recorded
      // A step of a test is three entries or so; restarts fall before, within and after its bucket.
      const restarts = Array.from({ length: 12 }, (_, i) => Math.floor(((i + 0.5) * entries.length) / 12))
      expect(runWithRestarts(recorded, restarts)).toEqual(run(new Engine(options), entries))
    })
  })
})

it('also for what is asked of it: status, counters and what it would save', () => {
  const { files } = readRuleFiles([path.join(fixtures, 'conformance')], (file) => path.basename(file))
  for (const file of files) {
    const loaded = loadRules([file])
    const [test] = loaded.tests
    const recorded = test && recordedTest(test, loaded, file.text, 300)
    if (!recorded) continue
    const engine = new Engine(recorded.options)
    run(engine, recorded.entries)
    const restored = restarted(engine, recorded.options)
    expect(restored.status()).toEqual(engine.status())
    expect(restored.counters()).toEqual(engine.counters())
    expect(restored.save()).toEqual(engine.save())
  }
})
