/** Files that come, grow, are rotated, truncated and go; every line once. */
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { turnBytes } from '../../../src/ingest/logs/log-file.ts'
import { type Bench, openBench } from './setup.ts'

let bench: Bench

afterEach(() => bench.end())

const words = (path = '*.log', more: object = {}) => [
  { path, format: { regex: '^(?<word>\\w+)' }, metrics: [{ counter: '{file}.{word}' }], ...more },
]
const beginning = { from: 'beginning' as const }
/** Words seen, each with how often. */
const seen = () => Object.entries(bench.made()).map(([name, value]) => `${name.slice(2)} ${(value as number[])[0]}`)
/** A file that not even root may open for reading. */
const unreadable = '/proc/sys/net/ipv4/route/flush'
/** A line that tells its file from others. */
const long = (word: string) => `${word} ${'.'.repeat(80)}`

describe('a file', () => {
  test('that was there before the first start is read from its end, from the last whole line; from: beginning reads all', async () => {
    bench = openBench(words())
    bench.write('a.log', 'old', 'older')
    bench.append('a.log', 'unfi')
    await bench.step()
    bench.append('a.log', 'nished\nnew\n')
    await bench.step()
    expect(seen()).toEqual(['a_log.unfinished 1', 'a_log.new 1'])
    await bench.end()
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'old')
    await bench.step()
    expect(seen()).toEqual(['a_log.old 1'])
  })

  test('that appears later is read from its beginning, also when it appeared while Tocsin was not there', async () => {
    bench = openBench(words())
    await bench.step()
    expect(bench.logged).toEqual([`ingest.logs ${bench.at('*.log')}: no file is there yet`])
    bench.write('a.log', 'one')
    await bench.step()
    await bench.restart(() => bench.write('b.log', 'two'))
    expect(seen()).toEqual(['a_log.one 1', 'b_log.two 1'])
  })

  test('is read on where it was after a restart, a line that was unfinished as a whole', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'one')
    bench.append('a.log', 'tw')
    await bench.step()
    await bench.restart(() => bench.append('a.log', 'o\nthree\n'))
    expect(seen()).toEqual(['a_log.one 1', 'a_log.two 1', 'a_log.three 1'])
  })

  test('that is renamed is read to its end, and the new one under its name from its beginning', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'one')
    await bench.step()
    bench.append('a.log', 'two\n')
    fs.renameSync(bench.at('a.log'), bench.at('a.log.1'))
    bench.write('a.log', 'three')
    await bench.step()
    bench.append('a.log.1', 'late\n')
    await bench.step()
    expect(seen().sort()).toEqual(['a_log.late 1', 'a_log.one 1', 'a_log.three 1', 'a_log.two 1'])
    expect(bench.stats.get('log_rotations_total')).toBe(1)
    expect(bench.followed.files).toHaveLength(2)
    await bench.clock.advanceBy(61_000)
    await bench.step()
    expect(bench.followed.files).toHaveLength(1)
  })

  test('that is renamed to a name that is meant too goes on, once', async () => {
    bench = openBench(words('a.log*', beginning))
    bench.write('a.log', long('one'))
    await bench.step()
    fs.renameSync(bench.at('a.log'), bench.at('a.log.1'))
    bench.append('a.log.1', 'two\n')
    bench.write('a.log', long('three'))
    await bench.step()
    await bench.restart()
    expect(seen().sort()).toEqual(['a_log.one 1', 'a_log.three 1', 'a_log.two 1'])
  })

  test('that was renamed while Tocsin was not there is found by its inode and read to its end', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'one')
    await bench.step()
    await bench.restart(() => {
      bench.append('a.log', 'two\n')
      fs.renameSync(bench.at('a.log'), bench.at('a.log.1'))
      bench.write('a.log', 'three')
    })
    expect(seen().sort()).toEqual(['a_log.one 1', 'a_log.three 1', 'a_log.two 1'])
  })

  test('that is truncated begins anew, also when it is longer than before by the time we look', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'one')
    await bench.step()
    bench.write('a.log')
    await bench.step()
    bench.append('a.log', 'two\n')
    await bench.step()
    bench.write('a.log', 'three', 'four', 'five')
    await bench.step()
    expect(seen()).toEqual(['a_log.one 1', 'a_log.two 1', 'a_log.three 1', 'a_log.four 1', 'a_log.five 1'])
    expect(bench.stats.get('log_truncations_total')).toBe(2)
  })

  test.each(['a.log.1', 'b.log'])(
    'that is copied to %s and truncated loses nothing: what is missing is in the copy',
    async (copy) => {
      bench = openBench(words('*.log', beginning))
      bench.write('a.log', long('one'))
      await bench.step()
      bench.append('a.log', 'two\n')
      fs.copyFileSync(bench.at('a.log'), bench.at(copy))
      bench.write('a.log')
      bench.append('a.log', `${long('three')}\n`)
      for (let i = 0; i < 3; i++) await bench.step()
      await bench.restart()
      expect(
        seen()
          .map((one) => one.split('.')[1])
          .sort(),
      ).toEqual(['one 1', 'three 1', 'two 1'])
    },
  )

  test('that is a copy of another is not read again, but what it gets of its own is', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', long('one'))
    await bench.step()
    fs.copyFileSync(bench.at('a.log'), bench.at('b.log'))
    for (let i = 0; i < 3; i++) await bench.step()
    bench.append('b.log', 'two\n')
    await bench.step()
    expect(seen()).toEqual(['a_log.one 1', 'b_log.two 1'])
  })

  test('that only begins like another, such as with a header of its kind, is read in time', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', long('header'), 'one', 'two', 'three')
    await bench.step()
    bench.write('b.log', long('header'), 'four')
    for (let i = 0; i < 12; i++) await bench.step()
    expect(seen()).toEqual(expect.arrayContaining(['b_log.header 1', 'b_log.four 1']))
  })

  test('that is removed is read to its end, with a last line that nobody finished, and let go', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'one')
    await bench.step()
    bench.append('a.log', 'two\nthree')
    fs.rmSync(bench.at('a.log'))
    await bench.step()
    await bench.clock.advanceBy(61_000)
    await bench.step()
    expect(seen()).toEqual(['a_log.one 1', 'a_log.two 1', 'a_log.three 1'])
    expect(bench.followed.files).toEqual([])
    expect(bench.kept().files).toEqual([])
  })

  test('of another content under a known inode is a new file', async () => {
    bench = openBench(words('*.log', beginning))
    bench.write('a.log', 'one')
    await bench.step()
    await bench.restart(() => bench.write('a.log', 'two', 'three'))
    expect(seen()).toEqual(['a_log.one 1', 'a_log.two 1', 'a_log.three 1'])
  })

  test('that is a directory or leads nowhere is passed over until it is a file', async () => {
    bench = openBench(words('*.log', beginning))
    fs.symlinkSync(bench.at('nowhere/x'), bench.at('b.log'))
    fs.mkdirSync(bench.at('c.log'))
    bench.write('a.log', 'one')
    await bench.step()
    expect(seen()).toEqual(['a_log.one 1'])
    expect(bench.logged).toEqual([])
    fs.mkdirSync(bench.at('nowhere'))
    bench.write('nowhere/x', 'two')
    await bench.step()
    expect(seen()).toEqual(['b_log.two 1'])
  })

  test.skipIf(!fs.existsSync(unreadable))('that may not be read is told once, and read when it may', async () => {
    bench = openBench(words('*.log', beginning))
    fs.symlinkSync(unreadable, bench.at('a.log'))
    await bench.step()
    await bench.step()
    expect(bench.logged).toEqual([expect.stringMatching(/a\.log: cannot be read: EACCES: permission denied/)])
    expect(bench.stats.get('log_problems')).toBe(1)
    fs.rmSync(bench.at('a.log'))
    bench.write('a.log', 'one')
    await bench.step()
    expect(seen()).toEqual(['a_log.one 1'])
  })

  test('with lines that end in CR LF, empty lines and any bytes is read by its lines', async () => {
    bench = openBench(words('*.log', beginning))
    fs.writeFileSync(bench.at('a.log'), Buffer.from('one\r\n\n\r\ntwo\n\xff\xfe\x00\n', 'latin1'))
    await bench.step()
    expect(seen()).toEqual(['a_log.one 1', 'a_log.two 1'])
    expect(bench.stats.get('log_lines_total')).toBe(3)
  })
})

