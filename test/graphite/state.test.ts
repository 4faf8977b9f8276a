import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { IdleMemory } from '../../src/graphite/idle.ts'
import { StateFiles } from '../../src/graphite/state.ts'

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-state-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

const position = { firstOffset: 3, nextOffset: 9, writtenMs: 10_000, lateOffsets: [4] }

test('the position is read back as it was written', async () => {
  await new StateFiles(dir).writePosition(position)
  expect(new StateFiles(dir).readPosition()).toEqual(position)
})

test('the idle series are read back with the offset they are as of', async () => {
  const memory = new IdleMemory(10_000)
  for (let i = 0; i < 5000; i++) memory.series.counters.set(`hits.${i}`, i)
  memory.series.gauges.set('open', { value: 2.5, bucketMs: 1000, untilMs: 4000 })
  await new StateFiles(dir).writeIdle(memory, 77)
  const again = new IdleMemory(10_000)
  expect(new StateFiles(dir).readIdle(again)).toBe(77)
  expect(again.series).toEqual(memory.series)
})

test('no file, or one that cannot be read, is no state', () => {
  const files = new StateFiles(dir)
  expect(files.readPosition()).toBeUndefined()
  expect(files.readIdle(new IdleMemory(1))).toBeUndefined()
  for (const text of ['', '{', 'null', '{"firstOffset":1}', '{"offset":"3"}']) {
    for (const name of ['position.json', 'idle.jsonl']) fs.writeFileSync(path.join(dir, name), text)
    expect(files.readPosition()).toBeUndefined()
    expect(files.readIdle(new IdleMemory(1))).toBeUndefined()
  }
})

test('a line of the idle series that is not ours is left out, the others are read', () => {
  fs.writeFileSync(
    path.join(dir, 'idle.jsonl'),
    '{"offset":5}\n["counters","a",1]\n["counters",2]\n{\n["gauges","g",{}]\n',
  )
  const memory = new IdleMemory(10)
  expect(new StateFiles(dir).readIdle(memory)).toBe(5)
  expect(memory.size).toBe(1)
})

test('a directory that cannot be written is an error at the start', () => {
  fs.writeFileSync(path.join(dir, 'file'), '')
  expect(() => new StateFiles(path.join(dir, 'file', 'graphite'))).toThrow(/ENOTDIR/)
})
