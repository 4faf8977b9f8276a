/**
 * Rule words: what one rule says of itself and of its groups: transitions with their sentences and values, and status.
 */
import type { GroupStatus, RuleStatus } from '../model/status.ts'
import { statusGroupsMax } from '../model/status.ts'
import type { Level, Transition } from '../model/transition.ts'
import { CompiledRule } from './compile.ts'
import { formatValue } from './format.ts'
import type { Refusals } from './groups.ts'
import { type HoldSteps, holdSteps, type LevelState } from './hold.ts'
import type { CheckedRule } from './language/load.ts'
import type { Shown } from './language/tree.ts'
import type { LeafContext } from './leaf.ts'
import { Recent } from './recent.ts'
import type { Evaluate } from './scope.ts'
import type { Sources } from './sources.ts'
import type { OnLate } from './watch.ts'

export interface LevelRun {
  level: 'warn' | 'crit'
  condition: Evaluate
  until: Evaluate | undefined
  steps: HoldSteps
  isFresh: (group: number, atMs: number) => boolean
}

/** What a group is at, beyond its leaves. */
export interface GroupState {
  level: Level
  isHidden: boolean
  isBlind: boolean
  /** When it came to its level, and when the trouble began. */
  atMs: number
  troubleMs: number
  levels: LevelState[]
  /** Buckets since the parent of `hide when` calmed down; Infinity when it never bothered. */
  calm: number
}

/** A group's level as another version of the rule left it. */
export interface CarriedGroup {
  values: readonly string[]
  level: Level
  isHidden: boolean
  troubleMs: number
}

/** The same, and the bucket in which it was told. */
export interface ToldGroup extends CarriedGroup {
  bucketMs: number
}

export interface RuleContext {
  sources: Sources
  defaultStepMs: number
  testStepMs: number | undefined
  /** Buckets up to here are closed already. */
  closedMs: number
  onDrop: () => void
  refusals: Refusals
  onLate?: OnLate | undefined
}

export interface ShownValue {
  name: string
  shown: Shown
  value: Evaluate
}

export abstract class RuleWords {
  readonly rule: CheckedRule
  readonly stepMs: number
  readonly compiled: CompiledRule
  lastBucketMs = 0
  /** Among all rules, in the order in which they run. */
  place = 0
  problem: string | undefined
  protected readonly sources: Sources
  protected readonly levels: readonly LevelRun[]
  /** The last values of the compared expression. */
  protected readonly recent = new Recent()
  protected readonly states: (GroupState | undefined)[] = []
  protected readonly startMs: number
  protected values: readonly ShownValue[] = []
  protected compared: { level: 'warn' | 'crit'; left: Evaluate; right: Evaluate }[] = []

  constructor(rule: CheckedRule, context: RuleContext) {
    this.rule = rule
    this.sources = context.sources
    this.stepMs = rule.everyMs ?? context.defaultStepMs
    this.startMs = Math.floor(context.closedMs / this.stepMs) * this.stepMs
    this.lastBucketMs = this.startMs
    const leafContext: LeafContext = {
      sources: context.sources,
      stepMs: this.stepMs,
      testStepMs: context.testStepMs,
      startMs: this.startMs,
      groupsMax: rule.tree.groupsMax,
      panesMax: 360,
      onDrop: context.onDrop,
      refusals: context.refusals,
      onLate: context.onLate,
    }
    this.compiled = new CompiledRule(rule.tree, leafContext)
    this.levels = rule.tree.levels.map((level) => ({
      level: level.level,
      condition: this.compiled.evaluate(level.condition),
      until: level.until && this.compiled.evaluate(level.until),
      steps: holdSteps(level.hold, level.keepMs, this.stepMs),
      isFresh: this.compiled.freshness(level.condition),
    }))
    this.compiled.scope.onReset.push((group) => {
      this.states[group] = undefined
      this.recent.reset(group)
    })
    this.show()
  }

  protected show(): void {
    const { rule, compiled } = this
    const shown = (name: string, value: Shown): ShownValue => ({
      name,
      shown: value,
      value: compiled.evaluate(value.node),
    })
    this.values = rule.lets.map((value) => shown(value.name, value))
    this.compared = (['crit', 'warn'] as const).flatMap((level) => {
      const [first] = rule.comparisons[level] ?? []
      return first
        ? [{ level, left: compiled.evaluate(first.left.node), right: compiled.evaluate(first.right.node) }]
        : []
    })
    for (const level of ['warn', 'crit'] as const) {
      for (const { left, right } of rule.comparisons[level] ?? []) {
        compiled.evaluate(left.node)
        compiled.evaluate(right.node)
      }
    }
    for (const part of rule.sayParts) if (typeof part === 'object' && 'node' in part) compiled.evaluate(part.node)
  }