test('files over the bound are not read, counted and told, until there is room', async () => {
  bench = openBench(words('*.log', beginning), { filesMax: 2 })
  for (const name of ['a', 'b', 'c', 'd']) bench.write(`${name}.log`, name)
  await bench.step()
  expect(seen()).toEqual(['a_log.a 1', 'b_log.b 1'])
  expect(bench.stats.get('log_files_refused')).toBe(2)
  expect(bench.logged).toEqual(['ingest.logs: too many files: 2 are not read, 2 are'])
  fs.rmSync(bench.at('a.log'))
  await bench.step()
  await bench.clock.advanceBy(61_000)
  await bench.step()
  await bench.step()
  expect(seen()).toEqual(['c_log.c 1'])
})

test('a long file gives way to others after so many bytes', async () => {
  bench = openBench(words('*.log', beginning))
  bench.write('a.log', ...Array.from({ length: 20_000 }, () => 'word of a longer line'))
  bench.write('b.log', 'short')
  await bench.followed.discover()
  const [a, b] = bench.followed.files
  if (!a || !b) throw new Error('both files are open')
  await bench.followed.look(a)
  await bench.followed.look(b)
  expect(await bench.followed.readTurn(a)).toBe(true)
  expect(a.offset).toBeGreaterThan(turnBytes - 100)
  expect(a.offset).toBeLessThanOrEqual(turnBytes)
  expect(await bench.followed.readTurn(b)).toBe(false)
  expect(bench.stats.get('log_backlog_kib')).toBe((20_000 * 22 - a.offset) / 1024)
})

