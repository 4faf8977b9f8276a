import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { journalEntries, journalSpan } from '../../../src/cep/journal/read.ts'
import { listSegments } from '../../../src/cep/journal/segments.ts'
import type { LogEntry } from '../../../src/model/message.ts'
import { ManualClock } from '../../../src/runtime/clock.ts'
import { Stats } from '../../../src/runtime/stats.ts'
import { appendAll, bytesOf, MadeLog, openWriter, temporaryFolder, writeJournal } from '../../support/recording.ts'
import { until } from '../../support/until.ts'
import { recordingLog } from '../../support/world.ts'

const startMs = Date.parse('2024-03-01T00:00:00Z')
let folder: ReturnType<typeof temporaryFolder>
let dir: string
beforeEach(() => {
  folder = temporaryFolder()
  dir = path.join(folder.path, 'journal')
})
afterEach(() => folder.remove())

/** Some minutes of a log with rules at the beginning, and again after half of it. */
function madeLog(seconds: number): MadeLog {
  const log = new MadeLog(startMs)
  log.rules('rules: {}')
  for (let i = 1; i <= seconds; i++) {
    if (i === seconds / 2) log.rules('rules: {}  # changed')
    log.second({ 'web.hits': i, 'web.errors': i % 7 }, { load: i / 3 })
  }
  return log
}

async function read(range: Parameters<typeof journalEntries>[1] = {}): Promise<LogEntry[]> {
  return Array.fromAsync(journalEntries(dir, range))
}

const offsets = (entries: readonly LogEntry[]) => entries.map(({ offset }) => offset)
const small = { blockBytesMax: 4000, segmentBytesMax: 6000 }

describe('a journal', () => {
  it('gives back every entry as it was, in order, over many blocks and segments', async () => {
    const { entries } = madeLog(200)
    await writeJournal(dir, entries, small)
    expect(listSegments(dir).length).toBeGreaterThan(3)
    expect(await read()).toEqual(entries)
  })

  it('holds a message larger than a block', async () => {
    const log = new MadeLog(startMs)
    log.rules('#'.repeat(50_000))
    log.second({ a: 1 })
    await writeJournal(dir, log.entries, small)
    expect(await read()).toEqual(log.entries)
  })

  it('is smaller than what is in it', async () => {
    const { entries } = madeLog(600)
    await writeJournal(dir, entries)
    const rawBytes = entries.reduce((sum, entry) => sum + bytesOf(entry).length, 0)
    const [segment] = listSegments(dir)
    expect((segment as { bytes: number }).bytes * 5).toBeLessThan(rawBytes)
  })

  it('tells from when to when it is', async () => {
    await writeJournal(dir, madeLog(100).entries, small)
    expect(await journalSpan(listSegments(dir))).toEqual({ fromMs: startMs + 1000, toMs: startMs + 100_000 })
  })

  it('is read from a time on without what lies blocks before, with the rules in force there first', async () => {
    const { entries } = madeLog(200)
    await writeJournal(dir, entries, small)
    const late = await read({ fromMs: startMs + 150_000 })
    const [rules, ...rest] = late
    expect(rules).toMatchObject({ kind: 'rules', message: { files: [{ text: 'rules: {}  # changed' }] } })
    expect(rest).toEqual(entries.slice(-rest.length))
    expect(rest.length).toBeLessThan(entries.length / 2)
    expect(rest.some(({ message }) => 'nowMs' in message && message.nowMs === startMs + 150_000)).toBe(true)
    expect((await read({ fromMs: startMs + 150_000, withoutRules: true }))[0]?.kind).not.toBe('rules')
  })

  it('is read up to a time, and little further', async () => {
    const { entries } = madeLog(200)
    await writeJournal(dir, entries, small)
    const early = await read({ toMs: startMs + 50_000 })
    expect(early).toEqual(entries.slice(0, early.length))
    expect(early.some(({ message }) => 'nowMs' in message && message.nowMs === startMs + 50_000)).toBe(true)
    expect(early.length).toBeLessThan(entries.length / 2)
  })

  it('can be read while it is being written', async () => {
    const { entries } = madeLog(100)
    const writer = await openWriter(dir, small)
    await appendAll(writer, entries)
    const some = await until(async () => {
      const seen = await read()
      return seen.length > 0 && seen
    })
    expect(some).toEqual(entries.slice(0, some.length))
    await writer.stop()
  })

  it('writes what there is after some seconds, also when there is little', async () => {
    const clock = new ManualClock(startMs)
    const writer = await openWriter(dir, { clock })
    await appendAll(writer, madeLog(2).entries)
    await clock.advanceBy(7000)
    await until(async () => (await read()).length === madeLog(2).entries.length)
    await writer.stop()
  })
})

