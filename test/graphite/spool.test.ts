import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepMs, memoryBytesMax, Spool } from '../../src/graphite/spool.ts'
import { Stats } from '../../src/runtime/stats.ts'

const block = 4096
let dir: string
let stats: Stats
let problems: (string | undefined)[]

beforeEach(() => {
  dir = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-spool-')), 'spool')
  stats = new Stats()
  problems = []
})

afterEach(() => fs.rmSync(path.dirname(dir), { recursive: true }))

const open = (bytesMax = 100 * block) =>
  new Spool({ dir, bytesMax, stats, onDisk: (problem) => problems.push(problem) })

const line = (text: string) => ({ text: `${text}\n`, lines: 1 })

/** Takes and marks as sent everything that waits. */
async function sendAll(spool: Spool, connection: number, atMs: number): Promise<string[]> {
  const sent: string[] = []
  for (let chunk = spool.next(); chunk; chunk = spool.next()) {
    sent.push((await spool.read(chunk))?.trim() ?? '')
    spool.markSent(chunk, connection, atMs)
  }
  return sent
}

test('chunks come out in the order they went in', async () => {
  const spool = open()
  for (const text of ['a', 'b', 'c']) await spool.append(line(text))
  expect(await sendAll(spool, 1, 0)).toEqual(['a', 'b', 'c'])
  expect(spool.next()).toBeUndefined()
})

test('what a former run left is taken up, a half-written file is not', async () => {
  await open().append(line('a'))
  fs.writeFileSync(path.join(dir, '0000000000000002-1.lines.new'), 'stats.b 1')
  const spool = open()
  await spool.append(line('c'))
  expect(await sendAll(spool, 1, 0)).toEqual(['a', 'c'])
  expect(fs.readdirSync(dir)).toEqual(['0000000000000001-1.lines', '0000000000000002-1.lines'])
})

test('a chunk is kept until carbon has it for certain and a minute has passed', async () => {
  const spool = open()
  await spool.append(line('a'))
  await sendAll(spool, 1, 1000)
  spool.release(1000 + keepMs)
  expect(stats.get('spool_bytes')).toBe(block)
  spool.confirm(1)
  spool.release(999 + keepMs)
  expect(stats.get('spool_bytes')).toBe(block)
  spool.release(1000 + keepMs)
  expect(stats.get('spool_bytes')).toBe(0)
  expect(fs.readdirSync(dir)).toEqual([])
})

test('after a failure everything that is kept waits again, and lines counted as resent had been sent before', async () => {
  const spool = open()
  await spool.append(line('a'))
  await sendAll(spool, 1, 0)
  spool.confirm(1)
  await spool.append(line('b'))
  expect(spool.rewind()).toBe(1)
  expect(await sendAll(spool, 2, 0)).toEqual(['a', 'b'])
})

test('beyond the bound the oldest go first, and lines that were never sent are counted', async () => {
  const spool = open(3 * block)
  for (const text of ['a', 'b']) await spool.append(line(text))
  await sendAll(spool, 1, 0)
  for (const text of ['c', 'd', 'e', 'f']) await spool.append(line(text))
  expect(stats.get('lines_dropped_total')).toBe(1)
  expect(stats.get('spool_bytes')).toBe(3 * block)
  expect(await sendAll(spool, 1, 0)).toEqual(['d', 'e', 'f'])
  expect(fs.readdirSync(dir)).toHaveLength(3)
})

test('a disk that refuses is told, lines wait in memory under a bound of their own, and go on', async () => {
  const spool = open(1024 ** 3)
  fs.rmSync(dir, { recursive: true })
  const large = 'x'.repeat(memoryBytesMax / 4 - 1)
  for (let i = 0; i < 5; i++) await spool.append({ text: large, lines: 7 })
  expect(problems).toHaveLength(5)
  expect(problems[0]).toContain('ENOENT')
  expect(stats.get('lines_dropped_total')).toBe(7)
  fs.mkdirSync(dir)
  await spool.append(line('on disk'))
  expect(problems.at(-1)).toBeUndefined()
  expect(await sendAll(spool, 1, 0)).toHaveLength(5)
})

test('a chunk whose file is gone is counted and the next one comes', async () => {
  const spool = open()
  for (const text of ['a', 'b']) await spool.append(line(text))
  fs.rmSync(path.join(dir, '0000000000000001-1.lines'))
  expect(await spool.read(spool.next() as never)).toBeUndefined()
  expect(await sendAll(spool, 1, 0)).toEqual(['b'])
  expect(stats.get('lines_dropped_total')).toBe(1)
})

test('a directory that cannot be made is an error at the start', () => {
  fs.writeFileSync(dir, '')
  expect(open).toThrow(/EEXIST|ENOTDIR/)
})
