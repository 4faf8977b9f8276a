import { type Catalogue, type CatalogueEntry, entryOfPattern, entryOfSome } from './catalogue.ts'
import type { RuleProblemCode } from './problems.ts'
import type { Expression, Range, Selector } from './syntax.ts'
import type { ComparisonTree, Leaf, LeafFold, Node } from './tree.ts'
import { noUnit, type Unit } from './units.ts'
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
  /** Reports an error that is not thrown, because another one is. */
  report(error: unknown): void
  warn(where: LocatedText, range: Range, code: RuleProblemCode, message: string, help?: string): void
  everyMs: number | undefined
  strict: boolean
  lint: boolean
}

export interface LetSource {
  where: LocatedText
  /** undefined where it could not be parsed, which has been reported. */
  expression: Expression | undefined
}

export const plainNumber = { unit: noUnit, isPercent: false, literal: undefined, overMs: 0, comparisons: [] }

export abstract class CheckBase {
  readonly leaves: Leaf[] = []

  /** Why the rule's meaning depends on its step, with a place to show. */
  readonly stepReasons: { where: LocatedText; range: Range; why: string }[] = []

  readonly factsUsed: Record<string, Record<string, string>> = {}
  readonly rulesUsed = new Set<string>()
  protected readonly surroundings: Surroundings
  protected readonly lets: ReadonlyMap<string, LetSource>
  protected readonly typedLets = new Map<string, Typed | 'failed' | 'open'>()
  protected where: LocatedText
  protected isInHide = false
  protected isInUntil = false

  constructor(surroundings: Surroundings, lets: ReadonlyMap<string, LetSource>, where: LocatedText) {
    this.surroundings = surroundings
    this.lets = lets
    this.where = where
  }

  /** Checks an expression that stands in `where`. */
  expression(where: LocatedText, expression: Expression): Typed {
    const before = this.where
    this.where = where
    try {
      return this.check(expression)
    } finally {
      this.where = before
    }
  }

  letValue(name: string): Typed {
    const known = this.typedLets.get(name)
    if (known === 'failed') throw new AlreadyReported()
    const source = this.lets.get(name) as LetSource
    if (known === 'open') {
      const range = { start: 0, end: source.where.text.length }
      const open = [...this.typedLets].flatMap(([other, typed]) => (typed === 'open' ? [other] : []))
      const circle = [...open.slice(open.indexOf(name)), name].join(' → ')
      throw new CheckError(
        'name',
        source.where,
        range,
        `"${name}" is defined by itself: ${circle}`,
        'a let may use those that do not use it',
      )
    }
    if (known) return known
    if (!source.expression) throw new AlreadyReported()
    this.typedLets.set(name, 'open')
    try {
      const typed = this.expression(source.where, source.expression)
      this.typedLets.set(name, typed)
      return typed
    } catch (error) {
      this.typedLets.set(name, 'failed')
      throw error
    }
  }

  /** Both of two parts, so that an error in one does not hide one in the other. */
  protected both<A, B>(first: () => A, second: () => B): readonly [A, B] {
    let value: A
    try {
      value = first()
    } catch (error) {
      try {
        second()
      } catch (other) {
        this.surroundings.report(other)
      }
      throw error
    }
    return [value, second()]
  }

  protected operand(expression: Expression): Typed {
    const typed = this.check(expression)
    this.needNumber(typed, expression)
    return typed
  }

  protected needNumber(typed: Typed, expression: Expression): void {
    if (typed.type === 'number') return
    const help = {
      condition: 'count(…) or share(…) turn a condition into a number',
      state: 'write "is not ok"',
      moment: 'count(…) over 10m counts events',
      number: '',
    }
    this.fail('kind', expression, `${described(typed)} is not a number`, help[typed.type])
  }

