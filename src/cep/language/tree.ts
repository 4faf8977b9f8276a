/**
 * Tree: a checked rule as plain data, which is what the engine computes. Names are resolved, units converted, lets put in
 * place. Two rules with equal trees mean the same, so an engine keeps the state of a rule whose tree has not changed.
 */
import type { Unit } from './units.ts'

/** How a series behaves, rule-language.md §5. */
export type SeriesKind = 'count' | 'gauge' | 'counter' | 'timer' | 'set' | 'percentile' | 'check'

export type PoolFunction =
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'stddev'
  | 'last'
  | 'change'
  | 'count'
  | 'rate'
  | 'share'
  | 'p'

/** What is taken from the series that fall in a group. */
export type LeafFold = PoolFunction | 'value' | 'state' | 'silence' | 'since' | 'distinct' | 'event'

/** States as numbers; `missing` is a state of its own and not the absence of an answer. */
export const stateCodes = { ok: 0, warn: 1, crit: 2, unknown: 3, missing: 4 } as const

export interface Leaf {
  /** `overflow` and `stopped` are the engine's own: rules with too many groups, and rules that failed. */
  source: 'metric' | 'event' | 'check' | 'rule' | 'source' | 'overflow' | 'stopped'
  /** The path as written. */
  path: string
  /** Kept names in the order of the path, after `by`. */
  names: readonly string[]
  fold: LeafFold
  percent: number
  /** 0 means one tick; for `silence` how long nothing must come. */
  overMs: number
  /** True where the selector itself stands for one series per group. */
  isSingle: boolean
  /** The catalogue's word; undefined for undeclared metrics, whose kind the bus tells. */
  kind: SeriesKind | undefined
  /** Counts under sum and rate before any series told its kind. */
  assumedKind: SeriesKind
  /** The catalogue's step. */
  valueStepMs: number | undefined
  /** For distinct(). */
  tag: string
  /** For rules: own kept name → its name in the other rule, and the fact through which it is found. */
  links: readonly { theirs: string; ours: string; fact: string; equals: string }[]
}

export type Node =
  | { op: 'constant'; value: number }
  | { op: 'leaf'; leaf: number }
  | { op: 'is'; leaf: number; states: readonly number[]; not: boolean; early: boolean }
  | { op: 'arithmetic'; operator: '+' | '-' | '*' | '/'; left: Node; right: Node }
  | { op: 'scale'; of: Node; numerator: number; denominator: number }
  | { op: 'negate' | 'abs' | 'not'; of: Node }
  | { op: 'and' | 'or'; left: Node; right: Node }
  | { op: 'compare'; operator: '>' | '<' | '>=' | '<=' | '=' | '!='; left: Node; right: Node }
  | {
      op: 'pool'
      function: PoolFunction
      percent: number
      overMs: number
      names: readonly string[]
      innerNames: readonly string[]
      isCondition: boolean
      of: Node
    }
  | {
      op: 'quantifier'
      word: 'at least' | 'at most' | 'any' | 'all'
      amount: number
      isShare: boolean
      names: readonly string[]
      innerNames: readonly string[]
      of: Node
    }
  | { op: 'ago'; of: Node; agoMs: number }
  | {
      op: 'unusual'
      of: Node
      mode: 'vs' | 'season'
      lengthMs: number
      floor: number
      wants: 'deviations' | 'expected'
    }
  | { op: 'forecast'; of: Node; fromMs: number; aheadMs: number }
  | {
      op: 'sequence'
      first: Node
      steps: readonly { no: boolean; of: Node; withinMs: number }[]
      without: Node | undefined
    }

/** The expressions of which one is made. */
export function partsOf(node: Node): readonly Node[] {
  if ('left' in node) return [node.left, node.right]
  if (node.op === 'sequence') {
    return [node.first, ...node.steps.map(({ of }) => of), ...(node.without ? [node.without] : [])]
  }
  return 'of' in node ? [node.of] : []
}

export type HoldTree =
  | { kind: 'for'; durationMs: number }
  | { kind: 'row'; count: number }
  | { kind: 'of'; count: number; size: number }

export interface LevelTree {
  level: 'warn' | 'crit'
  condition: Node
  hold: HoldTree
  until: Node | undefined
  keepMs: number
}

/** A value that people read: its text as written, its tree and its unit. */
export interface Shown {
  text: string
  node: Node
  unit: Unit
  isPercent: boolean
}

/** The first comparison of a level, for graphs. */
export interface ComparisonTree {
  expression: string
  operator: string
  left: Shown
  right: Shown
  /** Unit as written with the literal, '' for none. */
  unit: string
  overMs: number
}

export type SayPart = string | { name: string; fact: string; values: Readonly<Record<string, string>> } | Shown

export interface RuleTree {
  names: readonly string[]
  leaves: readonly Leaf[]
  levels: readonly LevelTree[]
  hide: Node | undefined
  settleMs: number
  everyMs: number | undefined
  ifMissing: 'hold' | 'ok' | 'warn' | 'crit'
  known: { name: string; groups: readonly (readonly string[])[] } | undefined
  groupsMax: number
  forgetMs: number
  /** The facts that the rule's links need. */
  facts: Readonly<Record<string, Readonly<Record<string, string>>>>
}
