/**
 * Forecast: what the rules that run will do about a fault. The rules are read from their files and run in the real engine
 * on a simulated service, once with the fault and once without; what only happens with it is what is to be expected.
 */

import { Engine } from '../src/cep/engine.ts'
import { type LoadedRules, loadRules, type RuleFile } from '../src/cep/language/load.ts'
import type { HttpCheck } from '../src/checks/check-file.ts'
import type { Transition } from '../src/model/transition.ts'
import type { Fault } from './fault.ts'
import type { ProcessName } from './settings.ts'
import { type Scene, Simulation } from './simulation.ts'

export interface ForecastInput {
  rules: readonly RuleFile[]
  checks: readonly HttpCheck[]
  portBase: number
  process: ProcessName
  fault: Fault
  nowMs: number
}

export interface Expected {
  /** When the bucket closes that decides it, epoch ms. */
  atMs: number
  rule: string
  groupKey: string
  from: Transition['from']
  to: Transition['to']
}

/** Long enough for windows to fill before, and for alerts to clear after. */
const beforeMs = 120_000
const afterMs = 300_000

/** In order of time; empty when no rule would notice, undefined when the rules are wrong. */
export function forecast({ rules, process, fault, nowMs, ...scene }: ForecastInput): Expected[] | undefined {
  const loaded = loadRules(rules)
  if (loaded.problems.length > 0) return undefined
  const stepsMs = beforeMs + fault.forMs + afterMs
  const calm = run(loaded, { ...scene, brokenMs: nowMs }, stepsMs)
  const known = new Set(calm.map(({ id }) => id))
  return run(loaded, { ...scene, brokenMs: nowMs, broken: { process, fault } }, stepsMs)
    .filter(({ id, hidden, blind, bucketMs }) => !known.has(id) && !hidden && !blind && bucketMs >= nowMs)
    .map(({ bucketMs: atMs, rule, groupKey, from, to }) => ({ atMs, rule, groupKey, from, to }))
}

function run(rules: LoadedRules, scene: Scene, durationMs: number): Transition[] {
  const engine = new Engine({ defaultStepMs: 1000, rules })
  const simulation = new Simulation(scene, scene.brokenMs - beforeMs)
  const transitions: Transition[] = []
  for (let ms = 0; ms < durationMs; ms += 1000) {
    for (const entry of simulation.step()) transitions.push(...engine.step(entry))
  }
  return transitions
}
