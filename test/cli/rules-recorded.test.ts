/** The tools over recordings, as a user runs them: words, flags, exit statuses, what goes to which stream. */
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { journalDir } from '../../src/cep/journal/keep.ts'
import { progressBar } from '../../src/cli/progress.ts'
import { MadeLog, writeJournal } from '../support/recording.ts'
import { folderWith, runTocsin } from '../support/tocsin.ts'

const rules = (threshold: number) => `metrics: [{match: "web.*.errors", kind: count}]
rules:
  errors:
    every: 1s
    crit: web.{host}.errors > ${threshold} for 5s
`
const folder = folderWith({ 'tocsin.yaml': 'rules: [rules]\ndata: var\n', 'rules/web.yaml': rules(3) })
const config = ['--config', path.join(folder.path, 'tocsin.yaml')]

beforeAll(async () => {
  const log = new MadeLog(Date.parse('2024-03-01T12:00:00Z'))
  log.rules(rules(3))
  for (let i = 1; i <= 60; i++) log.second({ 'web.a.errors': i > 20 && i <= 40 ? 9 : 0 })
  await writeJournal(journalDir(path.join(folder.path, 'var')), log.entries)
})
afterAll(() => folder.remove())

describe('over the journal of the configuration', () => {
  test('backtest prints the alerts of the configured rules', async () => {
    const { exitCode, output } = await runTocsin(['rules', 'backtest', ...config])
    expect(exitCode).toBe(0)
    expect(output).toContain('errors\n  a  crit 2024-03-01 12:00:25 → ok 12:00:41 UTC (16s)')
  })

  test('backtest with a golden file that differs exits with 1', async () => {
    const golden = path.join(folder.path, 'golden.yaml')
    expect(await runTocsin(['rules', 'backtest', ...config, '--golden', golden, '--write'])).toMatchObject({
      exitCode: 0,
    })
    fs.writeFileSync(path.join(folder.path, 'changed.yaml'), rules(20))
    const changed = ['rules', 'backtest', path.join(folder.path, 'changed.yaml'), ...config, '--golden', golden]
    const { exitCode, output } = await runTocsin(changed)
    expect(exitCode).toBe(1)
    expect(output).toContain('errors\n  - a  crit 2024-03-01 12:00:25')
  })

  test('why takes RULE GROUP or RULE/GROUP', async () => {
    const at = ['--at', '2024-03-01T12:00:23Z', ...config]
    const apart = await runTocsin(['rules', 'why', 'errors', 'a', ...at])
    expect(apart).toMatchObject({ exitCode: 0, output: expect.stringContaining('3 of 5 bad buckets') })
    expect((await runTocsin(['rules', 'why', 'errors/a', ...at])).output).toBe(apart.output)
  })

  test('learn prints a catalogue, in JSON too', async () => {
    const { exitCode, output } = await runTocsin(['rules', 'learn', '--json', ...config])
    expect([exitCode, JSON.parse(output).metrics[0]]).toMatchObject([0, { match: 'web.a.errors', kind: 'count' }])
  })
})

test.each([
  [['rules', 'why'], 'which rule, and which group?'],
  [['rules', 'learn', 'rules.yaml'], 'rules learn takes no files'],
  [['rules', 'backtest', '--journal', '/nowhere', ...config], '/nowhere: there is no such file or folder'],
])('%j could not run: exit status 2', async (words, problem) => {
  const { exitCode, output } = await runTocsin(words)
  expect(exitCode).toBe(2)
  expect(output).toContain(problem)
})

test.each([['backtest'], ['why', 'errors', 'a'], ['learn']])(
  'rules %s says which configuration it went by where nothing was recorded',
  async (...words) => {
    const empty = folderWith({ 'tocsin.yaml': 'data: elsewhere\n' })
    const { exitCode, output } = await runTocsin(['rules', ...words, '--config', path.join(empty.path, 'tocsin.yaml')])
    empty.remove()
    expect(exitCode).toBe(2)
    expect(output).toContain(`nothing is recorded in ${path.join(empty.path, 'elsewhere', 'journal')}\n    "tocsin up"`)
  },
)

test.each(['backtest', 'why', 'learn'])('rules %s --help tells its own', async (verb) => {
  const { exitCode, output } = await runTocsin(['rules', verb, '--help'])
  expect(exitCode).toBe(0)
  expect(output).toContain(`usage: tocsin rules ${verb}`)
  expect(output).toContain('--journal DIR|FILE')
})

describe('a progress bar', () => {
  const draw = (isTTY: boolean) => {
    const written: string[] = []
    const bar = progressBar('backtest', { isTTY, columns: 80, write: (text: string) => written.push(text) })
    for (let i = 0; i <= 1000; i++) bar?.draw(i / 1000, '12:00')
    bar?.clear()
    return written
  }

  test('is drawn on a terminal, no more often than it changes, and taken away', () => {
    const written = draw(true)
    expect(written.length).toBeLessThan(210)
    expect(written[100]).toContain('50 %')
    expect(written.every((line) => line.length < 90)).toBe(true)
    expect(written.at(-1)).toBe('\r\u001b[K')
  })

  test('is drawn nowhere else', () => {
    expect(draw(false)).toEqual([])
  })
})
