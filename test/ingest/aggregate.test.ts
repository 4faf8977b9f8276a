import v8 from 'node:v8'
import vm from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encode } from '../../src/bus/codec.ts'
import { Aggregate, batchSeriesMax } from '../../src/ingest/aggregate.ts'
import { batchBytesMax, setBytesMax } from '../../src/ingest/batch.ts'
import { cleanName } from '../../src/ingest/name.ts'
import { counter, Line, parseLine } from '../../src/ingest/parse.ts'
import { refused } from '../../src/ingest/series.ts'
import { Timers } from '../../src/ingest/timers.ts'
import { DistributionBuilder } from '../../src/model/distribution.ts'
import { type MetricsMessage, seriesCount } from '../../src/model/metric.ts'

/** Adds lines of text; answers what the last was answered. */
function add(aggregate: Aggregate, ...lines: string[]): number {
  let taken = 0
  for (const text of lines) {
    const bytes = Buffer.from(text)
    const line = new Line()
    if (!parseLine(bytes, 0, bytes.length, line)) throw new Error(`bad line ${text}`)
    taken = aggregate.add(bytes, line, 0)
  }
  return taken
}

function take(aggregate: Aggregate): readonly MetricsMessage[] {
  return aggregate.take('test-1', 1000, 1000)
}

/** All columns of all batches as `kind name` → value. */
function flat(messages: readonly MetricsMessage[]): Record<string, unknown> {
  const all: [string, unknown][] = messages.flatMap(({ counters, gauges, timers, sets }): [string, unknown][] => [
    ...counters.names.map((name, i): [string, unknown] => [`c ${name}`, [counters.sums[i], counters.samples[i]]]),
    ...gauges.names.map((name, i): [string, unknown] => [`g ${name}`, gauges.values[i]]),
    ...timers.names.map((name, i): [string, unknown] => {
      const { count, sum, min, max, values, counts } = timers.distributions[i] as (typeof timers.distributions)[number]
      return [`t ${name}`, { count, sum, min, max, values: [...values], counts: [...counts] }]
    }),
    ...sets.names.map((name, i): [string, unknown] => [
      `s ${name}`,
      [[...(sets.members[i] ?? [])].sort(), sets.overflowed[i]],
    ]),
  ])
  expect(new Set(all.map(([key]) => key)).size, 'a name stands once in a column').toBe(all.length)
  return Object.fromEntries(all)
}

describe('one interval', () => {
  test('counters add up, scaled by their sample rate, with the lines that came', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    add(aggregate, 'a:1|c', 'a:2|c|@0.5', 'a:-1|c')
    expect(flat(take(aggregate))).toEqual({ 'c a': [4, 3] })
  })

  test('only what arrived in it is in it', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    add(aggregate, 'a:1|c', 'g:1|g', 't:1|ms', 's:x|s')
    take(aggregate)
    expect(take(aggregate)).toEqual([])
    add(aggregate, 'a:5|c')
    expect(flat(take(aggregate))).toEqual({ 'c a': [5, 1] })
  })

  test('a gauge keeps its level for relative changes, from interval to interval; a negative level takes a 0 first', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    add(aggregate, 'g:10|g', 'g:-3|g')
    expect(flat(take(aggregate))).toEqual({ 'g g': 7 })
    take(aggregate)
    add(aggregate, 'g:+1|g')
    expect(flat(take(aggregate))).toEqual({ 'g g': 8 })
    add(aggregate, 'g:0|g', 'g:-5|g')
    expect(flat(take(aggregate))).toEqual({ 'g g': -5 })
  })

  test('the same name may be of several kinds', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    add(aggregate, 'x:1|c', 'x:2|g', 'x:3|ms', 'x:4|s')
    expect(Object.keys(flat(take(aggregate)))).toEqual(['c x', 'g x', 't x', 's x'])
  })

  test('raw names that clean to one name are one series', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    add(aggregate, 'a/b:1|c', 'a-b:1|c', 'a-b!:1|c', 'a/b:1|c')
    expect(flat(take(aggregate))).toEqual({ 'c a-b': [4, 4] })
    expect(aggregate.seriesCount).toBe(1)
  })

  test('a set keeps its members up to a bound and says when there were more', () => {
    const aggregate = new Aggregate({ seriesMax: 10, membersMax: 2 })
    add(aggregate, 's:a|s', 's:b|s', 's:a|s', 't:a|s', 's:c|s', 's:|s')
    expect(flat(take(aggregate))).toEqual({ 's s': [['a', 'b'], true], 's t': [['a'], false] })
  })
})

