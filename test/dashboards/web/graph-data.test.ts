import { describe, expect, test } from 'vitest'
import type { TargetView } from '../../../src/dashboards/view.ts'
import { emptyGraph, newest, partOfTarget, stacked, withPart } from '../../../src/dashboards/web/graph-data.ts'

const line = (key: string, values: (number | null)[], every = 1) => ({ key, label: key, every, values })

describe('a graph slides with the present', () => {
  const graph = emptyGraph(0, 30, 10)

  test('values go where they belong, over what was there', () => {
    const first = withPart(graph, { startMs: 10, stepMs: 10, lines: [line('a', [1, 2])] })
    expect(first).toMatchObject({ startMs: 0, lines: [{ values: [null, 1, 2, null] }] })
    const second = withPart(first, { startMs: 20, stepMs: 10, lines: [line('a', [7])] })
    expect(second.lines[0]?.values).toEqual([null, 1, 7, null])
    expect(first.lines[0]?.values).toEqual([null, 1, 2, null])
  })

  test('a value beyond the end moves the window on by as much', () => {
    const before = withPart(graph, { startMs: 0, stepMs: 10, lines: [line('a', [0, 1, 2, 3])] })
    const after = withPart(before, { startMs: 50, stepMs: 10, lines: [line('a', [5]), line('b', [9])] })
    expect(after.startMs).toBe(20)
    expect(after.lines.map(({ values }) => values)).toEqual([
      [2, 3, null, 5],
      [null, null, null, 9],
    ])
  })

  test('what is older than the window is left out, and an empty answer changes nothing', () => {
    const late = withPart(emptyGraph(100, 30, 10), { startMs: 80, stepMs: 10, lines: [line('a', [8, 9, 10])] })
    expect(late).toMatchObject({ startMs: 100, lines: [{ values: [10, null, null, null] }] })
    expect(withPart(late, { startMs: 0, stepMs: 10, lines: [] })).toBe(late)
  })
})

describe('lines are named', () => {
  const view = (how: string, names: string[]): TargetView => ({
    ...{ target: `${how}(a.{x})`, how, startMs: 10, stepMs: 10 },
    lines: names.map((name) => ({ name, stepMs: 60, values: [1] })),
  })
  const labels = (target: TargetView, name: string | undefined, isAlone: boolean) =>
    partOfTarget(target, name, isAlone).lines.map(({ label }) => label)

  test('by what the target keeps; by the function too where there are several targets; by the path where nothing is kept', () => {
    expect(labels(view('p90', ['a', 'b']), undefined, true)).toEqual(['a', 'b'])
    expect(labels(view('p90', ['a', 'b']), undefined, false)).toEqual(['p90 a', 'p90 b'])
    expect(labels(view('p90', ['a', '']), 'slow', false)).toEqual(['slow a', 'slow'])
    expect(labels(view('p90', ['']), undefined, true)).toEqual(['a.{x}'])
  })

  test('a series that reports each minute has no gaps in between', () => {
    expect(partOfTarget(view('avg', ['a']), undefined, true).lines[0]?.every).toBe(6)
  })
})

test('the newest value is missing when three reports in a row are', () => {
  expect(newest({ values: [1, 2, null, null], every: 1 })).toBe(2)
  expect(newest({ values: [1, null, null, null], every: 1 })).toBe(null)
  expect(newest({ values: [1, null, null, null], every: 6 })).toBe(1)
})

test('a stack adds up, and has a gap only where every line has', () => {
  expect(stacked([line('a', [1, null, null]), line('b', [10, 20, null])])).toEqual([
    [1, 0, null],
    [11, 20, null],
  ])
})
