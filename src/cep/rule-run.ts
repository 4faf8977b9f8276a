import type { Level, Transition } from '../model/transition.ts'
import { isFrozen, type LevelState, newLevelState, notTruth, passLevel, stepLevel } from './hold.ts'
import type { CheckedRule } from './language/load.ts'
import { stateCodes } from './language/tree.ts'
import type { IsRetired } from './retired.ts'
import {
  type CarriedGroup,
  type GroupState,
  type LevelRun,
  type RuleContext,
  RuleWords,
  type ToldGroup,
} from './rule-words.ts'
import { refill, refillMap, treeHash } from './saved.ts'
import type { Evaluate } from './scope.ts'
import type { StateBoard } from './state-leaf.ts'

export type { CarriedGroup, RuleContext, ToldGroup } from './rule-words.ts'
export type SavedRule = ReturnType<RuleRun['save']>

/** One group, as tools see it. */
export interface Looked {
  state: GroupState
  levels: readonly LevelRun[]
  /** Whether `hide when` holds: 1, 0 or NaN; undefined without one. */
  isCalling: number | undefined
  settleBuckets: number
}

const nodataMs = 300_000
const calm = { level: 'ok', isHidden: false, troubleMs: 0 } as const
const nobody: IsRetired = () => false

export class RuleRun extends RuleWords implements StateBoard {
  /** Names of sources with lateness that feed the rule. */
  readonly lateNames = new Set<string>()

  protected readonly hide: Evaluate | undefined
  protected readonly settleBuckets: number
  protected nodataAfterMs = Number.POSITIVE_INFINITY
  protected readonly carried = new Map<string, CarriedGroup>()

  constructor(rule: CheckedRule, context: RuleContext, carried: readonly CarriedGroup[] = []) {
    super(rule, context)
    this.hide = rule.tree.hide && this.compiled.evaluate(rule.tree.hide)
    this.settleBuckets = Math.max(1, Math.ceil(rule.tree.settleMs / this.stepMs))
    for (const group of carried) this.carried.set(group.values.join('\u0000'), group)
    this.expected()
  }

  /** Closes one bucket; `isRetired` tells which groups an event ended. */
  close(atMs: number, into: Transition[], isRetired?: IsRetired): void {
    this.lastBucketMs = atMs
    const { compiled } = this
    if (compiled.isIdle) return
    compiled.close(atMs)
    this.judgeNodata()
    this.lookOut(atMs)
    this.recent.next()
    const groups = compiled.scope.groups.sorted()
    for (let i = 0; i < groups.length; i++) this.stepGroup(groups[i] as number, atMs, into)
    if (isRetired || atMs >= this.forgetDueMs) this.forget(atMs, isRetired ?? nobody, into)
  }

  /** Until when nothing changes if nothing comes; asked after the bucket of `atMs`, whose end it is if that cannot be said. */
  restsUntil(atMs: number): number {
    const { compiled } = this
    if (this.problem !== undefined || compiled.isIdle) return Number.POSITIVE_INFINITY
    // Who was forgotten in this bucket is missed in the next.
    if (compiled.groupsVersion !== this.lookedOutVersion) return Number.NEGATIVE_INFINITY
    const quietMs = compiled.quietUntil(atMs)
    if (quietMs <= atMs) return Number.NEGATIVE_INFINITY
    const { known, forgetMs } = this.rule.tree
    const isKept = (group: number) => this.isKnown(compiled.scope.groups.values[group] as readonly string[])
    let untilMs = Math.min(quietMs, compiled.forgottenFromMs(forgetMs, known ? isKept : () => false))
    for (const group of compiled.scope.groups.sorted()) untilMs = Math.min(untilMs, this.groupRestsUntil(group, atMs))
    return untilMs > atMs ? untilMs : Number.NEGATIVE_INFINITY
  }

  protected groupRestsUntil(group: number, atMs: number): number {
    const state = this.states[group]
    if (!state) return atMs
    if (this.hide && this.hide(group) === 0 && state.calm < this.settleBuckets) return atMs
    if (this.compiled.scope.isBlind[group] === 1) return Number.POSITIVE_INFINITY
    let isOn = false
    for (let i = 0; i < this.levels.length; i++) {
      const [run, level] = [this.levels[i] as LevelRun, state.levels[i] as LevelState]
      const truth = this.truthOf(group, run)
      if (!isFrozen(level, run.steps, truth, this.clearOf(group, run, truth))) return atMs
      if (level.on) isOn = true
    }
    const nodataMs = this.compiled.scope.lastSeenMs(group) + this.nodataAfterMs
    return isOn || nodataMs <= atMs ? Number.POSITIVE_INFINITY : nodataMs
  }

