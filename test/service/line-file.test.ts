import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LineFile } from '../../service/line-file.ts'
import { createLog } from '../../src/runtime/log.ts'

let directory: string
let said: string[]
const log = createLog({ format: 'text', write: (line) => said.push(line) })

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-line-file-'))
  said = []
})
afterEach(() => fs.rmSync(directory, { recursive: true }))

test('lines are written one after another, also by the next run', async () => {
  const name = path.join(directory, 'deep', 'router.log')
  for (const line of ['one', 'two']) {
    const file = new LineFile(name, log)
    file.write(line)
    await file.close()
  }
  expect(fs.readFileSync(name, 'utf8')).toBe('one\ntwo\n')
})

test('a full file makes room for a new one, and only one former file is kept', async () => {
  const name = path.join(directory, 'router.log')
  const file = new LineFile(name, log, 100)
  for (let i = 0; i < 35; i++) file.write(`line ${String(i).padStart(4, '0')}`)
  await file.close()
  expect(fs.readdirSync(directory).sort()).toEqual(['router.log', 'router.log.1'])
  expect(fs.readFileSync(`${name}.1`, 'utf8').split('\n')).toHaveLength(11)
  expect(fs.readFileSync(name, 'utf8')).toBe('line 0030\nline 0031\nline 0032\nline 0033\nline 0034\n')
})

test('a disk that refuses is said once, and the lines are counted', async () => {
  fs.writeFileSync(path.join(directory, 'file'), '')
  const file = new LineFile(path.join(directory, 'file', 'router.log'), log)
  for (let i = 0; i < 10; i++) file.write('line')
  await file.close()
  expect(file.droppedLines).toBe(10)
  expect(said).toHaveLength(1)
  expect(said[0]).toContain('the log cannot be written')
})

test('more than the disk takes in time is dropped and counted, not kept in memory', async () => {
  const file = new LineFile(path.join(directory, 'router.log'), log)
  // Nothing reaches the disk before this test gives way.
  for (let i = 0; i < 3000; i++) file.write('x'.repeat(1000))
  expect(file.droppedLines).toBeGreaterThan(1000)
  await file.close()
})