describe('after a restart', () => {
  it('goes on behind the last entry it has, without gaps or doubles, whatever is fed again', async () => {
    const { entries } = madeLog(200)
    await writeJournal(dir, entries.slice(0, 300), small)
    const writer = await openWriter(dir, small)
    expect(writer.next).toBe(300)
    await appendAll(writer, entries.slice(250))
    await writer.stop()
    expect(offsets(await read())).toEqual(offsets(entries))
  })

  it('knows the rules in force, and says them again where a segment begins', async () => {
    const { entries } = madeLog(300)
    await writeJournal(dir, entries.slice(0, 600), { blockBytesMax: 2000 })
    await writeJournal(dir, entries, small)
    for (const { path: file } of listSegments(dir).slice(0, -1)) fs.rmSync(file)
    expect((await read())[0]).toMatchObject({ kind: 'rules', message: { files: [{ text: 'rules: {}  # changed' }] } })
  })

  it('a segment cut off anywhere is read up to its last whole block, and writing goes on there', async () => {
    const { entries } = madeLog(60)
    await writeJournal(dir, entries, { blockBytesMax: 1500 })
    const [segment] = listSegments(dir)
    const file = (segment as { path: string }).path
    const whole = fs.readFileSync(file)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 24, max: whole.length }), async (length) => {
        for (const earlier of listSegments(dir)) fs.rmSync(earlier.path)
        fs.writeFileSync(file, whole.subarray(0, length))
        const kept = await read()
        expect(kept).toEqual(entries.slice(0, kept.length))
        await writeJournal(dir, entries, { blockBytesMax: 1500 })
        expect(await read()).toEqual(entries)
      }),
      { numRuns: 30 },
    )
  })

  it('a block spoilt in the middle is told and passed over', async () => {
    const { entries } = madeLog(60)
    await writeJournal(dir, entries, { blockBytesMax: 1500 })
    const file = (listSegments(dir)[0] as { path: string }).path
    const bytes = fs.readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
    fs.writeFileSync(file, bytes)
    const told: string[] = []
    const kept = await read({ bad: (problem) => told.push(problem) })
    expect(told).toEqual([expect.stringMatching(/journal at \d+: \d+ entries are spoilt and passed over$/)])
    expect(kept.length).toBeGreaterThan(entries.length / 2)
    expect(kept.length).toBeLessThan(entries.length)
  })

  it('whatever bit is spoilt, what is read is what was written', async () => {
    const { entries } = madeLog(60)
    await writeJournal(dir, entries, { blockBytesMax: 1500 })
    const file = (listSegments(dir)[0] as { path: string }).path
    const whole = fs.readFileSync(file)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 24, max: whole.length - 1 }), fc.nat(7), async (at, bit) => {
        const spoilt = Buffer.from(whole)
        spoilt[at] = (spoilt[at] as number) ^ (1 << bit)
        fs.writeFileSync(file, spoilt)
        const kept = await read()
        expect(kept.length).toBeLessThan(entries.length)
        expect(kept).toEqual(kept.map(({ offset }) => entries[offset]))
      }),
      { numRuns: 60 },
    )
  })

  it('a file that is no segment is told and passed over', async () => {
    await writeJournal(dir, madeLog(10).entries)
    fs.writeFileSync(path.join(dir, '00000000-20240101T000000Z.journal'), 'this is something quite different')
    const told: string[] = []
    expect(await read({ bad: (problem) => told.push(problem) })).toHaveLength(madeLog(10).entries.length)
    expect(told).toEqual([expect.stringContaining('it is not a journal segment')])
  })

  it('goes on in order when another log has taken the place of the one before', async () => {
    const first = madeLog(50).entries
    await writeJournal(dir, first, small)
    const second = new MadeLog(startMs + 60_000)
    for (let i = 0; i < 20; i++) second.second({ a: i })
    const writer = await openWriter(dir, small)
    writer.beginAnew(0)
    await appendAll(writer, second.entries)
    await writer.stop()
    expect((await read()).filter(({ kind }) => kind !== 'rules')).toEqual(
      [...first, ...second.entries].filter(({ kind }) => kind !== 'rules'),
    )
  })
})

