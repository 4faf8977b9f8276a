/** The shipped rules: what a rule author would copy from has to be right. */
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadRules } from '../src/cep/language/load.ts'
import { readRuleFiles } from '../src/cep/rule-files.ts'
import { prepare } from '../src/cep/testing/prepare.ts'
import { play, runTest } from '../src/cep/testing/run.ts'
import { rulesCheck, rulesTest } from '../src/cep/tools/index.ts'

const root = path.resolve(import.meta.dirname, '..')
const folder = path.join(root, 'rules')
const { files } = readRuleFiles([folder], (file) => path.relative(root, file))
const loaded = loadRules(files)
const runbooks = fs.readFileSync(path.join(root, 'docs/runbooks.md'), 'utf8')

describe('the shipped rules', () => {
  it('have nothing that "rules check" minds', async () => {
    expect(await rulesCheck([folder], { strict: true, json: false })).toMatchObject({ exitCode: 0 })
  })

  it('pass their tests', async () => {
    const outcome = await rulesTest([folder], { json: false })
    expect(outcome.text).not.toContain('✗')
    expect(outcome.exitCode).toBe(0)
  })

  it.each(loaded.rules)('$name says what is wrong, and has a runbook', ({ name, say, runbook, tags }) => {
    expect(say?.length).toBeGreaterThan(10)
    expect(runbook).toBe(`docs/runbooks.md#${name}`)
    expect(runbooks).toContain(`\n## ${name}\n`)
    expect(tags.team).toBeDefined()
  })

  it.each(loaded.rules)('$name is shown to fire, and not to', ({ name }) => {
    const expectations = loaded.tests.filter(({ rule }) => rule === name).map(({ expect }) => JSON.stringify(expect))
    expect(expectations.some((text) => /warn|crit/.test(text))).toBe(true)
    expect(expectations).toContain('{}')
  })

  it('say it in a sentence that reads well on a phone', () => {
    const test = loaded.tests.find(({ rule }) => rule === 'http_5xx_spike') as (typeof loaded.tests)[number]
    const prepared = prepare(test, loaded, '')
    const transitions = prepared.ok ? play(prepared.value, loaded) : []
    expect(transitions.map(({ to, say }) => `${to}: ${say}`)).toEqual([
      'crit: verifier: 10% of requests fail (25 of 250 in 5 seconds, 25 of 3000 in a minute)',
      'ok: verifier: 0% of requests fail (0 of 250 in 5 seconds, 0 of 3000 in a minute)',
    ])
    const [first] = transitions
    expect(first).toMatchObject({ groupKey: 'verifier', runbook: 'docs/runbooks.md#http_5xx_spike' })
    expect(first?.comparison).toMatchObject({ value: 0.1, operator: '>', threshold: 0.05 })
    expect(first?.series.values.at(-1)).toBe(0.1)
  })

  it('play hours of their tests in a second', () => {
    const startedMs = performance.now()
    const playedMs = loaded.tests.reduce((sum, test) => {
      const text = files.find((file) => file.path === test.file)?.text ?? ''
      return sum + runTest(test, loaded, text).runMs
    }, 0)
    expect(playedMs).toBeGreaterThan(3_600_000)
    expect(performance.now() - startedMs).toBeLessThan(5000)
  })
})
