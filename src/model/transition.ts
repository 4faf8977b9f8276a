/** What the engine says: a group of a rule went from one level to another. */

export type Level = 'ok' | 'warn' | 'crit' | 'nodata' | 'forgotten'

/** A number with its text as a person reads it, such as 0.063 and "6.3%". `value` is null when missing. */
export interface NamedValue {
  name: string
  value: number | null
  text: string
}

/** The first comparison of the level's condition, for graphs and for cepmon's /alerts.json. */
export interface Comparison {
  expression: string
  value: number | null
  operator: string
  threshold: number | null
  /** Unit of value and threshold as written, '' for none. */
  unit: string
  /** Length of the compared window, ms; 0 for none. */
  overMs: number
}

export interface Transition {
  /** Deterministic: made of (rule, group, bucket, to, hidden), so that a second engine or a replay cannot page twice. */
  id: string
  rule: string
  /** Kept names and their values, in the order of the group key; empty for a rule with one group. */
  group: readonly { name: string; value: string }[]
  /** `web/web1`, or `all` for a rule without kept names. */
  groupKey: string
  /** The bucket whose close decided it, epoch ms. */
  bucketMs: number
  from: Level
  to: Level
  hidden: boolean
  blind: boolean
  /** Sources alive and known, when some are dead. */
  partial?: { alive: number; known: number }
  /** When the present unbroken trouble began: the bucket in which the condition first held. */
  sinceMs: number
  /** The rule's `say`, filled in; empty when the rule has none. */
  say: string
  /** The level sentence and the values that met it. */
  reason: string
  /** The let names of the rule and the compared expression. */
  values: readonly NamedValue[]
  comparison?: Comparison
  /** The last up to 60 values of the compared expression, oldest first; null where missing. */
  series: { stepMs: number; values: readonly (number | null)[] }
  runbook?: string
  /** `remind` of the rule, ms. */
  remindMs?: number
  tags: Readonly<Record<string, string>>
}

/** Fingerprint: an alert's identity. */
export function fingerprint(transition: { rule: string; groupKey: string }): string {
  return `${transition.rule}/${transition.groupKey}`
}
