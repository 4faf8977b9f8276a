/**
 * Values: every sub-expression of a condition with its value for one group at the bucket that was closed last, as a tree
 * beside the text it was written in. Looks at a running rule and changes nothing.
 */
import { formatUtc } from '../../runtime/clock.ts'
import { formatValue } from '../format.ts'
import type { Typed } from '../language/check.ts'
import type { Call, Expression, Sequence } from '../language/syntax.ts'
import type { RuleTrace } from '../language/trace.ts'
import { type Node, stateCodes } from '../language/tree.ts'

import type { RuleRun } from '../rule-run.ts'
import type { Scope } from '../scope.ts'
import { leafNotes, whyMissing } from './leaf-notes.ts'

export interface ValueNode {
  /** The part of the sentence, or the member of a quantifier. */
  text: string
  kind: Expression['kind'] | 'member'
  /** A number, true or false of conditions, a state; null where it is missing. */
  value: number | boolean | string | null
  /** As people read it, in its unit. */
  shown: string
  /** Why it is missing, where that is known. */
  missing?: string
  /** What stands behind it: series, the last point, members. */
  notes: string[]
  children: ValueNode[]
}

/** Members of a quantifier that are shown. */
const membersMax = 5
const stateNames = Object.keys(stateCodes)

/** Where a value is asked for. */
interface Place {
  text: string
  scope: Scope
  group: number
}

export class Values {
  readonly #run: RuleRun
  readonly #trace: RuleTrace
  readonly #group: number
  readonly #atMs: number
  /** A let is opened where it is first used. */
  readonly #opened = new Set<string>()

  constructor(run: RuleRun, trace: RuleTrace, group: number, atMs: number) {
    this.#run = run
    this.#trace = trace
    this.#group = group
    this.#atMs = atMs
  }

  of(expression: Expression, text: string): ValueNode {
    return this.#node(expression, { text, scope: this.#run.compiled.scope, group: this.#group })
  }

  #node(expression: Expression, at: Place): ValueNode {
    const typed = this.#trace.typed.get(expression)
    const text = at.text.slice(expression.start, expression.end)
    const node: ValueNode = { text, kind: expression.kind, value: null, shown: '', notes: [], children: [] }
    if (typed) this.#read(node, typed, expression, at)
    node.children.push(...this.#children(expression, typed, at))
    if (node.value === null && node.missing === undefined) this.#explain(node, expression, typed, at)
    return node
  }

