/**
 * Compile history: the parts of a rule that remember: earlier values, what is usual, sequences. Each is stepped once per
 * bucket and group, in the order in which it was compiled, and read as often as needed.
 */
import { EventLeaf } from './event-leaf.ts'
import { deviations, lineAt, Ring, sampling, type Usual, usualLately, usualSeason } from './history.ts'
import type { Node, RuleTree } from './language/tree.ts'
import type { LeafContext, LeafRun } from './leaf.ts'
import { makeLeaf } from './make-leaf.ts'
import { refill } from './saved.ts'
import { type Evaluate, Scope } from './scope.ts'
import { type Moment, newSequence, type SequenceShape, type SequenceState, stepSequence } from './sequence.ts'
import { SortedSamples } from './sorted-samples.ts'
import { BoardLeaf } from './state-leaf.ts'

const seasonsMax = 8

/** Runs one part of a rule when the bucket that ends at `atMs` closes. */
export type Step = (atMs: number) => void

/** Something that remembers: its state by group, as plain data. */
export interface Memory {
  save(): readonly unknown[]
  restore(saved: readonly unknown[]): void
}

export abstract class HistoryCompiler {
  readonly leaves: readonly LeafRun[]
  readonly scope: Scope
  protected readonly context: LeafContext
  protected readonly steps: Step[] = []
  /** How far each sequence is, by group, for tools that look at it. */
  readonly sequences = new Map<Node, readonly SequenceState[]>()
  protected readonly memories: Memory[] = []

  constructor(tree: RuleTree, context: LeafContext) {
    this.context = context
    this.leaves = tree.leaves.map((leaf) => makeLeaf(leaf, tree, context))
    for (const leaf of this.leaves) if (leaf instanceof BoardLeaf) leaf.useFacts(tree.facts)
    this.scope = new Scope(tree.names, context.groupsMax, context.sources, context.refusals)
  }

  abstract evaluate(node: Node, scope?: Scope): Evaluate

  protected ago(node: Extract<Node, { op: 'ago' }>, scope: Scope): Evaluate {
    const of = this.evaluate(node.of, scope)
    const back = Math.max(1, Math.round(node.agoMs / this.context.stepMs))
    const ring = this.remembered(new Ring(back))
    scope.onReset.push((group) => ring.reset(group))
    return this.stepped(scope, (group, bucket) => {
      ring.put(group, bucket, of(group))
      return ring.get(group, bucket, back)
    })
  }

  protected unusual(node: Extract<Node, { op: 'unusual' }>, scope: Scope): Evaluate {
    const of = this.evaluate(node.of, scope)
    const usual = node.mode === 'vs' ? this.lately(node.lengthMs, scope) : this.season(node.lengthMs, scope)
    return this.stepped(scope, (group, bucket) => {
      const value = of(group)
      const known = usual(group, bucket, value)
      if (!known) return Number.NaN
      return node.wants === 'expected' ? known.expected : deviations(value, known, node.floor)
    })
  }

  protected lately(
    lengthMs: number,
    scope: Scope,
  ): (group: number, bucket: number, value: number) => Usual | undefined {
    const { every, count } = sampling(lengthMs, this.context.stepMs)
    const ring = this.remembered(new Ring(count))
    const samples = new SortedSamples(ring, count)
    scope.onReset.push((group) => {
      ring.reset(group)
      samples.reset(group)
    })
    return (group, bucket, value) => {
      const sample = Math.floor(bucket / every)
      const isSample = bucket % every === 0
      const usual = usualLately(samples.upTo(group, isSample ? sample - 1 : sample), count)
      if (isSample) ring.put(group, sample, value)
      return usual
    }
  }

  protected season(
    lengthMs: number,
    scope: Scope,
  ): (group: number, bucket: number, value: number) => Usual | undefined {
    const slots = Math.max(1, Math.round(lengthMs / this.context.stepMs))
    const ring = this.remembered(new Ring(slots * seasonsMax))
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

  protected forecast(node: Extract<Node, { op: 'forecast' }>, scope: Scope): Evaluate {
    const of = this.evaluate(node.of, scope)
    const { stepMs } = this.context
    const { every, count } = sampling(node.fromMs, stepMs)
    const ring = this.remembered(new Ring(count))
    scope.onReset.push((group) => ring.reset(group))
    return this.stepped(scope, (group, bucket) => {
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

  protected sequence(node: Extract<Node, { op: 'sequence' }>, scope: Scope): Evaluate {
    const shape: SequenceShape = {
      withinMs: node.steps.map(({ withinMs }) => withinMs),
      endsInNo: node.steps.at(-1)?.no === true,
    }
    const states: SequenceState[] = []
    this.sequences.set(node, states)
    this.remembered(saving(states))
    scope.onReset.push((group) => {
      states[group] = newSequence(shape)
    })
    const sources = this.momentSources(node, scope)
    return this.stepped(scope, (group, _bucket, atMs) => {
      const moments: Moment[] = []
      for (const { steps, spoils, happened } of sources) {
        for (const momentMs of happened(group, atMs)) moments.push({ atMs: momentMs, steps, spoils })
      }
      const state = states[group] as SequenceState
      return stepSequence(state, shape, moments, atMs) ? 1 : 0
    })
  }

  /** What may happen, each with the steps it stands for; the same event may stand for several. */
  protected momentSources(node: Extract<Node, { op: 'sequence' }>, scope: Scope) {
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
    return all.map(({ steps, spoils, node: of }) => ({ steps, spoils, happened: this.happened(of, scope) }))
  }

  /** When something happened in the bucket: an event's moments, or the end of the bucket of a condition's onset. */
  protected happened(node: Node, scope: Scope): (group: number, atMs: number) => readonly number[] {
    const leaf = node.op === 'leaf' ? this.leaves[node.leaf] : undefined
    if (leaf instanceof EventLeaf && leaf.leaf.fold === 'event') {
      const link = scope.attach(leaf)
      return (group) => leaf.moments.get(link.map[group] as number) ?? []
    }
    const truth = this.evaluate(node, scope)
    const last: number[] = []
    this.remembered(saving(last))
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

  /** Notes something that has state of its own, in the order of compilation, which a rule's tree settles. */
  protected remembered<M extends Memory>(memory: M): M {
    this.memories.push(memory)
    return memory
  }

  /** A part with state: computed once per bucket and group, in order, and read as often as needed. */
  protected stepped(scope: Scope, step: (group: number, bucket: number, atMs: number) => number): Evaluate {
    const out: number[] = []
    this.remembered(saving(out))
    scope.onReset.push((group) => {
      out[group] = Number.NaN
    })
    this.steps.push((atMs) => {
      const bucket = Math.round(atMs / this.context.stepMs)
      for (const group of scope.groups.sorted()) out[group] = step(group, bucket, atMs)
    })
    return (group) => out[group] ?? Number.NaN
  }
}

/** A list of plain data by group. */
function saving<T>(list: T[]): Memory {
  return {
    save: () => list,
    // Copied, since a sequence's slots are changed in place.
    restore: (saved) => refill(list, structuredClone(saved) as T[]),
  }
}
