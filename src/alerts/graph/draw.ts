/**
 * Draw: the last values of an alert's comparison as SVG, for a mail. Pure.
 *
 * No text stands in it, because no font can be relied on; `describe.ts` says the same in words. It brings its own light
 * ground, so it reads alike on light and on dark. What breaches the threshold has the level's colour, line and shade; a
 * missing value is a gap, a value between two gaps a dot.
 */
import type { ToldAlert } from '../notification.ts'

export type Drawn = Pick<ToldAlert, 'series' | 'comparison' | 'level'>

export const widthPx = 560
export const heightPx = 120
const edgePx = 10
/** Values drawn at most, the newest ones. */
export const valuesMax = 300
/** Zero is in the picture where the values come as near to it. */
const zeroShare = 0.85

const colours = {
  crit: '#d13438',
  warn: '#c77700',
  line: '#48546a',
  grid: '#dde1e8',
  ground: '#f7f8fa',
  frame: '#d4d9e1',
}

interface Point {
  x: number
  y: number
}

/** Undefined where there is nothing to draw. */
export function drawGraph(alert: Drawn): string | undefined {
  const values = alert.series.values.slice(-valuesMax).map((value) => (Number.isFinite(value) ? value : null))
  const threshold = finite(alert.comparison?.threshold)
  const y = verticalScale(values, threshold)
  if (!y) return undefined
  const runs = runsOf(values, y)
  const colour = colours[alert.level]
  const limitY = threshold === undefined ? undefined : y(threshold)
  const isBreach = limitY === undefined ? undefined : breach(alert.comparison?.operator ?? '', limitY)
  const breaches = isBreach ? runs.flatMap((run) => parts(run, limitY as number, isBreach)) : []
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${widthPx}" height="${heightPx}" viewBox="0 0 ${widthPx} ${heightPx}">`,
    ground(),
    ...breaches.map((run) => shade(run, limitY as number, colour)),
    limitY !== undefined && dashed(limitY, colour),
    ...runs.map((run) => line(run, colours.line)),
    ...breaches.map((run) => line(run, colour)),
    last(runs, values, (point) => (isBreach?.(point) ? colour : colours.line)),
    '</svg>',
  ]
    .filter(Boolean)
    .join('')
}

/** Value → pixels from the top; undefined without any value. */
function verticalScale(values: readonly (number | null)[], threshold: number | undefined) {
  const known = values.filter((value) => value !== null)
  if (known.length === 0) return undefined
  const all = threshold === undefined ? known : [...known, threshold]
  // By the largest, so that differences of the largest numbers there are stay numbers.
  const size = Math.max(...all.map(Math.abs)) || 1
  const [low, high] = [Math.min(...all) / size, Math.max(...all) / size]
  const from = low > 0 && low < zeroShare * high ? 0 : low
  const to = high < 0 && high > zeroShare * low ? 0 : high
  const span = to - from
  const roomPx = heightPx - 2 * edgePx
  return (value: number) => {
    const share = span === 0 ? 0.5 : (value / size - from) / span
    return round(edgePx + roomPx * (1 - share))
  }
}

/** Stretches of values without a gap. */
function runsOf(values: readonly (number | null)[], y: (value: number) => number): Point[][] {
  const step = values.length > 1 ? (widthPx - 2 * edgePx) / (values.length - 1) : 0
  const startX = values.length > 1 ? edgePx : widthPx / 2
  const runs: Point[][] = []
  let isInRun = false
  values.forEach((value, i) => {
    if (value !== null && !isInRun) runs.push([])
    if (value !== null) runs.at(-1)?.push({ x: round(startX + i * step), y: y(value) })
    isInRun = value !== null
  })
  return runs
}

/** Whether a point lies on the bad side of the limit; undefined where there is no such side. */
function breach(operator: string, limitY: number): ((point: Point) => boolean) | undefined {
  if (operator.startsWith('>')) return ({ y }) => y < limitY
  return operator.startsWith('<') ? ({ y }) => y > limitY : undefined
}

/** The stretches of a run on the bad side, each from where it crosses the limit to where it crosses back. */
function parts(run: readonly Point[], limitY: number, isBreach: (point: Point) => boolean): Point[][] {
  const found: Point[][] = []
  let wasBreach = false
  run.forEach((point, i) => {
    const before = run[i - 1]
    const isBad = isBreach(point)
    const crossing = before && isBad !== wasBreach ? [crossingOf(before, point, limitY)] : []
    if (isBad && !wasBreach) found.push(crossing)
    if (isBad) found.at(-1)?.push(point)
    else if (wasBreach) found.at(-1)?.push(...crossing)
    wasBreach = isBad
  })
  return found
}

function crossingOf(from: Point, to: Point, limitY: number): Point {
  const share = from.y === to.y ? 0 : (limitY - from.y) / (to.y - from.y)
  return { x: round(from.x + (to.x - from.x) * share), y: limitY }
}

function ground(): string {
  const box = `x="0.5" y="0.5" width="${widthPx - 1}" height="${heightPx - 1}" rx="6"`
  const grid = [0.25, 0.5, 0.75].map((share) => {
    const y = round(edgePx + (heightPx - 2 * edgePx) * share)
    return `<path d="M${edgePx} ${y}H${widthPx - edgePx}" stroke="${colours.grid}"/>`
  })
  return `<rect ${box} fill="${colours.ground}" stroke="${colours.frame}"/>${grid.join('')}`
}

function shade(run: readonly Point[], limitY: number, colour: string): string {
  const [first, end] = [run[0], run.at(-1)]
  if (!first || !end || run.length < 2) return ''
  return `<path d="${path(run)}L${end.x} ${limitY}L${first.x} ${limitY}Z" fill="${colour}" fill-opacity="0.22"/>`
}

function dashed(y: number, colour: string): string {
  return `<path d="M${edgePx} ${y}H${widthPx - edgePx}" stroke="${colour}" stroke-dasharray="5 4" stroke-opacity="0.8"/>`
}

function line(run: readonly Point[], colour: string): string {
  const [only] = run
  if (run.length === 1 && only) return dot(only, 2.5, colour)
  return `<path d="${path(run)}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/>`
}

/** The newest value, where it is known. */
function last(
  runs: readonly Point[][],
  values: readonly (number | null)[],
  colourOf: (point: Point) => string,
): string {
  const point = runs.at(-1)?.at(-1)
  return point && values.at(-1) !== null ? dot(point, 4, colourOf(point)) : ''
}

function dot({ x, y }: Point, radius: number, colour: string): string {
  return `<circle cx="${x}" cy="${y}" r="${radius}" fill="${colour}"/>`
}

function path(run: readonly Point[]): string {
  return `M${run.map(({ x, y }) => `${x} ${y}`).join('L')}`
}

function round(pixels: number): number {
  return Math.round(pixels * 100) / 100
}

function finite(value: number | null | undefined): number | undefined {
  return Number.isFinite(value) ? (value as number) : undefined
}
