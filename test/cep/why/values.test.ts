/** Over all worked examples: what is shown of a condition is what the engine computed of it. */
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { Engine } from '../../../src/cep/engine.ts'
import { loadRules } from '../../../src/cep/language/load.ts'
import type { RuleRun } from '../../../src/cep/rule-run.ts'
import { TestLog } from '../../../src/cep/testing/messages.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'
import { explainGroup } from '../../../src/cep/why/explanation.ts'
import { explanationLines } from '../../../src/cep/why/text.ts'

const root = path.join(import.meta.dirname, '../../..')
const files = ['test/cep/examples', 'rules', 'test/fixtures/rules'].flatMap((folder) =>
  fs
    .readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.yaml') && !name.includes('.bad.'))
    .map((name) => path.join(folder, name)),
)
/** Every bucket would be slow and show little more. */
const everyBuckets = 37
const bucketsMax = 2000

it.each(files)('%s: the shown value of each level is its condition', (name) => {
  const text = fs.readFileSync(path.join(root, name), 'utf8')
  const loaded = loadRules([{ path: name, text }], { trace: true })
  let looked = 0
  const look = (run: RuleRun, atMs: number) => {
    if (Math.round(atMs / run.stepMs) % everyBuckets !== 0 || !run.rule.trace) return
    for (const { key } of run.status().groups.slice(0, 5)) {
      const explained = explainGroup(run, run.rule.trace, key)
      expect(explained, `${run.rule.name} ${key}`).toBeDefined()
      for (const { tree, condition, on, unmet, level } of explained?.levels ?? []) {
        expect(tree.value, `${run.rule.name} ${key} ${level}: ${tree.text}`).toBe(condition)
        if (!on) expect(unmet, `${run.rule.name} ${key} ${level} at ${atMs}`).toBeTruthy()
      }
      if (explained) expect(explanationLines(explained).join('\n')).not.toContain('undefined')
      looked++
    }
  }
  for (const test of loaded.tests) {
    const prepared = prepare(test, loaded, text)
    if (!prepared.ok) continue
    const { stepMs, runMs } = prepared.value
    const engine = new Engine({ defaultStepMs: stepMs, testStepMs: stepMs, rules: loaded, watch: { closed: look } })
    const log = new TestLog(prepared.value)
    for (let i = 0; i * stepMs < runMs && i < bucketsMax; i++) for (const entry of log.step()) engine.step(entry)
  }
  expect(looked).toBeGreaterThan(0)
})
