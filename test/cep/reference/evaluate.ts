/**
 * Evaluate, naively: the value of any expression of a rule at the close of any bucket, recomputed from all raw points.
 */
import type { Leaf, Node, RuleTree } from '../../../src/cep/language/tree.ts'
import {
  checkState,
  eventsOf,
  fold,
  hasPoint,
  median,
  membersOf,
  metricValue,
  nearestRank,
  type Value,
  windowStart,
} from './leaves.ts'
import { sequenceFires } from './sequences.ts'
import { agrees, type Bindings, bindEvent, bindSeries, keyOf, type World } from './world.ts'

/** What other rules are, by rule, group key and bucket. */
export interface Others {
  namesOf(rule: string): readonly string[]
  groupsOf(rule: string): readonly { group: Bindings; bornMs: number }[]
  stateAt(rule: string, key: string, atMs: number): number
  conditionAt(rule: string, key: string, atMs: number): boolean
}

const exactFolds: ReadonlySet<Leaf['fold']> = new Set([
  'sum',
  'count',
  'min',
  'max',
  'last',
  'value',
  'change',
  'distinct',
])

export class Evaluator {
  readonly world: World
  readonly tree: RuleTree
  readonly stepMs: number
  readonly others: Others
  readonly #memo = new Map<Node, Map<string, Value>>()

  constructor(world: World, tree: RuleTree, stepMs: number, others: Others) {
    this.world = world
    this.tree = tree
    this.stepMs = stepMs
    this.others = others
  }

  leafOf(index: number): Leaf {
    return this.tree.leaves[index] as Leaf
  }

  at(node: Node, group: Bindings, atMs: number): Value {
    const memo = this.#memo.get(node) ?? new Map<string, Value>()
    this.#memo.set(node, memo)
    const key = `${JSON.stringify(group)}@${atMs}`
    if (!memo.has(key)) memo.set(key, atMs < this.#bornMs(group) ? undefined : this.#compute(node, group, atMs))
    return memo.get(key)
  }

  /** When the group was first heard of, by any leaf that keeps all its names. */
  #bornMs(group: Bindings): number {
    const names = Object.keys(group)
    const key = JSON.stringify(group)
    const known = this.#births.get(key)
    if (known !== undefined || names.length === 0) return known ?? 0
    const all = this.tree.leaves.flatMap((leaf) => this.#leafBirths(leaf, names))
    const own = all.filter((birth) => agrees(names, birth.group, group)).map(({ bornMs }) => bornMs)
    const bornMs = this.tree.known || own.length === 0 ? 0 : Math.min(...own)
    this.#births.set(key, bornMs)
    return bornMs
  }

  readonly #births = new Map<string, number>()

  #compute(node: Node, group: Bindings, atMs: number): Value {
    const number = (of: Node) => this.at(of, group, atMs) as number | undefined
    const truth = (of: Node) => this.at(of, group, atMs) as boolean | undefined
    switch (node.op) {
      case 'constant':
        return node.value
      case 'leaf':
        return this.#leaf(this.leafOf(node.leaf), group, atMs)
      case 'is': {
        const state = this.#state(this.leafOf(node.leaf), group, atMs, node.early)
        return state === undefined ? undefined : node.states.includes(state) !== node.not
      }
      case 'arithmetic': {
        const [a, b] = [number(node.left), number(node.right)]
        if (a === undefined || b === undefined || (node.operator === '/' && b === 0)) return undefined
        return { '+': a + b, '-': a - b, '*': a * b, '/': a / b }[node.operator]
      }
      case 'scale': {
        const value = number(node.of)
        return value === undefined ? undefined : (value * node.numerator) / node.denominator
      }
      case 'negate':
      case 'abs': {
        const value = number(node.of)
        return value === undefined ? undefined : node.op === 'abs' ? Math.abs(value) : -value
      }
      case 'not': {
        const value = truth(node.of)
        return value === undefined ? undefined : !value
      }
      case 'and':
      case 'or': {
        const decisive = node.op === 'or'
        const [a, b] = [truth(node.left), truth(node.right)]
        if (a === decisive || b === decisive) return decisive
        return a === undefined || b === undefined ? undefined : !decisive
      }
      case 'compare':
        return this.#compare(node, number(node.left), number(node.right))
      case 'quantifier':
        return this.#quantifier(node, group, atMs)
      case 'pool':
        return this.#pool(node, group, atMs)
      case 'ago':
        return this.at(node.of, group, atMs - node.agoMs)
      case 'unusual':
        return this.#unusual(node, group, atMs)
      case 'forecast':
        return this.#forecast(node, group, atMs)
      case 'sequence':
        return sequenceFires(this, node, group, atMs)
    }
  }

