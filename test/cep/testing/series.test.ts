import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseGiven } from '../../../src/cep/testing/given.ts'
import { type Convert, fnv1a32, type Played, SeriesPlayer, wrongQuantity } from '../../../src/cep/testing/series.ts'
import { percentile } from '../../../src/model/distribution.ts'

function play(text: string, steps: number, name = 'x'): Played[] {
  const parsed = parseGiven(text)
  if (!parsed.ok) throw new Error(parsed.error.message)
  const player = new SeriesPlayer(parsed.value, { name, stepMs: 10_000, convert: ({ value }) => value })
  return Array.from({ length: steps }, () => player.next())
}

describe('a given series, played', () => {
  it('holds a value for its time in steps, with gaps, and the last one to the end', () => {
    expect(play('1 for 20s, nothing for 10s, 2 for 10s, 3', 6)).toEqual([1, 1, undefined, 2, 3, 3])
  })

  it('takes one value a step from a list, and is silent after one that ends', () => {
    expect(play('[0, 0.4, _, 1.2], 5', 6)).toEqual([0, 0.4, undefined, 1.2, 5, 5])
    expect(play('[1, 2]', 4)).toEqual([1, 2, undefined, undefined])
    expect(play('1 for 20s', 4)).toEqual([1, 1, undefined, undefined])
  })

  it('ramps from the first value to the last, evenly', () => {
    expect(play('100 to 40 for 40s, 7', 5)).toEqual([100, 80, 60, 40, 7])
    expect(play('0 to 3 for 10s, 7', 2)).toEqual([0, 7])
  })

  it('plays states of checks', () => {
    expect(play('ok for 20s, crit for 10s, nothing for 10s, [unknown], ok', 6)).toEqual([
      'ok',
      'ok',
      'crit',
      undefined,
      'unknown',
      'ok',
    ])
  })

  it('plays timer samples as one distribution a step', () => {
    const [step] = play('95x100ms + 5x900ms', 1)
    expect(step).toMatchObject({ count: 100, min: 100, max: 900 })
    if (typeof step !== 'object') throw new Error('expected a distribution')
    expect([percentile(step, 95), percentile(step, 96)]).toEqual([100, 900])
  })

  it('has noise of the generator that the language names, running on through the segments', () => {
    const modulus = 2_147_483_647
    let x = 1 + (fnv1a32('exceptions.web.a') % 2_147_483_646)
    const draw = (centre: number, spread: number) => {
      x = (48_271 * x) % modulus
      return centre + spread * ((2 * x) / modulus - 1)
    }
    const expected = [draw(100, 10), draw(100, 10), 7, draw(40, 2), draw(40, 2)]
    expect(play('100 ± 10 for 20s, 7 for 10s, 40 ± 2', 5, 'exceptions.web.a')).toEqual(expected)
  })

  it('stays within its noise and is the same in every run', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        const values = play('100 ± 10', 50, name) as number[]
        expect(values).toEqual(play('100 ± 10', 50, name))
        for (const value of values) expect(Math.abs(value - 100)).toBeLessThanOrEqual(10)
      }),
    )
  })

  it('hashes names as FNV-1a does', () => {
    expect(fnv1a32('')).toBe(0x811c9dc5)
    expect(fnv1a32('a')).toBe(0xe40c292c)
    expect(fnv1a32('foobar')).toBe(0xbf9cf968)
  })
})

describe('units of given values', () => {
  it('are converted to the unit of the data, and one that cannot be is found', () => {
    const parsed = parseGiven('1s for 10s, 2ms to 4ms for 30s, 4GiB')
    if (!parsed.ok) throw new Error(parsed.error.message)
    const inMs: Convert = ({ value, unit }) => ({ ms: value, s: value * 1000 })[unit]
    expect(wrongQuantity(parsed.value, inMs)).toEqual({ value: 4, unit: 'GiB' })
    const player = new SeriesPlayer(parsed.value, { name: 'x', stepMs: 10_000, convert: inMs })
    expect([player.next(), player.next(), player.next(), player.next()]).toEqual([1000, 2, 3, 4])
  })
})
