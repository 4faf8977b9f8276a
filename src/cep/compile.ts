/**
 * Compile: a rule's tree to functions of a group, and the order in which its parts run when a bucket closes.
 */
import { EventLeaf } from './event-leaf.ts'
import { deviations, lineAt, Ring, sampling, type Usual, usualLately, usualSeason } from './history.ts'
import { andTruth, notTruth, orTruth } from './hold.ts'
import type { Leaf, Node, RuleTree } from './language/tree.ts'
import type { LeafContext, LeafRun } from './leaf.ts'
import { MetricLeaf } from './metric-leaf.ts'
import { PoolRun, QuantifierRun } from './pool.ts'
import { type Evaluate, Scope } from './scope.ts'
import { type Moment, newSequence, type SequenceShape, type SequenceState, stepSequence } from './sequence.ts'
import { BoardLeaf, CheckLeaf } from './state-leaf.ts'

const panesMax = 360
const seasonsMax = 8
/** Members that an inner scope may have. */
const membersMax = 10_000

/** Runs one part of a rule when the bucket that ends at `atMs` closes. */
type Step = (atMs: number) => void

export class CompiledRule {
  readonly leaves: readonly LeafRun[]
  readonly scope: Scope
  readonly #context: LeafContext
  /** Inner scopes and what is pooled of them, inner ones first. */
  readonly #folds: ((atMs: number) => void)[] = []
  readonly #steps: Step[] = []
  readonly #inner: Scope[] = []

  constructor(tree: RuleTree, context: LeafContext) {
    this.#context = context
    this.leaves = tree.leaves.map((leaf) => makeLeaf(leaf, tree, context))
    for (const leaf of this.leaves) if (leaf instanceof BoardLeaf) leaf.useFacts(tree.facts)
    this.scope = new Scope(tree.names, context.groupsMax, context.sources)
  }

  /** True where no series has matched yet, so that a bucket can pass without any work. */
  get isIdle(): boolean {
    if (this.scope.groups.count > 0) return false
    for (const leaf of this.leaves) if (leaf.groups.count > 0 || leaf instanceof BoardLeaf) return false
    return true
  }

  /** Closes one bucket for everything below the levels. */
  close(atMs: number): void {
    for (const leaf of this.leaves) leaf.fold(atMs)
    for (const fold of this.#folds) fold(atMs)
    this.scope.adopt()
    this.scope.judge()
    for (const leaf of this.leaves) leaf.finish(atMs)
    for (const step of this.#steps) step(atMs)
  }

  /** Drops members of inner scopes that have been silent for too long, or that `isRetired` names. */
  forget(
    atMs: number,
    forgetMs: number,
    isRetired: (names: readonly string[], values: readonly string[]) => boolean,
  ): void {
    for (const scope of this.#inner) {
      for (const group of scope.groups.sorted()) {
        const isSilent = atMs - (scope.lastSeenMs[group] as number) >= forgetMs
        const values = scope.groups.values[group] as readonly string[]
        if (isSilent || isRetired(scope.groups.names, values)) scope.drop(group)
      }
    }
  }

  /** Groups refused anywhere in the rule, and a sample. */
  get refused(): { count: number; sample: readonly string[] } {
    const all = [
      this.scope.groups,
      ...this.leaves.map(({ groups }) => groups),
      ...this.#inner.map(({ groups }) => groups),
    ]
    const most = all.reduce((a, b) => (b.refused > a.refused ? b : a))
    return { count: most.refused, sample: most.refusedSample }
  }

  evaluate(node: Node, scope: Scope = this.scope): Evaluate {
    const known = scope.compiled.get(node)
    if (known) return known
    const compiled = this.#compile(node, scope)
    scope.compiled.set(node, compiled)
    return compiled
  }

  /** True where the checks that a condition asks brought something new, or where it asks none. */
  freshness(node: Node): (group: number, atMs: number) => boolean {
    const leaves = new Set<LeafRun>()
    this.#collect(node, leaves)
    const links = this.scope.links.filter(({ leaf }) => leaves.has(leaf))
    if (links.length === 0) return () => true
    return (group, atMs) =>
      links.some(({ leaf, map }) => (map[group] as number) >= 0 && leaf.isFresh(map[group] as number, atMs))
  }

  readonly #runs = new Map<Node, LeafRun>()

  #collect(node: Node, into: Set<LeafRun>): void {
    if (node.op === 'is' || node.op === 'leaf') {
      const leaf = this.leaves[node.leaf]
      if (leaf instanceof CheckLeaf) into.add(leaf)
    }
    if (node.op === 'quantifier' || node.op === 'pool') {
      const inner = new Set<LeafRun>()
      this.#collect(node.of, inner)
      const run = this.#runs.get(node)
      if (inner.size > 0 && run) into.add(run)
      return
    }
    for (const child of childrenOf(node)) this.#collect(child, into)
  }

  #compile(node: Node, scope: Scope): Evaluate {
    switch (node.op) {
      case 'constant':
        return () => node.value
      case 'leaf':
        return this.#leaf(this.leaves[node.leaf] as LeafRun, scope)
      case 'is':
        return this.#is(node, scope)
      case 'arithmetic':
        return this.#arithmetic(node, scope)
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
        return this.#compare(node, scope)
      case 'pool':
      case 'quantifier':
        return this.#pool(node, scope)
      case 'ago':
        return this.#ago(node, scope)
      case 'unusual':
        return this.#unusual(node, scope)
      case 'forecast':
        return this.#forecast(node, scope)
      case 'sequence':
        return this.#sequence(node, scope)
    }
  }

