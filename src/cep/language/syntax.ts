/**
 * Syntax: sentences as trees, with the range of every part in the text it was written in. Nothing is resolved here.
 */
import type { PathPattern } from '../../model/path.ts'

/** Offsets into the sentence, end exclusive. */
export interface Range {
  start: number
  end: number
}

export type Comparator = '>' | '<' | '>=' | '<=' | '=' | '!='
export const stateWords = ['ok', 'warn', 'crit', 'unknown', 'missing', 'firing'] as const
export type StateWord = (typeof stateWords)[number]

export type Expression = Range &
  (
    | { kind: 'number'; value: number; unit: string; per: '' | 's' | 'm' | 'h' }
    | { kind: 'string'; text: string }
    | { kind: 'name'; name: string }
    | Selector
    | Call
    | { kind: 'negate'; of: Expression }
    | { kind: 'arithmetic'; operator: '+' | '-' | '*' | '/'; left: Expression; right: Expression }
    | { kind: 'ago'; of: Expression; agoMs: number; durationRange: Range }
    | { kind: 'compare'; operator: Comparator; left: Expression; right: Expression }
    | { kind: 'is'; of: Expression; not: boolean; atLeast: boolean; state: StateWord }
    | { kind: 'and' | 'or'; left: Expression; right: Expression }
    | { kind: 'not'; of: Expression }
    | { kind: 'silence'; of: Selector; forMs: number }
    | Quantifier
    | Sequence
  )

export type Selector = Range & { kind: 'selector'; pattern: PathPattern; text: string }

export type Call = Range & {
  kind: 'call'
  function: string
  /** 0 < percent ≤ 100 where the function is pNN, which is then called `p`. */
  percent: number
  arguments: readonly Expression[]
  named: readonly (Range & { name: string; value: Expression })[]
  overMs: number | undefined
  by: readonly string[] | undefined
}

export type Quantifier = Range & {
  kind: 'quantifier'
  word: 'at least' | 'at most' | 'any' | 'all'
  amount: number
  isShare: boolean
  dimension: string
  with: Expression
}

export interface SequenceStep {
  no: boolean
  of: Expression
  withinMs: number
}

export type Sequence = Range & {
  kind: 'sequence'
  first: Expression
  steps: readonly SequenceStep[]
  without: Expression | undefined
}

export type Hold =
  | { kind: 'for'; durationMs: number }
  | { kind: 'row'; count: number }
  | { kind: 'of'; count: number; size: number }

export interface LevelSentence {
  text: string
  condition: Expression
  hold: Hold | undefined
  /** A condition, or a comparator and right side that repeat the condition's left side. */
  until:
    | { kind: 'condition'; of: Expression }
    | (Range & { kind: 'repeat'; operator: Comparator; right: Expression })
    | undefined
  keepMs: number | undefined
}

/** What is wrong with a sentence, at offsets of its text. */
export class SentenceError extends Error {
  readonly range: Range
  readonly help: string | undefined
  constructor(message: string, range: Range, help?: string) {
    super(message)
    this.range = range
    this.help = help
  }
}