  #read(node: ValueNode, typed: Typed, expression: Expression, at: Place): void {
    const value = this.#value(typed.node, at)
    if (value === undefined) {
      node.shown = expression.kind === 'number' ? node.text : ''
      return
    }
    if (typed.type === 'state') {
      node.value = Number.isNaN(value) ? null : (stateNames[value] ?? null)
      node.shown = node.value ?? 'unknown yet'
    } else if (typed.type === 'number') {
      node.value = Number.isFinite(value) ? value : null
      node.shown =
        expression.kind === 'number' ? node.text : Number.isNaN(value) ? 'missing' : formatValue(value, typed)
    } else {
      node.value = Number.isNaN(value) ? null : value === 1
      node.shown = truth(value)
    }
    if (typed.node.op === 'leaf') this.#noteLeaf(node, typed.node.leaf, at)
  }

  /** The value of a node; undefined where asking would compute something that has not been running. */
  #value(node: Node, { scope, group }: Place): number | undefined {
    const known = scope.compiled.get(node)
    if (known) return known(group)
    if (node.op === 'constant') return node.value
    if (node.op === 'leaf' || node.op === 'is') {
      const leaf = this.#run.compiled.leaves[node.leaf]
      const isLinked = scope.links.some((link) => link.leaf === leaf)
      return isLinked ? this.#run.compiled.evaluate(node, scope)(group) : undefined
    }
    return undefined
  }

  #noteLeaf(node: ValueNode, leaf: number, { scope, group }: Place): void {
    const link = scope.links.find((one) => one.leaf === this.#run.compiled.leaves[leaf])
    if (!link) return
    const theirs = link.map[group] ?? -1
    node.notes.push(...leafNotes(link.leaf, theirs, this.#atMs))
    if (node.value === null) node.missing = whyMissing(link.leaf, theirs, this.#atMs)
  }

  #children(expression: Expression, typed: Typed | undefined, at: Place): ValueNode[] {
    switch (expression.kind) {
      case 'name':
        return this.#let(expression.name, at)
      case 'negate':
      case 'not':
      case 'ago':
        return [this.#node(expression.of, at)]
      case 'is':
        return this.#trace.typed.has(expression.of) ? [this.#node(expression.of, at)] : []
      case 'arithmetic':
      case 'compare':
      case 'and':
      case 'or':
        return [expression.left, expression.right].flatMap((side) =>
          side.kind === 'number' ? [] : [this.#node(side, at)],
        )
      case 'call':
        return this.#call(expression, typed, at)
      case 'quantifier':
        return this.#members(expression.with, at.text, typed, at)
      case 'sequence':
        return this.#sequence(expression, at)
      default:
        return []
    }
  }

  #let(name: string, at: Place): ValueNode[] {
    const source = this.#trace.lets.get(name)
    if (!source || this.#opened.has(name)) return []
    this.#opened.add(name)
    return this.#trace.typed.has(source.expression) ? [this.#node(source.expression, { ...at, text: source.text })] : []
  }

  #call(expression: Call, typed: Typed | undefined, at: Place): ValueNode[] {
    const [argument] = expression.arguments
    if (!argument) return []
    const source = argument.kind === 'name' ? this.#trace.lets.get(argument.name) : undefined
    const [of, text] = source ? [source.expression, source.text] : [argument, at.text]
    if (!this.#trace.typed.has(of)) return []
    if (typed && this.#run.compiled.scopeIn.has(typed.node)) return this.#members(of, text, typed, at)
    return this.#value((this.#trace.typed.get(of) as Typed).node, at) === undefined
      ? []
      : [this.#node(of, { ...at, text })]
  }

  /** The members of an inner scope that belong to the group; those that hold first. */
  #members(of: Expression, text: string, typed: Typed | undefined, at: Place): ValueNode[] {
    const scope = typed && this.#run.compiled.scopeIn.get(typed.node)
    if (!scope) return []
    const ours = new Map(at.scope.groups.names.map((name, i) => [name, at.scope.groups.values[at.group]?.[i]]))
    const members = scope.groups
      .sorted()
      .filter((member) =>
        scope.groups.names.every((name, i) => !ours.has(name) || ours.get(name) === scope.groups.values[member]?.[i]),
      )
    const nodes = members.map((group) => {
      // Each member opens lets for itself.
      this.#opened.clear()
      return { ...this.#node(of, { text, scope, group }), text: memberName(scope, group, ours) }
    })
    const holding = nodes.filter(({ value }) => value === true).length
    const rank = ({ value }: ValueNode) => (value === true ? 0 : value === null ? 1 : 2)
    const shown = nodes.sort((a, b) => rank(a) - rank(b)).slice(0, membersMax)
    const counts = nodes.some(({ value }) => typeof value === 'boolean') ? `${holding} of ${nodes.length} hold` : ''
    const more = nodes.length > shown.length ? `${nodes.length - shown.length} more are not shown` : ''
    const summary = [counts, more].filter(Boolean)
    const head = summary.length > 0 ? [note(summary.join(', '))] : []
    return [...head, ...shown.map((one) => ({ ...one, kind: 'member' as const }))]
  }

  #sequence(expression: Sequence, at: Place): ValueNode[] {
    const typed = this.#trace.typed.get(expression)
    const slots = typed ? this.#run.compiled.sequences.get(typed.node)?.[at.group] : undefined
    const steps = [expression.first, ...expression.steps.map(({ of }) => of)].map((of, i) => {
      const node = this.#node(of, at)
      const reachedMs = slots?.[i]
      if (reachedMs !== undefined && !Number.isNaN(reachedMs)) node.notes.push(`reached ${formatUtc(reachedMs)}`)
      return node
    })
    const without = expression.without ? [this.#node(expression.without, at)] : []
    return [...steps, ...without]
  }

  /** Why an expression without a value has none: a part of it, or a division. */
  #explain(node: ValueNode, expression: Expression, typed: Typed | undefined, at: Place): void {
    const lacking = node.children.find(({ value, kind }) => value === null && kind !== 'member')
    if (lacking) {
      node.missing = lacking.missing ?? `${lacking.text} is missing`
      return
    }
    const isDivision = expression.kind === 'arithmetic' && expression.operator === '/'
    if (isDivision && node.children.at(-1)?.value === 0)
      node.missing = `division by zero: ${node.children.at(-1)?.text} is 0`
    else if (expression.kind === 'ago') node.missing = 'there is no value of that time'
    else if (expression.kind === 'call' && ['unusual', 'expected', 'forecast'].includes(expression.function)) {
      node.missing = 'there is not enough history yet'
    } else if (typed?.type === 'moment' && at.scope.isBlind[at.group] === 1) node.missing = 'its sources are dead'
  }
}

function note(text: string): ValueNode {
  return { text, kind: 'member', value: null, shown: '', notes: [], children: [] }
}

/** What a member adds to the names of the group: `{host}=web1`. */
function memberName(scope: Scope, member: number, ours: ReadonlyMap<string, unknown>): string {
  const values = scope.groups.values[member] ?? []
  return scope.groups.names.flatMap((name, i) => (ours.has(name) ? [] : [`{${name}}=${values[i]}`])).join(' ')
}

export function truth(value: number): string {
  return Number.isNaN(value) ? 'missing' : value === 1 ? 'yes' : 'no'
}
