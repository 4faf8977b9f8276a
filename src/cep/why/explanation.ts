/**
 * Explanation: why one group of a rule is, or is not, at a level at a bucket: each level's condition with all its values,
 * how long it has held, and the first condition that is not met.
 */
import { formatDuration } from '../../model/duration.ts'
import type { Level } from '../../model/transition.ts'
import { formatUtc } from '../../runtime/clock.ts'
import type { HoldSteps, LevelState } from '../hold.ts'
import type { RuleTrace } from '../language/trace.ts'
import type { Looked, RuleRun } from '../rule-run.ts'
import type { LevelRun } from '../rule-words.ts'
import { firstUnmet } from './unmet.ts'
import { type ValueNode, Values } from './values.ts'

export interface LevelExplanation {
  level: 'warn' | 'crit'
  sentence: string
  on: boolean
  /** The bucket in which the condition began to hold; undefined while it does not. */
  sinceMs?: number
  /** The condition now; null is missing. */
  condition: boolean | null
  /** How far it is on its way on, or off, in words. */
  progress: string
  /** Why it is not on; undefined where it is. */
  unmet?: string
  tree: ValueNode
  until?: ValueNode
}

export interface Explanation {
  rule: string
  group: string
  bucketMs: number
  stepMs: number
  level: Level
  /** When it came to its level. */
  sinceMs: number
  hidden: boolean
  blind: boolean
  /** Sources alive and known, where some are dead. */
  partial?: { alive: number; known: number }
  /** Highest first. */
  levels: LevelExplanation[]
  hide?: ValueNode
  /** In one sentence, for the one who was not woken. */
  verdict: string
}

/** Undefined where the rule has no such group. */
export function explainGroup(run: RuleRun, trace: RuleTrace, groupKey: string): Explanation | undefined {
  const { scope } = run.compiled
  const group = scope.groups.sorted().find((one) => scope.groups.keys[one] === groupKey)
  const looked = group === undefined ? undefined : run.look(group)
  if (group === undefined || !looked) return undefined
  const { state } = looked
  const bucketMs = run.lastBucketMs
  const levels = looked.levels.map((level, i) => explainLevel(run, trace, group, level, state.levels[i] as LevelState))
  const values = new Values(run, trace, group, bucketMs)
  const hide = trace.hide && values.of(trace.hide.expression, trace.hide.text)
  const partial = run.liveness(group)
  const isFiring = state.level === 'warn' || state.level === 'crit'
  const explanation = {
    rule: run.rule.name,
    group: groupKey,
    bucketMs,
    stepMs: run.stepMs,
    level: state.level,
    sinceMs: isFiring ? state.troubleMs : state.atMs,
    hidden: state.isHidden,
    blind: state.isBlind || scope.isBlind[group] === 1,
    ...(partial.alive < partial.known && { partial }),
    levels: levels.reverse(),
    ...(hide && { hide }),
  }
  return { ...explanation, verdict: verdictOf(explanation, looked) }
}

function explainLevel(
  run: RuleRun,
  trace: RuleTrace,
  group: number,
  { level, condition, until, steps }: LevelRun,
  state: LevelState,
): LevelExplanation {
  const sentence = trace.levels.find((one) => one.level === level)?.sentence
  if (!sentence) throw new Error(`level ${level} has no sentence`)
  const values = new Values(run, trace, group, run.lastBucketMs)
  const tree = values.of(sentence.condition, sentence.text)
  const truth = condition(group)
  const clear = until?.(group)
  const held = truth === 1 ? holdUnmet(state, steps, run.stepMs) : firstUnmet(tree)
  return {
    level,
    sentence: sentence.text,
    on: state.on,
    ...(state.sinceMs > 0 && { sinceMs: state.sinceMs }),
    condition: Number.isNaN(truth) ? null : truth === 1,
    progress: state.on ? clearing(state, steps, clear ?? 1 - truth) : holding(state, steps),
    ...(!state.on && held !== undefined && { unmet: held }),
    tree,
    ...(sentence.until?.kind === 'condition' && { until: values.of(sentence.until.of, sentence.text) }),
  }
}

/** `3 of 12 bad buckets`, what a level has of what its `for` asks. */
function holding(state: LevelState, { hold, forBuckets }: HoldSteps): string {
  if (hold.kind === 'row') return `${state.row} of ${hold.count} bad results in a row`
  if (hold.kind === 'of') {
    const bad = state.recent.reduce((sum, bit) => sum + bit, 0)
    return `${bad} bad of the last ${state.recent.length} (${hold.count} of ${hold.size} are needed)`
  }
  if (forBuckets <= 1) return ''
  const missing = state.missing.length > 0 ? `, ${state.missing.length} of them without an answer` : ''
  return `${Math.min(state.streak, forBuckets)} of ${forBuckets} bad buckets${missing}`
}

function clearing(state: LevelState, { keepBuckets }: HoldSteps, clear: number): string {
  const isClear = clear === 1 ? '' : Number.isNaN(clear) ? ', and whether it is clear is missing' : ', not clear now'
  return keepBuckets <= 1 ? isClear.replace(/^, /, '') : `${state.clearRun} of ${keepBuckets} clear buckets${isClear}`
}

/** The condition holds, and the level is off all the same. */
function holdUnmet(state: LevelState, steps: HoldSteps, stepMs: number): string | undefined {
  if (state.on) return undefined
  const since = state.sinceMs > 0 ? ` since ${formatUtc(state.sinceMs)}` : ''
  const { hold, forBuckets } = steps
  if (hold.kind !== 'for') return `the condition holds${since}, but not often enough yet: ${holding(state, steps)}`
  if (state.streak >= forBuckets)
    return `the condition holds, but more than half of its ${forBuckets} buckets are missing`
  const forText = formatDuration(forBuckets * stepMs)
  return `the condition holds${since}, but not for ${forText} yet: ${holding(state, steps)}`
}

function verdictOf(explained: Omit<Explanation, 'verdict'>, { isCalling }: Looked): string {
  const { level, hidden, blind, levels, sinceMs } = explained
  const top = levels.find(({ on }) => on)
  const above = levels.find(({ on }) => !on)
  const parts: string[] = []
  if (level === 'nodata') parts.push(`nodata since ${formatUtc(sinceMs)}: no point of it has come`)
  else if (top) parts.push(`${top.level} since ${formatUtc(sinceMs)}`)
  if (hidden) parts.push(`hidden: "hide when" ${isCalling === 1 ? 'holds' : 'held a moment ago and is settling'}`)
  if (blind) parts.push('blind: all its sources are dead, so it neither raises nor clears')
  if (above?.unmet && levels.indexOf(above) < (top ? levels.indexOf(top) : levels.length)) {
    parts.push(`not ${above.level}: ${above.unmet}`)
  }
  return parts.join('; ') || level
}
