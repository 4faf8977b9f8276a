import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rulesCheck } from '../../../src/cep/tools/check.ts'
import { MadeLog, temporaryFolder, writeJournal } from '../../support/recording.ts'

const startMs = Date.parse('2024-03-01T00:00:00Z')
const folder = temporaryFolder()
const journal = path.join(folder.path, 'journal')

/** Three hours and a half; `nightly.size` comes only in the first minutes, and so do events and checks. */
beforeAll(async () => {
  const log = new MadeLog(startMs)
  for (let i = 1; i <= 3.5 * 360; i++) {
    log.nowMs += 9000
    const { source, nowMs } = log
    if (i === 5) {
      const result = { sequence: 1, atMs: nowMs, state: 'ok' as const, output: '', durationMs: 1, stepMs: 60_000 }
      const results = [{ ...result, name: 'web.verifier' }]
      log.add({ kind: 'checks', key: `checks.${source}`, message: { source, bucketMs: nowMs, results } })
      const message = { source, sequence: 2, atMs: nowMs, bucketMs: nowMs, name: 'deploy', tags: { process: 'a' } }
      log.add({ kind: 'events', key: 'events.deploy', message })
    }
    log.second(
      { 'browserid.verifier.http.503': 1, 'browserid.router.http.200': 5 },
      i < 9 ? { 'nightly.size': i } : { load: 1 },
    )
  }
  await writeJournal(journal, log.entries, { blockBytesMax: 20_000 })
})
afterAll(() => folder.remove())

async function check(rules: string, flags: { journal?: string; strict?: boolean; json?: boolean } = {}) {
  const file = path.join(folder.path, 'rules.yaml')
  fs.writeFileSync(file, rules)
  const outcome = await rulesCheck([file], { strict: false, json: false, journal, ...flags })
  return { ...outcome, text: outcome.text?.replaceAll(`${folder.path}/`, '') }
}

const rule = (condition: string, metrics = '') => `${metrics}rules:
  one:
    every: 10s
    crit: ${condition}
    runbook: https://example.org/
    tests: [{name: quiet, given: {}, expect: {}}]
`
const counts = 'metrics: [{match: "browserid.**", kind: count}]\n'

describe('rules check with a journal', () => {
  it('tells a selector that matched nothing, where it stands, and the nearest series', async () => {
    const { exitCode, text } = await check(rule('sum(browserid.{process}.htpp.5*) over 1m > 5', counts))
    expect(exitCode).toBe(0)
    expect(
      text,
    ).toContain(`rules.yaml:5:15  warning[lint]: browserid.{process}.htpp.5* matched nothing in the journal, which is of 3h29m
    5 |     crit: sum(browserid.{process}.htpp.5*) over 1m > 5
      |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: did you mean "browserid.verifier.http.503"?`)
  })

  it.each([
    ['what came in the last minutes', 'sum(browserid.{process}.http.5*) over 1m > 5', counts],
    ['what came hours ago', 'nightly.size > 5', 'metrics: [{match: "nightly.size", kind: gauge}]\n'],
    ['a check', 'check:web.{name} is not ok', ''],
    [
      'an event that happened, whatever its tags',
      'event:deploy[process={process}] then metric:load > 3 within 5m, keep 1m',
      'metrics: [{match: load, kind: gauge}]\n',
    ],
    ['an event that did not happen, which is no slip', 'event:backup.failed, keep 5m', ''],
    ['another rule', 'rule:two is crit', ''],
  ])('does not tell %s', async (_, condition, metrics) => {
    const two = '  two: {every: 10s, crit: "metric:load > 5"}\n'
    const { text } = await check(rule(condition, metrics) + (condition.includes('two') ? two : ''))
    expect(text).not.toContain('matched nothing')
  })

  it('tells a check, and an event of nearly that name', async () => {
    expect((await check(rule('check:web.verfier is not ok'))).text).toContain('did you mean "check:web.verifier"?')
    expect((await check(rule('event:depoly, keep 5m'))).text).toContain('did you mean "event:deploy"?')
    expect((await check(rule('quite.different.from.anything > 5'))).text).toContain('nothing like it was recorded')
  })

  it('tells a selector in a let and in "hide when" where it stands', async () => {
    const { text } = await check(`rules:
  one:
    every: 10s
    let: {bad: "sum(brwserid.{process}.http.5*) over 1m"}
    crit: bad > 5
    hide when: check:wbe.verifier is not ok
`)
    expect(text).toMatch(/rules.yaml:4:21 {2}warning\[lint\]: brwserid\.\{process\}\.http\.5\* matched nothing/)
    expect(text).toMatch(/rules.yaml:6:16 {2}warning\[lint\]: check:wbe\.verifier matched nothing/)
  })

  it('tells an entry of the catalogue that the bus contradicts', async () => {
    const metrics = 'metrics:\n  - {match: "browserid.**", kind: gauge}\n  - {match: load, kind: percentile}\n'
    const { text } = await check(rule('metric:load > 5', metrics))
    expect(text).toContain(
      'rules.yaml:2:14  warning[lint]: declared a gauge, but browserid.verifier.http.503 comes as a count; the catalogue wins',
    )
    expect(text).not.toContain('declared a percentile')
  })

  it('makes them problems under --strict, and JSON when asked', async () => {
    const { exitCode, text } = await check(rule('sum(browserid.{process}.htpp.5*) over 1m > 5', counts), {
      strict: true,
      json: true,
    })
    expect(exitCode).toBe(1)
    expect(JSON.parse(text as string).problems).toMatchObject([
      { code: 'lint', severity: 'error', line: 5, column: 15 },
    ])
  })

  it('that is not there could not run', async () => {
    const { exitCode, error } = await check(rule('metric:load > 5'), { journal: '/nowhere' })
    expect([exitCode, error]).toEqual([2, 'tocsin: /nowhere: there is no such file or folder'])
  })
})
