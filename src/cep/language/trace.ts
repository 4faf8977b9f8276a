/**
 * Trace: what every expression of a rule means, for tools that show its values one by one. An engine needs none of it.
 */
import type { Typed } from './check.ts'
import { RuleChecker } from './check.ts'
import type { RawRule } from './rule-file.ts'
import type { Expression, LevelSentence } from './syntax.ts'

/** An expression and the text that its offsets count in. */
export interface TracedText {
  text: string
  expression: Expression
}

export interface RuleTrace {
  typed: ReadonlyMap<Expression, Typed>
  levels: readonly { level: 'warn' | 'crit'; sentence: LevelSentence }[]
  lets: ReadonlyMap<string, TracedText>
  hide: TracedText | undefined
}

/** Checks as always, and remembers what each expression became. */
export class TracingChecker extends RuleChecker {
  readonly traced = new Map<Expression, Typed>()

  protected override check(expression: Expression): Typed {
    const typed = super.check(expression)
    this.traced.set(expression, typed)
    return typed
  }
}

export function traceOf(raw: RawRule, checker: TracingChecker, levels: RuleTrace['levels']): RuleTrace {
  const lets = new Map<string, TracedText>()
  for (const [name, { where, expression }] of raw.lets) if (expression) lets.set(name, { text: where.text, expression })
  const hide = raw.hide && { text: raw.hide.where.text, expression: raw.hide.expression }
  return { typed: checker.traced, levels, lets, hide }
}