describe('a flush that takes its time', () => {
  const lines = (from: number, type: string) => Array.from({ length: 1500 }, (_, i) => `n${i}:${from}|${type}`)

  test('has what came before it began; what comes meanwhile is in the next', () => {
    const aggregate = new Aggregate({ seriesMax: 10_000 })
    for (const type of ['c', 'ms', 'g', 's']) add(aggregate, ...lines(1, type))
    const expected = flat(take(aggregate))
    for (const type of ['c', 'ms', 'g', 's']) add(aggregate, ...lines(1, type))
    const drain = aggregate.drain('test-1', 2000, 1000)
    add(aggregate, ...lines(7, 'c'), ...lines(7, 'ms'), ...lines(7, 'g'), 'n1:+1|g', 'late:7|c')
    while (drain.step()) add(aggregate, ...lines(8, 'c'))
    expect(flat(drain.messages)).toEqual(expected)
    const next = flat(take(aggregate))
    expect(next['c n3']).toEqual([7 + 5 * 8, 6])
    expect(next['g n1']).toBe(8)
    expect(next['c late']).toEqual([7, 1])
    expect(next['t n3']).toMatchObject({ count: 1, min: 7 })
  })

  test('is ended at once when series are removed or the next flush comes, and has everything', () => {
    const aggregate = new Aggregate({ seriesMax: 10_000 })
    add(aggregate, ...lines(1, 'c'))
    const first = aggregate.drain('test-1', 1000, 1000)
    expect(aggregate.forget(counter, (name) => name === 'n3')).toEqual(['n3'])
    add(aggregate, 'other:1|c')
    const second = aggregate.drain('test-1', 2000, 1000)
    add(aggregate, 'other:2|c')
    take(aggregate)
    while (first.step() || second.step());
    expect(Object.keys(flat(first.messages))).toHaveLength(1500)
    expect(flat(second.messages)).toEqual({ 'c other': [1, 1] })
  })
})

describe('timers with few and many samples', () => {
  test('have the same figures as a distribution that saw each of them', () => {
    const sample = fc.tuple(fc.oneof(fc.nat(20), fc.double({ min: 0, max: 1e6, noNaN: true })), fc.constantFrom(1, 0.5))
    fc.assert(
      fc.property(fc.array(fc.array(sample, { maxLength: 300 }), { minLength: 1, maxLength: 4 }), (intervals) => {
        const timers = new Timers()
        for (const samples of intervals) {
          timers.clear()
          timers.begin(3000)
          const builder = new DistributionBuilder()
          for (const [value, rate] of samples) {
            timers.add(3000, value, rate)
            builder.add(value, rate)
          }
          if (samples.length > 0) expect(timers.build(3000)).toEqual(builder.build())
        }
      }),
    )
  })
})