  #leaf(leaf: LeafRun, scope: Scope): Evaluate {
    const link = scope.attach(leaf)
    const value: Evaluate = (group) => {
      const theirs = link.map[group] as number
      return theirs < 0 ? Number.NaN : (leaf.out[theirs] as number)
    }
    if (leaf.leaf.fold !== 'silence') return value
    // With some of its sources dead a group's silence is no news.
    return (group) => (value(group) === 1 && scope.isPartial[group] === 1 ? Number.NaN : value(group))
  }

  #is(node: Extract<Node, { op: 'is' }>, scope: Scope): Evaluate {
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

  #arithmetic(node: Extract<Node, { op: 'arithmetic' }>, scope: Scope): Evaluate {
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

  #compare(node: Extract<Node, { op: 'compare' }>, scope: Scope): Evaluate {
    const [left, right] = [this.evaluate(node.left, scope), this.evaluate(node.right, scope)]
    const holds = comparators[node.operator]
    return (group) => {
      const [a, b] = [left(group), right(group)]
      return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : holds(a, b) ? 1 : 0
    }
  }

  #pool(node: Extract<Node, { op: 'pool' | 'quantifier' }>, scope: Scope): Evaluate {
    const inner = new Scope(node.innerNames, Math.max(membersMax, this.#context.groupsMax), this.#context.sources)
    const evaluate = this.evaluate(node.of, inner)
    const context = { ...this.#context, groupsMax: Math.max(membersMax, this.#context.groupsMax) }
    const run =
      node.op === 'pool'
        ? new PoolRun(node, context, inner, evaluate)
        : new QuantifierRun(node, context, inner, evaluate)
    this.#runs.set(node, run)
    this.#inner.push(inner)
    this.#folds.push((atMs) => {
      inner.adopt()
      inner.judge()
      run.fold(atMs)
    })
    this.#steps.push((atMs) => run.finish(atMs))
    return this.#leaf(run, scope)
  }

  #ago(node: Extract<Node, { op: 'ago' }>, scope: Scope): Evaluate {
    const of = this.evaluate(node.of, scope)
    const back = Math.max(1, Math.round(node.agoMs / this.#context.stepMs))
    const ring = new Ring(back)
    scope.onReset.push((group) => ring.reset(group))
    return this.#stepped(scope, (group, bucket) => {
      ring.put(group, bucket, of(group))
      return ring.get(group, bucket, back)
    })
  }

  #unusual(node: Extract<Node, { op: 'unusual' }>, scope: Scope): Evaluate {
    const of = this.evaluate(node.of, scope)
    const usual = node.mode === 'vs' ? this.#lately(node.lengthMs, scope) : this.#season(node.lengthMs, scope)
    return this.#stepped(scope, (group, bucket) => {
      const value = of(group)
      const known = usual(group, bucket, value)
      if (!known) return Number.NaN
      return node.wants === 'expected' ? known.expected : deviations(value, known, node.floor)
    })
  }

  #lately(lengthMs: number, scope: Scope): (group: number, bucket: number, value: number) => Usual | undefined {
    const { every, count } = sampling(lengthMs, this.#context.stepMs)
    const ring = new Ring(count)
    scope.onReset.push((group) => ring.reset(group))
    return (group, bucket, value) => {
      const sample = Math.floor(bucket / every)
      const isSample = bucket % every === 0
      const before: number[] = []
      for (let back = isSample ? 1 : 0; before.length < count && back < count + (isSample ? 1 : 0); back++) {
        const earlier = ring.get(group, sample, back)
        if (!Number.isNaN(earlier)) before.push(earlier)
      }
      if (isSample) ring.put(group, sample, value)
      return usualLately(before, count)
    }
  }

  #season(lengthMs: number, scope: Scope): (group: number, bucket: number, value: number) => Usual | undefined {
    const slots = Math.max(1, Math.round(lengthMs / this.#context.stepMs))
    const ring = new Ring(slots * seasonsMax)
    scope.onReset.push((group) => ring.reset(group))
    return (group, bucket, value) => {
      ring.put(group, bucket, value)
      const earlier: number[] = []
      for (let season = 1; season <= seasonsMax; season++) {
        const then = ring.get(group, bucket, season * slots)
        if (!Number.isNaN(then)) earlier.push(then)
      }
      return usualSeason(earlier)
    }
  }

  #forecast(node: Extract<Node, { op: 'forecast' }>, scope: Scope): Evaluate {
    const of = this.evaluate(node.of, scope)
    const { stepMs } = this.#context
    const { every, count } = sampling(node.fromMs, stepMs)
    const ring = new Ring(count)
    scope.onReset.push((group) => ring.reset(group))
    return this.#stepped(scope, (group, bucket) => {
      const sample = Math.floor(bucket / every)
      const value = of(group)
      if (bucket % every === 0) ring.put(group, sample, value)
      const points: [number, number][] = []
      for (let back = count - 1; back >= 0; back--) {
        const then = ring.get(group, sample, back)
        if (!Number.isNaN(then)) points.push([(sample - back) * every - bucket, then])
      }
      return points.length * 2 < count ? Number.NaN : lineAt(points, node.aheadMs / stepMs)
    })
  }

  #sequence(node: Extract<Node, { op: 'sequence' }>, scope: Scope): Evaluate {
    const shape: SequenceShape = {
      withinMs: node.steps.map(({ withinMs }) => withinMs),
      endsInNo: node.steps.at(-1)?.no === true,
    }
    const states: SequenceState[] = []
    scope.onReset.push((group) => {
      states[group] = newSequence(shape)
    })
    const sources = this.#momentSources(node, scope)
    return this.#stepped(scope, (group, _bucket, atMs) => {
      const moments: Moment[] = []
      for (const { steps, spoils, happened } of sources) {
        for (const momentMs of happened(group, atMs)) moments.push({ atMs: momentMs, steps, spoils })
      }
      const state = states[group] as SequenceState
      return stepSequence(state, shape, moments, atMs) ? 1 : 0
    })
  }

  /** What may happen, each with the steps it stands for; the same event may stand for several. */
  #momentSources(node: Extract<Node, { op: 'sequence' }>, scope: Scope) {
    const written = [node.first, ...node.steps.map(({ of }) => of)]
    const byKey = new Map<string, { steps: number[]; spoils: boolean; node: Node }>()
    written.forEach((of, step) => {
      const key = JSON.stringify(of)
      const known = byKey.get(key)
      if (known) known.steps.push(step)
      else byKey.set(key, { steps: [step], spoils: false, node: of })
    })
    const all = [...byKey.values()]
    if (node.without) all.push({ steps: [], spoils: true, node: node.without })
    return all.map(({ steps, spoils, node: of }) => ({ steps, spoils, happened: this.#happened(of, scope) }))
  }

  /** When something happened in the bucket: an event's moments, or the end of the bucket of a condition's onset. */
  #happened(node: Node, scope: Scope): (group: number, atMs: number) => readonly number[] {
    const leaf = node.op === 'leaf' ? this.leaves[node.leaf] : undefined
    if (leaf instanceof EventLeaf && leaf.leaf.fold === 'event') {
      const link = scope.attach(leaf)
      return (group) => leaf.moments.get(link.map[group] as number) ?? []
    }
    const truth = this.evaluate(node, scope)
    const last: number[] = []
    scope.onReset.push((group) => {
      last[group] = Number.NaN
    })
    return (group, atMs) => {
      const now = truth(group)
      const isOnset = now === 1 && last[group] === 0
      if (!Number.isNaN(now)) last[group] = now
      return isOnset ? [atMs] : []
    }
  }

  /** A part with state: computed once per bucket and group, in order, and read as often as needed. */
  #stepped(scope: Scope, step: (group: number, bucket: number, atMs: number) => number): Evaluate {
    const out: number[] = []
    scope.onReset.push((group) => {
      out[group] = Number.NaN
    })
    this.#steps.push((atMs) => {
      const bucket = Math.round(atMs / this.#context.stepMs)
      for (const group of scope.groups.sorted()) out[group] = step(group, bucket, atMs)
    })
    return (group) => out[group] ?? Number.NaN
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

function makeLeaf(leaf: Leaf, tree: RuleTree, context: LeafContext): LeafRun {
  const isOwn = leaf.names.length === tree.names.length
  const groupsMax = isOwn ? context.groupsMax : Math.max(membersMax, context.groupsMax)
  const own = { ...context, groupsMax, panesMax }
  if (leaf.source === 'metric') return new MetricLeaf(leaf, own)
  if (leaf.source === 'event') return new EventLeaf(leaf, own)
  return leaf.source === 'check' ? new CheckLeaf(leaf, own) : new BoardLeaf(leaf, own)
}

function childrenOf(node: Node): readonly Node[] {
  if ('left' in node) return [node.left, node.right]
  if (node.op === 'sequence') return [node.first, ...node.steps.map(({ of }) => of)]
  return 'of' in node ? [node.of] : []
}
