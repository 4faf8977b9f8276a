/** What several daemons saw adds up to what one would have seen: the bus carries aggregates that merge exactly. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Distribution, mergeDistributions } from '../../src/model/distribution.ts'
import type { MetricsMessage } from '../../src/model/metric.ts'
import { openIntake } from './setup.ts'

interface Merged {
  counters: Map<string, [sum: number, samples: number]>
  timers: Map<string, Distribution>
  sets: Map<string, string[]>
}

function merge(messages: readonly MetricsMessage[]): Merged {
  const counters = new Map<string, [number, number]>()
  const seen = new Map<string, Distribution[]>()
  const sets = new Map<string, Set<string>>()
  for (const message of messages) {
    message.counters.names.forEach((name, i) => {
      const [sum, samples] = counters.get(name) ?? [0, 0]
      counters.set(name, [sum + (message.counters.sums[i] ?? 0), samples + (message.counters.samples[i] ?? 0)])
    })
    message.timers.names.forEach((name, i) => {
      seen.set(name, [...(seen.get(name) ?? []), message.timers.distributions[i] as Distribution])
    })
    message.sets.names.forEach((name, i) => {
      sets.set(name, new Set([...(sets.get(name) ?? []), ...(message.sets.members[i] ?? [])]))
    })
  }
  return {
    counters: sorted(counters),
    timers: sorted(new Map([...seen].map(([name, parts]) => [name, mergeDistributions(parts) as Distribution]))),
    sets: sorted(new Map([...sets].map(([name, members]) => [name, [...members].sort()]))),
  }
}

function sorted<T>(map: Map<string, T>): Map<string, T> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)))
}

test('counters, timers and sets of several daemons merge to exactly what one would have seen', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const tags = fc.constantFrom('', '|#x:1,y:2', '|#y:2,x:1')
  const rate = fc.constantFrom('', '|@0.5', '|@0.25')
  const line = fc.oneof(
    fc.tuple(name, fc.integer({ min: -9, max: 9 }), rate, tags).map(([n, v, r, t]) => `${n}:${v}|c${r}${t}`),
    // Many values of one timer, so that some daemons keep exact values and others, or their sum, a sketch.
    fc.tuple(name, fc.nat(2000), rate, tags).map(([n, v, r, t]) => `${n}:${v}|ms${r}${t}`),
    fc.tuple(name, fc.nat(30), tags).map(([n, v, t]) => `${n}:m${v}|s${t}`),
  )
  const shares = fc.array(fc.tuple(line, fc.nat(2)), { maxLength: 300 })
  fc.assert(
    fc.property(shares, fc.nat(2), (lines, busy) => {
      const flood = Array.from({ length: 600 }, (_, i): [string, number] => [
        `flood:${i * 3}|ms`,
        i % 3 === 0 ? busy : i % 3,
      ])
      const all = [...lines, ...flood]
      const single = openIntake()
      const several = [openIntake(), openIntake(), openIntake()]
      for (const [text, to] of all) {
        single.send(text)
        several[to]?.send(text)
      }
      const merged = merge(several.flatMap(({ aggregate }) => aggregate.take('test', 1000, 1000)))
      expect(merged).toEqual(merge(single.aggregate.take('test', 1000, 1000)))
    }),
    { numRuns: 100 },
  )
})