  /** Buckets up to `toMs` were closed in which nothing came and nothing changed: only what counts buckets goes on. */
  pass(toMs: number): void {
    if (this.problem !== undefined) return
    const buckets = Math.floor((toMs - this.lastBucketMs) / this.stepMs)
    if (buckets <= 0) return
    this.lastBucketMs += buckets * this.stepMs
    const { compiled } = this
    if (compiled.isIdle) return
    compiled.pass(this.lastBucketMs)
    const groups = compiled.scope.groups.sorted()
    const [compared] = this.compared
    this.recent.repeat(buckets, () => {
      if (compared) for (const group of groups) this.recent.put(group, compared.left(group))
    })
    for (const group of groups) this.passGroup(group, buckets)
  }

  /** Goes on after `toMs`, whatever was not lived through. */
  leaveOut(toMs: number): void {
    if (this.problem !== undefined) return
    this.lastBucketMs = Math.max(this.lastBucketMs, Math.floor(toMs / this.stepMs) * this.stepMs)
  }

  /** Time in which nothing ran is no silence: whoever was quiet before goes on being quiet from where that stood. */
  pause(pausedMs: number): void {
    this.lookedOutVersion = -1
    for (const leaf of this.compiled.leaves) leaf.pause(pausedMs)
  }

  protected passGroup(group: number, buckets: number): void {
    const state = this.states[group]
    if (!state) return
    if (this.hide && this.hide(group) === 0) state.calm += buckets
    if (this.compiled.scope.isBlind[group] === 1) return
    for (let i = 0; i < this.levels.length; i++) {
      const run = this.levels[i] as LevelRun
      passLevel(state.levels[i] as LevelState, run.steps, this.truthOf(group, run), buckets)
    }
  }

  /** From when on some group may be without data, or be forgotten; until then nobody needs to be asked. */
  protected lookOut(atMs: number): void {
    const { compiled } = this
    const version = compiled.groupsVersion
    if (version === this.lookedOutVersion && atMs < this.nodataDueMs && atMs < this.forgetDueMs) return
    this.lookedOutVersion = version
    const oldestMs = compiled.scope.oldestSeenMs()
    this.nodataDueMs = oldestMs + this.nodataAfterMs
    this.forgetDueMs = Math.min(oldestMs, compiled.oldestInnerMs()) + this.rule.tree.forgetMs
  }

  protected nodataDueMs = Number.NEGATIVE_INFINITY
  protected forgetDueMs = Number.NEGATIVE_INFINITY
  protected lookedOutVersion = -1

  /** What a group is at, for tools; undefined before its first bucket. */
  look(group: number): Looked | undefined {
    const state = this.states[group]
    const { levels, hide, settleBuckets } = this
    return state && { state, levels, isCalling: hide?.(group), settleBuckets }
  }

  /** Ends all groups, as the rule is removed or keeps other names. */
  end(atMs: number): Transition[] {
    const transitions: Transition[] = []
    for (const group of this.compiled.scope.groups.sorted()) this.endGroup(group, atMs, transitions)
    return transitions
  }

  /** Each group's level, for the rule's next version. */
  carry(): CarriedGroup[] {
    return this.compiled.scope.groups.sorted().flatMap((group) => {
      const state = this.states[group]
      if (!state) return []
      const values = this.compiled.scope.groups.values[group] as readonly string[]
      return [{ values, level: state.level, isHidden: state.isHidden, troubleMs: state.troubleMs }]
    })
  }

  /** The rule's state; `key` tells whether another program's reading of the rule means the same. */
  save() {
    const { rule, startMs, lastBucketMs, problem, states } = this
    return {
      name: rule.name,
      names: rule.names,
      key: treeHash(rule),
      startMs,
      lastBucketMs,
      problem,
      lateNames: [...this.lateNames],
      carried: [...this.carried.values()],
      states,
      recent: this.recent.save(),
      compiled: this.compiled.save(),
    }
  }

  /** Takes the state of a run of a rule that means the same and began at the same time. */
  restore(saved: SavedRule): void {
    this.lastBucketMs = saved.lastBucketMs
    this.problem = saved.problem
    for (const name of saved.lateNames) this.lateNames.add(name)
    refillMap(
      this.carried,
      saved.carried.map((group) => [group.values.join('\u0000'), group]),
    )
    this.compiled.restore(saved.compiled)
    refill(this.states, structuredClone(saved.states))
    this.recent.restore(saved.recent)
  }

