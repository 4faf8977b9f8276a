/**
 * Feed: from messages to the leaves they concern.
 *
 * Where a source repeats the very same array of names, the leaves are found by that array alone, so a point costs one
 * write. Names seen for the first time go through the router.
 */
import type { ChecksMessage } from '../model/check.ts'
import type { EventMessage } from '../model/event.ts'
import type { MetricsMessage } from '../model/metric.ts'
import { EventLeaf } from './event-leaf.ts'
import { stateCodes } from './language/tree.ts'
import { type LeafRun, noSource } from './leaf.ts'
import { MetricLeaf, type PointKind } from './metric-leaf.ts'
import { Router } from './router.ts'
import type { RuleRun } from './rule-run.ts'
import type { Sources } from './sources.ts'
import { CheckLeaf } from './state-leaf.ts'

/** For one leaf: which positions of a column go to which inputs. */
interface PlanPart {
  rule: RuleRun
  leaf: MetricLeaf
  inputs: Int32Array
  positions: Int32Array
}

/** What the feed tells of a rule. */
export interface FeedEvents {
  /** A source with lateness feeds it for the first time. */
  late: (rule: RuleRun, name: string) => void
  /** It is about to be fed. */
  fed: (rule: RuleRun) => void
}

interface Plan {
  names: readonly string[]
  parts: readonly PlanPart[]
}

const checkKeptMax = 100_000

export class Feed {
  readonly #sources: Sources
  readonly #metrics = new Router<MetricLeaf>()
  readonly #checks = new Router<CheckLeaf>()
  readonly #events = new Router<EventLeaf>()
  readonly #ruleOf = new Map<LeafRun, RuleRun>()
  #plans = new WeakMap<readonly string[], Map<string, Plan>>()
  readonly #tell: FeedEvents

  constructor(rules: readonly RuleRun[], sources: Sources, tell: FeedEvents) {
    this.#sources = sources
    this.#tell = tell
    for (const rule of rules) {
      for (const leaf of rule.compiled.leaves) {
        this.#ruleOf.set(leaf, rule)
        if (leaf instanceof MetricLeaf) this.#metrics.add(leaf)
        else if (leaf instanceof EventLeaf) this.#events.add(leaf)
        else if (leaf instanceof CheckLeaf) this.#checks.add(leaf)
      }
    }
  }

  /** Forgets what was remembered of names, after groups were dropped. */
  forgetPlans(): void {
    this.#plans = new WeakMap()
  }

  metrics(message: MetricsMessage): void {
    const { source, bucketMs, stepMs } = message
    const numbers = (names: readonly string[], kind: PointKind, values: Float64Array, offsetsMs?: Float64Array) => {
      if (names.length === 0) return
      for (const { rule, leaf, inputs, positions } of this.#plan(names, kind, source).parts) {
        this.#tell.fed(rule)
        leaf.writeNumbers(bucketMs, inputs, positions, values)
        if (offsetsMs) leaf.writeTimes(bucketMs, inputs, positions, offsetsMs, bucketMs - stepMs)
      }
    }
    numbers(message.counters.names, 'count', message.counters.sums)
    numbers(message.gauges.names, 'gauge', message.gauges.values, message.gauges.offsetsMs)
    numbers(message.untyped.names, 'untyped', message.untyped.values)
    const objects = (
      names: readonly string[],
      kind: PointKind,
      values: readonly Parameters<MetricLeaf['writeObject']>[2][],
    ) => {
      if (names.length === 0) return
      for (const { rule, leaf, inputs, positions } of this.#plan(names, kind, source).parts) {
        this.#tell.fed(rule)
        positions.forEach((position, i) => {
          leaf.writeObject(bucketMs, inputs[i] as number, values[position] as never)
        })
      }
    }
    objects(message.timers.names, 'timer', message.timers.distributions)
    objects(message.sets.names, 'set', message.sets.members)
  }

  checks(message: ChecksMessage): void {
    const { sources } = { sources: this.#sources }
    const source = sources.indexOf(sources.nameOf(message.source))
    for (const { name, state, atMs, sequence, stepMs } of message.results.slice(0, checkKeptMax)) {
      for (const { leaf, values } of this.#checks.match(name)) {
        this.#noteLate(leaf, message.source)
        this.#tell.fed(this.#ruleOf.get(leaf) as RuleRun)
        leaf.write(message.bucketMs, values, { state: stateCodes[state], atMs, sequence, source, stepMs })
      }
    }
  }

  event(message: EventMessage): void {
    const isPosted = message.id !== undefined
    const source = isPosted ? noSource : this.#sources.indexOf(this.#sources.nameOf(message.source))
    const id = isPosted ? `posted ${message.id}` : `${message.source} ${String(message.sequence).padStart(16, '0')}`
    for (const { leaf, values } of this.#events.matchEvent(message.name, message.tags)) {
      this.#noteLate(leaf, message.source)
      const value = message.tags[leaf.leaf.tag] ?? ''
      this.#tell.fed(this.#ruleOf.get(leaf) as RuleRun)
      leaf.write(message.bucketMs, { id, source, atMs: message.atMs, value }, values)
    }
  }

  #plan(names: readonly string[], kind: PointKind, source: string): Plan {
    let bySource = this.#plans.get(names)
    if (!bySource) {
      bySource = new Map()
      this.#plans.set(names, bySource)
    }
    const key = `${kind} ${source}`
    let plan = bySource.get(key)
    if (!plan) {
      plan = this.#makePlan(names, kind, source)
      bySource.set(key, plan)
    }
    return plan
  }

  #makePlan(names: readonly string[], kind: PointKind, source: string): Plan {
    const byLeaf = new Map<MetricLeaf, { inputs: number[]; positions: number[] }>()
    names.forEach((name, position) => {
      for (const { leaf, values } of this.#metrics.match(name)) {
        this.#tell.fed(this.#ruleOf.get(leaf) as RuleRun)
        const input = leaf.input(name, source, values, kind)
        if (input < 0) continue
        const part = byLeaf.get(leaf) ?? { inputs: [], positions: [] }
        part.inputs.push(input)
        part.positions.push(position)
        byLeaf.set(leaf, part)
      }
    })
    for (const leaf of byLeaf.keys()) this.#noteLate(leaf, source)
    const parts = [...byLeaf].map(([leaf, { inputs, positions }]) => ({
      rule: this.#ruleOf.get(leaf) as RuleRun,
      leaf,
      inputs: Int32Array.from(inputs),
      positions: Int32Array.from(positions),
    }))
    return { names, parts }
  }

  #noteLate(leaf: LeafRun, source: string): void {
    if (!this.#sources.isLate(source)) return
    const rule = this.#ruleOf.get(leaf)
    const name = this.#sources.nameOf(source)
    if (rule && !rule.lateNames.has(name)) this.#tell.late(rule, name)
  }
}
