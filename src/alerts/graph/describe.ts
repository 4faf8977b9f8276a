/** Describe: in words what the picture of an alert's values shows. Pure. */
import { formatDuration } from '../../model/duration.ts'
import type { Drawn } from './draw.ts'

const expressionCharactersMax = 80

/** `last 6.3% · lowest 0% · highest 6.3% · limit > 5% · 1m`; undefined without any value. */
export function graphCaption({ series, comparison }: Drawn): string | undefined {
  const known = series.values.filter((value) => Number.isFinite(value)) as number[]
  if (known.length === 0) return undefined
  const unit = comparison?.unit ?? ''
  const newest = series.values.at(-1)
  const missing = series.values.length - known.length
  const { operator = '', threshold = null } = comparison ?? {}
  return [
    `last ${newest === null || newest === undefined ? 'missing' : figure(newest, unit)}`,
    `lowest ${figure(Math.min(...known), unit)}`,
    `highest ${figure(Math.max(...known), unit)}`,
    threshold === null ? '' : `limit ${operator} ${figure(threshold, unit)}`,
    formatDuration(series.values.length * series.stepMs),
    missing > 0 ? `${missing} of ${series.values.length} values missing` : '',
  ]
    .filter(Boolean)
    .join(' · ')
}

/** What the picture says, for those who do not see it. */
export function graphAlt(drawn: Drawn): string {
  const expression = (drawn.comparison?.expression ?? 'the value').slice(0, expressionCharactersMax)
  return `Graph of ${expression}: ${graphCaption(drawn)?.replaceAll(' · ', ', ') ?? 'no values'}`
}

/** Three digits are enough; shares are shown in the percent they are written in. */
export function figure(value: number, unit: string): string {
  const scaled = unit === '%' ? value * 100 : value
  return `${Number(scaled.toPrecision(3))}${unit}`
}
