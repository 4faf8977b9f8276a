/** Graph: lines over time with a legend that shows the values at the crosshair or, without one, the newest. */
import { useRef, useState } from 'preact/hooks'
import { formatNumber } from './format.ts'
import { type GraphLine, newest } from './graph-data.ts'
import { colours, type PlotProps, usePlot } from './plot.ts'
import { clockTime } from './time.ts'

export interface GraphProps extends Omit<PlotProps, 'height' | 'off' | 'highlight'> {
  title: string
  /** The line that matters; the others stand back. */
  focus?: string | undefined
  height?: number
  onPick?: (key: string) => void
}

export function Graph(props: GraphProps) {
  const { title, data, unit = '', height = 190 } = props
  const [index, setIndex] = useState<number | null>(null)
  const [off, setOff] = useState<ReadonlySet<string>>(new Set())
  const [hover, setHover] = useState<string | undefined>(undefined)
  const box = useRef<HTMLDivElement>(null)
  usePlot(box, { ...props, height, off, highlight: hover ?? props.focus }, setIndex)
  const toggle = (key: string) => {
    const next = new Set(off)
    if (!next.delete(key)) next.add(key)
    setOff(next)
  }
  const atMs = index === null ? undefined : data.startMs + index * data.stepMs
  return (
    <figure class="graph">
      <figcaption>
        <span class="graph-title">{title}</span>
        <span class="graph-time">{atMs === undefined ? '' : clockTime(atMs)}</span>
      </figcaption>
      <div class="plot" ref={box} style={{ height: `${height}px` }} />
      {data.lines.length === 0 && <p class="graph-empty">no data in this time</p>}
      <ul class="legend">
        {data.lines.map((line, i) => (
          <LegendItem
            key={line.key}
            line={line}
            colour={i % colours}
            value={index === null ? newest(line) : (line.values[index] ?? null)}
            unit={unit}
            isOff={off.has(line.key)}
            isFocus={props.focus === line.key}
            onPick={() => (props.onPick ? props.onPick(line.key) : toggle(line.key))}
            onHover={(is) => setHover(is ? line.key : undefined)}
          />
        ))}
      </ul>
    </figure>
  )
}

interface LegendItemProps {
  line: GraphLine
  colour: number
  value: number | null
  unit: string
  isOff: boolean
  isFocus: boolean
  onPick: () => void
  onHover: (is: boolean) => void
}

function LegendItem({ line, colour, value, unit, isOff, isFocus, onPick, onHover }: LegendItemProps) {
  return (
    <li>
      <button
        type="button"
        class={isFocus ? 'focus' : ''}
        aria-pressed={!isOff}
        onClick={onPick}
        onMouseEnter={() => onHover(true)}
        onMouseLeave={() => onHover(false)}
        onFocus={() => onHover(true)}
        onBlur={() => onHover(false)}
      >
        <i class={`swatch s${colour}`} aria-hidden="true" />
        <span class="legend-label">{line.label}</span>
        <b>{formatNumber(value, unit)}</b>
      </button>
    </li>
  )
}
