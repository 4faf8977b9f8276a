/**
 * Graph data: lines on one even grid of times, sliding with the present. Plain data and pure functions.
 */
import type { TargetView } from '../view.ts'

export interface GraphLine {
  /** Unique in its graph. */
  key: string
  label: string
  /** How many steps of the grid lie between two values of the series; holes shorter than that are no gaps. */
  every: number
  values: (number | null)[]
}

export interface GraphData {
  /** Epoch ms of the first value of every line. */
  startMs: number
  stepMs: number
  size: number
  lines: readonly GraphLine[]
}

export interface Part {
  startMs: number
  stepMs: number
  lines: readonly { key: string; label: string; every?: number; values: readonly (number | null)[] }[]
}

export function emptyGraph(fromMs: number, rangeMs: number, stepMs: number): GraphData {
  const startMs = Math.ceil(fromMs / stepMs) * stepMs
  return { startMs, stepMs, size: Math.floor(rangeMs / stepMs) + 1, lines: [] }
}

/** Puts values where they belong, over what was there; a part that reaches beyond the end slides the window. */
export function withPart(graph: GraphData, part: Part): GraphData {
  const { stepMs, size } = graph
  const longest = Math.max(0, ...part.lines.map(({ values }) => values.length))
  if (longest === 0) return graph
  const endMs = Math.ceil((part.startMs + (longest - 1) * part.stepMs) / stepMs) * stepMs
  const startMs = Math.max(graph.startMs, endMs - (size - 1) * stepMs)
  const moved = (startMs - graph.startMs) / stepMs
  const lines = new Map(graph.lines.map((line) => [line.key, { ...line, values: slide(line.values, moved, size) }]))
  for (const { key, label, every = 1, values } of part.lines) {
    const line = lines.get(key) ?? { key, label, every, values: new Array<number | null>(size).fill(null) }
    lines.set(key, line)
    values.forEach((value, i) => {
      const at = Math.ceil((part.startMs + i * part.stepMs - startMs) / stepMs)
      if (at >= 0 && at < size) line.values[at] = value
    })
  }
  return { ...graph, startMs, lines: [...lines.values()] }
}

function slide(values: readonly (number | null)[], by: number, size: number): (number | null)[] {
  const moved = by <= 0 ? values.slice() : values.slice(by)
  while (moved.length < size) moved.push(null)
  return moved
}

/** A target's answer as a part: lines named by what the target keeps, the target's own name before it where there are several. */
export function partOfTarget(view: TargetView, name: string | undefined, isAlone: boolean): Part {
  const prefix = name ?? (isAlone ? '' : view.how)
  const lines = view.lines.map(({ name: kept, values, stepMs }) => ({
    key: `${view.target}\n${kept}`,
    label: [prefix, kept].filter(Boolean).join(' ') || pathOf(view.target),
    every: Math.ceil(stepMs / view.stepMs),
    values,
  }))
  return { startMs: view.startMs, stepMs: view.stepMs, lines }
}

function pathOf(target: string): string {
  return /\((.*)\)/.exec(target)?.[1] ?? target
}

/** The newest value of a line; missing when as many as three reports are. */
export function newest({ values, every }: Pick<GraphLine, 'values' | 'every'>): number | null {
  const slack = 3 * every
  for (let i = values.length - 1; i >= Math.max(0, values.length - slack); i--) {
    const value = values[i]
    if (value !== null && value !== undefined) return value
  }
  return null
}

/** Each line on top of those before it, for drawing; missing counts as nothing where another line has a value. */
export function stacked(lines: readonly GraphLine[]): (number | null)[][] {
  const size = lines[0]?.values.length ?? 0
  const sums = new Array<number>(size).fill(0)
  const isKnown = Array.from({ length: size }, (_, i) => lines.some(({ values }) => values[i] != null))
  return lines.map(({ values }) =>
    sums.map((_, i) => {
      sums[i] = (sums[i] as number) + (values[i] ?? 0)
      return isKnown[i] ? (sums[i] as number) : null
    }),
  )
}
