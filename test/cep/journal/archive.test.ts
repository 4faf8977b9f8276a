import fs from 'node:fs'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseArchiveLine } from '../../../src/cep/journal/archive-line.ts'
import { noFindings } from '../../../src/cep/journal/findings.ts'
import { openRecording } from '../../../src/cep/journal/recording.ts'
import type { LogEntry } from '../../../src/model/message.ts'
import { temporaryFolder } from '../../support/recording.ts'

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder.remove())

const file = (name: string, bytes: string | Buffer) => {
  fs.writeFileSync(path.join(folder.path, name), bytes)
  return path.join(folder.path, name)
}

async function read(name: string) {
  const findings = noFindings()
  const entries: LogEntry[] = []
  for await (const batch of openRecording(name).read({}, findings)) entries.push(...batch.entries)
  return { entries, findings }
}

const at = (seconds: number) => new Date(Date.parse('2024-03-01T00:00:00Z') + seconds * 1000).toISOString()
const ms = (seconds: number) => Date.parse(at(seconds))

describe('a line', () => {
  it.each([
    ['{"at": "2024-03-01T00:00:01Z", "series": "a.b", "kind": "count", "value": 3}', { series: 'a.b', values: [3] }],
    ['{"at": 1709251201, "series": "a.b", "value": 0.5}', { kind: 'untyped', atMs: ms(1) }],
    ['{"at": 1709251201500, "series": "a.b", "value": -1, "kind": "gauge"}', { atMs: ms(1.5) }],
    [
      '{"at": "2024-03-01T01:00:01+01:00", "series": "t", "kind": "timer", "value": [1, 2.5]}',
      { values: [1, 2.5], atMs: ms(1) },
    ],
    ['{"at": 1, "series": "users", "kind": "set", "value": "ann"}', { values: ['ann'] }],
    [
      '{"at": 1, "series": "hits", "tags": {"z": "1", "a": "2"}, "kind": "count", "value": 1}',
      { series: 'hits;a=2;z=1' },
    ],
    ['{"at": 1, "check": "web.a", "state": "crit", "step": "10s"}', { what: 'check', stepMs: 10_000, output: '' }],
    ['{"at": 1, "event": "deploy", "tags": {"process": "x"}, "text": "v2"}', { what: 'event', text: 'v2' }],
    ['{"at": 1, "series": "a", "value": 1, "late": true, "source": "web-1"}', { isLate: true, source: 'web-1' }],
    ['{"archive": 1, "step": "10s"}', { what: 'head', stepMs: 10_000 }],
  ])('%s is read', (text, expected) => {
    expect(parseArchiveLine(text)).toMatchObject({ ok: true, value: expected })
  })

  it.each([
    ['{"at": 1, "series": "a"', 'not JSON: '],
    ['[1]', 'expected a JSON object'],
    ['{"at": 1, "value": 3}', 'expected one of "series", "check" and "event"'],
    ['{"at": 1, "series": "a", "valeu": 3}', '"valeu" is no field of a series line; did you mean "value"?'],
    ['{"series": "a", "value": 3}', 'at: expected a time such as "2024-03-01T00:00:01Z", got nothing'],
    [
      '{"at": "yesterday", "series": "a", "value": 3}',
      'at: expected a time such as "2024-03-01T00:00:01Z", got "yesterday"',
    ],
    ['{"at": 1, "series": "a", "value": "3"}', 'value: expected a number, got "3"'],
    ['{"at": 1, "series": "a", "kind": "count", "value": [1, 2]}', 'value: only timers and sets have several values'],
    ['{"at": 1, "series": "a", "kind": "set", "value": 7}', 'value: expected a text, got 7'],
    [
      '{"at": 1, "series": "a", "kind": "histogram", "value": 7}',
      'kind: expected count, gauge, timer, set, untyped, got "histogram"',
    ],
    ['{"at": 1, "series": "a\\nb", "value": 7}', 'series: expected a text, got "a\\nb"'],
    ['{"at": 1, "check": "a", "state": "bad"}', 'state: expected ok, warn, crit, unknown, got "bad"'],
    ['{"at": 1, "check": "a", "state": "ok", "step": "10"}', 'step: expected a duration such as "10s", got "10"'],
    ['{"at": 1, "event": "a", "tags": {"n": 1}}', 'tags.n: expected a text, got 1'],
    ['{"at": 1, "series": "a", "value": 1, "source": "a.b"}', 'source: expected letters, digits, _ and -, got "a.b"'],
    ['{"archive": 2}', 'archive: this program reads version 1, got 2'],
  ])('%s is refused with the reason', (text, problem) => {
    const read = parseArchiveLine(text)
    expect(read.ok ? 'it was read' : read.error).toContain(problem)
  })
})

