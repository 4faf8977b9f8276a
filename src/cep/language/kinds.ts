/**
 * Kinds: what may be asked of a series, rule-language.md §5. Undeclared metrics may be asked anything.
 */
import type { SeriesKind } from './tree.ts'

export interface Refusal {
  message: string
  help: string
}

/** Why a function has no meaning for a kind; undefined where it has. */
export function refuseFold(
  name: string,
  percent: number,
  kind: SeriesKind | undefined,
  path: string,
): Refusal | undefined {
  const called = name === 'p' ? `p${percent}()` : `${name}()`
  if (kind === 'percentile' && ['sum', 'rate', 'p', 'stddev'].includes(name)) {
    const shown = name === 'p' ? `p${percent}` : 'p90'
    return {
      message: `${called} of a ready-made percentile has no meaning`,
      help: `percentiles can only be avg/min/max-ed over time; for a true percentile use the timer itself, e.g. ${shown}(…time…)`,
    }
  }
  if (kind === 'counter' && ['sum', 'avg', 'min', 'max', 'stddev', 'p'].includes(name)) {
    return { message: `${called} of an ever-growing counter has no meaning`, help: `use rate(${path})` }
  }
  if (kind === 'gauge' && name === 'rate') {
    return { message: 'rate() of a gauge has no meaning', help: `use change(${path}) or avg(${path})` }
  }
  if (kind === 'timer' && ['rate', 'last', 'change'].includes(name)) {
    return { message: `${called} of a timer has no meaning`, help: `use p90(${path}), avg(…), max(…) or count(…)` }
  }
  return undefined
}

/** Why the bare name of a series has no value. */
export function refuseValue(kind: SeriesKind | undefined, path: string): Refusal | undefined {
  if (kind === 'timer') {
    return { message: 'a timer is many values; say which figure is meant', help: `p90(${path}), avg(…), max(…)` }
  }
  if (kind === 'counter') {
    return { message: 'an ever-growing counter says nothing by itself', help: `use rate(${path})` }
  }
  return undefined
}
