import { captured, described, plainNumber, type Typed } from './check-base.ts'
import { CallChecker } from './check-calls.ts'
import { type Expression, type LevelSentence, type Quantifier, type Sequence, stateWords } from './syntax.ts'
import { type ComparisonTree, stateCodes } from './tree.ts'
import type { LocatedText } from './yaml-rules.ts'

export { AlreadyReported, CheckError, type LetSource, type Surroundings, type Typed } from './check-base.ts'

export class RuleChecker extends CallChecker {
  /** The condition of a level; a sequence and an event are instants and need `keep` or `until`. */
  level(where: LocatedText, sentence: LevelSentence): { condition: Typed; until: Typed | undefined } {
    this.where = where
    const [condition, until] = this.both(
      () => this.levelCondition(sentence),
      () => this.inUntil(sentence),
    )
    if (until && sentence.until?.kind === 'condition') this.mergeNames(condition, until, sentence.until.of)
    this.noteHold(sentence)
    return { condition, until }
  }

  protected inUntil(sentence: LevelSentence): Typed | undefined {
    this.isInUntil = true
    try {
      return this.until(sentence)
    } finally {
      this.isInUntil = false
    }
  }

  protected levelCondition(sentence: LevelSentence): Typed {
    const condition = this.check(sentence.condition)
    if (condition.type === 'moment' && sentence.keepMs === undefined && sentence.until === undefined) {
      this.fail(
        'syntax',
        sentence.condition,
        'this is an instant; say how long it stays on',
        'add ", keep 10m" or ", until …"',
      )
    }
    if (condition.type === 'moment' && sentence.hold) {
      this.fail('syntax', sentence.condition, 'this is an instant and cannot last; leave out "for"')
    }
    if (condition.type !== 'moment') this.condition(condition, sentence.condition)
    return condition
  }

  hide(where: LocatedText, expression: Expression): Typed {
    this.isInHide = true
    const typed = this.expression(where, expression)
    this.isInHide = false
    this.where = where
    this.condition(typed, expression)
    return typed
  }

  protected noteHold({ hold, condition }: LevelSentence): void {
    if (hold?.kind === 'row') this.step(condition, 'in a row')
    if (hold?.kind === 'of') this.step(condition, `${hold.count} of ${hold.size}`)
  }

  protected until(sentence: LevelSentence): Typed | undefined {
    const { until } = sentence
    if (!until) return undefined
    if (until.kind === 'condition') {
      const typed = this.check(until.of)
      if (typed.type !== 'moment') this.condition(typed, until.of)
      return typed
    }
    let left = sentence.condition
    for (let through = 0; left.kind === 'name' && through < 100; through++) {
      const source = this.lets.get(left.name)
      if (source?.expression?.kind !== 'compare') break
      left = { ...source.expression, ...{ start: left.start, end: left.end } }
    }
    if (left.kind !== 'compare') {
      this.fail(
        'syntax',
        until,
        `"until ${until.operator}" repeats the left side of a single comparison, and there is none`,
        'write the whole condition after "until"',
      )
    }
    return this.compare({ ...until, kind: 'compare', left: (left as { left: Expression }).left })
  }

  protected check(expression: Expression): Typed {
    switch (expression.kind) {
      case 'number':
        return this.number(expression)
      case 'string':
        return this.fail('kind', expression, 'a text has no value here')
      case 'name':
        return this.name(expression)
      case 'selector':
        return this.selector(expression)
      case 'call':
        return this.call(expression)
      case 'negate':
      case 'not':
        return this.single(expression)
      case 'arithmetic':
        return this.arithmetic(expression)
      case 'ago':
        return this.ago(expression)
      case 'compare':
        return this.compare(expression)
      case 'is':
        return this.is(expression)
      case 'and':
      case 'or':
        return this.logical(expression)
      case 'silence':
        return this.silence(expression)
      case 'quantifier':
        return this.quantifier(expression)
      case 'sequence':
        return this.sequence(expression)
    }
  }

  protected compare(expression: Extract<Expression, { kind: 'compare' }>): Typed {
    this.refuseStates(expression)
    const written = this.both(
      () => this.operand(expression.left),
      () => this.operand(expression.right),
    )
    const names = this.mergeNames(written[0], written[1], expression)
    this.noteSmallSum(expression)
    const [left, right] = this.aligned(written[0], written[1], expression, 'compare')
    const text = { left: this.textOf(expression.left), right: this.textOf(expression.right) }
    const comparison: ComparisonTree = {
      expression: text.left,
      operator: expression.operator,
      left: { text: text.left, node: left.node, unit: left.unit, isPercent: left.isPercent || right.isPercent },
      right: { text: text.right, node: right.node, unit: right.unit, isPercent: left.isPercent || right.isPercent },
      unit: written[1].literal?.unit ?? written[0].literal?.unit ?? '',
      overMs: Math.max(left.overMs, right.overMs),
    }
    return {
      ...plainNumber,
      type: 'condition',
      names,
      overMs: comparison.overMs,
      comparisons: [comparison],
      node: { op: 'compare', operator: expression.operator, left: left.node, right: right.node },
    }
  }