describe('bounds', () => {
  it('segments beyond the size are removed, oldest first', async () => {
    const stats = new Stats()
    const { entries } = madeLog(600)
    await writeJournal(dir, entries, { ...small, settings: { retention: 1e15, bytesMax: 20_000 }, stats })
    const bytes = listSegments(dir).reduce((sum, segment) => sum + segment.bytes, 0)
    expect(bytes).toBeLessThanOrEqual(20_000)
    expect(bytes).toBeGreaterThan(5_000)
    expect(stats.get('journal_segments_removed_total')).toBeGreaterThan(2)
    const kept = offsets((await read()).filter(({ kind }) => kind !== 'rules'))
    expect(kept).toEqual(offsets(entries.slice(-kept.length)))
  })

  it('segments beyond the age are removed while time passes', async () => {
    const clock = new ManualClock(startMs + 200_000)
    const settings = { retention: 300_000, bytesMax: 1e9 }
    const stats = new Stats()
    const writer = await openWriter(dir, { ...small, segmentBytesMax: 2000, clock, settings, stats })
    await appendAll(writer, madeLog(200).entries)
    await clock.advanceBy(10_000)
    await until(() => stats.get('journal_unwritten_bytes') === 0)
    const before = listSegments(dir).length
    await clock.advanceTo(startMs + 300_000 + 150_000)
    const after = listSegments(dir).length
    expect(after).toBeLessThan(before)
    expect(after).toBeGreaterThan(1)
    await writer.stop()
  })

  it('a folder that is taken away while it is written is made again', async () => {
    const writer = await openWriter(dir, small)
    await appendAll(writer, madeLog(200).entries.slice(0, 300))
    await until(() => fs.existsSync(dir) && listSegments(dir).length > 1)
    fs.rmSync(dir, { recursive: true })
    await appendAll(writer, madeLog(200).entries.slice(300))
    await writer.stop()
    const kept = offsets((await read()).filter(({ kind }) => kind !== 'rules'))
    expect(kept.at(-1)).toBe(madeLog(200).entries.length - 1)
    expect(kept.length).toBeGreaterThan(100)
  })

  it('with the disk refusing, what waits is bounded, told once, and written when the disk takes it again', async () => {
    const clock = new ManualClock(startMs)
    const stats = new Stats()
    const logged: string[] = []
    const writer = await openWriter(dir, { ...small, clock, stats, log: recordingLog(logged) })
    fs.rmSync(dir, { recursive: true })
    fs.writeFileSync(dir, 'in the way')
    const { entries } = madeLog(600)
    let taken = 0
    const feeding = (async () => {
      for (const entry of entries) {
        await writer.append(entry, bytesOf(entry))
        taken++
      }
    })()
    await until(() => stats.get('journal_write_errors_total') > 0)
    await clock.advanceBy(60_000)
    expect(taken).toBeLessThan(entries.length / 2)
    expect(stats.get('journal_unwritten_bytes')).toBeLessThanOrEqual(6 * small.blockBytesMax)
    expect(writer.problem).toContain('the journal cannot be written (EEXIST')
    expect(logged).toHaveLength(1)
    fs.rmSync(dir)
    await clock.advanceBy(60_000)
    await feeding
    await writer.stop()
    expect(writer.problem).toBeUndefined()
    expect(await read()).toEqual(entries)
  })
})
