/**
 * Load: rule files to checked rules. All problems of all files come at once; nothing is thrown.
 */
import { literalName, matchPath, parsePath } from '../../model/path.ts'
import { reportBudget } from './budget.ts'
import { type Catalogue, entryOfSeries, unitOfEntry } from './catalogue.ts'
import { parseExpression } from './parse.ts'
import type { RuleProblem } from './problems.ts'
import { Resolver } from './resolve.ts'
import { type Facts, readRuleFile } from './rule-file.ts'
import type { RuleTrace } from './trace.ts'
import type { ComparisonTree, RuleTree, SayPart, SeriesKind, Shown } from './tree.ts'
import { convert, unitOf } from './units.ts'
import { SourceFile } from './yaml-rules.ts'

export { formatRuleProblem, type RuleProblem } from './problems.ts'
export type { SeriesKind } from './tree.ts'

export interface RuleFile {
  path: string
  text: string
}

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
  /** Sentences as written; an slo's as expanded. */
  levels: { warn?: string; crit?: string }
  /** The objective from which levels were expanded. */
  slo?: { bad: string; all: string; target: string }
  /** The condition of "hide when", as written. */
  hide?: string
  say?: string
  runbook?: string
  remindMs?: number
  tags: Readonly<Record<string, string>>
  /** Other rules it refers to. */
  rulesUsed: readonly string[]
  tree: RuleTree
  /** Equal keys mean equal meaning: the engine then keeps the rule's state. */
  treeKey: string
  sayParts: readonly SayPart[]
  lets: readonly (Shown & { name: string })[]
  /** All lets as they are written. */
  letTexts: Readonly<Record<string, string>>
  /** By level, the comparisons in the rule's own scope. */
  comparisons: { warn?: readonly ComparisonTree[]; crit?: readonly ComparisonTree[] }
  trace?: RuleTrace
}

export interface LoadedRules {
  /** In an order in which every rule stands after those it refers to. */
  rules: readonly CheckedRule[]
  /** Errors; with any of them the files are refused as a whole. */
  problems: readonly RuleProblem[]
  warnings: readonly RuleProblem[]
  tests: readonly RawTest[]
  catalogue: Catalogue
  facts: Facts
}

export interface LoadOptions {
  /** Warnings that depend on strictness become errors: an undeclared metric, a step that is not said. */
  strict?: boolean
  /** Lints, such as a rule without tests. */
  lint?: boolean
  /** Each rule carries what its expressions mean, for tools that show them one by one. */
  trace?: boolean
  /** Bytes that the rules may need at worst; without it they are not asked. */
  memoryMax?: number | undefined
}

export function loadRules(files: readonly RuleFile[], options: LoadOptions = {}): LoadedRules {
  const sources = files.map(({ path, text }) => new SourceFile(path, text))
  const raws = sources.map(readRuleFile)
  const resolver = new Resolver(raws, options)
  const rules = resolver.rules()
  if (options.memoryMax !== undefined) reportBudget(rules, (name) => resolver.raw(name), options.memoryMax)
  const all = sources.flatMap((source) =>
    source.problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)),
  )
  return {
    rules,
    problems: all.filter(({ severity }) => severity === 'error'),
    warnings: all.filter(({ severity }) => severity === 'warning'),
    tests: raws.flatMap((raw) => [...raw.rules.flatMap((rule) => rule.tests), ...raw.tests]),
    catalogue: resolver.catalogue,
    facts: resolver.facts,
  }
}

/**
 * The kind a series has in a test: the catalogue's, else a count where a rule sums or rates it, a timer where one asks for
 * a percentile, else a gauge. `path` is as in the test or as on the bus.
 */
export function kindInTests(loaded: LoadedRules, path: string): SeriesKind {
  if (path.startsWith('check:')) return 'check'
  const name = busName(path)
  const entry = entryOfSeries(loaded.catalogue, false, name)
  if (entry) return entry.kind
  const folds = new Set<string>()
  for (const { tree } of loaded.rules) {
    for (const leaf of tree.leaves) if (leaf.source === 'metric' && matches(leaf.path, name)) folds.add(leaf.fold)
  }
  if (folds.has('sum') || folds.has('rate')) return 'count'
  return folds.has('p') ? 'timer' : 'gauge'
}

/** A number as written in a test (`4GiB`, `1.5s`, `3`), in the unit of the series' data; undefined when it is none. */
export function valueInUnit(loaded: LoadedRules, path: string, text: string): number | undefined {
  const value = literalOf(text)
  if (!value) return undefined
  if (value.unit === '' && value.per === '') return value.value
  const entry = entryOfSeries(loaded.catalogue, path.startsWith('check:'), busName(path))
  const [from, to] = [unitOf(value.unit, value.per), unitOfEntry(entry)]
  const fits = to.isUnknown || (from.time === to.time && from.data === to.data)
  return fits ? convert(value.value, from, to) : undefined
}

/** `path[tag=x]` or `metric:path` as the series is called on the bus. */
export function busName(path: string): string {
  const parsed = parsePath(path)
  if (!parsed.ok) return path
  const tags = parsed.value.tags.map(({ name, globs }) => `;${name}=${globs[0] ?? ''}`).sort()
  const bare = parsed.value.tags.length > 0 ? parsePath(path.slice(0, path.indexOf('['))) : parsed
  return (bare.ok ? (literalName(bare.value) ?? path) : path) + tags.join('')
}

function literalOf(text: string) {
  try {
    const value = parseExpression(text.trim())
    return value.kind === 'number' ? value : undefined
  } catch {
    return undefined
  }
}

function matches(path: string, name: string): boolean {
  const parsed = parsePath(path)
  return parsed.ok && matchPath(parsed.value, name) !== undefined
}
