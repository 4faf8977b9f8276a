/** Log entry: one entry of `ingest.logs`, ready to take lines. */
import type { LogConfig } from '../../runtime/config-logs.ts'
import { type Extract, extractor } from './format.ts'
import { LogPath } from './log-path.ts'
import { capturesOf, type Recipe, recipesOf } from './recipe.ts'

export interface LogEntry {
  path: LogPath
  from: LogConfig['from']
  /** For people. */
  format: string
  captures: readonly string[]
  extract: Extract
  recipes: readonly Recipe[]
}

export function logEntry(config: LogConfig): LogEntry {
  const captures = capturesOf(config)
  return {
    path: new LogPath(config.path),
    from: config.from,
    format: typeof config.format === 'string' ? config.format : 'regex',
    captures,
    extract: extractor(config.format, captures),
    recipes: recipesOf(config, captures),
  }
}
