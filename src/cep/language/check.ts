/**
 * Check: gives every expression of one rule its type, unit and kept names, and turns it into the tree that the engine
 * computes. What is wrong is thrown as CheckError with the text it stands in; a let that failed fails its users silently.
 */
import type { PathPattern } from '../../model/path.ts'
import { suggest } from '../../runtime/problem.ts'
import { type Catalogue, entryOfPattern, unitOfEntry } from './catalogue.ts'
import { refuseFold, refuseValue } from './kinds.ts'
import type { RuleProblemCode } from './problems.ts'
import type { Call, Expression, LevelSentence, Quantifier, Range, Selector, Sequence } from './syntax.ts'
import { type ComparisonTree, type Leaf, type LeafFold, type Node, type PoolFunction, stateCodes } from './tree.ts'
import {
  convert,
  countUnit,
  describeUnit,
  divideUnits,
  isPlain,
  millisecondUnit,
  multiplyUnits,
  noUnit,
  sameDimension,
  secondUnit,
  type Unit,
  unitExamples,
  unitOf,
  unknownUnit,
} from './units.ts'
import type { LocatedText } from './yaml-rules.ts'

export interface Typed {
  node: Node
  type: 'number' | 'condition' | 'state' | 'moment'
  unit: Unit
  isPercent: boolean
  /** Kept names in order of first appearance. */
  names: readonly string[]
  /** The number as written, for literals. */
  literal: { unit: string; text: string } | undefined
  overMs: number
  /** Comparisons in the rule's own scope, for reasons and graphs. */
  comparisons: readonly ComparisonTree[]
}

export class CheckError extends Error {
  readonly code: RuleProblemCode
  readonly where: LocatedText
  readonly range: Range
  readonly help: string | undefined
  constructor(code: RuleProblemCode, where: LocatedText, range: Range, message: string, help?: string) {
    super(message)
    this.code = code
    this.where = where
    this.range = range
    this.help = help
  }
}

/** A let that has been reported already. */
export class AlreadyReported extends Error {}

export interface Surroundings {
  catalogue: Catalogue
  facts: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>
  /** Kept names of another rule; checks it first. Throws where the references form a circle. */
  namesOfRule(name: string, where: LocatedText, range: Range): readonly string[]
  warn(where: LocatedText, range: Range, code: RuleProblemCode, message: string, help?: string): void
  everyMs: number | undefined
  strict: boolean
}

export interface LetSource {
  where: LocatedText
  /** undefined where it could not be parsed, which has been reported. */
  expression: Expression | undefined
}

const plainNumber = { unit: noUnit, isPercent: false, literal: undefined, overMs: 0, comparisons: [] }
const seasonsWord = 'vs=1h (the hour before) or season=1w (the same time in earlier weeks)'

export class RuleChecker {
  readonly leaves: Leaf[] = []
  /** Why the rule's meaning depends on its step, with a place to show. */
  readonly stepReasons: { where: LocatedText; range: Range; why: string }[] = []
  readonly factsUsed: Record<string, Record<string, string>> = {}
  readonly rulesUsed = new Set<string>()
  readonly #surroundings: Surroundings
  readonly #lets: ReadonlyMap<string, LetSource>
  readonly #typedLets = new Map<string, Typed | 'failed' | 'open'>()
  #where: LocatedText
  #isInHide = false

  constructor(surroundings: Surroundings, lets: ReadonlyMap<string, LetSource>, where: LocatedText) {
    this.#surroundings = surroundings
    this.#lets = lets
    this.#where = where
  }

  /** Checks an expression that stands in `where`. */
  expression(where: LocatedText, expression: Expression): Typed {
    const before = this.#where
    this.#where = where
    try {
      return this.#check(expression)
    } finally {
      this.#where = before
    }
  }

