/**
 * Plot: the canvas of a graph, drawn by uPlot.
 *
 * The crosshair is shared by all graphs of a page. Colours come from the style sheet, so they follow light and dark.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { EventView } from '../view.ts'
import { formatNumber } from './format.ts'
import { type GraphData, stacked } from './graph-data.ts'
import { clockTime } from './time.ts'

/** Colours of the style sheet, `--s0` on; beyond them they begin again. */
export const colours = 10

export interface PlotProps {
  data: GraphData
  unit?: string
  isStacked?: boolean
  /** Drawn as dashed lines across. */
  thresholds?: readonly number[]
  /** What happened, drawn as marks in time. */
  events?: readonly EventView[]
  height: number
  /** Keys of the lines that are not drawn. */
  off: ReadonlySet<string>
  /** The line that matters; the others stand back. */
  highlight: string | undefined
}

/** Keeps one uPlot in step: new data are set, anything else that changes draws it anew. */
export function usePlot(
  box: { current: HTMLDivElement | null },
  props: PlotProps,
  onIndex: (i: number | null) => void,
): void {
  const plot = useRef<uPlot | undefined>(undefined)
  const latest = useRef(props)
  latest.current = props
  const theme = useTheme()
  const { data, unit, isStacked, off, highlight, thresholds } = props
  const lines = data.lines.map(({ key, every }) => `${key} ${every}`).join('\n')
  const shape = [lines, unit, isStacked, [...off].join(), highlight, thresholds?.join(), data.stepMs, theme].join('|')
  useEffect(() => {
    const element = box.current as HTMLDivElement
    const made = new uPlot(
      optionsOf(element, () => latest.current, onIndex),
      columnsOf(latest.current),
      element,
    )
    plot.current = made
    const watcher = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height: latest.current.height })
    })
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      made.destroy()
    }
  }, [shape])
  useEffect(() => plot.current?.setData(columnsOf(latest.current)), [data])
}

function columnsOf({ data, isStacked }: PlotProps): uPlot.AlignedData {
  const times = Array.from({ length: data.size }, (_, i) => (data.startMs + i * data.stepMs) / 1000)
  return [times, ...(isStacked ? stacked(data.lines) : data.lines.map(({ values }) => values))]
}

function optionsOf(element: HTMLElement, props: () => PlotProps, onIndex: (i: number | null) => void): uPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim()
  const { height, unit, thresholds = [] } = props()
  const axis = { stroke: colour('--dim'), font: '11px system-ui, sans-serif', ticks: { show: false } }
  const grid = { stroke: colour('--grid'), width: 1 }
  const isNarrow = element.clientWidth < 480
  return {
    width: element.clientWidth || 300,
    height,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { sync: { key: 'page' }, points: { size: 6 }, drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: true, range: () => timeRange(props().data) },
      y: { range: (_u, low, high) => valueRange(low, high, thresholds) },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        gap: 6,
        space: isNarrow ? 70 : 60,
        values: (_u, splits) => splits.map((at) => clockTime(at * 1000).slice(0, 5)),
      },
      {
        ...axis,
        grid,
        size: 58,
        gap: 6,
        space: 36,
        values: (_u, splits) => splits.map((value) => formatNumber(value, unit)),
      },
    ],
    series: [{}, ...seriesOf(props(), colour)],
    ...(props().isStacked && { bands: bandsOf(props().data.lines.length) }),
    hooks: {
      setCursor: [(u) => onIndex(u.cursor.idx ?? null)],
      draw: [
        (u) => drawThresholds(u, thresholds, colour('--crit')),
        (u) => drawEvents(u, props().events ?? [], colour('--dim')),
      ],
    },
  }
}

function seriesOf({ data, isStacked, off, highlight }: PlotProps, colour: (name: string) => string): uPlot.Series[] {
  const hasHighlight = highlight !== undefined && data.lines.some(({ key }) => key === highlight)
  return data.lines.map(({ key, every }, i): uPlot.Series => {
    const stroke = colour(`--s${i % colours}`)
    const isBack = hasHighlight && key !== highlight
    return {
      show: !off.has(key),
      stroke,
      width: hasHighlight && !isBack ? 2.25 : 1.5,
      alpha: isBack ? 0.28 : 1,
      gaps: (plot, _series, _from, _to, gaps) =>
        gaps.filter(([from, to]) => to - from > bridgedPixels(plot, data, every)),
      points: { show: false },
      ...(isStacked ? { fill: `${stroke}55` } : data.lines.length === 1 ? { fill: `${stroke}1f` } : {}),
    }
  })
}

/** A hole this wide is only the time between two reports or, by the second, a few that came late. */
function bridgedPixels({ bbox }: uPlot, { size, stepMs }: GraphData, every: number): number {
  const late = stepMs < 10_000 ? 4 : 0.5
  return ((every + late) * bbox.width) / Math.max(1, size - 1)
}

/** Each line of a stack is filled down to the one before it. */
function bandsOf(count: number): uPlot.Band[] {
  return Array.from({ length: Math.max(0, count - 1) }, (_, i) => ({ series: [i + 2, i + 1] as [number, number] }))
}

function timeRange({ startMs, stepMs, size }: GraphData): [number, number] {
  return [startMs / 1000, (startMs + (size - 1) * stepMs) / 1000]
}

/** Zero stands at the bottom unless there are negative values; thresholds are always in sight. */
function valueRange(low: number | null, high: number | null, thresholds: readonly number[]): [number, number] {
  const least = Math.min(0, low ?? 0, ...thresholds)
  const most = Math.max(high ?? 0, ...thresholds)
  const room = (most - least) * 0.08
  return most === least ? [least, least + 1] : [least < 0 ? least - room : 0, most + room]
}

function drawThresholds(plot: uPlot, thresholds: readonly number[], colour: string): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = colour
  ctx.lineWidth = Math.round(devicePixelRatio)
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio])
  for (const threshold of thresholds) {
    const y = Math.round(plot.valToPos(threshold, 'y', true)) + 0.5
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
  }
  ctx.restore()
}

/** A dotted line down to the time axis, and what it was at its head where there is room. */
function drawEvents(plot: uPlot, events: readonly EventView[], colour: string): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = colour
  ctx.fillStyle = colour
  ctx.font = `${10 * devicePixelRatio}px system-ui, sans-serif`
  ctx.textAlign = 'left'
  ctx.setLineDash([devicePixelRatio, 3 * devicePixelRatio])
  let freeFrom = bbox.left
  for (const { name, atMs, tags } of events) {
    const x = Math.round(plot.valToPos(atMs / 1000, 'x', true)) + 0.5
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    const label = [name, ...Object.values(tags)].join(' ').slice(0, 40)
    const { width } = ctx.measureText(label)
    const isFree = x >= freeFrom && x + width < bbox.left + bbox.width
    if (isFree) ctx.fillText(label, x + 3 * devicePixelRatio, bbox.top + 9 * devicePixelRatio)
    if (isFree) freeFrom = x + width + 8 * devicePixelRatio
  }
  ctx.restore()
}

function useTheme(): string {
  const query = '(prefers-color-scheme: dark)'
  const [theme, setTheme] = useState(matchMedia(query).matches ? 'dark' : 'light')
  useEffect(() => {
    const media = matchMedia(query)
    const update = () => setTheme(media.matches ? 'dark' : 'light')
    media.addEventListener('change', update)
    return () => media.removeEventListener('change', update)
  }, [])
  return theme
}
