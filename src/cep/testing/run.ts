/**
 * Run: plays one test through an engine of its own and compares every group's whole timeline with the expected one.
 *
 * Groups that a test does not name must stay ok throughout; rules that a test over several rules does not name are not
 * asserted. The engine has no clock, so a day of test time takes milliseconds.
 */
import type { LogEntry } from '../../model/message.ts'
import { fingerprint, type Transition } from '../../model/transition.ts'
import { Engine } from '../engine.ts'
import type { LoadedRules, RawTest, RuleProblem } from '../language/load.ts'
import { neededRules } from '../needed.ts'
import { TestLog } from './messages.ts'
import { type PreparedTest, prepare } from './prepare.ts'
import { sameTimeline, type Timeline, timelineOf } from './timeline.ts'

/** A group that did something else than it should have. */
export interface Mismatch {
  rule: string
  groupKey: string
  /** Undefined when the test does not name the group. */
  expected: Timeline | undefined
  came: Timeline
}

export interface TestResult {
  test: RawTest
  passed: boolean
  /** What is wrong with the test itself; then it did not run. */
  problems: readonly RuleProblem[]
  mismatches: readonly Mismatch[]
  /** Groups that changed their state in the asserted rules, for a hint at a misspelled one. */
  groupsSeen: readonly string[]
  runMs: number
}

/** Runs one test of `loaded`; `text` is the file it stands in. */
export function runTest(test: RawTest, loaded: LoadedRules, text: string): TestResult {
  const prepared = prepare(test, loaded, text)
  if (!prepared.ok) return { test, passed: false, problems: prepared.error, mismatches: [], groupsSeen: [], runMs: 0 }
  const { expected, runMs } = prepared.value
  const transitions = play(prepared.value, loaded).filter(({ rule }) => expected.has(rule))
  const mismatches = compare(expected, transitions)
  const groupsSeen = [...new Set(transitions.map(({ groupKey }) => groupKey))]
  return { test, passed: mismatches.length === 0, problems: [], mismatches, groupsSeen, runMs }
}

/** All transitions of the asserted rules, and of those they refer to, while the test is played. */
export function play(test: PreparedTest, loaded: LoadedRules): Transition[] {
  const { stepMs, runMs } = test
  const rules = { ...loaded, rules: neededRules(test.expected.keys(), loaded.rules) }
  // Where no rule needs the default, only the engine's built-in ones would run at it: not more often than data come.
  const needsDefault = rules.rules.some(({ everyMs }) => everyMs === undefined)
  const defaultStepMs = test.raw.stepMs ?? (needsDefault ? 10_000 : stepMs)
  const engine = new Engine({ defaultStepMs, testStepMs: stepMs, rules })
  const log = new TestLog(test)
  const transitions: Transition[] = []
  const feed = (entry: LogEntry) => transitions.push(...engine.step(entry))
  for (let atMs = 0; atMs < runMs; atMs += stepMs) log.step().forEach(feed)
  return transitions
}

function compare(expected: PreparedTest['expected'], transitions: readonly Transition[]): Mismatch[] {
  const byGroup = Map.groupBy(transitions, fingerprint)
  const mismatches: Mismatch[] = []
  for (const [rule, groups] of expected) {
    for (const [groupKey, timeline] of groups) {
      const came = timelineOf(byGroup.get(fingerprint({ rule, groupKey })) ?? [], 0)
      if (!sameTimeline(timeline, came)) mismatches.push({ rule, groupKey, expected: timeline, came })
    }
  }
  for (const of of byGroup.values()) {
    const { rule, groupKey } = of[0] as Transition
    if (!expected.get(rule)?.has(groupKey))
      mismatches.push({ rule, groupKey, expected: undefined, came: timelineOf(of, 0) })
  }
  return mismatches
}