describe('an archive', () => {
  const lines = [
    { at: at(1), series: 'hits', kind: 'count', value: 3 },
    { at: at(1), series: 'hits', kind: 'count', value: 4 },
    { at: at(1.4), series: 'load', kind: 'gauge', value: 1 },
    { at: at(1.2), series: 'load', kind: 'gauge', value: 9 },
    { at: at(1), series: 'time', kind: 'timer', value: [10, 20] },
    { at: at(2), series: 'time', kind: 'timer', value: 30 },
    { at: at(4), check: 'web', state: 'crit', output: '503' },
    { at: at(4), event: 'deploy', tags: { process: 'a' } },
  ]
  const text = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`

  it('becomes the log of a run: each second its data, its marker, and then the clock', async () => {
    const { entries } = await read(file('a.jsonl', text))
    const shape = entries.map((entry) =>
      entry.kind === 'clock' ? entry.message.nowMs - ms(0) : 'bucketMs' in entry.message ? entry.kind : '',
    )
    expect(shape).toEqual([
      ...['metrics', 'markers', 1000],
      ...['metrics', 'markers', 2000],
      ...['markers', 3000],
      ...['checks', 'events', 'markers', 4000],
    ])
    expect(entries[0]?.message).toMatchObject({
      bucketMs: ms(1),
      counters: { names: ['hits'], sums: Float64Array.of(7), samples: Float64Array.of(2) },
      timers: { names: ['time'], distributions: [{ count: 2, sum: 30 }] },
    })
    // A gauge belongs to the bucket that ends at the next second, and the latest value of it stands.
    expect(entries[3]?.message).toMatchObject({ gauges: { names: ['load'], values: Float64Array.of(1) } })
  })

  it('is the same plain, in zstd, in gzip, and in several files of a folder', async () => {
    const plain = (await read(file('a.jsonl', text))).entries
    expect(plain.length).toBeGreaterThan(5)
    expect((await read(file('a.jsonl.zst', zstdCompressSync(Buffer.from(text))))).entries).toEqual(plain)
    expect((await read(file('a.jsonl.gz', gzipSync(text)))).entries).toEqual(plain)
    const many = temporaryFolder()
    lines.forEach((line, i) => {
      fs.writeFileSync(path.join(many.path, `part-${i}.jsonl`), JSON.stringify(line))
    })
    expect((await read(many.path)).entries).toEqual(plain)
    many.remove()
  })

  it('is the same in whatever order the lines stand, within five minutes', async () => {
    // Two gauges of one moment would be decided by their order.
    const expected = (await read(file('a.jsonl', text))).entries
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(lines, { minLength: lines.length }), async (shuffled) => {
        const name = file('b.jsonl', shuffled.map((line) => JSON.stringify(line)).join('\n'))
        const { entries, findings } = await read(name)
        expect(findings.problems.count).toBe(0)
        expect(entries).toEqual(expected)
      }),
      { numRuns: 20 },
    )
  })

  it('tells lines that cannot be read with their places, and reads the others', async () => {
    const name = file('a.jsonl', `${text}{"at": 1}\n\nnonsense\n`)
    const { entries, findings } = await read(name)
    expect(entries.length).toBeGreaterThan(5)
    expect(findings.problems).toMatchObject({ count: 2 })
    expect(findings.problems.first[0]).toBe(`${name}:9: expected one of "series", "check" and "event"`)
    expect(findings.problems.first[1]).toContain(`${name}:11: not JSON`)
  })

  it('tells a line that comes an hour too late for its place', async () => {
    const hours = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ at: at(i * 2), series: 'a', value: i }))
    const name = file('a.jsonl', [...hours, JSON.stringify({ at: at(5), series: 'a', value: 1 })].join('\n'))
    const { findings } = await read(name)
    expect(findings.problems.first).toEqual([expect.stringMatching(/:3001: more than 5 minutes older/)])
  })

  it('cut off in the middle of its compression is read up to there, and told', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) =>
      JSON.stringify({ at: at(i / 10), series: `a${i % 977}`, value: i * 7919 }),
    )
    const packed = zstdCompressSync(Buffer.from(many.join('\n')))
    const { entries, findings } = await read(file('a.jsonl.zst', packed.subarray(0, packed.length / 2)))
    expect(entries.length).toBeGreaterThan(100)
    expect(findings.problems.first.join()).toContain('the rest cannot be read')
  })

  it('has steps of its own where its first line says so', async () => {
    const name = file(
      'a.jsonl',
      ['{"archive": 1, "step": "10s"}', JSON.stringify({ at: at(12), series: 'a', value: 1 })].join('\n'),
    )
    const { entries } = await read(name)
    expect(entries[0]?.message).toMatchObject({ bucketMs: ms(20), stepMs: 10_000 })
  })

  it('keeps sources apart, each with its markers', async () => {
    const two = ['a', 'b'].map((source) => JSON.stringify({ at: at(1), series: 'x', kind: 'count', value: 1, source }))
    const { entries } = await read(file('a.jsonl', two.join('\n')))
    expect(entries.map(({ key }) => key)).toEqual(['metrics.a-0', 'markers.a-0', 'metrics.b-0', 'markers.b-0', 'clock'])
  })
})

describe('a recording that is none', () => {
  it.each([
    ['nowhere', 'there is no such file or folder'],
    ['.', 'there is nothing recorded: no *.journal and no *.jsonl in it'],
  ])('%s', (name, problem) => {
    expect(() => openRecording(path.join(folder.path, name))).toThrow(problem)
  })
})
