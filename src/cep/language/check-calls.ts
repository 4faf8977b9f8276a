import { unitOfEntry } from './catalogue.ts'
import { captured, plainNumber, type Typed } from './check-base.ts'
import { ValueChecker } from './check-values.ts'
import { refuseFold } from './kinds.ts'
import type { Call, Expression, Selector } from './syntax.ts'
import type { LeafFold, Node, PoolFunction } from './tree.ts'
import {
  convert,
  countUnit,
  divideUnits,
  millisecondUnit,
  noUnit,
  secondUnit,
  type Unit,
  unitOf,
  unknownUnit,
} from './units.ts'
import type { LocatedText } from './yaml-rules.ts'

const seasonsWord = 'vs=1h (the hour before) or season=1w (the same time in earlier weeks)'

export abstract class CallChecker extends ValueChecker {
  protected call(expression: Call): Typed {
    const { function: name } = expression
    if (name === 'abs') return this.abs(expression)
    if (name === 'since' || name === 'distinct') return this.ofEvents(expression)
    if (name === 'unusual' || name === 'expected') return this.unusual(expression)
    if (name === 'forecast') return this.forecast(expression)
    return this.pool(expression)
  }

  protected abs(expression: Call): Typed {
    const of = this.operand(this.onlyArgument(expression))
    return { ...of, literal: undefined, node: { op: 'abs', of: of.node } }
  }

  protected onlyArgument(expression: Call, count = 1): Expression {
    const stray = expression.named[0]
    const unnamed = expression.arguments.find((argument) => argument.kind === 'compare' && argument.operator === '=')
    if (expression.arguments.length > count && unnamed?.kind === 'compare' && unnamed.left.kind === 'name') {
      const message = `there is no named argument "${unnamed.left.name}"`
      this.fail('syntax', unnamed, message, 'named arguments are vs, season, floor, from and ahead')
    }
    if (expression.arguments.length !== count) {
      const wanted = count === 1 ? 'one value' : `${count} values`
      this.fail('syntax', expression, `${called(expression)} takes ${wanted} in its parentheses`)
    }
    if (stray && !['unusual', 'expected', 'forecast'].includes(expression.function)) {
      this.fail('syntax', stray, `${called(expression)} has no "${stray.name}"`)
    }
    return expression.arguments[0] as Expression
  }

  /** since(event:…), distinct(event:…, "tag") over D. */
  protected ofEvents(expression: Call): Typed {
    const isDistinct = expression.function === 'distinct'
    const selector = this.throughLets(this.onlyArgument(expression, isDistinct ? 2 : 1))
    if (selector.expression.kind !== 'selector' || selector.expression.pattern.prefix !== 'event') {
      return this.fail('kind', expression, `${called(expression)} works on events`, `${expression.function}(event:…)`)
    }
    const tag = expression.arguments[1]
    if (isDistinct && tag?.kind !== 'string')
      this.fail(
        'syntax',
        expression,
        'distinct() needs the tag whose values are counted',
        'distinct(event:login_failed, "ip")',
      )
    const by = this.by(expression, selector.expression.pattern.holes)
    const leaf = this.leaf(selector.expression, isDistinct ? 'distinct' : 'since', {
      overMs: expression.overMs ?? 0,
      names: by,
      tag: tag?.kind === 'string' ? tag.text : '',
    })
    const unit = isDistinct ? countUnit : millisecondUnit
    return {
      ...plainNumber,
      type: 'number',
      unit,
      names: by,
      overMs: expression.overMs ?? 0,
      node: { op: 'leaf', leaf },
    }
  }

  protected pool(expression: Call): Typed {
    const { function: name, overMs = 0 } = expression
    if (name === 'p' && !(expression.percent > 0 && expression.percent <= 100)) {
      this.fail('syntax', expression, 'a percentile is above 0 and at most 100', 'p50, p90, p99, p99.9')
    }
    const { expression: argument, where } = this.throughLets(this.onlyArgument(expression))
    if (argument.kind === 'selector') return this.poolSelector(expression, argument)
    const of = this.expression(where, argument)
    const isCondition = of.type === 'condition'
    if (isCondition ? name !== 'count' && name !== 'share' : name === 'share') {
      this.fail(
        'kind',
        expression,
        isCondition ? `${called(expression)} needs numbers, not a condition` : 'share() needs a condition',
        'count(…) and share(…) take conditions',
      )
    }
    if (!isCondition) this.needNumber(of, argument)
    if (name === 'change') this.step(expression, 'change')
    const names = this.by(expression, of.names)
    const node: Node = {
      op: 'pool',
      function: name as PoolFunction,
      percent: expression.percent,
      overMs,
      names,
      innerNames: of.names,
      isCondition,
      of: of.node,
    }
    return {
      ...plainNumber,
      type: 'number',
      ...poolUnit(name, of.unit, of.isPercent),
      names,
      overMs: Math.max(overMs, of.overMs),
      node,
    }
  }