  protected transition(
    group: number,
    state: GroupState,
    to: { level: Level; isHidden: boolean; isBlind: boolean },
    bucketMs: number,
  ): Transition {
    const { rule } = this
    const { scope } = this.compiled
    const values = scope.groups.values[group] as readonly string[]
    const groupKey = scope.groups.keys[group] as string
    const { alive, known } = this.sources.alive(scope.sourceSet[group] as number)
    const shownLevel = to.level === 'warn' || to.level === 'crit' ? to.level : state.level
    const comparison = this.comparison(group, shownLevel)
    return {
      id: `${rule.name}/${groupKey}/${bucketMs}/${to.level}/${to.isHidden ? 'hidden' : 'shown'}`,
      rule: rule.name,
      group: rule.names.map((name, i) => ({ name, value: values[i] as string })),
      groupKey,
      bucketMs,
      from: state.level,
      to: to.level,
      hidden: to.isHidden,
      blind: to.isBlind,
      ...(alive > 0 && alive < known && { partial: { alive, known } }),
      sinceMs: state.troubleMs || bucketMs,
      say: this.say(group),
      reason: this.reason(group, shownLevel),
      values: this.namedValues(group, shownLevel),
      ...(comparison && { comparison }),
      series: { stepMs: this.stepMs, values: this.recent.of(group).map(nullable) },
      ...(rule.runbook !== undefined && { runbook: rule.runbook }),
      ...(rule.remindMs !== undefined && { remindMs: rule.remindMs }),
      tags: rule.tags,
    }
  }

  protected say(group: number): string {
    const values = this.compiled.scope.groups.values[group] as readonly string[]
    return this.rule.sayParts
      .map((part) => {
        if (typeof part === 'string') return part
        if ('node' in part) return formatValue(this.compiled.evaluate(part.node)(group), part)
        const value = values[this.rule.names.indexOf(part.name)] as string
        return part.fact === '' ? value : (part.values[value] ?? '?')
      })
      .join('')
  }

  /** The sentence of the level, and the values that met it. */
  protected reason(group: number, level: Level): string {
    if (level !== 'warn' && level !== 'crit') return ''
    const seen = new Set<string>()
    const met = (this.rule.comparisons[level] ?? []).flatMap(({ left, right }) =>
      [left, right].flatMap((side) => {
        if (side.node.op === 'constant' || seen.has(side.text)) return []
        seen.add(side.text)
        return [`${side.text} is ${formatValue(this.compiled.evaluate(side.node)(group), side)}`]
      }),
    )
    const sentence = this.rule.levels[level] ?? ''
    return met.length > 0 ? `${sentence} (${met.join(', ')})` : sentence
  }

  protected namedValues(group: number, level: Level) {
    const values = this.values.map(({ name, shown, value }) => named(name, value(group), shown))
    const first = level === 'warn' || level === 'crit' ? this.rule.comparisons[level]?.[0] : undefined
    if (first && !values.some(({ name }) => name === first.expression)) {
      values.push(named(first.expression, this.compiled.evaluate(first.left.node)(group), first.left))
    }
    return values
  }

  protected comparison(group: number, level: Level): Transition['comparison'] {
    const first = level === 'warn' || level === 'crit' ? this.rule.comparisons[level]?.[0] : undefined
    if (!first) return undefined
    return {
      expression: first.expression,
      value: nullable(this.compiled.evaluate(first.left.node)(group)),
      operator: first.operator,
      threshold: nullable(this.compiled.evaluate(first.right.node)(group)),
      unit: first.unit,
      overMs: first.overMs,
    }
  }

  /** Sources of a group that are alive, and all of them. */
  liveness(group: number): { alive: number; known: number } {
    const { alive, known } = this.sources.alive(this.compiled.scope.sourceSet[group] as number)
    return { alive, known }
  }

  status(): RuleStatus {
    const { rule } = this
    const rank: Record<Level, number> = { crit: 0, warn: 1, nodata: 2, ok: 3, forgotten: 4 }
    const groups = this.compiled.scope.groups.sorted().flatMap((group) => this.groupStatus(group) ?? [])
    groups.sort((a, b) => rank[a.level] - rank[b.level])
    return {
      name: rule.name,
      file: rule.file,
      stepMs: this.stepMs,
      levels: rule.levels,
      ...(rule.say !== undefined && { say: rule.say }),
      ...(rule.runbook !== undefined && { runbook: rule.runbook }),
      lastBucketMs: this.lastBucketMs,
      ...(this.problem !== undefined && { problem: this.problem }),
      groupCount: groups.length,
      groups: groups.slice(0, statusGroupsMax),
    }
  }

  protected groupStatus(group: number): GroupStatus | undefined {
    const state = this.states[group]
    if (!state) return undefined
    const { scope } = this.compiled
    const [compared] = this.compared
    const value = compared ? compared.left(group) : Number.NaN
    const [comparison] = compared ? (this.rule.comparisons[compared.level] ?? []) : []
    const pending = this.pending(state)
    const isFiring = state.level === 'warn' || state.level === 'crit'
    return {
      key: scope.groups.keys[group] as string,
      level: state.level,
      ...(pending && { pending }),
      hidden: state.isHidden,
      blind: scope.isBlind[group] === 1,
      partial: scope.isPartial[group] === 1,
      sinceMs: isFiring ? state.troubleMs : state.atMs,
      value: nullable(value),
      text: comparison ? formatValue(value, comparison.left) : '',
      ...(compared && { threshold: nullable(compared.right(group)) }),
    }
  }

  protected pending(state: GroupState): GroupStatus['pending'] {
    for (let i = this.levels.length - 1; i >= 0; i--) {
      const { on, sinceMs } = state.levels[i] as LevelState
      if (!on && sinceMs > 0) return { level: (this.levels[i] as LevelRun).level, sinceMs }
      if (on) return undefined
    }
    return undefined
  }
}

function named(name: string, value: number, shown: Shown) {
  return { name, value: nullable(value), text: formatValue(value, shown) }
}

function nullable(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
