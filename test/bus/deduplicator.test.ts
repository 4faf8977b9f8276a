import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Deduplicator } from '../../src/bus/deduplicator.ts'

const newOnes = (ids: readonly string[]) => {
  const deduplicator = new Deduplicator()
  return ids.filter((id) => deduplicator.isNew(id))
}

describe('the deduplicator', () => {
  it('lets each id of a publisher pass once, whatever came between and in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 10, max: 60 }), { maxLength: 200 }), (rest) => {
        // The first one seen sets where the publisher begins.
        const ids = [1, ...rest].map((sequence) => `p:${sequence}`)
        expect(newOnes(ids)).toEqual([...new Set(ids)])
      }),
    )
  })

  it('takes what lies before the first it saw for seen: a reader that begins in the middle has had it', () => {
    expect(newOnes(['p:5', 'p:4', 'p:6'])).toEqual(['p:5', 'p:6'])
  })

  it('keeps publishers apart', () => {
    expect(newOnes(['a:1', 'b:1', 'a:1', 'b:2', 'a/live:1'])).toEqual(['a:1', 'b:1', 'b:2', 'a/live:1'])
  })

  it('lets ids of another form pass: they are not from our publishers', () => {
    expect(newOnes(['hello', 'hello', 'a:b', 'a:b', ':1'])).toEqual(['hello', 'hello', 'a:b', 'a:b', ':1'])
  })

  it('remembers at most 64 gaps of a publisher; what lay in older ones counts as seen', () => {
    const odd = Array.from({ length: 70 }, (_, i) => `p:${2 * i + 1}`)
    const even = Array.from({ length: 69 }, (_, i) => `p:${2 * i + 2}`)
    expect(newOnes([...odd, ...even]).length).toBe(70 + 64)
  })

  it('remembers at most 2000 publishers, the one unheard for longest goes', () => {
    const deduplicator = new Deduplicator()
    for (let i = 0; i < 2000; i++) deduplicator.isNew(`p${i}:1`)
    expect(deduplicator.isNew('p0:1')).toBe(false) // Heard again.
    expect(deduplicator.isNew('another:1')).toBe(true)
    expect(deduplicator.isNew('p0:1')).toBe(false)
    expect(deduplicator.isNew('p1:1')).toBe(true)
  })
})
