/**
 * Target: what one line family of a graph shows, as written in dashboards/*.yaml and in `/api/series?target=…`.
 *
 *     rate(browserid.{process}.response.5*)
 *     |    path: a hole keeps series apart and names the line, a star lumps them
 *     how series of one line are pooled: sum avg min max rate, or a percentile such as p90 or p99.9
 */
import { type PathPattern, parsePath } from '../model/path.ts'
import { err, ok, type Result } from '../model/result.ts'

export type Pool = 'sum' | 'avg' | 'min' | 'max' | 'rate' | 'percentile'

export interface Target {
  text: string
  /** As written: `rate`, `p90`. */
  how: string
  pool: Pool
  /** Of a percentile, 0 < percent ≤ 100. */
  percent: number
  path: PathPattern
}

const pools: readonly string[] = ['sum', 'avg', 'min', 'max', 'rate']
const example = 'such as rate(browserid.{process}.response.5*)'
export const targetLengthMax = 500

/** Never throws; the error is one clause that says what was expected. */
export function parseTarget(text: string): Result<Target, string> {
  if (text.length > targetLengthMax) return err(`a target of ${text.length} characters; at most ${targetLengthMax}`)
  const match = /^\s*([a-z][a-z0-9.]*)\s*\((.*)\)\s*$/s.exec(text)
  if (!match) return err(`expected a function around a path, ${example}, got "${text}"`)
  const [, how = '', inner = ''] = match
  const percent = /^p\d{1,2}(\.\d+)?$/.test(how) ? Number(how.slice(1)) : 0
  if (!pools.includes(how) && percent <= 0) {
    return err(`there is no function "${how}"; there are ${pools.join(', ')} and percentiles such as p90`)
  }
  const path = parsePath(inner.trim())
  if (!path.ok) return err(`${path.error.message} (column ${text.indexOf(inner) + path.error.column})`)
  if (['event', 'rule', 'source'].includes(path.value.prefix)) {
    return err(`"${path.value.prefix}:" has no numbers to draw; a graph shows metrics, aws: and check:`)
  }
  return ok({ text, how, pool: percent > 0 ? 'percentile' : (how as Pool), percent, path: path.value })
}