  /** `check:web = crit`: states are no numbers. */
  protected refuseStates({ operator, left, right, ...range }: Extract<Expression, { kind: 'compare' }>): void {
    const state = [left, right].find((side) => side.kind === 'name' && isState(side.name) && !this.lets.has(side.name))
    if (state?.kind !== 'name') return
    const help = `write is ${operator === '!=' ? 'not ' : ''}${state.name}`
    this.fail('kind', range, 'states are compared with "is"', help)
  }

  /** A sum is small while its window fills, which a rate is not; nothing is cleared while it does. */
  protected noteSmallSum(expression: Extract<Expression, { kind: 'compare' }>): void {
    if (this.isInUntil) return
    const isBelow = expression.operator.startsWith('<')
    const isAbove = expression.operator.startsWith('>')
    const summed = this.letExpression(isBelow ? expression.left : expression.right)
    if (!(isBelow || isAbove) || summed.kind !== 'call' || summed.function !== 'sum' || summed.overMs === undefined)
      return
    const message = 'a sum is small while its window fills; this may hold too early'
    this.surroundings.warn(this.where, expression, 'lint', message, 'compare a rate: rate(…) over the same time')
  }

  /** The expression for which a let stands. */
  protected letExpression(expression: Expression): Expression {
    let found = expression
    for (let through = 0; found.kind === 'name' && through < 100; through++) {
      const source = this.lets.get(found.name)?.expression
      if (!source) break
      found = source
    }
    return found
  }

  protected is(expression: Extract<Expression, { kind: 'is' }>): Typed {
    const of = this.check(expression.of)
    if (of.type !== 'state' || of.node.op !== 'leaf') {
      this.fail('kind', expression.of, `${described(of)} has no state`, 'check:…, rule:… and source:… have states')
    }
    const states = statesOf(expression.state, expression.atLeast)
    const early = this.isInHide && expression.state === 'firing'
    const leaf = (of.node as { leaf: number }).leaf
    return { ...of, type: 'condition', node: { op: 'is', leaf, states, not: expression.not, early } }
  }

  protected logical(expression: Extract<Expression, { kind: 'and' | 'or' }>): Typed {
    const [left, right] = this.both(
      () => this.truth(expression.left),
      () => this.truth(expression.right),
    )
    return {
      ...plainNumber,
      type: 'condition',
      names: this.mergeNames(left, right, expression),
      overMs: Math.max(left.overMs, right.overMs),
      comparisons: [...left.comparisons, ...right.comparisons],
      node: { op: expression.kind, left: left.node, right: right.node },
    }
  }

  protected truth(expression: Expression): Typed {
    const typed = this.check(expression)
    this.condition(typed, expression)
    return typed
  }

  protected silence(expression: Extract<Expression, { kind: 'silence' }>): Typed {
    const { of, forMs } = expression
    if (of.pattern.prefix === 'rule' || of.pattern.prefix === 'source') {
      this.fail('kind', of, '"no … for" waits for points of metrics, checks and events')
    }
    const leaf = this.leaf(of, 'silence', { overMs: forMs })
    return { ...plainNumber, type: 'condition', names: of.pattern.holes, node: { op: 'leaf', leaf } }
  }

  protected quantifier(expression: Quantifier): Typed {
    const of = this.check(expression.with)
    this.condition(of, expression.with)
    const { dimension, word, amount, isShare } = expression
    if (isShare && amount > 100) this.fail('syntax', expression, `${amount}% of them can never be`)
    if (!of.names.includes(dimension)) {
      this.fail('group', expression, `{${dimension}} is not captured inside this condition`, captured(of.names))
    }
    const names = of.names.filter((name) => name !== dimension)
    return {
      ...plainNumber,
      type: 'condition',
      names,
      node: { op: 'quantifier', word, amount, isShare, names, innerNames: of.names, of: of.node },
    }
  }

  protected sequence(expression: Sequence): Typed {
    const first = this.moment(expression.first)
    let names = first.names
    const steps = expression.steps.map(({ no, of, withinMs }) => {
      const step = this.moment(of)
      names = this.mergeNames({ ...first, names }, step, of)
      return { no, of: step.node, withinMs }
    })
    const without = expression.without && this.moment(expression.without)
    if (without) names = this.mergeNames({ ...first, names }, without, expression.without as Expression)
    const comparisons = first.comparisons
    return {
      ...plainNumber,
      type: 'moment',
      names,
      comparisons,
      node: { op: 'sequence', first: first.node, steps, without: without?.node },
    }
  }

  /** A step of a sequence: an event, or a condition, which means its onset. */
  protected moment(expression: Expression): Typed {
    const typed = this.check(expression)
    if (typed.type !== 'moment') this.condition(typed, expression)
    return typed
  }
}

function isState(name: string): boolean {
  return stateWords.some((word) => word === name)
}

function statesOf(state: string, atLeast: boolean): readonly number[] {
  if (state === 'firing') return [stateCodes.warn, stateCodes.crit]
  const code = stateCodes[state as keyof typeof stateCodes]
  if (!atLeast) return [code]
  return code <= stateCodes.crit ? [0, 1, 2].filter((other) => other >= code) : [3, 4].filter((other) => other >= code)
}
