import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SegmentLog, type SegmentLogOptions } from '../../src/bus/memory/segments.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { until } from '../support/until.ts'

let dir: string
let clock: ManualClock
let open: SegmentLog[]
let disk: (string | undefined)[]

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-segments-'))
  clock = new ManualClock(1_000_000)
  open = []
  disk = []
})

afterEach(() => {
  for (const log of open) log.close()
  fs.rmSync(dir, { recursive: true })
})

function openLog(options: Partial<SegmentLogOptions> = {}): SegmentLog {
  const log = new SegmentLog({
    dir,
    clock,
    retentionMs: 3_600_000,
    retentionBytes: 64 * 1024 ** 2,
    onDisk: (problem) => disk.push(problem),
    ...options,
  })
  open.push(log)
  return log
}

/** Ends without an orderly close, as a killed process does: nothing more is written. */
function reopen(log: SegmentLog, options: Partial<SegmentLogOptions> = {}): SegmentLog {
  log.close()
  return openLog(options)
}

const bodies = async (log: SegmentLog, from = log.first) => {
  const all: [number, string][] = []
  for (let next = from; next < log.end; ) {
    for (const { offset, bytes } of await log.read(next)) {
      all.push([offset, bytes.toString('utf8', 0, 20)])
      next = offset + 1
    }
  }
  return all
}

const files = () => fs.readdirSync(dir).sort()
const lastFile = () => path.join(dir, files().at(-1) as string)
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i): [number, string] => [from + i, `record ${from + i}`])

function append(log: SegmentLog, count: number): void {
  for (let i = 0; i < count; i++) log.append(Buffer.from(`record ${log.end}`))
}

describe('a segment log', () => {
  it('gives records back in order with growing offsets, from memory and from disk alike', async () => {
    const log = openLog()
    append(log, 5000) // More than memory keeps.
    expect(await bodies(log)).toEqual(numbered(0, 5000))
    expect(await bodies(log, 4990)).toEqual(numbered(4990, 5000))
  })

  it('goes on behind the last record when it is opened again', async () => {
    let log = openLog()
    append(log, 3)
    log = reopen(log)
    append(log, 2)
    expect(await bodies(log)).toEqual(numbered(0, 5))
  })

  it('begins a new segment when one is full', () => {
    const log = openLog({ retentionBytes: 4000 })
    append(log, 100)
    expect(files().length).toBeGreaterThan(1)
    for (const file of files()) expect(fs.statSync(path.join(dir, file)).size).toBeLessThanOrEqual(1000)
  })

  it('opens without reading any segment but the last', async () => {
    let log = openLog({ retentionMs: 100_000 })
    for (let i = 0; i < 4; i++) {
      append(log, 3)
      await clock.advanceBy(25_000)
    }
    for (const file of files().slice(0, -1)) fs.truncateSync(path.join(dir, file), 16 + 5)
    log = reopen(log, { retentionMs: 100_000 })
    expect([log.first, log.end]).toEqual([0, 12])
    expect(await bodies(log)).toEqual(numbered(9, 12))
  })
})

describe('what a dying process or disk leaves behind', () => {
  it.each([
    ['half a record', (file: string) => fs.truncateSync(file, fs.statSync(file).size - 3), 2],
    ['half a record head', (file: string) => fs.appendFileSync(file, Buffer.from([9, 0, 0])), 3],
    ['a record without its body', (file: string) => fs.appendFileSync(file, Buffer.from([9, 0, 0, 0, 1, 2, 3, 4])), 3],
    ['zeros', (file: string) => fs.appendFileSync(file, Buffer.alloc(512)), 3],
    ['noise', (file: string) => fs.appendFileSync(file, Buffer.from('some noise at the end')), 3],
  ])('%s at the end is cut off, and the log goes on', async (_, spoil, left) => {
    let log = openLog()
    append(log, 3)
    log.close()
    spoil(lastFile())
    log = openLog()
    expect(log.end).toBe(left)
    append(log, 2)
    expect(await bodies(log)).toEqual(numbered(0, left + 2))
    log = reopen(log)
    expect(await bodies(log)).toEqual(numbered(0, left + 2))
  })

  it('a spoilt record in the middle is left out and keeps its place', async () => {
    let log = openLog()
    append(log, 5)
    log.close()
    const bytes = fs.readFileSync(lastFile())
    bytes[bytes.indexOf('record 2')] = 0x7a
    fs.writeFileSync(lastFile(), bytes)
    log = openLog()
    append(log, 1)
    expect(await bodies(log)).toEqual([...numbered(0, 2), ...numbered(3, 6)])
  })

  it('files that were never begun, or are not ours, do no harm', async () => {
    fs.writeFileSync(path.join(dir, '0000000000000000.log'), '')
    fs.writeFileSync(path.join(dir, '0000000000000007.log'), 'the segment of another program')
    fs.writeFileSync(path.join(dir, 'notes.txt'), 'mine')
    const log = openLog()
    append(log, 2)
    expect(await bodies(log)).toEqual(numbered(0, 2))
    expect(files()).toEqual(['0000000000000000.log', '0000000000000007.log.unreadable', 'notes.txt'])
  })
})

