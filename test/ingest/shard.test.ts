/** What several workers took, merged, is what one would have taken: the same messages, whoever got which line. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Aggregate } from '../../src/ingest/aggregate.ts'
import { changesMax } from '../../src/ingest/gauge-changes.ts'
import { Merger } from '../../src/ingest/merge.ts'
import { counter, gauge } from '../../src/ingest/parse.ts'
import { Shard } from '../../src/ingest/shard.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { flat, openIntake } from './setup.ts'

/** Workers behind one aggregate. Lines are `<worker> <line>`; `|` ends an interval. */
function openWorkers(workers: number, seriesMax = 100) {
  const clock = new ManualClock(10_000)
  const refused: string[] = []
  const aggregate = new Aggregate({ seriesMax })
  const merger = new Merger(aggregate, (name, samples) => refused.push(`${name}×${samples}`))
  const stats = new Stats()
  const shards = Array.from({ length: workers }, () => new Shard({ seriesMax }))
  const intakes = shards.map((shard) => openIntake({ clock, stats, aggregate: shard }))
  const merge = () => {
    const reports = shards.map((shard, i) => ({ shard: i, report: structuredClone(shard.take()) }))
    for (const _ of merger.merge(reports, clock.now()));
  }
  const take = (): Record<string, unknown> => {
    merge()
    return sorted(aggregate.take('test', 11_000, 1000))
  }
  const send = (worker: number, ...lines: string[]) => {
    for (const line of lines) {
      clock.frame++
      intakes[worker % workers]?.send(line)
    }
  }
  return { clock, aggregate, shards, intakes, refused, merger, merge, take, send }
}

/** By name: workers meet series in another order. */
function sorted(messages: Parameters<typeof flat>[0]): Record<string, unknown> {
  const offsets = messages.flatMap(({ gauges: { names, offsetsMs } }) =>
    names.map((name, i) => [`at ${name}`, offsetsMs?.[i]]),
  )
  return { ...flat(messages), ...Object.fromEntries(offsets) }
}