  /**
   * After looking back: windows and pending timers stay as they are, levels become those that the rule's former version
   * left. A level that the past alone would have raised is not on yet, but may be with the next bucket.
   */
  carryOver(carried: readonly CarriedGroup[]): void {
    this.carried.clear()
    for (const group of this.compiled.scope.groups.sorted()) this.putLevel(group, calm)
    for (const each of carried) this.putLevel(this.compiled.scope.add(each.values), each)
  }

  protected putLevel(group: number, { level, isHidden, troubleMs }: Omit<CarriedGroup, 'values'>): void {
    if (group < 0) return
    const state = this.stateOf(group, this.lastBucketMs)
    this.levels.forEach((run, i) => {
      const known = state.levels[i] as LevelState
      const on = level === 'crit' || run.level === level
      if (known.on !== on) state.levels[i] = on ? { ...newLevelState(), on } : { ...known, on, clearRun: 0 }
    })
    Object.assign(state, { level, isHidden, troubleMs })
  }

  /** How long silence lasts before it is nodata: 5 minutes, or as long as a value stands. */
  protected judgeNodata(): void {
    if (this.kindsKnown) return
    this.kindsKnown = this.compiled.leaves.every((leaf) => leaf.isKindKnown)
    this.lookedOutVersion = -1
    this.nodataAfterMs = Number.POSITIVE_INFINITY
    for (const leaf of this.compiled.leaves) {
      if (!leaf.makesNodata) continue
      const before = this.nodataAfterMs === Number.POSITIVE_INFINITY ? nodataMs : this.nodataAfterMs
      this.nodataAfterMs = Math.max(before, leaf.standsMs)
    }
  }

  /** Goes on at `toMs`, as nobody knows what was before. */
  skip(toMs: number): void {
    this.lastBucketMs = Math.max(this.lastBucketMs, Math.floor(toMs / this.stepMs) * this.stepMs)
    for (const leaf of this.compiled.leaves) leaf.skip(toMs)
  }

  /** Puts a group at the level that another engine has told for a later bucket than we closed. */
  adopt({ values, level, isHidden, troubleMs, bucketMs }: ToldGroup): void {
    if (bucketMs <= this.lastBucketMs) return
    this.putLevel(this.compiled.scope.add(values), { level, isHidden, troubleMs })
  }

  protected kindsKnown = false

  // As a board for the rules that refer to this one.

  groups(): readonly (readonly string[])[] {
    const { groups } = this.compiled.scope
    return groups.sorted().map((group) => groups.values[group] as readonly string[])
  }

  get version(): number {
    return this.compiled.scope.groups.version
  }

  state(values: readonly string[]): number {
    const level = this.states[this.compiled.scope.groups.find(values)]?.level
    return level === 'ok' || level === 'warn' || level === 'crit' ? stateCodes[level] : stateCodes.missing
  }

  early(values: readonly string[]): boolean {
    const group = this.compiled.scope.groups.find(values)
    const state = this.states[group]
    if (!state) return false
    return state.levels.some(({ on }) => on) || this.levels.some(({ condition }) => condition(group) === 1)
  }

  /** Groups that exist from the start: known ones, those carried over, and the one of a whole-path `no … for`. */
  protected expected(): void {
    const { names, known, leaves } = this.rule.tree
    const { scope } = this.compiled
    for (const values of known?.groups ?? []) scope.add(values)
    for (const { values } of this.carried.values()) scope.add(values)
    const isWhole =
      names.length === 0 && leaves.some(({ fold, names: kept }) => fold === 'silence' && kept.length === 0)
    if (isWhole) scope.add([])
  }

  protected stateOf(group: number, atMs: number): GroupState {
    const known = this.states[group]
    if (known) return known
    const values = this.compiled.scope.groups.values[group] as readonly string[]
    const carried = this.carried.get(values.join('\u0000'))
    this.carried.delete(values.join('\u0000'))
    const state: GroupState = {
      level: carried?.level ?? 'ok',
      isHidden: carried?.isHidden ?? false,
      isBlind: false,
      atMs,
      troubleMs: carried?.troubleMs ?? 0,
      levels: this.levels.map(({ level }) => ({
        ...newLevelState(),
        on: carried?.level === 'crit' || level === carried?.level,
      })),
      calm: Number.POSITIVE_INFINITY,
    }
    this.states[group] = state
    return state
  }

