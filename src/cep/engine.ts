/**
 * Engine: everything the log says, one entry at a time, in; transitions out. Pure and deterministic: no clock, no I/O.
 */
import type { LogEntry } from '../model/message.ts'
import type { EngineStatus } from '../model/status.ts'
import type { Transition } from '../model/transition.ts'
import type { LoadedRules } from './language/load.ts'

export interface EngineOptions {
  /** The step of rules without `every`: 1000 live, 10000 in tests. */
  defaultStepMs: number
  /** In tests, how long every value stands: the test's step. */
  testStepMs?: number
  /** Rules from the start; live they come as a `rules` message. */
  rules?: LoadedRules
}

export class Engine {
  constructor(_options: EngineOptions) {}

  /** Applies one entry; what it decided comes back in order of bucket, rule and group. */
  step(_entry: LogEntry): readonly Transition[] {
    return []
  }

  /** Everything but `leader`, which is the part's to know. */
  status(): Omit<EngineStatus, 'leader'> {
    return { rulesHash: '', sources: [], rules: [] }
  }
}
