/**
 * Compile: a rule's tree to functions of a group, and the order in which its parts run when a bucket closes.
 */

import { HistoryCompiler } from './compile-history.ts'
import type { Groups } from './groups.ts'
import { andTruth, notTruth, orTruth } from './hold.ts'
import type { Node } from './language/tree.ts'
import type { LeafRun, SavedLeaf } from './leaf.ts'
import { membersMax } from './make-leaf.ts'
import { PoolRun, QuantifierRun } from './pool.ts'
import { type Evaluate, Scope } from './scope.ts'
import { BoardLeaf, CheckLeaf } from './state-leaf.ts'

function isUntouched(leaf: LeafRun): boolean {
  return leaf.groups.count === 0 && !(leaf instanceof BoardLeaf)
}

/** Shared, since every rule is asked each bucket. */
const noneRefused: { count: number; groups: Groups | undefined } = { count: 0, groups: undefined }

export class CompiledRule extends HistoryCompiler {
  /** Inner scopes and what is pooled of them, inner ones first. */
  protected readonly folds: ((atMs: number) => void)[] = []

  protected readonly inner: Scope[] = []

  /** The scope inside a pool or a quantifier, for tools that look at its members. */
  readonly scopeIn = new Map<Node, Scope>()

  #isIdle = true

  /** True where no series has matched yet, so that a bucket can pass without any work. */
  get isIdle(): boolean {
    if (!this.#isIdle || (this.scope.groups.count === 0 && this.leaves.every(isUntouched))) return this.#isIdle
    this.#isIdle = false
    this.context.refusals.version++
    return false
  }

  /** Until when nothing below the levels changes if nothing comes; not after `atMs` if that cannot be said. */
  quietUntil(atMs: number): number {
    if (this.memories.length > 0) return atMs
    let untilMs = Number.POSITIVE_INFINITY
    for (const leaf of this.leaves) untilMs = Math.min(untilMs, leaf.quietUntil(atMs))
    for (const pool of this.pools) untilMs = Math.min(untilMs, pool.quietUntil(atMs))
    return untilMs
  }

  pass(atMs: number): void {
    for (const leaf of this.leaves) leaf.pass(atMs)
  }

  /** When the first group that is not known for good will be forgotten if nothing comes. */
  forgottenFromMs(forgetMs: number, isKept: (group: number) => boolean): number {
    let oldestMs = this.oldestInnerMs()
    const { groups } = this.scope
    if (groups.names.length === 0) return oldestMs + forgetMs
    for (const group of groups.sorted()) if (!isKept(group)) oldestMs = Math.min(oldestMs, this.scope.lastSeenMs(group))
    return oldestMs + forgetMs
  }

  /** Closes one bucket for everything below the levels. */
  close(atMs: number): void {
    for (const leaf of this.leaves) leaf.fold(atMs)
    for (const fold of this.folds) fold(atMs)
    this.scope.adopt()
    this.scope.judge()
    for (const leaf of this.leaves) leaf.finish(atMs)
    for (const step of this.steps) step(atMs)
  }

  /** Drops members of inner scopes that have been silent for too long, or that `isRetired` names. */
  forget(
    atMs: number,
    forgetMs: number,
    isRetired: (names: readonly string[], values: readonly string[]) => boolean,
  ): void {
    for (const scope of this.inner) {
      for (const group of scope.groups.sorted()) {
        const isSilent = atMs - scope.lastSeenMs(group) >= forgetMs
        const values = scope.groups.values[group] as readonly string[]
        if (isSilent || isRetired(scope.groups.names, values)) scope.drop(group)
      }
    }
  }

  /** Grows with every group that comes or goes anywhere in the rule. */
  get groupsVersion(): number {
    let version = this.scope.groups.version
    for (let i = 0; i < this.inner.length; i++) version += (this.inner[i] as Scope).groups.version
    return version
  }

  /** When the member that was silent for the longest was last fed. */
  oldestInnerMs(): number {
    return this.inner.reduce((oldestMs, scope) => Math.min(oldestMs, scope.oldestSeenMs()), Number.POSITIVE_INFINITY)
  }

  /** How many groups were refused anywhere in the rule, and where most were. */
  get refused(): { count: number; groups: Groups | undefined } {
    if (this.#isIdle) return noneRefused
    let most = this.scope.groups
    for (const { groups } of this.leaves) if (groups.refused > most.refused) most = groups
    for (const { groups } of this.inner) if (groups.refused > most.refused) most = groups
    return most.refused === 0 ? noneRefused : { count: most.refused, groups: most }
  }

  /** Everything below the levels; undefined while nothing has matched. */
  save() {
    if (this.isIdle) return undefined
    return {
      leaves: this.leaves.map((leaf) => leaf.save()),
      pools: this.pools.map((pool) => pool.save()),
      scopes: [this.scope, ...this.inner].map((scope) => scope.save()),
      memories: this.memories.map((memory) => memory.save()),
    }
  }

  restore(saved: ReturnType<CompiledRule['save']>): void {
    if (!saved) return
    this.#isIdle = false
    this.leaves.forEach((leaf, i) => {
      leaf.restore(saved.leaves[i] as SavedLeaf)
    })
    this.pools.forEach((pool, i) => {
      pool.restore(saved.pools[i] as SavedLeaf)
    })
    ;[this.scope, ...this.inner].forEach((scope, i) => {
      scope.restore(saved.scopes[i] as ReturnType<Scope['save']>)
    })
    this.memories.forEach((memory, i) => {
      memory.restore(saved.memories[i] as readonly unknown[])
    })
  }

  evaluate(node: Node, scope: Scope = this.scope): Evaluate {
    const known = scope.compiled.get(node)
    if (known) return known
    const compiled = this.compile(node, scope)
    scope.compiled.set(node, compiled)
    return compiled
  }

  /** True where the checks that a condition asks brought something new, or where it asks none. */
  freshness(node: Node): (group: number, atMs: number) => boolean {
    const leaves = new Set<LeafRun>()
    this.collect(node, leaves)
    const links = this.scope.links.filter(({ leaf }) => leaves.has(leaf))
    if (links.length === 0) return () => true
    return (group, atMs) =>
      links.some(({ leaf, map }) => (map[group] as number) >= 0 && leaf.isFresh(map[group] as number, atMs))
  }

  protected readonly runs = new Map<Node, LeafRun>()
  /** The same and, of a part that stands in several scopes, each. */
  protected readonly pools: LeafRun[] = []

  protected collect(node: Node, into: Set<LeafRun>): void {
    if (node.op === 'is' || node.op === 'leaf') {
      const leaf = this.leaves[node.leaf]
      if (leaf instanceof CheckLeaf) into.add(leaf)
    }
    if (node.op === 'quantifier' || node.op === 'pool') {
      const inner = new Set<LeafRun>()
      this.collect(node.of, inner)
      const run = this.runs.get(node)
      if (inner.size > 0 && run) into.add(run)
      return
    }
    for (const child of childrenOf(node)) this.collect(child, into)
  }

  protected compile(node: Node, scope: Scope): Evaluate {
    switch (node.op) {
      case 'constant':
        return () => node.value
      case 'leaf':
        return this.leaf(this.leaves[node.leaf] as LeafRun, scope)
      case 'is':
        return this.is(node, scope)
      case 'arithmetic':
        return this.arithmetic(node, scope)
      case 'scale': {
        const of = this.evaluate(node.of, scope)
        return (group) => (of(group) * node.numerator) / node.denominator
      }
      case 'negate': {
        const of = this.evaluate(node.of, scope)
        return (group) => -of(group)
      }
      case 'abs': {
        const of = this.evaluate(node.of, scope)
        return (group) => Math.abs(of(group))
      }
      case 'not': {
        const of = this.evaluate(node.of, scope)
        return (group) => notTruth(of(group))
      }
      case 'and':
      case 'or': {
        const [left, right] = [this.evaluate(node.left, scope), this.evaluate(node.right, scope)]
        return node.op === 'and'
          ? (group) => andTruth(left(group), right(group))
          : (group) => orTruth(left(group), right(group))
      }
      case 'compare':
        return this.compare(node, scope)
      case 'pool':
      case 'quantifier':
        return this.pool(node, scope)
      case 'ago':
        return this.ago(node, scope)
      case 'unusual':
        return this.unusual(node, scope)
      case 'forecast':
        return this.forecast(node, scope)
      case 'sequence':
        return this.sequence(node, scope)
    }
  }

  protected leaf(leaf: LeafRun, scope: Scope): Evaluate {
    const link = scope.attach(leaf)
    const value: Evaluate = (group) => {
      const theirs = link.map[group] as number
      return theirs < 0 ? Number.NaN : (leaf.out[theirs] as number)
    }
    if (leaf.leaf.fold !== 'silence') return value
    // With some of its sources dead a group's silence is no news.
    return (group) => (value(group) === 1 && scope.isPartial[group] === 1 ? Number.NaN : value(group))
  }

  protected is(node: Extract<Node, { op: 'is' }>, scope: Scope): Evaluate {
    const leaf = this.leaves[node.leaf] as LeafRun
    const link = scope.attach(leaf)
    const isOne = Uint8Array.from([0, 1, 2, 3, 4], (code) => Number(node.states.includes(code)))
    return (group) => {
      const theirs = link.map[group] as number
      const code = theirs < 0 ? Number.NaN : (leaf.out[theirs] as number)
      if (Number.isNaN(code)) return Number.NaN
      const holds = isOne[code] === 1 || (node.early && leaf instanceof BoardLeaf && leaf.early[theirs] === 1)
      return holds !== node.not ? 1 : 0
    }
  }

  protected arithmetic(node: Extract<Node, { op: 'arithmetic' }>, scope: Scope): Evaluate {
    const [left, right] = [this.evaluate(node.left, scope), this.evaluate(node.right, scope)]
    switch (node.operator) {
      case '+':
        return (group) => left(group) + right(group)
      case '-':
        return (group) => left(group) - right(group)
      case '*':
        return (group) => left(group) * right(group)
      case '/':
        return (group) => {
          const by = right(group)
          return by === 0 ? Number.NaN : left(group) / by
        }
    }
  }

  protected compare(node: Extract<Node, { op: 'compare' }>, scope: Scope): Evaluate {
    const [left, right] = [this.evaluate(node.left, scope), this.evaluate(node.right, scope)]
    const holds = comparators[node.operator]
    return (group) => {
      const [a, b] = [left(group), right(group)]
      return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : holds(a, b) ? 1 : 0
    }
  }

  protected pool(node: Extract<Node, { op: 'pool' | 'quantifier' }>, scope: Scope): Evaluate {
    const { groupsMax, sources, refusals } = this.context
    const inner = new Scope(node.innerNames, Math.max(membersMax, groupsMax), sources, refusals)
    const evaluate = this.evaluate(node.of, inner)
    const context = { ...this.context, groupsMax: Math.max(membersMax, this.context.groupsMax) }
    const run =
      node.op === 'pool'
        ? new PoolRun(node, context, inner, evaluate)
        : new QuantifierRun(node, context, inner, evaluate)
    this.runs.set(node, run)
    this.pools.push(run)
    this.inner.push(inner)
    this.scopeIn.set(node, inner)
    this.folds.push((atMs) => {
      inner.adopt()
      inner.judge()
      run.fold(atMs)
    })
    this.steps.push((atMs) => run.finish(atMs))
    return this.leaf(run, scope)
  }
}

const comparators = {
  '>': (a: number, b: number) => a > b,
  '<': (a: number, b: number) => a < b,
  '>=': (a: number, b: number) => a >= b,
  '<=': (a: number, b: number) => a <= b,
  '=': (a: number, b: number) => a === b,
  '!=': (a: number, b: number) => a !== b,
} as const

function childrenOf(node: Node): readonly Node[] {
  if ('left' in node) return [node.left, node.right]
  if (node.op === 'sequence') return [node.first, ...node.steps.map(({ of }) => of)]
  return 'of' in node ? [node.of] : []
}
