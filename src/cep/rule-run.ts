/**
 * Rule run: one rule at work. Each closed bucket it computes its conditions, steps its levels and says what changed.
 *
 *     ok ⇄ warn ⇄ crit      the highest level that is on
 *     ok ⇄ nodata           no input for 5 minutes, and not firing
 *     any firing ─▶ forgotten
 *
 * A blind group (all its sources dead) holds everything; a partial one may raise and does not clear.
 */
import type { GroupStatus, RuleStatus } from '../model/status.ts'
import { statusGroupsMax } from '../model/status.ts'
import type { Level, Transition } from '../model/transition.ts'
import { CompiledRule } from './compile.ts'
import { formatValue } from './format.ts'
import { type HoldSteps, holdSteps, type LevelState, newLevelState, notTruth, stepLevel } from './hold.ts'
import type { CheckedRule } from './language/load.ts'
import { type Shown, stateCodes } from './language/tree.ts'
import type { LeafContext } from './leaf.ts'
import type { Evaluate } from './scope.ts'
import type { Sources } from './sources.ts'
import type { StateBoard } from './state-leaf.ts'

const nodataMs = 300_000
const seriesLength = 60

interface LevelRun {
  level: 'warn' | 'crit'
  condition: Evaluate
  until: Evaluate | undefined
  steps: HoldSteps
  isFresh: (group: number, atMs: number) => boolean
}

/** What a group is at, beyond its leaves. */
interface GroupState {
  level: Level
  isHidden: boolean
  isBlind: boolean
  /** When it came to its level, and when the trouble began. */
  atMs: number
  troubleMs: number
  levels: LevelState[]
  /** Buckets since the parent of `hide when` calmed down; Infinity when it never bothered. */
  calm: number
  /** The last values of the compared expression, oldest first. */
  values: number[]
}

/** A group's level as another version of the rule left it. */
export interface CarriedGroup {
  values: readonly string[]
  level: Level
  isHidden: boolean
  troubleMs: number
}

export interface RuleContext {
  sources: Sources
  defaultStepMs: number
  testStepMs: number | undefined
  /** Buckets up to here are closed already. */
  closedMs: number
}

interface ShownValue {
  name: string
  shown: Shown
  value: Evaluate
}

export class RuleRun implements StateBoard {
  rule: CheckedRule
  readonly stepMs: number
  readonly compiled: CompiledRule
  /** Names of sources with lateness that feed the rule. */
  readonly lateNames = new Set<string>()
  lastBucketMs = 0
  problem: string | undefined
  readonly #sources: Sources
  readonly #levels: readonly LevelRun[]
  readonly #hide: Evaluate | undefined
  readonly #settleBuckets: number
  readonly #groups: (GroupState | undefined)[] = []
  readonly #startMs: number
  readonly #carried = new Map<string, CarriedGroup>()
  #values: readonly ShownValue[] = []
  #compared: { level: 'warn' | 'crit'; left: Evaluate; right: Evaluate }[] = []