describe('bounds', () => {
  test('members of all sets together are bounded in an interval; the next has room again', () => {
    const aggregate = new Aggregate({ seriesMax: 10, allMembersMax: 3 })
    add(aggregate, 's:a|s', 's:b|s', 't:a|s', 't:b|s', 's:a|s')
    expect(flat(take(aggregate))).toEqual({ 's s': [['a', 'b'], false], 's t': [['a'], true] })
    add(aggregate, 't:b|s')
    expect(flat(take(aggregate))).toEqual({ 's t': [['b'], false] })
  })

  test('at seriesMax known series go on and new ones are refused', () => {
    const aggregate = new Aggregate({ seriesMax: 2 })
    expect(add(aggregate, 'a:1|c', 'b:1|c')).toBe(1)
    expect(add(aggregate, 'c:1|c')).toBe(refused)
    expect(add(aggregate, 'a:1|g')).toBe(refused)
    add(aggregate, 'b:1|c', 'b !:1|c'.replace(' ', ''))
    expect(flat(take(aggregate))).toEqual({ 'c a': [1, 1], 'c b': [3, 3] })
  })

  test('idle series make room, the others keep their values', () => {
    const aggregate = new Aggregate({ seriesMax: 4 })
    add(aggregate, 'old:1|c', 'level:5|g', 'lost:9|g', 'busy:1|c')
    take(aggregate)
    for (let i = 0; i < 3; i++) {
      add(aggregate, 'busy:1|c', 'level:+1|g')
      take(aggregate)
    }
    expect(aggregate.forgetIdle(2)).toBe(2)
    expect(aggregate.seriesCount).toBe(2)
    add(aggregate, 'level:+1|g', 'busy:1|c', 'new:1|c', 'lost:+1|g')
    const messages = take(aggregate)
    expect(flat(messages)).toEqual({ 'g level': 9, 'c busy': [1, 1], 'c new': [1, 1], 'g lost': 1 })
    expect(messages[0]?.counters.names.toSorted()).toEqual(['busy', 'new'])
  })

  test('random names without end fill the table and not the memory', () => {
    const aggregate = new Aggregate({ seriesMax: 100 })
    const random = (count: number) => {
      for (let i = 0; i < count; i++) add(aggregate, `random.${i}.${'x'.repeat(i % 200)};tag=${i}:1|c`)
    }
    random(20_000)
    const before = heapBytes()
    random(100_000)
    // Kept, they would be some 20 MB.
    expect(heapBytes() - before).toBeLessThan(2e6)
    expect(aggregate.seriesCount).toBe(100)
    expect(seriesCount(take(aggregate)[0] as MetricsMessage)).toBe(100)
  })
})

describe('messages', () => {
  test('hold at most a thousand series each, in order of first appearance', () => {
    const aggregate = new Aggregate({ seriesMax: 10_000 })
    const names = Array.from({ length: 2500 }, (_, i) => `n${i}`)
    add(aggregate, ...names.map((name) => `${name}:1|c`))
    const messages = take(aggregate)
    expect(messages.map(seriesCount)).toEqual([batchSeriesMax, batchSeriesMax, 500])
    expect(messages.flatMap(({ counters }) => counters.names)).toEqual(names)
  })

  test('have the very same names arrays while the set of series is unchanged', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    const lines = ['a:1|c', 'b:1|c', 'g:1|g', 't:1|ms']
    add(aggregate, ...lines)
    const [first] = take(aggregate)
    add(aggregate, ...lines.toReversed())
    const [second] = take(aggregate)
    expect(second?.counters.names).toBe(first?.counters.names)
    expect(second?.gauges.names).toBe(first?.gauges.names)
    expect(second?.timers.names).toBe(first?.timers.names)
    add(aggregate, 'b:1|c')
    expect(take(aggregate)[0]?.counters.names).toEqual(['b'])
  })

  test('that would be too large for a bus are split; every series is still there once', () => {
    const aggregate = new Aggregate({ seriesMax: 1000 })
    for (let series = 0; series < 300; series++) {
      add(aggregate, `c${series}:1|c`)
      for (let value = 0; value < 520; value++) add(aggregate, `t${series}:${value}|ms`)
      for (let member = 0; member < 20; member++) add(aggregate, `s${series}:${'x'.repeat(1000)}${member}|s`)
    }
    const messages = take(aggregate)
    expect(messages.length).toBeGreaterThan(3)
    for (const message of messages) {
      const bytes = encode({ kind: 'metrics', key: 'metrics.test-1', id: 'test:1', message }).length
      expect(bytes).toBeLessThan(2 * batchBytesMax)
    }
    expect(Object.keys(flat(messages))).toHaveLength(900)
  })

  test('a set with huge members is cut where a message could not hold it', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    for (let member = 0; member < 1000; member++) add(aggregate, `s:${'x'.repeat(5000)}${member}|s`)
    const [message] = take(aggregate)
    expect(message?.sets.overflowed).toEqual([true])
    expect(message?.sets.members[0]?.join('').length).toBeLessThanOrEqual(setBytesMax)
  })

  test('own their values: what arrives later changes no message that was taken', () => {
    const aggregate = new Aggregate({ seriesMax: 10 })
    add(aggregate, 'a:1|c', 't:1|ms')
    const taken = take(aggregate)
    const before = JSON.stringify(flat(taken))
    add(aggregate, 'a:1|c', 't:2|ms')
    expect(JSON.stringify(flat(taken))).toBe(before)
  })
})