  /** The condition of a level; a sequence and an event are instants and need `keep` or `until`. */
  level(where: LocatedText, sentence: LevelSentence): { condition: Typed; until: Typed | undefined } {
    this.#where = where
    const condition = this.#check(sentence.condition)
    if (condition.type === 'moment' && sentence.keepMs === undefined && sentence.until === undefined) {
      this.#fail(
        'syntax',
        sentence.condition,
        'this is an instant; say how long it stays on',
        'add ", keep 10m" or ", until …"',
      )
    }
    if (condition.type === 'moment' && sentence.hold) {
      this.#fail('syntax', sentence.condition, 'this is an instant and cannot last; leave out "for"')
    }
    if (condition.type !== 'moment') this.#condition(condition, sentence.condition)
    this.#noteHold(sentence)
    return { condition, until: this.#until(sentence, condition) }
  }

  hide(where: LocatedText, expression: Expression): Typed {
    this.#isInHide = true
    const typed = this.expression(where, expression)
    this.#isInHide = false
    this.#where = where
    this.#condition(typed, expression)
    return typed
  }

  letValue(name: string): Typed {
    const known = this.#typedLets.get(name)
    if (known === 'failed') throw new AlreadyReported()
    const source = this.#lets.get(name) as LetSource
    if (known === 'open') {
      const range = { start: 0, end: source.where.text.length }
      throw new CheckError('name', source.where, range, `"${name}" is defined by itself`)
    }
    if (known) return known
    if (!source.expression) throw new AlreadyReported()
    this.#typedLets.set(name, 'open')
    try {
      const typed = this.expression(source.where, source.expression)
      this.#typedLets.set(name, typed)
      return typed
    } catch (error) {
      this.#typedLets.set(name, 'failed')
      throw error
    }
  }

