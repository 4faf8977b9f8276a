/** Watch: what a tool may look at while an engine runs. Without one it costs nothing; nothing may be changed through it. */
import type { RuleRun } from './rule-run.ts'

/** Told of a point that came for a bucket already closed, and was set aside. */
export type OnLate = (series: string, bucketMs: number) => void

export interface EngineWatch {
  late?: OnLate
  /** A rule has just closed a bucket. */
  closed?: (run: RuleRun, atMs: number) => void
}