  protected stepGroup(group: number, atMs: number, into: Transition[]): void {
    const { scope } = this.compiled
    const state = this.stateOf(group, atMs)
    const [compared] = this.compared
    if (compared) this.recent.put(group, compared.left(group))
    const isBlind = scope.isBlind[group] === 1
    if (!isBlind) {
      for (let i = 0; i < this.levels.length; i++) {
        this.stepLevel(group, this.levels[i] as LevelRun, state.levels[i] as LevelState, atMs)
      }
    }
    this.stepHide(group, state)
    const level = isBlind ? state.level : this.levelOf(group, state, atMs)
    const isFiring = level === 'warn' || level === 'crit'
    const isHidden = isFiring && state.calm < this.settleBuckets
    const isChanged = level !== state.level || isHidden !== state.isHidden || (isFiring && isBlind !== state.isBlind)
    if (isFiring) state.troubleMs = this.troubleSince(state, atMs)
    if (isChanged) into.push(this.transition(group, state, { level, isHidden, isBlind }, atMs))
    if (level !== state.level) state.atMs = atMs
    state.level = level
    state.isHidden = isHidden
    state.isBlind = isBlind
  }

  /** Whether a level's condition holds. */
  protected truthOf(group: number, run: LevelRun): number {
    const truth = run.condition(group)
    return Number.isNaN(truth) && this.rule.tree.ifMissing !== 'hold' ? this.ifMissing(run.level) : truth
  }

  /** Whether what clears a level holds, whose condition's truth is given. */
  protected clearOf(group: number, run: LevelRun, truth: number): number {
    if (this.compiled.scope.isPartial[group] === 1) return Number.NaN
    if (!run.until) return notTruth(truth)
    const isReplaced = this.rule.tree.ifMissing !== 'hold' && Number.isNaN(run.condition(group))
    return isReplaced ? notTruth(truth) : run.until(group)
  }

  protected stepLevel(group: number, run: LevelRun, state: LevelState, atMs: number): void {
    const truth = this.truthOf(group, run)
    const clear = this.clearOf(group, run, truth)
    const isFresh = run.steps.hold.kind === 'for' || run.isFresh(group, atMs)
    stepLevel(state, run.steps, truth, clear, atMs, isFresh)
  }

  /** What a missing condition counts as: true for the level that `if missing` names and those below. */
  protected ifMissing(level: 'warn' | 'crit'): number {
    const { ifMissing } = this.rule.tree
    if (ifMissing === 'ok') return 0
    const highest = this.levels.at(-1)?.level
    return level === 'warn' || ifMissing === 'crit' || highest === ifMissing ? 1 : 0
  }

  protected stepHide(group: number, state: GroupState): void {
    if (!this.hide) return
    const truth = this.hide(group)
    if (truth === 1) state.calm = 0
    else if (truth === 0) state.calm++
  }

  protected levelOf(group: number, state: GroupState, atMs: number): Level {
    for (let i = this.levels.length - 1; i >= 0; i--) {
      if (state.levels[i]?.on) return (this.levels[i] as LevelRun).level
    }
    if (this.nodataAfterMs === Number.POSITIVE_INFINITY || atMs < this.nodataDueMs) return 'ok'
    const silentMs = atMs - this.compiled.scope.lastSeenMs(group)
    return silentMs >= this.nodataAfterMs ? 'nodata' : 'ok'
  }

  protected troubleSince(state: GroupState, atMs: number): number {
    const began = state.levels.filter(({ on }) => on).map(({ sinceMs }) => sinceMs)
    const known = began.filter((sinceMs) => sinceMs > 0)
    if (state.troubleMs > 0 && (state.level === 'warn' || state.level === 'crit')) known.push(state.troubleMs)
    return known.length > 0 ? Math.min(...known) : atMs
  }

  protected forget(atMs: number, isRetired: IsRetired, into: Transition[]): void {
    const { scope } = this.compiled
    const { forgetMs } = this.rule.tree
    for (const group of scope.groups.sorted()) {
      const values = scope.groups.values[group] as readonly string[]
      const isSilent = atMs - scope.lastSeenMs(group) >= forgetMs && scope.groups.names.length > 0
      if (!(isSilent && !this.isKnown(values)) && !isRetired(scope.groups.names, values)) continue
      this.endGroup(group, atMs, into)
      scope.drop(group)
      this.states[group] = undefined
    }
    this.compiled.forget(atMs, forgetMs, isRetired)
  }

  protected isKnown(values: readonly string[]): boolean {
    return this.rule.tree.known?.groups.some((other) => other.every((value, i) => value === values[i])) === true
  }

  protected endGroup(group: number, atMs: number, into: Transition[]): void {
    const state = this.states[group]
    if (state?.level !== 'warn' && state?.level !== 'crit') return
    into.push(this.transition(group, state, { level: 'forgotten', isHidden: false, isBlind: state.isBlind }, atMs))
  }
}