describe('retention', () => {
  it('removes a segment when the one after it began longer ago than the limit, and not before', async () => {
    const log = openLog({ retentionMs: 100_000 })
    append(log, 2) // at 0 s
    await clock.advanceBy(25_000)
    append(log, 2) // begins the second segment, at 25 s: so old is the newest of the first
    await clock.advanceBy(100_000)
    append(log, 1) // the newest of the first segment may be exactly as old as the limit
    expect(log.first).toBe(0)
    await clock.advanceBy(25_001)
    append(log, 1)
    expect(log.first).toBe(2)
    expect(await bodies(log)).toEqual(numbered(2, 6))
  })

  it('stays within the bytes allowed, oldest first', async () => {
    const log = openLog({ retentionBytes: 4000 })
    for (let i = 0; i < 500; i++) {
      append(log, 1)
      const onDisk = files().reduce((sum, file) => sum + fs.statSync(path.join(dir, file)).size, 0)
      expect(onDisk).toBeLessThanOrEqual(4000)
      expect(log.bytes).toBe(onDisk)
    }
    expect(log.first).toBeGreaterThan(300)
    const again = reopen(log, { retentionBytes: 4000 })
    expect(await bodies(again)).toEqual(numbered(again.first, 500))
  })
})

// /dev/full takes nothing, like a full disk; a link to it stands where the next segment belongs.
describe.skipIf(!fs.existsSync('/dev/full'))('on a full disk', () => {
  const segment = (offset: number) => path.join(dir, `${String(offset).padStart(16, '0')}.log`)
  const fill = (offset: number) => fs.symlinkSync('/dev/full', segment(offset))

  it('says so once, goes on in memory, and writes what was missed when there is room again', async () => {
    let log = openLog()
    fill(0)
    append(log, 3)
    expect(disk).toEqual([expect.stringContaining('ENOSPC')])
    expect(await bodies(log)).toEqual(numbered(0, 3))
    expect(log.unwritten).toBe(3)
    fs.rmSync(segment(0), { force: true })
    await clock.advanceBy(1000)
    expect(disk.at(-1)).toBeUndefined()
    expect(log.unwritten).toBe(0)
    append(log, 1)
    log = reopen(log)
    expect(await bodies(log)).toEqual(numbered(0, 4))
  })

  it('leaves a gap for what memory could not hold, and keeps all else', async () => {
    let log = openLog({ retentionMs: 100_000 })
    append(log, 2)
    fill(2)
    await clock.advanceBy(25_000) // The next record begins a segment.
    append(log, 5000) // Memory keeps 4096.
    expect(log.unwritten).toBe(5000)
    fs.rmSync(segment(2), { force: true })
    await clock.advanceBy(1000)
    expect(log.unwritten).toBe(0)
    log = reopen(log, { retentionMs: 100_000 })
    expect(log.end).toBe(5002)
    expect(await bodies(log)).toEqual([...numbered(0, 2), ...numbered(5002 - 4096, 5002)])
  })

  it('tries once a second, not at every record', async () => {
    const log = openLog()
    fs.mkdirSync(segment(0)) // Where a directory stands no file can be made.
    append(log, 100)
    await clock.advanceBy(3000)
    expect(disk).toEqual(Array(4).fill(expect.stringContaining('EISDIR')))
    fs.rmdirSync(segment(0))
    await clock.advanceBy(1000)
    await until(() => log.unwritten === 0)
  })
})

describe('a directory that cannot be used', () => {
  it('is an error at once', () => {
    fs.writeFileSync(path.join(dir, 'file'), '')
    expect(() => openLog({ dir: path.join(dir, 'file') })).toThrow('EEXIST')
  })
})