  protected poolSelector(expression: Call, selector: Selector): Typed {
    const { function: name, overMs = 0, percent } = expression
    const { pattern, text } = selector
    const names = this.by(expression, pattern.holes)
    if (pattern.prefix === 'event') {
      if (name !== 'count' && name !== 'rate')
        this.fail('kind', expression, `${called(expression)} of events has no meaning`, `count(${text}) over 10m`)
    } else if (pattern.prefix === 'check' || pattern.prefix === 'rule' || pattern.prefix === 'source') {
      this.fail(
        'kind',
        expression,
        `${called(expression)} needs numbers, and ${text} has states`,
        `count(${text} is not ok)`,
      )
    }
    if (name === 'share') {
      this.fail('kind', expression, 'share() needs a condition', 'count(…) and share(…) take conditions')
    }
    const assumed = name === 'sum' || name === 'rate' ? 'count' : 'gauge'
    const entry = pattern.prefix === 'event' ? undefined : this.entry(selector, assumed)
    const refused = refuseFold(name, percent, entry?.kind, text)
    if (refused) this.fail('kind', expression, refused.message, refused.help)
    const isMany = pattern.lumps || names.length < pattern.holes.length
    if (isMany && (name === 'last' || name === 'change')) {
      this.fail(
        'many',
        expression,
        `this matches many series; ${name}() needs one`,
        `name the part you want kept: {host}`,
      )
    }
    if (overMs === 0 && (entry?.kind === 'count' || entry?.kind === 'set'))
      this.step(expression, 'an aggregate of counts without "over"')
    if (name === 'change') this.step(expression, 'change')
    const leaf = this.leaf(selector, name as LeafFold, { overMs, names, percent })
    const unit = pattern.prefix === 'event' ? countUnit : unitOfEntry(entry)
    return { ...plainNumber, type: 'number', ...poolUnit(name, unit, false), names, overMs, node: { op: 'leaf', leaf } }
  }

  protected unusual(expression: Call): Typed {
    const of = this.operand(this.onlyArgument(expression))
    const vs = this.namedDuration(expression, 'vs')
    const season = this.namedDuration(expression, 'season')
    const wantsDeviations = expression.function === 'unusual'
    this.onlyNamed(expression, wantsDeviations ? ['vs', 'season', 'floor'] : ['vs', 'season'])
    if ((vs === undefined) === (season === undefined)) {
      this.fail('syntax', expression, `${called(expression)} needs ${seasonsWord}`)
    }
    const floor = expression.named.find(({ name }) => name === 'floor')
    let floorValue = 0
    if (floor) {
      const typed = this.operand(floor.value)
      if (typed.node.op !== 'constant') this.fail('syntax', floor, 'floor must be a number')
      const [, aligned] = this.aligned(
        of,
        typed,
        { ...expression, kind: 'compare', operator: '>', left: floor.value, right: floor.value },
        'compare',
      )
      floorValue = aligned.node.op === 'constant' ? aligned.node.value : 0
    }
    this.step(expression, 'unusual')
    const lengthMs = (vs ?? season) as number
    const node: Node = {
      op: 'unusual',
      of: of.node,
      mode: vs === undefined ? 'season' : 'vs',
      lengthMs,
      floor: floorValue,
      wants: wantsDeviations ? 'deviations' : 'expected',
    }
    return wantsDeviations
      ? { ...of, literal: undefined, unit: noUnit, isPercent: false, node }
      : { ...of, literal: undefined, node }
  }

  protected forecast(expression: Call): Typed {
    const of = this.operand(this.onlyArgument(expression))
    this.onlyNamed(expression, ['from', 'ahead'])
    const fromMs = this.namedDuration(expression, 'from')
    const aheadMs = this.namedDuration(expression, 'ahead')
    if (fromMs === undefined || aheadMs === undefined) {
      return this.fail('syntax', expression, 'forecast() needs from= and ahead=', 'forecast(x, from=6h, ahead=1d)')
    }
    return { ...of, literal: undefined, node: { op: 'forecast', of: of.node, fromMs, aheadMs } }
  }

  protected onlyNamed(expression: Call, allowed: readonly string[]): void {
    const stray = expression.named.find(({ name }) => !allowed.includes(name))
    if (stray)
      this.fail('syntax', stray, `${called(expression)} has no "${stray.name}"`, `it takes ${allowed.join(', ')}`)
    if (expression.overMs !== undefined || expression.by)
      this.fail('syntax', expression, `${called(expression)} takes neither "over" nor "by"`)
  }

  protected namedDuration(expression: Call, name: string): number | undefined {
    const found = expression.named.find((argument) => argument.name === name)
    if (!found) return undefined
    const { value } = found
    if (value.kind !== 'number' || unitOf(value.unit).time !== 1 || value.per !== '' || value.value <= 0) {
      this.fail('syntax', found, `${name} must be a duration, such as ${name}=1h`)
    }
    const literal = value as Extract<Expression, { kind: 'number' }>
    return convert(literal.value, unitOf(literal.unit), millisecondUnit)
  }

  /** A let that stands for a bare selector is that selector, so that it can be pooled. */
  protected throughLets(expression: Expression): { expression: Expression; where: LocatedText } {
    let found = expression
    let where = this.where
    for (let through = 0; found.kind === 'name' && through < 100; through++) {
      const source = this.lets.get(found.name)
      if (source?.expression?.kind !== 'selector' && source?.expression?.kind !== 'name') break
      found = source.expression
      where = source.where
    }
    return found.kind === 'selector' ? { expression: found, where } : { expression, where: this.where }
  }

  protected by(expression: Call, inner: readonly string[]): readonly string[] {
    if (!expression.by) return inner
    for (const name of expression.by) {
      if (!inner.includes(name))
        this.fail('group', expression, `{${name}} is not captured inside this call`, captured(inner))
    }
    return inner.filter((name) => expression.by?.includes(name))
  }
}

function poolUnit(name: string, unit: Unit, isPercent: boolean): { unit: Unit; isPercent: boolean } {
  if (name === 'count') return { unit: countUnit, isPercent: false }
  if (name === 'share') return { unit: noUnit, isPercent: true }
  if (name !== 'rate') return { unit, isPercent }
  const perSecond = divideUnits(unit.isUnknown ? { ...unknownUnit, isUnknown: false } : unit, secondUnit)
  return { unit: { ...perSecond, isUnknown: unit.isUnknown }, isPercent: false }
}

function called(expression: Call): string {
  return expression.function === 'p' ? `p${expression.percent}()` : `${expression.function}()`
}