  constructor(rule: CheckedRule, context: RuleContext, carried: readonly CarriedGroup[] = []) {
    this.rule = rule
    this.#sources = context.sources
    this.stepMs = rule.everyMs ?? context.defaultStepMs
    this.#startMs = Math.floor(context.closedMs / this.stepMs) * this.stepMs
    this.lastBucketMs = this.#startMs
    const leafContext: LeafContext = {
      sources: context.sources,
      stepMs: this.stepMs,
      testStepMs: context.testStepMs,
      startMs: this.#startMs,
      groupsMax: rule.tree.groupsMax,
      panesMax: 360,
    }
    this.compiled = new CompiledRule(rule.tree, leafContext)
    this.#levels = rule.tree.levels.map((level) => ({
      level: level.level,
      condition: this.compiled.evaluate(level.condition),
      until: level.until && this.compiled.evaluate(level.until),
      steps: holdSteps(level.hold, level.keepMs, this.stepMs),
      isFresh: this.compiled.freshness(level.condition),
    }))
    this.#hide = rule.tree.hide && this.compiled.evaluate(rule.tree.hide)
    this.#settleBuckets = Math.max(1, Math.ceil(rule.tree.settleMs / this.stepMs))
    this.compiled.scope.onReset.push((group) => {
      this.#groups[group] = undefined
    })
    this.#show()
    for (const group of carried) this.#carried.set(group.values.join('\u0000'), group)
    this.#expected()
  }

  /** Takes over what does not change the rule's meaning: its words. */
  reword(rule: CheckedRule): void {
    this.rule = rule
    this.#show()
  }

  /** Closes one bucket; `isRetired` tells which groups an event ended. */
  close(atMs: number, isRetired?: (names: readonly string[], values: readonly string[]) => boolean): Transition[] {
    this.lastBucketMs = atMs
    if (this.compiled.isIdle) return []
    this.compiled.close(atMs)
    const transitions: Transition[] = []
    for (const group of this.compiled.scope.groups.sorted()) this.#stepGroup(group, atMs, transitions)
    this.#forget(atMs, isRetired ?? (() => false), transitions)
    return transitions
  }

  /** Ends all groups, as the rule is removed or keeps other names. */
  end(atMs: number): Transition[] {
    const transitions: Transition[] = []
    for (const group of this.compiled.scope.groups.sorted()) this.#end(group, atMs, transitions)
    return transitions
  }

  /** Each group's level, for the rule's next version. */
  carry(): CarriedGroup[] {
    return this.compiled.scope.groups.sorted().flatMap((group) => {
      const state = this.#groups[group]
      if (!state) return []
      const values = this.compiled.scope.groups.values[group] as readonly string[]
      return [{ values, level: state.level, isHidden: state.isHidden, troubleMs: state.troubleMs }]
    })
  }

  get makesNodata(): boolean {
    return this.compiled.leaves.some((leaf) => leaf.makesNodata)
  }

  // As a board for the rules that refer to this one.

  groups(): readonly (readonly string[])[] {
    const { groups } = this.compiled.scope
    return groups.sorted().map((group) => groups.values[group] as readonly string[])
  }

  get version(): number {
    return this.compiled.scope.groups.version
  }

  state(values: readonly string[]): number {
    const level = this.#groups[this.compiled.scope.groups.find(values)]?.level
    return level === 'ok' || level === 'warn' || level === 'crit' ? stateCodes[level] : stateCodes.missing
  }

  early(values: readonly string[]): boolean {
    const group = this.compiled.scope.groups.find(values)
    const state = this.#groups[group]
    if (!state) return false
    return state.levels.some(({ on }) => on) || this.#levels.some(({ condition }) => condition(group) === 1)
  }

  /** Groups that exist from the start: known ones, those carried over, and the one of a whole-path `no … for`. */
  #expected(): void {
    const { names, known, leaves } = this.rule.tree
    const { scope } = this.compiled
    for (const values of known?.groups ?? []) scope.add(values)
    for (const { values } of this.#carried.values()) scope.add(values)
    const isWhole =
      names.length === 0 && leaves.some(({ fold, names: kept }) => fold === 'silence' && kept.length === 0)
    if (isWhole) scope.add([])
  }

  #show(): void {
    const { rule, compiled } = this
    const shown = (name: string, value: Shown): ShownValue => ({
      name,
      shown: value,
      value: compiled.evaluate(value.node),
    })
    this.#values = rule.lets.map((value) => shown(value.name, value))
    this.#compared = (['crit', 'warn'] as const).flatMap((level) => {
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

  #stateOf(group: number, atMs: number): GroupState {
    const known = this.#groups[group]
    if (known) return known
    const values = this.compiled.scope.groups.values[group] as readonly string[]
    const carried = this.#carried.get(values.join('\u0000'))
    this.#carried.delete(values.join('\u0000'))
    const state: GroupState = {
      level: carried?.level ?? 'ok',
      isHidden: carried?.isHidden ?? false,
      isBlind: false,
      atMs,
      troubleMs: carried?.troubleMs ?? 0,
      levels: this.#levels.map(({ level }) => ({
        ...newLevelState(),
        on: carried?.level === 'crit' || level === carried?.level,
      })),
      calm: Number.POSITIVE_INFINITY,
      values: [],
    }
    this.#groups[group] = state
    return state
  }

  #stepGroup(group: number, atMs: number, into: Transition[]): void {
    const { scope } = this.compiled
    const state = this.#stateOf(group, atMs)
    this.#remember(group, state)
    const isBlind = scope.isBlind[group] === 1
    if (!isBlind) {
      this.#levels.forEach((level, i) => {
        this.#stepLevel(group, level, state.levels[i] as LevelState, atMs)
      })
    }
    this.#stepHide(group, state)
    const level = isBlind ? state.level : this.#levelOf(group, state, atMs)
    const isFiring = level === 'warn' || level === 'crit'
    const isHidden = isFiring && state.calm < this.#settleBuckets
    const isChanged = level !== state.level || isHidden !== state.isHidden || (isFiring && isBlind !== state.isBlind)
    const troubleMs = this.#troubleSince(state, atMs)
    if (isFiring) state.troubleMs = troubleMs
    if (isChanged) into.push(this.#transition(group, state, { level, isHidden, isBlind }, atMs))
    if (level !== state.level) state.atMs = atMs
    state.level = level
    state.isHidden = isHidden
    state.isBlind = isBlind
  }

  #stepLevel(group: number, run: LevelRun, state: LevelState, atMs: number): void {
    let truth = run.condition(group)
    const { ifMissing } = this.rule.tree
    if (Number.isNaN(truth) && ifMissing !== 'hold') truth = this.#ifMissing(run.level)
    const wasMissing = Number.isNaN(run.condition(group))
    let clear = run.until ? run.until(group) : notTruth(truth)
    if (wasMissing && ifMissing !== 'hold') clear = notTruth(truth)
    if (this.compiled.scope.isPartial[group] === 1) clear = Number.NaN
    stepLevel(state, run.steps, truth, clear, atMs, run.isFresh(group, atMs))
  }

  /** What a missing condition counts as: true for the level that `if missing` names and those below. */
  #ifMissing(level: 'warn' | 'crit'): number {
    const { ifMissing } = this.rule.tree
    if (ifMissing === 'ok') return 0
    const highest = this.#levels.at(-1)?.level
    return level === 'warn' || ifMissing === 'crit' || highest === ifMissing ? 1 : 0
  }

  #stepHide(group: number, state: GroupState): void {
    if (!this.#hide) return
    const truth = this.#hide(group)
    if (truth === 1) state.calm = 0
    else if (truth === 0) state.calm++
  }

  #levelOf(group: number, state: GroupState, atMs: number): Level {
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      if (state.levels[i]?.on) return (this.#levels[i] as LevelRun).level
    }
    if (!this.makesNodata) return 'ok'
    const silentMs = atMs - (this.compiled.scope.lastSeenMs[group] as number)
    const standsMs = Math.max(0, ...this.compiled.leaves.map((leaf) => (leaf.makesNodata ? leaf.standsMs : 0)))
    return silentMs >= Math.max(nodataMs, standsMs) ? 'nodata' : 'ok'
  }

  #troubleSince(state: GroupState, atMs: number): number {
    const began = state.levels.filter(({ on }) => on).map(({ sinceMs }) => sinceMs)
    const known = began.filter((sinceMs) => sinceMs > 0)
    if (state.troubleMs > 0 && (state.level === 'warn' || state.level === 'crit')) known.push(state.troubleMs)
    return known.length > 0 ? Math.min(...known) : atMs
  }

  #remember(group: number, state: GroupState): void {
    const [compared] = this.#compared
    if (!compared) return
    state.values.push(compared.left(group))
    if (state.values.length > seriesLength) state.values.shift()
  }

  #forget(
    atMs: number,
    isRetired: (names: readonly string[], values: readonly string[]) => boolean,
    into: Transition[],
  ): void {
    const { scope } = this.compiled
    const { forgetMs, known } = this.rule.tree
    for (const group of scope.groups.sorted()) {
      const values = scope.groups.values[group] as readonly string[]
      const isSilent = atMs - (scope.lastSeenMs[group] as number) >= forgetMs && scope.groups.names.length > 0
      const isKnown = known?.groups.some((other) => other.every((value, i) => value === values[i])) === true
      if (!(isSilent && !isKnown) && !isRetired(scope.groups.names, values)) continue
      this.#end(group, atMs, into)
      scope.drop(group)
      this.#groups[group] = undefined
    }
    this.compiled.forget(atMs, forgetMs, isRetired)
  }

  #end(group: number, atMs: number, into: Transition[]): void {
    const state = this.#groups[group]
    if (state?.level !== 'warn' && state?.level !== 'crit') return
    into.push(this.#transition(group, state, { level: 'forgotten', isHidden: false, isBlind: state.isBlind }, atMs))
  }

  #transition(
    group: number,
    state: GroupState,
    to: { level: Level; isHidden: boolean; isBlind: boolean },
    bucketMs: number,
  ): Transition {
    const { rule } = this
    const { scope } = this.compiled
    const values = scope.groups.values[group] as readonly string[]
    const groupKey = scope.groups.keys[group] as string
    const { alive, known } = this.#sources.alive(scope.sourceSet[group] as number)
    const shownLevel = to.level === 'warn' || to.level === 'crit' ? to.level : state.level
    const comparison = this.#comparison(group, shownLevel)
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
      say: this.#say(group),
      reason: this.#reason(group, shownLevel),
      values: this.#namedValues(group, shownLevel),
      ...(comparison && { comparison }),
      series: { stepMs: this.stepMs, values: state.values.map(nullable) },
      ...(rule.runbook !== undefined && { runbook: rule.runbook }),
      ...(rule.remindMs !== undefined && { remindMs: rule.remindMs }),
      tags: rule.tags,
    }
  }

  #say(group: number): string {
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
  #reason(group: number, level: Level): string {
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

  #namedValues(group: number, level: Level) {
    const values = this.#values.map(({ name, shown, value }) => named(name, value(group), shown))
    const first = level === 'warn' || level === 'crit' ? this.rule.comparisons[level]?.[0] : undefined
    if (first && !values.some(({ name }) => name === first.expression)) {
      values.push(named(first.expression, this.compiled.evaluate(first.left.node)(group), first.left))
    }
    return values
  }

  #comparison(group: number, level: Level): Transition['comparison'] {
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

  status(): RuleStatus {
    const { rule } = this
    const rank: Record<Level, number> = { crit: 0, warn: 1, nodata: 2, ok: 3, forgotten: 4 }
    const groups = this.compiled.scope.groups.sorted().flatMap((group) => this.#groupStatus(group) ?? [])
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

  #groupStatus(group: number): GroupStatus | undefined {
    const state = this.#groups[group]
    if (!state) return undefined
    const { scope } = this.compiled
    const [compared] = this.#compared
    const value = compared ? compared.left(group) : Number.NaN
    const [comparison] = compared ? (this.rule.comparisons[compared.level] ?? []) : []
    const pending = this.#pending(state)
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

  #pending(state: GroupState): GroupStatus['pending'] {
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      const { on, sinceMs } = state.levels[i] as LevelState
      if (!on && sinceMs > 0) return { level: (this.#levels[i] as LevelRun).level, sinceMs }
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
