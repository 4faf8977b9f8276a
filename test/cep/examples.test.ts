import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { formatRuleProblem, loadRules } from '../../src/cep/language/load.ts'
import { runTest } from '../../src/cep/testing/run.ts'

const folder = path.join(import.meta.dirname, 'examples')
const files = fs
  .readdirSync(folder)
  .map((name) => ({ path: name, text: fs.readFileSync(path.join(folder, name), 'utf8') }))

const examples = files.flatMap((file) => {
  const loaded = loadRules([file])
  return loaded.tests.map((written) => [file.path, written.name, { file, loaded, written }] as const)
})

test('the examples load, each and all together', () => {
  for (const file of files) expect(loadRules([file]).problems.map(formatRuleProblem)).toEqual([])
  expect(loadRules(files).problems.map(formatRuleProblem)).toEqual([])
  expect(examples.length).toBeGreaterThan(30)
})

test.each(examples)('%s: %s', (_file, _name, { file, loaded, written }) => {
  const { passed, problems, mismatches } = runTest(written, loaded, file.text)
  expect({ passed, problems, mismatches }).toEqual({ passed: true, problems: [], mismatches: [] })
})
