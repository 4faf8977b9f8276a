/**
 * Trace: what every expression of a rule means, for tools that show its values one by one. An engine needs none of it.
 */
import type { Typed } from './check.ts'
import { RuleChecker } from './check.ts'
import type { RawRule } from './rule-file.ts'
import type { Expression, LevelSentence, Selector } from './syntax.ts'
import type { LocatedText } from './yaml-rules.ts'

/** An expression and the text that its offsets count in. */
export interface TracedText {
  where: LocatedText
  text: string
  expression: Expression
}

export interface RuleTrace {
  typed: ReadonlyMap<Expression, Typed>
  levels: readonly { level: 'warn' | 'crit'; where: LocatedText; sentence: LevelSentence }[]
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
  for (const [name, { where, expression }] of raw.lets)
    if (expression) lets.set(name, { where, text: where.text, expression })
  const hide = raw.hide && { where: raw.hide.where, text: raw.hide.where.text, expression: raw.hide.expression }
  return { typed: checker.traced, levels, lets, hide }
}

/** Every selector of a rule, with the text it stands in. */
export function selectorsOf({ levels, lets, hide }: RuleTrace): { where: LocatedText; selector: Selector }[] {
  const found: { where: LocatedText; selector: Selector }[] = []
  const visit = (where: LocatedText, part: unknown): void => {
    if (Array.isArray(part)) for (const one of part) visit(where, one)
    else if (typeof part === 'object' && part !== null) {
      if ('kind' in part && part.kind === 'selector') found.push({ where, selector: part as Selector })
      else for (const inner of Object.values(part)) visit(where, inner)
    }
  }
  for (const { where, sentence } of levels) visit(where, [sentence.condition, sentence.until])
  for (const { where, expression } of lets.values()) visit(where, expression)
  if (hide) visit(hide.where, hide.expression)
  return found
}
