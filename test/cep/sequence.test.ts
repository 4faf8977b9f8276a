import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Moment, newSequence, type SequenceShape, stepSequence } from '../../src/cep/sequence.ts'

interface Happened {
  kind: string
  atMs: number
}

/** All buckets of 10 in which the sequence is completed, by the one-slot method. */
function fired(kinds: readonly string[], shape: SequenceShape, events: readonly Happened[], endMs: number): number[] {
  const state = newSequence(shape)
  const buckets: number[] = []
  for (let atMs = 10; atMs <= endMs; atMs += 10) {
    const moments: Moment[] = events
      .filter((event) => event.atMs > atMs - 10 && event.atMs <= atMs)
      .map(({ kind, atMs: at }) => ({
        atMs: at,
        steps: kinds.flatMap((step, i) => (step === kind ? [i] : [])),
        spoils: kind === 'c',
      }))
    if (stepSequence(state, shape, moments, atMs)) buckets.push(atMs)
  }
  return buckets
}

/** The same by trying every choice of events. */
function bruteForce(
  kinds: readonly string[],
  shape: SequenceShape,
  events: readonly Happened[],
  endMs: number,
): number[] {
  const isSpoiled = (from: number, to: number) =>
    events.some(({ kind, atMs }) => kind === 'c' && atMs >= from && atMs <= to)
  const completions = (step: number, before: Happened, firstMs: number, used: readonly Happened[]): number[] => {
    if (step === kinds.length) return isSpoiled(firstMs, before.atMs) ? [] : [before.atMs]
    return events
      .filter((event) => event.kind === kinds[step] && !used.includes(event) && event.atMs >= before.atMs)
      .filter((event) => event.atMs - before.atMs <= (shape.withinMs[step - 1] as number))
      .flatMap((event) => completions(step + 1, event, firstMs, [...used, event]))
  }
  const all = events
    .filter(({ kind }) => kind === kinds[0])
    .flatMap((event) => completions(1, event, event.atMs, [event]))
  const buckets = new Set(all.map((atMs) => Math.ceil(atMs / 10) * 10))
  return [...buckets].filter((atMs) => atMs <= endMs).sort((a, b) => a - b)
}

const event = fc.record({ kind: fc.constantFrom('a', 'b', 'd', 'c'), atMs: fc.integer({ min: 1, max: 100 }) })
const limits = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 3, maxLength: 3 })

describe('a sequence', () => {
  test.each([[['a', 'b']], [['a', 'b', 'd']]])('%s agrees with brute force', (kinds) => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 14 }), limits, (events, withinMs) => {
        const shape = { withinMs: withinMs.slice(0, kinds.length - 1), endsInNo: false }
        expect(fired(kinds, shape, events, 200)).toEqual(bruteForce(kinds, shape, events, 200))
      }),
      { numRuns: 1000 },
    )
  })

  test.each([[['a', 'a']], [['a', 'b', 'a']], [['a', 'a', 'a']]])('%s agrees with brute force', (kinds) => {
    const apart = fc.uniqueArray(event, { maxLength: 14, selector: ({ atMs }) => atMs })
    fc.assert(
      fc.property(apart, limits, (events, withinMs) => {
        const shape = { withinMs: withinMs.slice(0, kinds.length - 1), endsInNo: false }
        expect(fired(kinds, shape, events, 200)).toEqual(bruteForce(kinds, shape, events, 200))
      }),
      { numRuns: 1000 },
    )
  })

  const hanging = { withinMs: [30], endsInNo: true }
  const at = (kind: string, atMs: number) => ({ kind, atMs })
  test.each([
    ['an answer in time, its last instant included', [at('a', 5), at('b', 35)], []],
    ['an answer that comes too late', [at('a', 5), at('b', 36)], [40]],
    ['no answer', [at('a', 5)], [40]],
    ['a second question does not push the deadline out', [at('a', 5), at('a', 25)], [40]],
    ['an answer at the instant of the question', [at('a', 5), at('b', 5)], []],
    ['what spoils it', [at('a', 5), at('c', 20)], []],
    ['what spoils it at the instant of the question', [at('a', 5), at('c', 5)], []],
    ['a question after the answer', [at('a', 5), at('b', 10), at('a', 12)], [50]],
  ])('that waits for something not to come: %s', (_, events, expected) => {
    expect(fired(['a', 'b'], hanging, events, 100)).toEqual(expected)
  })
})