  /** Two ways of computing one number differ in its last bits; where that would decide, the reading has no answer. */
  #compare(node: Extract<Node, { op: 'compare' }>, a: number | undefined, b: number | undefined): Value {
    if (a === undefined || b === undefined) return undefined
    const isNear = Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b))
    if (isNear && !(this.#isExact(node.left) && this.#isExact(node.right))) this.world.closeCalls++
    return compare(node.operator, a, b)
  }

  /** Whether every way of computing it gives the same bits: whole numbers, added up or picked out. */
  #isExact(node: Node): boolean {
    if (node.op === 'constant') return Number.isInteger(node.value)
    if (node.op === 'negate' || node.op === 'abs') return this.#isExact(node.of)
    if (node.op === 'arithmetic') return node.operator !== '/' && this.#isExact(node.left) && this.#isExact(node.right)
    return node.op === 'leaf' && exactFolds.has(this.leafOf(node.leaf).fold) && this.world.isWhole
  }

  #leaf(leaf: Leaf, group: Bindings, atMs: number): Value {
    if (leaf.fold === 'silence') return this.#silence(leaf, group, atMs)
    if (leaf.source === 'metric') return metricValue(this.world, leaf, group, atMs, this.stepMs, this.#bornMs(group))
    const events = eventsOf(this.world, leaf, group).filter((event) => event.atMs <= atMs)
    const startMs = windowStart(atMs, leaf.overMs, this.stepMs, leaf.fold === 'distinct' ? 30 : 360)
    const inside = events.filter((event) => event.atMs > startMs)
    const isCovered = Math.min(atMs, atMs - startMs) * 2 >= atMs - startMs
    if (leaf.fold === 'event') return inside.length > 0
    if (leaf.fold === 'since') return events.length === 0 ? undefined : atMs - Math.max(...events.map((e) => e.atMs))
    if (!isCovered) return undefined
    if (leaf.fold === 'count') return inside.length
    if (leaf.fold === 'rate') return inside.length / ((atMs - Math.max(0, startMs)) / 1000)
    return new Set(inside.flatMap(({ tags }) => tags[leaf.tag] ?? [])).size
  }

  #silence(leaf: Leaf, group: Bindings, atMs: number): Value {
    if (hasPoint(this.world, leaf, group, atMs - leaf.overMs, atMs)) return false
    return atMs - leaf.overMs >= 0
  }

  #state(leaf: Leaf, group: Bindings, atMs: number, early: boolean): number | undefined {
    if (leaf.source === 'check') return checkState(this.world, leaf, group, atMs)
    const rule = leaf.path.slice('rule:'.length)
    const key = leaf.links.map((link) => this.#linked(link, group)).join('/') || 'all'
    if (early && this.others.conditionAt(rule, key, atMs)) return 2
    return this.others.stateAt(rule, key, atMs)
  }

  #linked(link: Leaf['links'][number], group: Bindings): string {
    if (link.equals !== '') return link.equals
    const own = group[link.ours] ?? ''
    return link.fact === '' ? own : (this.tree.facts[`${link.ours}.${link.fact}`]?.[own] ?? '')
  }

  #quantifier(node: Extract<Node, { op: 'quantifier' }>, group: Bindings, atMs: number): Value {
    const members = this.groups(node.of, node.innerNames, atMs).filter((member) => agrees(node.names, member, group))
    const truths = members.map((member) => this.at(node.of, member, atMs))
    const yes = truths.filter((one) => one === true).length
    const perhaps = yes + truths.filter((one) => one === undefined).length
    const all = members.length
    const needed = node.isShare ? (node.amount / 100) * all : node.amount
    if (all === 0 && (node.isShare || node.word === 'all')) return undefined
    if (node.word === 'any') return yes >= 1 ? true : perhaps < 1 ? false : undefined
    if (node.word === 'all') return yes === all ? true : perhaps < all ? false : undefined
    if (node.word === 'at least') return yes >= needed ? true : perhaps < needed ? false : undefined
    return yes > needed ? false : perhaps <= needed ? true : undefined
  }

  #pool(node: Extract<Node, { op: 'pool' }>, group: Bindings, atMs: number): Value {
    const startMs = windowStart(atMs, node.overMs, this.stepMs, node.function === 'p' ? 30 : 360)
    const values: Value[] = []
    let ticks = 0
    for (let tickMs = startMs + this.stepMs; tickMs <= atMs; tickMs += this.stepMs) {
      const members = this.groups(node.of, node.innerNames, tickMs).filter((member) =>
        agrees(node.names, member, group),
      )
      const now = members.map((member) => this.at(node.of, member, tickMs))
      const isNothing =
        now.length === 0 && node.isCondition && node.function === 'count' && tickMs > 0 && tickMs >= this.#bornMs(group)
      if (isNothing || now.some((one) => one !== undefined)) ticks++
      values.push(...now)
    }
    const present = values.filter((one) => one !== undefined)
    const lengthTicks = Math.round((atMs - startMs) / this.stepMs)
    if (node.isCondition) {
      if (ticks * 2 < lengthTicks || ticks === 0) return undefined
      const yes = present.filter((one) => one === true).length
      return node.function === 'count' ? yes : yes / present.length
    }
    if (ticks === 0 || ticks * 2 < lengthTicks) return undefined
    if (node.function === 'rate')
      return (present as number[]).reduce((a, b) => a + b, 0) / ((ticks * this.stepMs) / 1000)
    return fold(node.function, node.percent, present as number[])
  }

  #unusual(node: Extract<Node, { op: 'unusual' }>, group: Bindings, atMs: number): Value {
    const now = this.at(node.of, group, atMs) as number | undefined
    const isSeason = node.mode === 'season'
    const count = isSeason ? 8 : node.lengthMs / this.stepMs
    const past = Array.from({ length: count }, (_, i) => atMs - (i + 1) * (isSeason ? node.lengthMs : this.stepMs))
    const values = past
      .filter((ms) => ms > 0)
      .flatMap((ms) => (this.at(node.of, group, ms) as number | undefined) ?? [])
    if (values.length < (isSeason ? 2 : count / 2)) return undefined
    const expected = median(values)
    if (node.wants === 'expected') return expected
    if (now === undefined) return undefined
    const sorted = [...values].sort((a, b) => a - b)
    const spread = isSeason
      ? median(values.map((value) => Math.abs(value - expected))) * 1.4826
      : (nearestRank(sorted, 0.75) - nearestRank(sorted, 0.25)) / 1.349
    const deviation = Math.max(spread, Math.abs(expected) * 0.05, node.floor)
    if (deviation < 1e-9 && !this.#isExact(node.of)) this.world.closeCalls++
    return deviation === 0 ? undefined : (now - expected) / deviation
  }

  #forecast(node: Extract<Node, { op: 'forecast' }>, group: Bindings, atMs: number): Value {
    const startMs = windowStart(atMs, node.fromMs, this.stepMs, 360)
    const points: [number, number][] = []
    for (let ms = startMs + this.stepMs; ms <= atMs; ms += this.stepMs) {
      const value = this.at(node.of, group, ms) as number | undefined
      if (value !== undefined) points.push([ms - atMs, value])
    }
    if (points.length < 3 || points.length * 2 < (atMs - startMs) / this.stepMs) return undefined
    const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
    const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
    const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
    const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
    return meanY + (above / below) * (node.aheadMs - meanX)
  }

  /** The groups over `names` that have been born by `atMs`, in sorted order. */
  groups(node: Node, names: readonly string[], atMs: number): Bindings[] {
    const found = new Map<string, Bindings>()
    for (const { group, bornMs } of this.births(node, names)) {
      if (bornMs <= atMs) found.set(keyOf(names, group), group)
    }
    return [...found.values()].sort((a, b) => (keyOf(names, a) < keyOf(names, b) ? -1 : 1))
  }

  births(node: Node, names: readonly string[]): { group: Bindings; bornMs: number }[] {
    return leavesIn(node).flatMap((index) => this.#leafBirths(this.leafOf(index), names))
  }

  #leafBirths(leaf: Leaf, names: readonly string[]): { group: Bindings; bornMs: number }[] {
    const kept = (bound: Bindings | undefined, bornMs: number | undefined) =>
      bound && bornMs !== undefined && names.every((name) => name in bound)
        ? [{ group: Object.fromEntries(names.map((name) => [name, bound[name] as string])), bornMs }]
        : []
    if (leaf.source === 'rule') {
      const rule = leaf.path.slice('rule:'.length)
      if (leaf.links.some(({ fact, equals }) => fact !== '' || equals !== '')) return []
      return this.others
        .groupsOf(rule)
        .flatMap(({ group, bornMs }) =>
          kept(Object.fromEntries(leaf.links.map((link) => [link.ours, group[link.theirs] as string])), bornMs),
        )
    }
    if (leaf.source === 'event')
      return this.world.events.flatMap((event) => kept(bindEvent(leaf.path, event), event.bucketMs))
    return this.world.series.flatMap((series) => kept(bindSeries(leaf.path, series), series.points[0]?.atMs))
  }

  members(leaf: Leaf, group: Bindings) {
    return membersOf(this.world, leaf, group)
  }
}

export function leavesIn(node: Node): number[] {
  const found: number[] = []
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (key === 'leaf' && typeof inner === 'number') found.push(inner)
        else visit(inner)
      }
    }
  }
  visit(node)
  return found
}

function compare(operator: string, a: number, b: number): Value {
  return { '>': a > b, '<': a < b, '>=': a >= b, '<=': a <= b, '=': a === b, '!=': a !== b }[operator]
}
