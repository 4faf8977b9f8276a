/**
 * Load: rule files to checked rules. All problems of all files come at once; nothing is thrown.
 */
import type { RuleProblem } from './problems.ts'

export { formatRuleProblem, type RuleProblem } from './problems.ts'

export interface RuleFile {
  path: string
  text: string
}

/** How a series behaves, rule-language.md §5. */
export type SeriesKind = 'count' | 'gauge' | 'counter' | 'timer' | 'set' | 'percentile' | 'check'

/** A test as written, located; the harness turns it into messages and compares timelines. */
export interface RawTest {
  file: string
  /** Of the test's first key. */
  line: number
  /** The rule it stands in; undefined for a test over several rules. */
  rule: string | undefined
  name: string
  stepMs?: number
  runMs?: number
  given: readonly (readonly [path: string, values: string | number])[]
  events: readonly (readonly [at: string, event: string])[]
  /** A timeline per group, or per rule and group where the test stands at the end of the file. */
  expect: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

/** A rule that was read, resolved and checked. */
export interface CheckedRule {
  name: string
  file: string
  line: number
  /** `every`; undefined means the engine's default step. */
  everyMs: number | undefined
  /** Kept names in the order of the group key. */
  names: readonly string[]
  /** Sentences as written. */
  levels: { warn?: string; crit?: string }
  say?: string
  runbook?: string
  tags: Readonly<Record<string, string>>
}

export interface LoadedRules {
  rules: readonly CheckedRule[]
  /** Errors; with any of them the files are refused as a whole. */
  problems: readonly RuleProblem[]
  warnings: readonly RuleProblem[]
  tests: readonly RawTest[]
}

export interface LoadOptions {
  /** Warnings that depend on strictness become errors: an undeclared metric, a step that is not said. */
  strict?: boolean
}

export function loadRules(_files: readonly RuleFile[], _options: LoadOptions = {}): LoadedRules {
  return { rules: [], problems: [], warnings: [], tests: [] }
}

/** The kind a series has in a test: the catalogue's, else a count where a rule sums or rates it, else a gauge. */
export function kindInTests(_loaded: LoadedRules, _seriesName: string): SeriesKind {
  return 'gauge'
}

/**
 * A number as written in a test (`4GiB`, `1.5s`, `3`), in the unit that the series' data have; undefined when it is none.
 */
export function valueInUnit(_loaded: LoadedRules, _seriesName: string, text: string): number | undefined {
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}
