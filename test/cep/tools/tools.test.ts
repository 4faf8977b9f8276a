import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rulesCheck, rulesTest } from '../../../src/cep/tools/index.ts'

const good = `metrics:
  - {match: "gauge.**", kind: gauge}
rules:
  high:
    warn: gauge.{name} > 5
    tests:
      - name: goes up
        given:
          gauge.x: 1 for 1m, 9
        expect:
          x: ok, warn at 1m10s
`

describe('rules check and rules test', () => {
  let dir: string

  beforeEach(() => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-rules-'))
  })

  afterEach(() => fs.rmSync(dir, { recursive: true }))

  const write = (name: string, text: string) => {
    fs.writeFileSync(path.join(dir, name), text)
    return path.join(dir, name)
  }
  const check = (paths: string[], options = {}) => rulesCheck(paths, { strict: false, json: false, ...options })
  const test = (paths: string[], options = {}) => rulesTest(paths, { json: false, ...options })

  it('are content with good files', async () => {
    const file = write('good.yaml', good)
    expect(await check([file])).toEqual({ exitCode: 0, text: '1 rule and 1 test in 1 file: fine' })
    const { exitCode, text } = await test([file])
    expect(exitCode).toBe(0)
    expect(text).toMatch(/good\.yaml\n {2}high\n {4}✓ goes up/)
    expect(text).toMatch(/1 test of 1 rule in 1 file: all passed \(11m10s of time in \d+ ms\)$/)
  })

  it('take a folder for every *.yaml in it, and each file once', async () => {
    write('a.yaml', good)
    write('b.yaml', good.replace('high:', 'higher:'))
    write('notes.txt', 'not a rule file')
    expect((await check([dir, path.join(dir, 'a.yaml')])).text).toBe('2 rules and 2 tests in 2 files: fine')
  })

  it('show what is wrong, where, and how to mend it', async () => {
    const file = write('bad.yaml', good.replace('gauge.{name} > 5', 'gaugee > 5'))
    const { exitCode, text } = await check([file])
    expect(exitCode).toBe(1)
    expect(text).toContain(`${file}:5:11  error[name]`)
    expect(text).toContain('    5 |     warn: gaugee > 5\n      |           ^^^^^^')
    expect(text).toMatch(/: 1 problem$/)
    const tested = await test([file])
    expect(tested.exitCode).toBe(1)
    expect(tested.text).toMatch(/1 problem; no test was run$/)
  })

  it('find slips in tests too', async () => {
    const file = write('slip.yaml', good.replace('1 for 1m, 9', '1 for 1m, nine'))
    const { exitCode, text } = await check([file])
    expect(exitCode).toBe(1)
    expect(text).toContain(`${file}:9:30  error[syntax]: in test "goes up": expected a value, found "nine"`)
  })

  it('show the expected and the actual timeline of a test that fails', async () => {
    const file = write('fails.yaml', good.replace('warn at 1m10s', 'warn at 2m, ok at 3m'))
    const { exitCode, text } = await test([file])
    expect(exitCode).toBe(1)
    expect(text).toContain(`    ✗ goes up   ${file}:7`)
    expect(text).toContain('expected     came')
    expect(text).toContain('✗ warn at 2m   warn at 1m10s')
    expect(text).toContain('✗ ok at 3m     –')
    expect(text).toContain('1 test of 1 rule in 1 file: 1 failed')
  })

  it('say which rules have no test', async () => {
    const file = write('untested.yaml', 'rules:\n  high:\n    warn: gauge.{name} > 5\n')
    const { exitCode, text } = await test([file])
    expect(exitCode).toBe(0)
    expect(text).toContain('  high\n    – no test')
  })

  it('cannot run without files', async () => {
    expect(await check([path.join(dir, 'nowhere')])).toMatchObject({
      exitCode: 2,
      error: expect.stringContaining('no such file'),
    })
    expect(await test([dir])).toMatchObject({ exitCode: 2, error: expect.stringContaining('no *.yaml') })
    expect(await check([])).toMatchObject({ exitCode: 2 })
  })

  it('speak JSON when asked', async () => {
    const file = write('fails.yaml', good.replace('warn at 1m10s', 'warn at 2m'))
    expect(JSON.parse((await check([file], { json: true })).text ?? '')).toMatchObject({
      rules: 1,
      tests: 1,
      problems: [],
    })
    expect(JSON.parse((await test([file], { json: true })).text ?? '')).toMatchObject({
      passed: 0,
      failed: 1,
      tests: [
        {
          rule: 'high',
          name: 'goes up',
          passed: false,
          mismatches: [{ group: 'x', expected: 'ok, warn at 2m', came: 'ok, warn at 1m10s' }],
        },
      ],
    })
    const missing = await check([path.join(dir, 'nowhere')], { json: true })
    expect(missing.exitCode).toBe(2)
    expect(JSON.parse(missing.text ?? '')).toMatchObject({ problems: [{ message: 'there is no such file or folder' }] })
  })

  it('make warnings problems when they are strict', async () => {
    const file = write('undeclared.yaml', 'rules:\n  high:\n    every: 10s\n    warn: gauge.{name} > 5\n')
    expect((await check([file])).exitCode).toBe(0)
    expect((await check([file], { strict: true })).exitCode).toBe(1)
  })
})
