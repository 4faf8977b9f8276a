import { suggest } from '../../runtime/problem.ts'
import { unitOfEntry } from './catalogue.ts'
import { braced, plainNumber, type Typed, unique } from './check-base.ts'
import { UnitChecker } from './check-units.ts'
import { refuseValue } from './kinds.ts'
import type { Expression, Range, Selector } from './syntax.ts'
import type { Node } from './tree.ts'
import { convert, divideUnits, isPlain, multiplyUnits, noUnit, unitOf } from './units.ts'

export abstract class ValueChecker extends UnitChecker {
  protected number(expression: Extract<Expression, { kind: 'number' }>): Typed {
    const { value, unit, per } = expression
    return {
      ...plainNumber,
      node: { op: 'constant', value },
      type: 'number',
      unit: unitOf(unit, per),
      isPercent: unit === '%',
      names: [],
      literal: { unit: unit + (per && `/${per}`), text: this.textOf(expression) },
    }
  }

  protected name(expression: Extract<Expression, { kind: 'name' }>): Typed {
    if (this.lets.has(expression.name)) return this.letValue(expression.name)
    const meant = suggest(expression.name, this.lets.keys())
    const help = meant
      ? `did you mean "${meant}"?`
      : `names come from "let"; a metric without dots is written metric:${expression.name}`
    return this.fail('name', expression, `nothing called "${expression.name}" is defined in this rule`, help)
  }

  protected selector(expression: Selector): Typed {
    const { pattern, text } = expression
    const common = { ...plainNumber, names: pattern.holes }
    if (pattern.prefix === 'rule') return this.rule(expression)
    if (pattern.prefix === 'event') {
      return { ...common, type: 'moment', node: { op: 'leaf', leaf: this.leaf(expression, 'event') } }
    }
    if (pattern.lumps) {
      const isState = pattern.prefix === 'check' || pattern.prefix === 'source'
      const help = isState
        ? 'name the part you want kept, such as {host}, and ask: any {host} with … is not ok'
        : `sum(${text}), avg(…), max(…) …, or name the part you want kept: {host}`
      this.fail('many', expression, 'this matches many series; say how to combine them', help)
    }
    if (pattern.prefix === 'check' || pattern.prefix === 'source') {
      return { ...common, type: 'state', node: { op: 'leaf', leaf: this.leaf(expression, 'state') } }
    }
    const entry = this.entry(expression, 'gauge')
    const refused = refuseValue(entry?.kind, text)
    if (refused) this.fail('kind', expression, refused.message, refused.help)
    if (entry?.kind === 'count') this.step(expression, 'a bare count')
    return {
      ...common,
      type: 'number',
      unit: unitOfEntry(entry),
      node: { op: 'leaf', leaf: this.leaf(expression, 'value') },
    }
  }

  protected rule(expression: Selector): Typed {
    const { pattern } = expression
    const target = pattern.segments
      .map((segment) =>
        'parts' in segment ? segment.parts.map((part) => ('text' in part ? part.text : '*')).join('') : '**',
      )
      .join('.')
    const theirs = this.surroundings.namesOfRule(target, this.where, expression)
    this.rulesUsed.add(target)
    const links = pattern.tags.map((tag) => {
      if (!theirs.includes(tag.name)) {
        this.fail('group', expression, `rule:${target} is not per {${tag.name}}`, `it is per ${braced(theirs)}`)
      }
      const fact = tag.fact ?? ''
      if (fact !== '') this.useFact(tag.hole as string, fact, expression)
      return {
        theirs: tag.name,
        ours: tag.hole ?? '',
        fact,
        equals: tag.hole === undefined ? (tag.globs[0] ?? '') : '',
      }
    })
    for (const name of theirs) {
      if (!links.some((link) => link.theirs === name)) links.push({ theirs: name, ours: name, fact: '', equals: '' })
    }
    const names = unique(
      theirs.flatMap((name) =>
        links.filter((link) => link.theirs === name && link.ours !== '').map((link) => link.ours),
      ),
    )
    const ordered = theirs.map((name) => links.find((link) => link.theirs === name) as (typeof links)[number])
    const leaf = this.addLeaf({
      ...this.blankLeaf(expression, 'state'),
      source: 'rule',
      path: `rule:${target}`,
      names,
      links: ordered,
    })
    return { ...plainNumber, type: 'state', names, node: { op: 'leaf', leaf } }
  }