  protected condition(typed: Typed, expression: Expression): void {
    if (typed.type === 'condition') return
    const help = {
      number: 'compare it with something: > 5',
      state: 'write "is not ok"',
      moment: 'an event can stand in a sequence, after "until", or in count(…) and since(…)',
      condition: '',
    }
    this.fail('kind', expression, `${described(typed)} is not a condition`, help[typed.type])
  }

  protected mergeNames(left: Typed, right: Typed, range: Range): readonly string[] {
    const isWithin = (a: readonly string[], b: readonly string[]) => a.every((name) => b.includes(name))
    if (isWithin(right.names, left.names)) return left.names
    if (isWithin(left.names, right.names)) return unique([...left.names, ...right.names])
    return this.fail(
      'group',
      range,
      `one side is per ${braced(left.names)}, the other per ${braced(right.names)}`,
      'one side must keep all the names of the other; drop names with "by"',
    )
  }

  /** What is declared of a selector's series; `assumed` is what an undeclared one counts as in tests. */
  protected entry(selector: Selector, assumed: 'count' | 'gauge') {
    const entry = entryOfPattern(this.surroundings.catalogue, selector.pattern)
    this.#warnOfOtherEntry(selector, entry)
    if (entry) return entry
    const help = 'add it under "metrics", with its kind'
    if (this.surroundings.strict) this.fail('kind', selector, `${selector.text} is not declared`, help)
    if (this.surroundings.lint) {
      const message = `${selector.text} is not declared; tests take it as a ${assumed}`
      this.surroundings.warn(this.where, selector, 'kind', message, help)
    }
    return undefined
  }

  /** One selector is of one kind and unit, so series that are declared otherwise would be taken for what they are not. */
  #warnOfOtherEntry(selector: Selector, entry: CatalogueEntry | undefined): void {
    const { catalogue, lint, warn } = this.surroundings
    const other = lint ? entryOfSome(catalogue, selector.pattern, entry) : undefined
    if (!other) return
    const taken = entry ? `by ${entry.pattern.text}` : 'as undeclared'
    const message = `some series of ${selector.text} are declared otherwise, by ${other.pattern.text}; here all are taken ${taken}`
    warn(this.where, selector, 'kind', message, 'write a path for each kind of series')
  }

  protected leaf(selector: Selector, fold: LeafFold, more: Partial<Leaf> = {}): number {
    return this.addLeaf({ ...this.blankLeaf(selector, fold), ...more })
  }

  protected blankLeaf({ pattern, text }: Selector, fold: LeafFold): Leaf {
    const isMetric = pattern.prefix === '' || pattern.prefix === 'aws' || pattern.prefix === 'metric'
    const source: Leaf['source'] = isMetric ? 'metric' : (pattern.prefix as 'event' | 'check' | 'rule' | 'source')
    const entry = isMetric || source === 'check' ? entryOfPattern(this.surroundings.catalogue, pattern) : undefined
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

  protected addLeaf(leaf: Leaf): number {
    const key = JSON.stringify(leaf)
    const known = this.leaves.findIndex((other) => JSON.stringify(other) === key)
    return known >= 0 ? known : this.leaves.push(leaf) - 1
  }

  protected step(range: Range, why: string): void {
    this.stepReasons.push({ where: this.where, range, why })
  }

  protected textOf(range: Range): string {
    return this.where.text.slice(range.start, range.end)
  }

  protected fail(code: RuleProblemCode, range: Range, message: string, help?: string): never {
    throw new CheckError(code, this.where, range, message, help || undefined)
  }

  /** Types any expression; the parts of the checker call each other through it. */
  protected abstract check(expression: Expression): Typed
}

export function described(typed: Typed): string {
  return { number: 'a number', condition: 'a condition', state: 'a state', moment: 'an event' }[typed.type]
}

export function captured(names: readonly string[]): string {
  return names.length === 0 ? 'nothing is captured here' : `captured here: ${braced(names)}`
}

export function braced(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `{${name}}`).join(' ')
}

export function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
