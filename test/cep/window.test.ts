import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldField, PaneWindow, windowAt, windowShape } from '../../src/cep/window.ts'

const stepMs = 1000

/** What the window must hold, folded from nothing but the values and the absolute bucket numbers. */
function naive(
  values: readonly (number | undefined)[],
  firstBucket: number,
  at: number,
  lengthMs: number,
  panesMax: number,
) {
  const shape = windowShape(lengthMs, stepMs, panesMax)
  const { pane, fullPanes } = windowAt(shape, (firstBucket + at) * stepMs)
  const size = Math.max(1, shape.fullPanesMax)
  const panes = new Map<number, number>()
  for (let i = 0; i <= at; i++) {
    const p = Math.ceil((firstBucket + i) / shape.paneBuckets)
    panes.set(p, (panes.get(p) ?? 0) + (values[i] ?? 0))
  }
  const value = (p: number) => panes.get(p) ?? 0
  const start = pane - fullPanes
  const blockStart = Math.floor(pane / size) * size
  let suffix = 0
  if (fullPanes > 0 && start < blockStart) {
    suffix = value(blockStart - 1)
    for (let p = blockStart - 2; p >= start; p--) suffix = value(p) + suffix
  }
  let prefix = 0
  for (let p = Math.max(start, blockStart); p < pane; p++) prefix += value(p)
  return suffix + prefix + value(pane)
}

describe('a window', () => {
  test('equals a naive fold of its panes, bit for bit, wherever it began', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { nil: undefined }), { maxLength: 120 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 40 }),
        (values, firstBucket, lengthBuckets, panesMax) => {
          const window = new PaneWindow(windowShape(lengthBuckets * stepMs, stepMs, panesMax), ['add'])
          window.grow(2)
          const into = new Float64Array(1)
          values.forEach((value, at) => {
            window.advance((firstBucket + at) * stepMs, 2)
            if (value !== undefined) window.push(1, Float64Array.of(value), 0)
            window.read(1, into)
            expect(into[0]).toBe(naive(values, firstBucket, at, lengthBuckets * stepMs, panesMax))
          })
        },
      ),
    )
  })

  test('does not depend on when it began, once what came before has left it', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, min: 0, max: 1 }), { minLength: 60, maxLength: 90 }), (values) => {
        const early = new PaneWindow(windowShape(20_000, stepMs, 360), ['add'])
        const late = new PaneWindow(windowShape(20_000, stepMs, 360), ['add'])
        const [a, b] = [new Float64Array(1), new Float64Array(1)]
        early.grow(1)
        late.grow(1)
        values.forEach((value, i) => {
          early.advance(i * stepMs, 1)
          early.push(0, Float64Array.of(value), 0)
          if (i < 30) return
          late.advance(i * stepMs, 1)
          late.push(0, Float64Array.of(value), 0)
          early.read(0, a)
          late.read(0, b)
          if (i >= 50) expect(b[0]).toBe(a[0])
        })
      }),
    )
  })

  test('keeps least, greatest, first, last and spread', () => {
    const window = new PaneWindow(windowShape(3000, stepMs, 360), ['min', 'max', 'first', 'last', 'moments'])
    window.grow(1)
    for (const [i, value] of [9, 2, 4, 6].entries()) {
      window.advance((i + 1) * stepMs, 1)
      window.push(0, Float64Array.of(value, value, value, value, 1, value, 0), 0)
    }
    const into = new Float64Array(7)
    window.read(0, into)
    expect([...into]).toEqual([2, 6, 2, 6, 3, 4, 8])
  })

  test('of three days at a minute moves in panes of twelve minutes', () => {
    const shape = windowShape(3 * 86_400_000, 60_000, 360)
    expect(shape).toMatchObject({ paneBuckets: 12, lengthBuckets: 4320, fullPanesMax: 359 })
    expect(windowAt(shape, 60_000 * 12)).toEqual({ pane: 1, fullPanes: 359, buckets: 4320 })
    expect(windowAt(shape, 60_000 * 13)).toEqual({ pane: 2, fullPanes: 359, buckets: 4309 })
  })

  test('folds a missing value as nothing', () => {
    expect([foldField('first', Number.NaN, 2), foldField('last', 1, Number.NaN), foldField('min', 3, 2)]).toEqual([
      2, 1, 2,
    ])
  })
})
