import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkChecks, checksMax, loadChecks } from '../../src/checks/load.ts'

let dir: string

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-checks-'))
})

afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = path.join(dir, name)
  fs.writeFileSync(file, text)
  return file
}

test('a directory gives all its YAML files in order, a file itself, and what does not exist gives nothing', () => {
  write('b.yaml', 'checks: {b: {http: "http://h/"}}')
  write('a.yml', 'checks: {a: {http: "http://h/"}}')
  write('notes.txt', 'not for us')
  const loaded = loadChecks([dir, path.join(dir, 'absent')], {})
  expect(loaded.ok && loaded.value.map(({ name }) => name)).toEqual(['a', 'b'])
})

test('a name that stands in two files is refused, naming both places', () => {
  const first = write('a.yaml', 'checks: {web.x: {http: "http://h/"}}')
  const second = write('b.yaml', 'checks:\n  web.{p}:\n    http: http://h/\n    each: [{p: y}, {p: x}]\n')
  const [problem, ...others] = checkChecks([dir])
  expect(problem).toMatchObject({ file: second, line: 4 })
  expect(problem?.message).toContain(`already a check of this name at ${first}:1:10`)
  expect(others).toEqual([])
})

test('the problems of all files come together', () => {
  write('a.yaml', 'checks: {a: {http: nowhere}}')
  write('b.yaml', 'checks: {b: {}}')
  expect(checkChecks([dir]).map(({ file }) => path.basename(file))).toEqual(['a.yaml', 'b.yaml'])
})

test('more checks than we can run are refused', () => {
  const rows = Array.from({ length: checksMax + 1 }, (_, i) => `{i: ${i}}`).join(', ')
  write('many.yaml', `checks: {"c{i}": {http: "http://h/", each: [${rows}]}}`)
  expect(checkChecks([dir])[0]?.message).toContain(`more than ${checksMax} checks`)
})

test('the shipped checks are valid and watch every process of the example service', () => {
  const loaded = loadChecks([path.resolve(import.meta.dirname, '../../checks')], {})
  expect(loaded.ok && loaded.value.map(({ name, url }) => `${name} ${url}`)).toEqual([
    'web.router http://127.0.0.1:10000/__heartbeat__',
    'web.browserid http://127.0.0.1:10001/__heartbeat__',
    'web.dbwriter http://127.0.0.1:10002/__heartbeat__',
    'web.keysigner http://127.0.0.1:10003/__heartbeat__',
    'web.verifier http://127.0.0.1:10004/__heartbeat__',
    'web.static http://127.0.0.1:10005/__heartbeat__',
    'web.proxy http://127.0.0.1:10006/__heartbeat__',
  ])
})
