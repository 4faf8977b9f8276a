/** What the tests of determinism share: logs of tests as lists of entries, and runs of engines over them. */
import v8 from 'node:v8'
import { Engine, type EngineOptions } from '../../../src/cep/engine.ts'
import type { LoadedRules, RawTest } from '../../../src/cep/language/load.ts'
import { neededRules } from '../../../src/cep/needed.ts'
import { TestLog } from '../../../src/cep/testing/messages.ts'
import { prepare } from '../../../src/cep/testing/prepare.ts'
import type { LogEntry } from '../../../src/model/message.ts'
import type { Transition } from '../../../src/model/transition.ts'

export interface Recorded {
  options: EngineOptions
  entries: readonly LogEntry[]
}

/** A test of a rule file as a log, at most `stepsMax` steps of it; undefined where the test itself is wrong. */
export function recordedTest(test: RawTest, loaded: LoadedRules, text: string, stepsMax = 3000): Recorded | undefined {
  const prepared = prepare(test, loaded, text)
  if (!prepared.ok) return undefined
  const { stepMs, runMs } = prepared.value
  const log = new TestLog(prepared.value)
  const entries: LogEntry[] = []
  for (let step = 0; step < Math.min(stepsMax, runMs / stepMs); step++) entries.push(...log.step())
  const rules = { ...loaded, rules: neededRules(prepared.value.expected.keys(), loaded.rules) }
  return { options: { defaultStepMs: test.stepMs ?? stepMs, testStepMs: stepMs, rules }, entries }
}

/** What one engine says of the entries from the first to the last. */
export function run(engine: Engine, entries: Iterable<LogEntry>): Transition[] {
  const told: Transition[] = []
  for (const entry of entries) told.push(...engine.step(entry))
  return told
}

/** Another engine in the same state, by way of bytes. */
export function restarted(engine: Engine, options: EngineOptions): Engine {
  const restored = Engine.restored(options, v8.deserialize(v8.serialize(engine.save())))
  if (!restored.ok) throw new Error(restored.error)
  return restored.value
}

/** As `run`, by engines that end after the entries with the given numbers and are restored from what they saved. */
export function runWithRestarts({ options, entries }: Recorded, restarts: Iterable<number>): Transition[] {
  const at = new Set(restarts)
  let engine = new Engine(options)
  const told: Transition[] = []
  entries.forEach((entry, i) => {
    if (at.has(i)) engine = restarted(engine, options)
    told.push(...engine.step(entry))
  })
  return told
}
