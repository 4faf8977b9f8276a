/** Rules made up at random, played through the engine and through the naive reading of the specification. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { loadRules } from '../../../src/cep/language/load.ts'
import { bothTimelines } from './both.ts'
import { ruleFile } from './generate.ts'

it('the engine and a naive reading of the specification give the same timelines', () => {
  fc.assert(
    fc.property(ruleFile, (text) => {
      const loaded = loadRules([{ path: 'made-up.yaml', text }])
      // A number without its unit is refused, as it should be; such rules are not played.
      const [test] = loaded.problems.length > 0 ? [] : loaded.tests
      if (!test) return
      const { engine, reference, closeCalls } = bothTimelines(test, loaded, text)
      // 5 / 30 and 5 · ⅓ / 10 are one number and two floats; a rule that compares them says nothing about the language.
      fc.pre(closeCalls === 0)
      expect(engine).toEqual(reference)
    }),
    { numRuns: 150, maxSkipsPerRun: 20 },
  )
})
