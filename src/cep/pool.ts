/**
 * Pools of expressions: what an inner scope computes each bucket, folded over its groups and over time. Quantifiers count
 * the members for which a condition holds.
 */
import { DistributionWindow, distributionOf } from './distribution-window.ts'
import { projection } from './groups.ts'
import type { Leaf, Node, PoolFunction } from './language/tree.ts'
import { type LeafContext, LeafRun } from './leaf.ts'
import { poolOf } from './metric-leaf.ts'
import { refill } from './saved.ts'
import type { Evaluate, Scope } from './scope.ts'
import { type FieldFold, PaneWindow, windowShape } from './window.ts'

/** A leaf whose points are the values of an inner scope. */
abstract class InnerRun extends LeafRun {
  protected readonly inner: Scope
  protected readonly evaluate: Evaluate
  readonly #project: (values: readonly string[]) => readonly string[]
  /** Group here of each group of the inner scope. */
  protected readonly outerOf: number[] = []

  constructor(names: readonly string[], context: LeafContext, inner: Scope, evaluate: Evaluate) {
    super({ ...blankLeaf, names }, context)
    this.inner = inner
    this.evaluate = evaluate
    this.#project = projection(inner.groups.names, names)
  }

  get makesNodata(): boolean {
    return false
  }

  override isFresh(group: number, atMs: number): boolean {
    return this.inner.groups
      .sorted()
      .some(
        (member) =>
          this.outerOf[member] === group &&
          this.inner.links.some(({ leaf, map }) => leaf.isFresh(map[member] as number, atMs)),
      )
  }

  override quietUntil(_atMs: number): number {
    return Number.POSITIVE_INFINITY
  }

  fold(atMs: number): void {
    this.born = []
    for (const member of this.inner.born) {
      const group = this.ensure(this.#project(this.inner.groups.values[member] as readonly string[]))
      this.outerOf[member] = group
      if (group < 0 || this.isBorn[group] === 1) continue
      this.isBorn[group] = 1
      this.born.push(group)
    }
    this.#follow(atMs)
  }

  override save() {
    return { ...super.save(), outerOf: this.outerOf }
  }

  override restore(saved: ReturnType<InnerRun['save']>): void {
    super.restore(saved)
    refill(this.outerOf, saved.outerOf)
  }

  /** Takes over who feeds the members and when. */
  #follow(_atMs: number): void {
    const { sources } = this.context
    for (const member of this.inner.groups.sorted()) {
      const group = this.outerOf[member] as number
      if (group < 0) continue
      this.lastSeenMs[group] = Math.max(this.lastSeenMs[group] as number, this.inner.lastSeenMs(member))
      const set = sources.union(this.sourceSet[group] as number, this.inner.sourceSet[member] as number)
      if (set !== this.sourceSet[group]) {
        this.sourceSet[group] = set
        this.setsVersion++
      }
    }
  }

  /** Values of the members, by group here, in the order of the members' keys. */
  protected values(): number[][] {
    const values: number[][] = Array.from({ length: this.groups.length }, () => [])
    for (const member of this.inner.groups.sorted()) {
      const group = this.outerOf[member] as number
      if (group >= 0) (values[group] as number[]).push(this.evaluate(member))
    }
    return values
  }
}

/** sum, avg, … of an expression; count and share of a condition. */
export class PoolRun extends InnerRun {
  readonly #node: Extract<Node, { op: 'pool' }>
  readonly #window: PaneWindow
  readonly #distributions: DistributionWindow | undefined
  readonly #fields: Float64Array

  constructor(node: Extract<Node, { op: 'pool' }>, context: LeafContext, inner: Scope, evaluate: Evaluate) {
    super(node.names, context, inner, evaluate)
    this.#node = node
    const isPercentile = node.function === 'p'
    const shape = windowShape(node.overMs || context.stepMs, context.stepMs, isPercentile ? 30 : context.panesMax)
    this.#window = new PaneWindow(shape, [...foldsOf(node.function), 'add'])
    this.#distributions = isPercentile ? new DistributionWindow(shape) : undefined
    this.#fields = new Float64Array(this.#window.width)
  }

  /** A window over values that stay the same still folds them in other groupings. */
  override quietUntil(atMs: number): number {
    return this.#window.shape.lengthBuckets === 1 ? Number.POSITIVE_INFINITY : atMs
  }

  finish(atMs: number): void {
    this.#window.grow(this.groups.length)
    this.#distributions?.grow(this.groups.length)
    this.#window.advance(atMs, this.groups.length)
    const values = this.values()
    const { buckets } = this.#window.at(atMs)
    for (const group of this.groups.sorted()) {
      this.#push(group, atMs, values[group] as number[])
      this.out[group] = this.#result(group, atMs, buckets)
    }
  }

  override drop(group: number): void {
    super.drop(group)
    this.#window.reset(group)
    this.#distributions?.reset(group)
  }

