/** Rule files with letters lost, doubled or changed: whatever is in them, problems have a place and nothing is thrown. */
import fs from 'node:fs'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { explain } from '../../../src/cep/explain/explain.ts'
import { explanationText } from '../../../src/cep/explain/text.ts'
import { formatRuleProblem, loadRules } from '../../../src/cep/language/load.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'

const folders = ['rules', 'test/fixtures/rules', 'test/fixtures/rules/second']
const texts = folders.flatMap((folder) =>
  fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => fs.readFileSync(`${folder}/${name}`, 'utf8')),
)

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.constantFrom(0, 0, 1, 1, 2, 12),
  put: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '\n',
      '\t',
      ':',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      ',',
      '-',
      '*',
      '&',
      '!',
      '%',
      '#',
      '|',
      '>',
      '0',
      'ö',
    ),
    fc.constantFrom(
      ' and ',
      ' over ',
      ' for ',
      ' until ',
      ' then ',
      'no ',
      '{x}',
      '**',
      '5m',
      '99999999999999999999w',
      'rule:x is firing',
    ),
    fc.string({ maxLength: 3, unit: 'grapheme' }),
  ),
})

it('a file with a few slips is told of, line by line, and never stops anything', () => {
  fc.assert(
    fc.property(fc.constantFrom(...texts), fc.array(edit, { minLength: 1, maxLength: 4 }), (whole, edits) => {
      let text = whole
      for (const { at, length, put } of edits) {
        const place = Math.floor(at * text.length)
        text = text.slice(0, place) + put + text.slice(place + length)
      }
      const loaded = loadRules([{ path: 'torn.yaml', text }], { lint: true, strict: true, memoryMax: 1e9 })
      const lines = text.split('\n')
      const tests = loaded.tests.map((raw) => prepare(raw, loaded, text))
      const problems = [...loaded.problems, ...loaded.warnings, ...tests.flatMap((one) => (one.ok ? [] : one.error))]
      for (const problem of problems) {
        expect(problem.line, problem.message).toBeGreaterThan(0)
        expect(problem.line, problem.message).toBeLessThanOrEqual(lines.length)
        expect(problem.column, problem.message).toBeLessThanOrEqual(
          (lines[(problem.line as number) - 1] as string).length + 1,
        )
        expect(formatRuleProblem(problem)).toContain('torn.yaml:')
      }
      for (const rule of loaded.rules.slice(0, 2))
        expect(explanationText(explain(rule, { ...loaded, tests: [] }))).toContain(rule.name)
    }),
    { numRuns: 400 },
  )
})