  #noteHold({ hold, condition }: LevelSentence): void {
    if (hold?.kind === 'row') this.#step(condition, 'in a row')
    if (hold?.kind === 'of') this.#step(condition, `${hold.count} of ${hold.size}`)
  }

  #until(sentence: LevelSentence, condition: Typed): Typed | undefined {
    const { until } = sentence
    if (!until) return undefined
    if (until.kind === 'condition') {
      const typed = this.#check(until.of)
      if (typed.type !== 'moment') this.#condition(typed, until.of)
      this.#mergeNames(condition, typed, until.of)
      return typed
    }
    let left = sentence.condition
    for (let through = 0; left.kind === 'name' && through < 100; through++) {
      const source = this.#lets.get(left.name)
      if (source?.expression?.kind !== 'compare') break
      left = { ...source.expression, ...{ start: left.start, end: left.end } }
    }
    if (left.kind !== 'compare') {
      this.#fail(
        'syntax',
        until,
        `"until ${until.operator}" repeats the left side of a single comparison, and there is none`,
        'write the whole condition after "until"',
      )
    }
    return this.#compare({ ...until, kind: 'compare', left: (left as { left: Expression }).left })
  }

  #check(expression: Expression): Typed {
    switch (expression.kind) {
      case 'number':
        return this.#number(expression)
      case 'string':
        return this.#fail('kind', expression, 'a text has no value here')
      case 'name':
        return this.#name(expression)
      case 'selector':
        return this.#selector(expression)
      case 'call':
        return this.#call(expression)
      case 'negate':
      case 'not':
        return this.#single(expression)
      case 'arithmetic':
        return this.#arithmetic(expression)
      case 'ago':
        return this.#ago(expression)
      case 'compare':
        return this.#compare(expression)
      case 'is':
        return this.#is(expression)
      case 'and':
      case 'or':
        return this.#logical(expression)
      case 'silence':
        return this.#silence(expression)
      case 'quantifier':
        return this.#quantifier(expression)
      case 'sequence':
        return this.#sequence(expression)
    }
  }

  #number(expression: Extract<Expression, { kind: 'number' }>): Typed {
    const { value, unit, per } = expression
    return {
      ...plainNumber,
      node: { op: 'constant', value },
      type: 'number',
      unit: unitOf(unit, per),
      isPercent: unit === '%',
      names: [],
      literal: { unit: unit + (per && `/${per}`), text: this.#textOf(expression) },
    }
  }

  #name(expression: Extract<Expression, { kind: 'name' }>): Typed {
    if (this.#lets.has(expression.name)) return this.letValue(expression.name)
    const meant = suggest(expression.name, this.#lets.keys())
    const help = meant
      ? `did you mean "${meant}"?`
      : `names come from "let"; a metric without dots is written metric:${expression.name}`
    return this.#fail('name', expression, `nothing called "${expression.name}" is defined in this rule`, help)
  }

  #selector(expression: Selector): Typed {
    const { pattern, text } = expression
    const common = { ...plainNumber, names: this.#keptNames(pattern) }
    if (pattern.prefix === 'rule') return this.#rule(expression)
    if (pattern.prefix === 'event') {
      return { ...common, type: 'moment', node: { op: 'leaf', leaf: this.#leaf(expression, 'event') } }
    }
    if (pattern.lumps) {
      const isState = pattern.prefix === 'check' || pattern.prefix === 'source'
      const help = isState
        ? 'name the part you want kept, such as {host}, and ask: any {host} with … is not ok'
        : `sum(${text}), avg(…), max(…) …, or name the part you want kept: {host}`
      this.#fail('many', expression, 'this matches many series; say how to combine them', help)
    }
    if (pattern.prefix === 'check' || pattern.prefix === 'source') {
      return { ...common, type: 'state', node: { op: 'leaf', leaf: this.#leaf(expression, 'state') } }
    }
    const entry = this.#entry(expression)
    const refused = refuseValue(entry?.kind, text)
    if (refused) this.#fail('kind', expression, refused.message, refused.help)
    if (entry?.kind === 'count') this.#step(expression, 'a bare count')
    return {
      ...common,
      type: 'number',
      unit: unitOfEntry(entry),
      node: { op: 'leaf', leaf: this.#leaf(expression, 'value') },
    }
  }

  #rule(expression: Selector): Typed {
    const { pattern } = expression
    const target = pattern.segments
      .map((segment) =>
        'parts' in segment ? segment.parts.map((part) => ('text' in part ? part.text : '*')).join('') : '**',
      )
      .join('.')
    const theirs = this.#surroundings.namesOfRule(target, this.#where, expression)
    this.rulesUsed.add(target)
    const links = pattern.tags.map((tag) => {
      if (!theirs.includes(tag.name)) {
        this.#fail('group', expression, `rule:${target} is not per {${tag.name}}`, `it is per ${braced(theirs)}`)
      }
      const fact = tag.fact ?? ''
      if (fact !== '') this.#useFact(tag.hole as string, fact, expression)
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
    const leaf = this.#addLeaf({
      ...this.#blankLeaf(expression, 'state'),
      source: 'rule',
      path: `rule:${target}`,
      names,
      links: ordered,
    })
    return { ...plainNumber, type: 'state', names, node: { op: 'leaf', leaf } }
  }

  #useFact(name: string, fact: string, range: Range): void {
    const values = this.#surroundings.facts[name]
    if (!values)
      this.#fail('name', range, `there are no facts about {${name}}`, `add them: facts: {${name}: {…: {${fact}: …}}}`)
    const looked: Record<string, string> = {}
    for (const [key, entry] of Object.entries(values ?? {})) if (entry[fact] !== undefined) looked[key] = entry[fact]
    if (Object.keys(looked).length === 0) this.#fail('name', range, `no ${name} has a fact called "${fact}"`)
    this.factsUsed[`${name}.${fact}`] = looked
  }

  #single(expression: Extract<Expression, { kind: 'negate' | 'not' }>): Typed {
    const of = this.#check(expression.of)
    if (expression.kind === 'negate') {
      this.#needNumber(of, expression.of)
      return { ...of, literal: undefined, node: { op: 'negate', of: of.node } }
    }
    this.#condition(of, expression.of)
    return { ...of, node: { op: 'not', of: of.node } }
  }

  #arithmetic(expression: Extract<Expression, { kind: 'arithmetic' }>): Typed {
    const { operator } = expression
    let left = this.#operand(expression.left)
    let right = this.#operand(expression.right)
    const names = this.#mergeNames(left, right, expression)
    const common = { ...plainNumber, type: 'number' as const, names, overMs: Math.max(left.overMs, right.overMs) }
    if (operator === '+' || operator === '-') {
      ;[left, right] = this.#aligned(left, right, expression, operator === '+' ? 'add' : 'subtract')
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

  #operand(expression: Expression): Typed {
    const typed = this.#check(expression)
    this.#needNumber(typed, expression)
    return typed
  }

  #needNumber(typed: Typed, expression: Expression): void {
    if (typed.type === 'number') return
    const help = {
      condition: 'count(…) or share(…) turn a condition into a number',
      state: 'write "is not ok"',
      moment: 'count(…) over 10m counts events',
      number: '',
    }
    this.#fail('kind', expression, `${described(typed)} is not a number`, help[typed.type])
  }

  #condition(typed: Typed, expression: Expression): void {
    if (typed.type === 'condition') return
    const help = {
      number: 'compare it with something: > 5',
      state: 'write "is not ok"',
      moment: 'an event can stand in a sequence, after "until", or in count(…) and since(…)',
      condition: '',
    }
    this.#fail('kind', expression, `${described(typed)} is not a condition`, help[typed.type])
  }

  #ago(expression: Extract<Expression, { kind: 'ago' }>): Typed {
    const of = this.#operand(expression.of)
    const stepMs = this.#surroundings.everyMs ?? 10_000
    const slots = expression.agoMs / stepMs
    if (slots > agoSlotsMax) {
      const written = this.#textOf(expression.durationRange)
      const better = niceSteps.find(([, ms]) => expression.agoMs / ms <= agoSlotsMax)?.[0] ?? '1h'
      this.#fail(
        'step',
        expression,
        `${written} ago needs ${Math.ceil(slots)} values at this rule's step; at most ${agoSlotsMax} are kept`,
        `write every: ${better}`,
      )
    }
    return { ...of, literal: undefined, node: { op: 'ago', of: of.node, agoMs: expression.agoMs } }
  }

  #compare(expression: Extract<Expression, { kind: 'compare' }>): Typed {
    const written = [this.#operand(expression.left), this.#operand(expression.right)] as const
    const names = this.#mergeNames(written[0], written[1], expression)
    const [left, right] = this.#aligned(written[0], written[1], expression, 'compare')
    const text = { left: this.#textOf(expression.left), right: this.#textOf(expression.right) }
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

  /** Both sides in one unit: a literal is converted, data only where both sides are data of different scales. */
  #aligned(
    left: Typed,
    right: Typed,
    expression: Expression & { left: Expression; right: Expression },
    verb: string,
  ): [Typed, Typed] {
    this.#matchUnits(left, right, expression, verb)
    if (left.literal && !right.literal) return [inUnitOf(left, right.unit), right]
    if (right.literal) return [left, inUnitOf(right, left.unit)]
    if (left.unit.isUnknown || right.unit.isUnknown) return [left, right]
    const numerator = right.unit.numerator * left.unit.denominator
    const denominator = right.unit.denominator * left.unit.numerator
    if (numerator === denominator) return [left, right]
    return [left, { ...right, unit: left.unit, node: { op: 'scale', of: right.node, numerator, denominator } }]
  }

  #matchUnits(
    left: Typed,
    right: Typed,
    expression: Expression & { left: Expression; right: Expression },
    verb: string,
  ): void {
    const sides = [
      [left, right, expression.left],
      [right, left, expression.right],
    ] as const
    for (const [literal, other, range] of sides) {
      if (!literal.literal || other.literal) continue
      const isZero = literal.node.op === 'constant' && literal.node.value === 0
      if (isZero && literal.literal.unit === '') return
      if (other.unit.isUnknown) {
        this.#noteUnknown(literal, other, range)
        return
      }
      if (literal.literal.unit !== '') continue
      if (isPlain(other.unit) || (other.unit.count === 1 && other.unit.time === 0 && other.unit.data === 0)) return
      const examples = unitExamples(other.unit)
      const text = literal.literal.text
      const help = examples.length > 0 ? `write ${examples.map((unit) => text + unit).join(' or ')}` : undefined
      this.#fail('unit', range, `${text} what? the other side is ${describeUnit(other.unit)}`, help)
    }
    if (left.unit.isUnknown || right.unit.isUnknown || sameDimension(left.unit, right.unit)) return
    const isPercentage = left.literal?.unit === '%' || right.literal?.unit === '%'
    const joined = verb === 'compare' ? 'with' : verb === 'add' ? 'and' : 'and'
    this.#fail(
      'unit',
      expression,
      `cannot ${verb} ${describeUnit(left.unit)} ${joined} ${describeUnit(right.unit)}`,
      isPercentage && verb === 'compare' ? 'a percentage needs a ratio, e.g. bad / all > 5%' : undefined,
    )
  }

  #noteUnknown(literal: Typed, other: Typed, range: Expression): void {
    const unit = literal.literal?.unit ?? ''
    if (unit === '' || (unit.startsWith('/') && other.unit.time === -1)) return
    const message = `the unit of the other side is not known; ${literal.literal?.text} is taken as ${literal.literal?.unit === '%' ? 'a plain ratio' : 'ms, bytes or per second'}`
    this.#surroundings.warn(this.#where, range, 'unit', message, 'declare the metric under "metrics", with its unit')
  }

  #is(expression: Extract<Expression, { kind: 'is' }>): Typed {
    const of = this.#check(expression.of)
    if (of.type !== 'state' || of.node.op !== 'leaf') {
      this.#fail('kind', expression.of, `${described(of)} has no state`, 'check:…, rule:… and source:… have states')
    }
    const states = statesOf(expression.state, expression.atLeast)
    const early = this.#isInHide && expression.state === 'firing'
    const leaf = (of.node as { leaf: number }).leaf
    return { ...of, type: 'condition', node: { op: 'is', leaf, states, not: expression.not, early } }
  }

  #logical(expression: Extract<Expression, { kind: 'and' | 'or' }>): Typed {
    const left = this.#check(expression.left)
    this.#condition(left, expression.left)
    const right = this.#check(expression.right)
    this.#condition(right, expression.right)
    return {
      ...plainNumber,
      type: 'condition',
      names: this.#mergeNames(left, right, expression),
      overMs: Math.max(left.overMs, right.overMs),
      comparisons: [...left.comparisons, ...right.comparisons],
      node: { op: expression.kind, left: left.node, right: right.node },
    }
  }

  #silence(expression: Extract<Expression, { kind: 'silence' }>): Typed {
    const { of, forMs } = expression
    if (of.pattern.prefix === 'rule' || of.pattern.prefix === 'source') {
      this.#fail('kind', of, '"no … for" waits for points of metrics, checks and events')
    }
    const leaf = this.#leaf(of, 'silence', { overMs: forMs })
    return { ...plainNumber, type: 'condition', names: this.#keptNames(of.pattern), node: { op: 'leaf', leaf } }
  }

  #quantifier(expression: Quantifier): Typed {
    const of = this.#check(expression.with)
    this.#condition(of, expression.with)
    const { dimension, word, amount, isShare } = expression
    if (!of.names.includes(dimension)) {
      this.#fail('group', expression, `{${dimension}} is not captured inside this condition`, captured(of.names))
    }
    const names = of.names.filter((name) => name !== dimension)
    return {
      ...plainNumber,
      type: 'condition',
      names,
      node: { op: 'quantifier', word, amount, isShare, names, innerNames: of.names, of: of.node },
    }
  }

  #sequence(expression: Sequence): Typed {
    const first = this.#moment(expression.first)
    let names = first.names
    const steps = expression.steps.map(({ no, of, withinMs }) => {
      const step = this.#moment(of)
      names = this.#mergeNames({ ...first, names }, step, of)
      return { no, of: step.node, withinMs }
    })
    const without = expression.without && this.#moment(expression.without)
    if (without) names = this.#mergeNames({ ...first, names }, without, expression.without as Expression)
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
  #moment(expression: Expression): Typed {
    const typed = this.#check(expression)
    if (typed.type !== 'moment') this.#condition(typed, expression)
    return typed
  }

  #call(expression: Call): Typed {
    const { function: name } = expression
    if (name === 'abs') return this.#abs(expression)
    if (name === 'since' || name === 'distinct') return this.#ofEvents(expression)
    if (name === 'unusual' || name === 'expected') return this.#unusual(expression)
    if (name === 'forecast') return this.#forecast(expression)
    return this.#pool(expression)
  }

  #abs(expression: Call): Typed {
    const of = this.#operand(this.#onlyArgument(expression))
    return { ...of, literal: undefined, node: { op: 'abs', of: of.node } }
  }

  #onlyArgument(expression: Call, count = 1): Expression {
    const stray = expression.named[0]
    if (expression.arguments.length !== count) {
      const wanted = count === 1 ? 'one value' : `${count} values`
      this.#fail('syntax', expression, `${called(expression)} takes ${wanted} in its parentheses`)
    }
    if (stray && !['unusual', 'expected', 'forecast'].includes(expression.function)) {
      this.#fail('syntax', stray, `${called(expression)} has no "${stray.name}"`)
    }
    return expression.arguments[0] as Expression
  }

  /** since(event:…), distinct(event:…, "tag") over D. */
  #ofEvents(expression: Call): Typed {
    const isDistinct = expression.function === 'distinct'
    const selector = this.#throughLets(this.#onlyArgument(expression, isDistinct ? 2 : 1))
    if (selector.expression.kind !== 'selector' || selector.expression.pattern.prefix !== 'event') {
      return this.#fail('kind', expression, `${called(expression)} works on events`, `${expression.function}(event:…)`)
    }
    const tag = expression.arguments[1]
    if (isDistinct && tag?.kind !== 'string')
      this.#fail(
        'syntax',
        expression,
        'distinct() needs the tag whose values are counted',
        'distinct(event:login_failed, "ip")',
      )
    const by = this.#by(expression, selector.expression.pattern.holes)
    const leaf = this.#leaf(selector.expression, isDistinct ? 'distinct' : 'since', {
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

  #pool(expression: Call): Typed {
    const { function: name, overMs = 0 } = expression
    if (name === 'p' && !(expression.percent > 0 && expression.percent <= 100)) {
      this.#fail('syntax', expression, 'a percentile is above 0 and at most 100', 'p50, p90, p99, p99.9')
    }
    const { expression: argument, where } = this.#throughLets(this.#onlyArgument(expression))
    if (argument.kind === 'selector') return this.#poolSelector(expression, argument)
    const of = this.expression(where, argument)
    const isCondition = of.type === 'condition'
    if (isCondition ? name !== 'count' && name !== 'share' : name === 'share') {
      this.#fail(
        'kind',
        expression,
        isCondition ? `${called(expression)} needs numbers, not a condition` : 'share() needs a condition',
        'count(…) and share(…) take conditions',
      )
    }
    if (!isCondition) this.#needNumber(of, argument)
    if (name === 'change') this.#step(expression, 'change')
    const names = this.#by(expression, of.names)
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

  #poolSelector(expression: Call, selector: Selector): Typed {
    const { function: name, overMs = 0, percent } = expression
    const { pattern, text } = selector
    const names = this.#by(expression, pattern.holes)
    if (pattern.prefix === 'event') {
      if (name !== 'count' && name !== 'rate')
        this.#fail('kind', expression, `${called(expression)} of events has no meaning`, `count(${text}) over 10m`)
    } else if (pattern.prefix === 'check' || pattern.prefix === 'rule' || pattern.prefix === 'source') {
      this.#fail(
        'kind',
        expression,
        `${called(expression)} needs numbers, and ${text} has states`,
        `count(${text} is not ok)`,
      )
    }
    const entry = pattern.prefix === 'event' ? undefined : this.#entry(selector)
    const refused = refuseFold(name, percent, entry?.kind, text)
    if (refused) this.#fail('kind', expression, refused.message, refused.help)
    const isMany = pattern.lumps || names.length < pattern.holes.length
    if (isMany && (name === 'last' || name === 'change')) {
      this.#fail(
        'many',
        expression,
        `this matches many series; ${name}() needs one`,
        `name the part you want kept: {host}`,
      )
    }
    if (overMs === 0 && (entry?.kind === 'count' || entry?.kind === 'set'))
      this.#step(expression, 'an aggregate of counts without "over"')
    if (name === 'change') this.#step(expression, 'change')
    const leaf = this.#leaf(selector, name as LeafFold, { overMs, names, percent })
    const unit = pattern.prefix === 'event' ? countUnit : unitOfEntry(entry)
    return { ...plainNumber, type: 'number', ...poolUnit(name, unit, false), names, overMs, node: { op: 'leaf', leaf } }
  }

  #unusual(expression: Call): Typed {
    const of = this.#operand(this.#onlyArgument(expression))
    const vs = this.#namedDuration(expression, 'vs')
    const season = this.#namedDuration(expression, 'season')
    const wantsDeviations = expression.function === 'unusual'
    this.#onlyNamed(expression, wantsDeviations ? ['vs', 'season', 'floor'] : ['vs', 'season'])
    if ((vs === undefined) === (season === undefined)) {
      this.#fail('syntax', expression, `${called(expression)} needs ${seasonsWord}`)
    }
    const floor = expression.named.find(({ name }) => name === 'floor')
    let floorValue = 0
    if (floor) {
      const typed = this.#operand(floor.value)
      if (typed.node.op !== 'constant') this.#fail('syntax', floor, 'floor must be a number')
      const [, aligned] = this.#aligned(
        of,
        typed,
        { ...expression, kind: 'compare', operator: '>', left: floor.value, right: floor.value },
        'compare',
      )
      floorValue = aligned.node.op === 'constant' ? aligned.node.value : 0
    }
    this.#step(expression, 'unusual')
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

  #forecast(expression: Call): Typed {
    const of = this.#operand(this.#onlyArgument(expression))
    this.#onlyNamed(expression, ['from', 'ahead'])
    const fromMs = this.#namedDuration(expression, 'from')
    const aheadMs = this.#namedDuration(expression, 'ahead')
    if (fromMs === undefined || aheadMs === undefined) {
      return this.#fail('syntax', expression, 'forecast() needs from= and ahead=', 'forecast(x, from=6h, ahead=1d)')
    }
    return { ...of, literal: undefined, node: { op: 'forecast', of: of.node, fromMs, aheadMs } }
  }

  #onlyNamed(expression: Call, allowed: readonly string[]): void {
    const stray = expression.named.find(({ name }) => !allowed.includes(name))
    if (stray)
      this.#fail('syntax', stray, `${called(expression)} has no "${stray.name}"`, `it takes ${allowed.join(', ')}`)
    if (expression.overMs !== undefined || expression.by)
      this.#fail('syntax', expression, `${called(expression)} takes neither "over" nor "by"`)
  }

  #namedDuration(expression: Call, name: string): number | undefined {
    const found = expression.named.find((argument) => argument.name === name)
    if (!found) return undefined
    const { value } = found
    if (value.kind !== 'number' || unitOf(value.unit).time !== 1 || value.per !== '' || value.value <= 0) {
      this.#fail('syntax', found, `${name} must be a duration, such as ${name}=1h`)
    }
    const literal = value as Extract<Expression, { kind: 'number' }>
    return convert(literal.value, unitOf(literal.unit), millisecondUnit)
  }

  /** A let that stands for a bare selector is that selector, so that it can be pooled. */
  #throughLets(expression: Expression): { expression: Expression; where: LocatedText } {
    let found = expression
    let where = this.#where
    for (let through = 0; found.kind === 'name' && through < 100; through++) {
      const source = this.#lets.get(found.name)
      if (source?.expression?.kind !== 'selector' && source?.expression?.kind !== 'name') break
      found = source.expression
      where = source.where
    }
    return found.kind === 'selector' ? { expression: found, where } : { expression, where: this.#where }
  }

  #by(expression: Call, inner: readonly string[]): readonly string[] {
    if (!expression.by) return inner
    for (const name of expression.by) {
      if (!inner.includes(name))
        this.#fail('group', expression, `{${name}} is not captured inside this call`, captured(inner))
    }
    return inner.filter((name) => expression.by?.includes(name))
  }

  #mergeNames(left: Typed, right: Typed, range: Range): readonly string[] {
    const isWithin = (a: readonly string[], b: readonly string[]) => a.every((name) => b.includes(name))
    if (isWithin(right.names, left.names)) return left.names
    if (isWithin(left.names, right.names)) return unique([...left.names, ...right.names])
    return this.#fail(
      'group',
      range,
      `one side is per ${braced(left.names)}, the other per ${braced(right.names)}`,
      'one side must keep all the names of the other; drop names with "by"',
    )
  }

  #keptNames(pattern: PathPattern): readonly string[] {
    return pattern.holes
  }

  #entry(selector: Selector) {
    const entry = entryOfPattern(this.#surroundings.catalogue, selector.pattern)
    if (!entry && this.#surroundings.strict) {
      this.#fail('kind', selector, `${selector.text} is not declared`, 'add it under "metrics", with its kind')
    }
    return entry
  }

  #leaf(selector: Selector, fold: LeafFold, more: Partial<Leaf> = {}): number {
    return this.#addLeaf({ ...this.#blankLeaf(selector, fold), ...more })
  }

  #blankLeaf({ pattern, text }: Selector, fold: LeafFold): Leaf {
    const isMetric = pattern.prefix === '' || pattern.prefix === 'aws' || pattern.prefix === 'metric'
    const source: Leaf['source'] = isMetric ? 'metric' : (pattern.prefix as 'event' | 'check' | 'rule' | 'source')
    const entry = isMetric || source === 'check' ? entryOfPattern(this.#surroundings.catalogue, pattern) : undefined
    return {
      source,
      path: text,
      names: pattern.holes,
      fold,
      percent: 0,
      overMs: 0,
      isSingle: !pattern.lumps,
      kind: source === 'check' ? 'check' : entry?.kind,
      assumedKind: fold === 'sum' || fold === 'rate' ? 'count' : 'gauge',
      valueStepMs: entry?.stepMs,
      tag: '',
      links: [],
    }
  }

  #addLeaf(leaf: Leaf): number {
    const key = JSON.stringify(leaf)
    const known = this.leaves.findIndex((other) => JSON.stringify(other) === key)
    return known >= 0 ? known : this.leaves.push(leaf) - 1
  }

  #step(range: Range, why: string): void {
    this.stepReasons.push({ where: this.#where, range, why })
  }

  #textOf(range: Range): string {
    return this.#where.text.slice(range.start, range.end)
  }

  #fail(code: RuleProblemCode, range: Range, message: string, help?: string): never {
    throw new CheckError(code, this.#where, range, message, help || undefined)
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

function poolUnit(name: string, unit: Unit, isPercent: boolean): { unit: Unit; isPercent: boolean } {
  if (name === 'count') return { unit: countUnit, isPercent: false }
  if (name === 'share') return { unit: noUnit, isPercent: true }
  if (name !== 'rate') return { unit, isPercent }
  const perSecond = divideUnits(unit.isUnknown ? { ...unknownUnit, isUnknown: false } : unit, secondUnit)
  return { unit: { ...perSecond, isUnknown: unit.isUnknown }, isPercent: false }
}

/** A percentage in a product is its plain value. */
function plainPercent(typed: Typed): Typed {
  if (!typed.literal || typed.node.op !== 'constant' || typed.literal.unit !== '%') return typed
  return { ...typed, unit: noUnit, node: { op: 'constant', value: convert(typed.node.value, typed.unit, noUnit) } }
}

function inUnitOf(literal: Typed, unit: Unit): Typed {
  if (literal.node.op !== 'constant') return literal
  const isBare = literal.literal?.unit === ''
  const value = isBare ? literal.node.value : convert(literal.node.value, literal.unit, unit)
  return { ...literal, unit, node: { op: 'constant', value } }
}

function statesOf(state: string, atLeast: boolean): readonly number[] {
  if (state === 'firing') return [stateCodes.warn, stateCodes.crit]
  const code = stateCodes[state as keyof typeof stateCodes]
  if (!atLeast) return [code]
  return code <= stateCodes.crit ? [0, 1, 2].filter((other) => other >= code) : [3, 4].filter((other) => other >= code)
}

function described(typed: Typed): string {
  return { number: 'a number', condition: 'a condition', state: 'a state', moment: 'an event' }[typed.type]
}

function captured(names: readonly string[]): string {
  return names.length === 0 ? 'nothing is captured here' : `captured here: ${braced(names)}`
}

function braced(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `{${name}}`).join(' ')
}

function called(expression: Call): string {
  return expression.function === 'p' ? `p${expression.percent}()` : `${expression.function}()`
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