  override save() {
    const window = this.#window.save(this.groups.length)
    return { ...super.save(), window, distributions: this.#distributions?.save() }
  }

  override restore(saved: ReturnType<PoolRun['save']>): void {
    super.restore(saved)
    this.#window.restore(saved.window)
    if (saved.distributions) this.#distributions?.restore(saved.distributions)
  }

  #push(group: number, atMs: number, members: readonly number[]): void {
    const known = members.filter((value) => !Number.isNaN(value))
    if (known.length === 0 && members.length > 0) return
    if (known.length === 0 && !this.#countsNothing) return
    this.#distributions?.push(group, atMs, distributionOf(known))
    const covers = this.#window.width - 1
    known.forEach((value, i) => {
      this.#window.clear(this.#fields, 0)
      this.#setFields(value)
      this.#fields[covers] = i === 0 ? 1 : 0
      this.#window.push(group, this.#fields, 0)
    })
    if (known.length === 0) {
      this.#window.clear(this.#fields, 0)
      this.#fields[covers] = 1
      this.#window.push(group, this.#fields, 0)
    }
  }

  /** Nothing to count is 0. */
  get #countsNothing(): boolean {
    return this.#node.isCondition && this.#node.function === 'count'
  }

  #setFields(value: number): void {
    const fields = this.#fields
    fields[0] = value
    switch (this.#node.function) {
      case 'avg':
      case 'share':
        fields[1] = 1
        return
      case 'count':
        fields[0] = this.#node.isCondition ? value : 1
        return
      case 'change':
        fields[1] = value
        return
      case 'stddev':
        fields[0] = 1
        fields[1] = value
        fields[2] = 0
    }
  }

  #result(group: number, atMs: number, buckets: number): number {
    const fields = this.#fields
    this.#window.read(group, fields)
    const covered = fields[this.#window.width - 1] as number
    if (covered === 0 || covered * 2 < buckets) return Number.NaN
    const [first, second] = [fields[0] as number, fields[1] as number]
    switch (this.#node.function) {
      case 'avg':
      case 'share':
        return first / second
      case 'rate':
        return first / ((covered * this.context.stepMs) / 1000)
      case 'change':
        return second - first
      case 'stddev':
        return first > 0 ? Math.sqrt((fields[2] as number) / first) : Number.NaN
      case 'p':
        return this.#distributions?.percentile(group, atMs, this.#node.percent) ?? poolOf('p', this.#node.percent, [])
      default:
        return first
    }
  }
}

/** How many members a condition holds for, as a truth. */
export class QuantifierRun extends InnerRun {
  readonly #node: Extract<Node, { op: 'quantifier' }>

  constructor(node: Extract<Node, { op: 'quantifier' }>, context: LeafContext, inner: Scope, evaluate: Evaluate) {
    super(node.names, context, inner, evaluate)
    this.#node = node
  }

  finish(_atMs: number): void {
    const values = this.values()
    for (const group of this.groups.sorted()) {
      let [yes, missing] = [0, 0]
      const members = values[group] as number[]
      for (const value of members) {
        if (value === 1) yes++
        else if (Number.isNaN(value)) missing++
      }
      this.out[group] = quantified(this.#node, yes, missing, members.length)
    }
  }
}

/** True if enough members are true, false if even all missing ones would not be enough, else missing. */
export function quantified(
  { word, amount, isShare }: { word: 'at least' | 'at most' | 'any' | 'all'; amount: number; isShare: boolean },
  yes: number,
  missing: number,
  all: number,
): number {
  if (word === 'any') return yes > 0 ? 1 : missing > 0 ? Number.NaN : 0
  if (word === 'all') return all === 0 ? Number.NaN : yes === all ? 1 : yes + missing < all ? 0 : Number.NaN
  if (isShare && all === 0) return Number.NaN
  const reaches = (count: number) => (isShare ? count * 100 - amount * all : count - amount)
  if (word === 'at least') return reaches(yes) >= 0 ? 1 : reaches(yes + missing) < 0 ? 0 : Number.NaN
  return reaches(yes + missing) <= 0 ? 1 : reaches(yes) > 0 ? 0 : Number.NaN
}

function foldsOf(name: PoolFunction): readonly FieldFold[] {
  const folds: Partial<Record<PoolFunction, readonly FieldFold[]>> = {
    avg: ['add', 'add'],
    share: ['add', 'add'],
    min: ['min'],
    max: ['max'],
    last: ['last'],
    change: ['first', 'last'],
    stddev: ['moments'],
  }
  return folds[name] ?? ['add']
}

const blankLeaf: Leaf = {
  source: 'metric',
  path: '',
  names: [],
  fold: 'value',
  percent: 0,
  overMs: 0,
  isSingle: false,
  kind: undefined,
  assumedKind: 'gauge',
  valueStepMs: undefined,
  tag: '',
  links: [],
}