/** What may happen to a log between two looks. */
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3).map((lines) => ({ kind: 'append' as const, lines })) },
  { weight: 2, arbitrary: fc.constant({ kind: 'part' as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'step' as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'rename' as const }, { kind: 'copytruncate' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'wait' as const }) },
)

test('whatever happens to a log, every line is taken once, as long as its file is there', async () => {
  bench = openBench(words())
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(happening, { maxLength: 25 }), async (hasRotatedInGlob, happenings) => {
      const metrics = [{ counter: '{word}' }]
      const path = hasRotatedInGlob ? 'a.log*' : 'a.log'
      const own = openBench([{ path, format: { regex: '^(?<word>w\\d+) \\.*$' }, from: 'beginning', metrics }])
      try {
        await play(own, happenings)
      } finally {
        await own.end()
      }
    }),
    { numRuns: 60 },
  )
})

async function play(own: Bench, happenings: readonly (typeof happening extends fc.Arbitrary<infer T> ? T : never)[]) {
  let [written, rotations, isUnfinished, mayRotate] = [0, 0, false, false]
  const line = () => `w${++written} ${'.'.repeat(100)}`
  own.write('a.log', line())
  await own.step()
  for (const one of happenings) {
    const finish = isUnfinished ? '..\n' : ''
    if (one.kind === 'append') {
      own.append('a.log', finish + Array.from({ length: one.lines }, () => `${line()}\n`).join(''))
      isUnfinished = false
    } else if (one.kind === 'part' && !isUnfinished) {
      own.append('a.log', line())
      isUnfinished = true
    } else if (one.kind === 'rename' || one.kind === 'copytruncate') {
      if (!mayRotate || isUnfinished) continue
      rotate(own.dir, one.kind, ++rotations)
      mayRotate = false
      own.append('a.log', `${line()}\n`)
    } else if (one.kind === 'restart') await own.restart()
    else if (one.kind === 'wait') await own.clock.advanceBy(61_000)
    if (one.kind === 'step' || one.kind === 'restart') {
      await own.step()
      mayRotate = true
    }
  }
  if (isUnfinished) own.append('a.log', '\n')
  for (let i = 0; i < 4; i++) await own.step()
  const found = own.made()
  const expected = Object.fromEntries(Array.from({ length: written }, (_, i) => [`c w${i + 1}`, [1, 1]]))
  expect(found).toEqual(expected)
}

function rotate(dir: string, kind: 'rename' | 'copytruncate', number: number): void {
  const [from, to] = [path.join(dir, 'a.log'), path.join(dir, `a.log.${number}`)]
  if (kind === 'rename') fs.renameSync(from, to)
  else {
    fs.copyFileSync(from, to)
    fs.truncateSync(from)
  }
}
