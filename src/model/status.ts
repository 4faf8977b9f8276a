/** What each part says of itself once a second: what the console, `/readyz` and `/metrics` show. */
import type { Level } from './transition.ts'

export interface Status {
  part: string
  instance: string
  host: string
  pid: number
  startedMs: number
  atMs: number
  ready: boolean
  /** Why not ready, or what is degraded; for a person. */
  problem?: string
  /** End of the last bucket the part has finished, epoch ms. */
  lastBucketMs?: number
  /** Monotonic counters and gauges, by Prometheus-style name without the `tocsin_<part>_` prefix. */
  counters: Readonly<Record<string, number>>
  /** The engine's own details; only from part `cep`. */
  engine?: EngineStatus
}

export interface EngineStatus {
  leader: boolean
  rulesHash: string
  /** Why the newest rule files were refused; the former ones keep running. */
  rulesProblem?: string
  /** What rule authors should know, though everything runs, such as a catalogue that the bus contradicts. */
  warnings?: readonly string[]
  sources: readonly SourceStatus[]
  rules: readonly RuleStatus[]
}

export interface SourceStatus {
  source: string
  name: string
  state: 'live' | 'dead' | 'gone'
  lastBucketMs: number
  latenessMs: number
}

export interface RuleStatus {
  name: string
  file: string
  stepMs: number
  /** The sentences as written, for the rule's page. */
  levels: { warn?: string; crit?: string }
  say?: string
  runbook?: string
  lastBucketMs: number
  /** Set when the rule threw and was stopped. */
  problem?: string
  groupCount: number
  /** Firing first, at most `statusGroupsMax`. */
  groups: readonly GroupStatus[]
}

export const statusGroupsMax = 200

export interface GroupStatus {
  key: string
  level: Level
  /** The level whose condition holds but not yet for long enough, and since when. */
  pending?: { level: 'warn' | 'crit'; sinceMs: number }
  hidden: boolean
  blind: boolean
  partial: boolean
  sinceMs: number
  /** The compared expression now. */
  value: number | null
  text: string
  /** What it is compared with at the highest level, to draw as a line. */
  threshold?: number | null
}