  protected useFact(name: string, fact: string, range: Range): void {
    const values = this.surroundings.facts[name]
    if (!values)
      this.fail('name', range, `there are no facts about {${name}}`, `add them: facts: {${name}: {…: {${fact}: …}}}`)
    const looked: Record<string, string> = {}
    for (const [key, entry] of Object.entries(values ?? {})) if (entry[fact] !== undefined) looked[key] = entry[fact]
    if (Object.keys(looked).length === 0) this.fail('name', range, `no ${name} has a fact called "${fact}"`)
    this.factsUsed[`${name}.${fact}`] = looked
  }

  protected single(expression: Extract<Expression, { kind: 'negate' | 'not' }>): Typed {
    const of = this.check(expression.of)
    if (expression.kind === 'negate') {
      this.needNumber(of, expression.of)
      return { ...of, literal: undefined, node: { op: 'negate', of: of.node } }
    }
    this.condition(of, expression.of)
    return { ...of, node: { op: 'not', of: of.node } }
  }

  protected arithmetic(expression: Extract<Expression, { kind: 'arithmetic' }>): Typed {
    const { operator } = expression
    let [left, right] = this.both(
      () => this.operand(expression.left),
      () => this.operand(expression.right),
    )
    const names = this.mergeNames(left, right, expression)
    const common = { ...plainNumber, type: 'number' as const, names, overMs: Math.max(left.overMs, right.overMs) }
    if (operator === '+' || operator === '-') {
      ;[left, right] = this.aligned(left, right, expression, operator === '+' ? 'add' : 'subtract')
      const node: Node = { op: 'arithmetic', operator, left: left.node, right: right.node }
      const unit = left.unit.isUnknown ? right.unit : left.unit
      return { ...common, unit, isPercent: left.isPercent || right.isPercent, node }
    }
    left = plainPercent(left)
    right = plainPercent(right)
    const node: Node = { op: 'arithmetic', operator, left: left.node, right: right.node }
    const unit = operator === '*' ? multiplyUnits(left.unit, right.unit) : divideUnits(left.unit, right.unit)
    const isShare = operator === '/' && isPlain(unit) && !isPlain(left.unit)
    return { ...common, unit, isPercent: isShare || (isPlain(unit) && (left.isPercent || right.isPercent)), node }
  }

  protected ago(expression: Extract<Expression, { kind: 'ago' }>): Typed {
    const of = this.operand(expression.of)
    const stepMs = this.surroundings.everyMs ?? 10_000
    const slots = expression.agoMs / stepMs
    if (slots > agoSlotsMax) {
      const written = this.textOf(expression.durationRange)
      const better = niceSteps.find(([, ms]) => expression.agoMs / ms <= agoSlotsMax)?.[0] ?? '1h'
      this.fail(
        'step',
        expression,
        `${written} ago needs ${Math.ceil(slots)} values at this rule's step; at most ${agoSlotsMax} are kept`,
        `write every: ${better}`,
      )
    }
    return { ...of, literal: undefined, node: { op: 'ago', of: of.node, agoMs: expression.agoMs } }
  }
}

const agoSlotsMax = 2016
const niceSteps: readonly (readonly [string, number])[] = [
  ['10s', 10_000],
  ['20s', 20_000],
  ['30s', 30_000],
  ['1m', 60_000],
  ['2m', 120_000],
  ['5m', 300_000],
  ['10m', 600_000],
  ['15m', 900_000],
  ['30m', 1_800_000],
]

/** A percentage in a product is its plain value. */
function plainPercent(typed: Typed): Typed {
  if (!typed.literal || typed.node.op !== 'constant' || typed.literal.unit !== '%') return typed
  return { ...typed, unit: noUnit, node: { op: 'constant', value: convert(typed.node.value, typed.unit, noUnit) } }
}