describe('several workers', () => {
  test('merge to exactly what one would have got: counts, timers, sets, levels and signed changes of gauges', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const tags = fc.constantFrom('', '|#x:1,y:2', '|#y:2,x:1')
    const rate = fc.constantFrom('', '|@0.5', '|@0.25')
    const line = fc.oneof(
      fc.tuple(name, fc.integer({ min: -9, max: 9 }), rate, tags).map(([n, v, r, t]) => `${n}:${v}|c${r}${t}`),
      fc.tuple(name, fc.nat(99), rate, tags).map(([n, v, r, t]) => `${n}:${v}|ms${r}${t}`),
      fc.tuple(name, fc.nat(9), tags).map(([n, v, t]) => `${n}:m${v}|s${t}`),
      fc.tuple(name, fc.constantFrom('', '+', '-'), fc.nat(9)).map(([n, s, v]) => `${n}:${s}${v}|g`),
      fc.tuple(name, fc.constantFrom('+', '-'), fc.nat(9)).map(([n, s, v]) => `${n}:${s}${v}|g`),
    )
    // Now and then an interval ends, and now and then somebody looks at what has come so far.
    const step = fc.oneof(
      { weight: 30, arbitrary: fc.tuple(fc.nat(2), line) },
      { weight: 1, arbitrary: fc.constantFrom('flush' as const, 'look' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const [one, three] = [openWorkers(1), openWorkers(3)]
        const single = openIntake({ clock: one.clock })
        for (const next of [...steps, 'flush' as const]) {
          if (next === 'flush') {
            single.intake.takeFirstPacketMs()
            const expected = sorted(single.aggregate.take('test', 11_000, 1000))
            expect(one.take()).toEqual(expected)
            expect(three.take()).toEqual(expected)
          } else if (next === 'look') three.merge()
          else {
            const [worker, text] = next
            one.send(0, text)
            single.send(text)
            three.send(worker, text)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  test('have the samples of a timer with very many of them together', () => {
    const { send, take } = openWorkers(2)
    const single = openIntake()
    for (let i = 0; i < 3000; i++) {
      send(i % 2, `t:${(i * 7) % 1300}|ms|@0.5`)
      single.send(`t:${(i * 7) % 1300}|ms|@0.5`)
    }
    expect(take()).toEqual(sorted(single.aggregate.take('test', 11_000, 1000)))
  })

  test('refuse a series that has no room among those of all, by name, and take it when there is room again', () => {
    const { send, take, refused, aggregate } = openWorkers(2, 3)
    send(0, 'a:1|c', 'b:1|c')
    send(1, 'c:1|c', 'd:1|c', 'd:1|c', 'd:5|g')
    expect(take()).toEqual({ 'c a': [1, 1], 'c b': [1, 1], 'c c': [1, 1] })
    expect(refused).toEqual(['d×2', 'd×1'])
    aggregate.forget(counter, (name) => name === 'a')
    send(1, 'd:4|c')
    expect(take()).toEqual({ 'c d': [4, 1] })
  })

  test('one that begins anew has other slots for its series', () => {
    const { send, take, shards, intakes, merger, clock, aggregate } = openWorkers(2)
    send(0, 'a:1|c', 'b:1|c')
    take()
    merger.forgetShard(0)
    shards[0] = new Shard({ seriesMax: 10 })
    intakes[0] = openIntake({ clock, aggregate: shards[0] })
    send(0, 'b:5|c')
    expect(take()).toEqual({ 'c b': [5, 1] })
    expect(aggregate.seriesCount).toBe(2)
  })

  test('forget idle series and name them again when they come back in other slots', () => {
    const { send, take, shards } = openWorkers(1)
    send(0, 'a:1|c', 'b:1|c')
    take()
    send(0, 'b:1|c')
    take()
    shards[0]?.forgetIdle(1)
    expect(shards[0]?.seriesCount).toBe(1)
    send(0, 'new:2|c', 'a:3|c')
    expect(take()).toEqual({ 'c a': [3, 1], 'c new': [2, 1] })
  })
})

describe('a level and signed changes of one gauge on several workers', () => {
  test.each([
    ['a change before the level is forgotten', ['0 g:+5|g', '1 g:10|g'], 10],
    ['a change behind it counts', ['1 g:10|g', '0 g:+5|g'], 15],
    ['of two levels the later stands', ['0 g:1|g', '1 g:2|g', '0 g:3|g', '1 g:4|g', '0 g:-1|g'], 3],
    ['changes without a level are of the former one', ['0 g:+1|g', '1 g:+2|g', '0 g:-4|g'], 99],
  ])('%s', (_, sent, level) => {
    const { send, take } = openWorkers(2)
    send(0, 'g:100|g')
    take()
    for (const one of sent) send(Number(one[0]), one.slice(2))
    expect(take()).toMatchObject({ 'g g': level })
  })

  test('a level that a worker reports too late does not undo a later one', () => {
    const { send, take, merger, shards, clock, aggregate } = openWorkers(2)
    send(0, 'g:1|g')
    const late = shards[0]?.take() as ReturnType<Shard['take']>
    send(1, 'g:2|g')
    expect(take()).toMatchObject({ 'g g': 2 })
    for (const _ of merger.merge([{ shard: 0, report: late }], clock.now()));
    expect(aggregate.take('test', 12_000, 1000)).toEqual([])
    expect([...aggregate.now(gauge)]).toEqual([{ name: 'g', value: 2 }])
  })

  test('more changes than are kept apart still add up', () => {
    const { send, take } = openWorkers(2)
    send(1, 'g:7|g')
    for (let i = 0; i < changesMax * 3; i++) send(0, 'g:+1|g')
    expect(take()).toMatchObject({ 'g g': 7 + changesMax * 3 })
  })
})
