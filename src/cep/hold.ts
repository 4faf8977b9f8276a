/**
 * Hold: decides when a level is on. One per level of a group; each level is its own Schmitt trigger.
 *
 *     off ──condition true `for`──▶ on ──clear true `keep`──▶ off
 *
 * Truths are 1, 0 or NaN for missing; a missing truth neither raises nor clears. State is plain data, changed in place.
 */
import type { HoldTree } from './language/tree.ts'

export interface LevelState {
  on: boolean
  /** Evaluations since birth, since the last false one, or since the level turned off. */
  streak: number
  /** Which of them were missing, counted as `streak` counts, oldest first; only those that still matter. */
  missing: number[]
  /** True results in a row, for `n in a row`. */
  row: number
  /** The last results, 1 or 0, oldest first, for `n of m`. */
  recent: number[]
  clearRun: number
  /** The bucket in which the condition began to hold; 0 while it does not. */
  sinceMs: number
}

export function newLevelState(): LevelState {
  return { on: false, streak: 0, missing: [], row: 0, recent: [], clearRun: 0, sinceMs: 0 }
}

export interface HoldSteps {
  hold: HoldTree
  /** Buckets of `for D`, at least 1. */
  forBuckets: number
  /** Clear buckets until the level is off, at least 1. */
  keepBuckets: number
}

export function holdSteps(hold: HoldTree, keepMs: number, stepMs: number): HoldSteps {
  const forBuckets = hold.kind === 'for' ? Math.max(1, Math.ceil(hold.durationMs / stepMs)) : 1
  return { hold, forBuckets, keepBuckets: Math.max(1, Math.ceil(keepMs / stepMs)) }
}

/** Steps a level by one closed bucket; `isFresh` is false where checks brought nothing new to count. */
export function stepLevel(
  state: LevelState,
  steps: HoldSteps,
  truth: number,
  clear: number,
  atMs: number,
  isFresh = true,
): void {
  if (truth === 1 && state.sinceMs === 0) state.sinceMs = atMs
  if (truth === 0 && !state.on) state.sinceMs = 0
  if (state.on) {
    if (clear === 1) state.clearRun++
    else if (clear === 0) state.clearRun = 0
    if (state.clearRun >= steps.keepBuckets) turnOff(state)
    return
  }
  if (steps.hold.kind === 'for') countStreak(state, truth, steps.forBuckets)
  else if (isFresh) countResults(state, truth, steps.hold)
  if (truth === 1 && isHeld(state, steps)) {
    state.on = true
    state.clearRun = 0
  }
}

/** True where further buckets of the same truths change nothing but counts that `passLevel` keeps. */
export function isFrozen(state: LevelState, { hold }: HoldSteps, truth: number, clear: number): boolean {
  if (state.on) return clear !== 1 && (clear !== 0 || state.clearRun === 0)
  if (truth === 1) return false
  return hold.kind !== 'of' || (state.recent.length === hold.size && !state.recent.includes(1))
}

/** Steps a frozen level by several buckets at once. */
export function passLevel(state: LevelState, { hold, forBuckets }: HoldSteps, truth: number, buckets: number): void {
  if (state.on || hold.kind !== 'for' || !Number.isNaN(truth)) return
  const from = state.streak + Math.max(0, buckets - forBuckets)
  state.streak += buckets
  for (let at = from + 1; at <= state.streak; at++) state.missing.push(at)
  while (state.missing.length > 0 && (state.missing[0] as number) <= state.streak - forBuckets) state.missing.shift()
}

/** Ends what a level counts while it is off: after turning off nothing from before matters. */
export function turnOff(state: LevelState): void {
  Object.assign(state, newLevelState())
}

function countStreak(state: LevelState, truth: number, buckets: number): void {
  if (truth === 0) {
    state.streak = 0
    state.missing.length = 0
    return
  }
  state.streak++
  if (Number.isNaN(truth)) state.missing.push(state.streak)
  while (state.missing.length > 0 && (state.missing[0] as number) <= state.streak - buckets) state.missing.shift()
}

function countResults(state: LevelState, truth: number, hold: HoldTree): void {
  if (hold.kind === 'row') {
    if (!Number.isNaN(truth)) state.row = truth === 1 ? state.row + 1 : 0
  } else if (hold.kind === 'of') {
    state.recent.push(truth === 1 ? 1 : 0)
    if (state.recent.length > hold.size) state.recent.shift()
  }
}

function isHeld(state: LevelState, { hold, forBuckets }: HoldSteps): boolean {
  if (hold.kind === 'for') {
    return state.streak >= forBuckets && (forBuckets - state.missing.length) * 2 >= forBuckets
  }
  if (hold.kind === 'row') return state.row >= hold.count
  return state.recent.reduce((sum, bit) => sum + bit, 0) >= hold.count
}

/** Kleene's three values as numbers. */
export function andTruth(a: number, b: number): number {
  if (a === 0 || b === 0) return 0
  return a === 1 && b === 1 ? 1 : Number.NaN
}

export function orTruth(a: number, b: number): number {
  if (a === 1 || b === 1) return 1
  return a === 0 && b === 0 ? 0 : Number.NaN
}

export function notTruth(a: number): number {
  return 1 - a
}
