import { describe, expect, test } from 'vitest'
import { andTruth, type HoldSteps, holdSteps, newLevelState, notTruth, orTruth, stepLevel } from '../../src/cep/hold.ts'
import type { HoldTree } from '../../src/cep/language/tree.ts'

const truths: Record<string, number> = { '1': 1, '0': 0, '?': Number.NaN }

/** Plays truths (1 0 ?) and gives back when the level was on: `#` or `.`. */
function play(hold: HoldTree, keepMs: number, truth: string, clear?: string): string {
  const steps: HoldSteps = holdSteps(hold, keepMs, 1000)
  const state = newLevelState()
  return [...truth.replaceAll(' ', '')]
    .map((sign, i) => {
      const value = truths[sign] as number
      const clearSign = clear?.replaceAll(' ', '')[i]
      stepLevel(state, steps, value, clearSign === undefined ? notTruth(value) : (truths[clearSign] as number), i + 1)
      return state.on ? '#' : '.'
    })
    .join('')
}

describe('a level', () => {
  test.each([
    ['3s', '0 1 1 1 1 0', '...##.'],
    ['3s', '1 1 0 1 1 1', '.....#'],
    ['4s', '1 ? ? 1 0', '...#.'],
    ['4s', '1 ? ? ? 1', '.....'],
    ['4s', '1 1 1 ? 1', '....#'],
  ])('for %s over %s', (length, truth, on) => {
    expect(play({ kind: 'for', durationMs: Number(length[0]) * 1000 }, 0, truth)).toBe(on)
  })

  test('in a row passes over missing ones', () => {
    expect(play({ kind: 'row', count: 3 }, 0, '1 ? 1 ? 1 0 1 1')).toBe('....#...')
  })

  test('n of m counts the last m', () => {
    expect(play({ kind: 'of', count: 3, size: 5 }, 0, '1 0 1 0 1 1 0 1')).toBe('....##..')
  })

  test('what was counted before it turned off is forgotten', () => {
    expect(play({ kind: 'for', durationMs: 2000 }, 0, '1 1 0 1 1')).toBe('.#..#')
  })

  test('keep counts good ones, passes over missing ones and starts again at a bad one', () => {
    expect(play({ kind: 'row', count: 1 }, 3000, '1 0 ? 0 1 0 0 0 0')).toBe('#######..')
  })

  test('until is a line of its own', () => {
    expect(play({ kind: 'row', count: 1 }, 0, '1 0 0 0', '0 0 0 1')).toBe('###.')
  })

  test('a missing truth neither raises nor clears', () => {
    expect(play({ kind: 'row', count: 1 }, 0, '? 1 ? ? 0 ?')).toBe('.###..')
  })
})

test('three values combine as Kleene says', () => {
  const all = [1, 0, Number.NaN]
  const table = (combine: (a: number, b: number) => number) => all.map((a) => all.map((b) => combine(a, b)))
  expect(table(andTruth)).toEqual([
    [1, 0, Number.NaN],
    [0, 0, 0],
    [Number.NaN, 0, Number.NaN],
  ])
  expect(table(orTruth)).toEqual([
    [1, 1, 1],
    [1, 0, Number.NaN],
    [1, Number.NaN, Number.NaN],
  ])
  expect(all.map(notTruth)).toEqual([0, 1, Number.NaN])
})