/** The obvious way: maps of lists, by text. */
class Naive {
  readonly #levels = new Map<string, number>()
  #fed = new Map<string, [value: number, rate: number][] | Set<string>>()

  add(raw: string, type: string, value: string, rate: number): void {
    const key = `${type} ${cleanName(raw)}`
    if (type === 's') this.#fed.set(key, ((this.#fed.get(key) as Set<string>) ?? new Set()).add(value))
    else this.#fed.set(key, [...((this.#fed.get(key) as [number, number][]) ?? []), [Number(value), rate]])
    if (type === 'g') this.#levels.set(key, (/^[+-]/.test(value) ? (this.#levels.get(key) ?? 0) : 0) + Number(value))
  }

  take(): Record<string, unknown> {
    const taken = [...this.#fed].map(([key, fed]) => [key, this.#figures(key, fed)])
    this.#fed = new Map()
    return Object.fromEntries(taken)
  }

  #figures(key: string, fed: [number, number][] | Set<string>): unknown {
    if (fed instanceof Set) return [[...fed].sort(), false]
    if (key.startsWith('g')) return this.#levels.get(key)
    if (key.startsWith('c')) return [fed.reduce((sum, [value, rate]) => sum + value / rate, 0), fed.length]
    const values = fed.map(([value]) => value).sort((a, b) => a - b)
    const distinct = [...new Set(values)]
    return {
      count: fed.reduce((sum, [, rate]) => sum + 1 / rate, 0),
      sum: fed.reduce((sum, [value]) => sum + value, 0),
      min: values[0],
      max: values.at(-1),
      values: distinct,
      counts: distinct.map((value) => values.filter((other) => other === value).length),
    }
  }
}

test('whatever is sent, in however many intervals, the figures are those of the obvious way', () => {
  const raw = fc.constantFrom('a', 'b', 'a/b', 'a-b', 'a b', 'ü', 'x.y', 'x..y', 'x!.y')
  const rate = fc.constantFrom(1, 0.5, 0.25, 0.1)
  const line = fc.oneof(
    fc.tuple(raw, fc.constant('c'), fc.integer({ min: -9, max: 9 }).map(String), rate),
    fc.tuple(raw, fc.constant('g'), fc.constantFrom('1', '7', '+2', '-3', '0.5'), fc.constant(1)),
    fc.tuple(raw, fc.constant('t'), fc.integer({ min: 0, max: 40 }).map(String), rate),
    fc.tuple(raw, fc.constant('s'), fc.constantFrom('a', 'b', 'c:d'), fc.constant(1)),
  )
  fc.assert(
    fc.property(fc.array(fc.array(line, { maxLength: 60 }), { maxLength: 5 }), (intervals) => {
      const aggregate = new Aggregate({ seriesMax: 100 })
      const naive = new Naive()
      for (const lines of intervals) {
        for (const [name, type, value, rate] of lines) {
          if (cleanName(name) === '') continue
          add(aggregate, `${name}:${value}|${type === 't' ? 'ms' : type}${rate === 1 ? '' : `|@${rate}`}`)
          naive.add(name, type, value, rate)
        }
        expect(flat(take(aggregate))).toEqual(naive.take())
      }
    }),
    { numRuns: 300 },
  )
})

/** What is in use once all garbage is gone. */
function heapBytes(): number {
  v8.setFlagsFromString('--expose_gc')
  vm.runInNewContext('gc')()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
