/** Health check results as they travel: raw, one per probe. What counts as down is a rule's business. */

/** Nagios's four, in its order. */
export type CheckState = 'ok' | 'warn' | 'crit' | 'unknown'

export interface CheckResult {
  /** Series without its `check:` prefix, such as `web.verifier`. */
  name: string
  /** Grows by one with every result of the source; with the source it identifies the result. */
  sequence: number
  /** When the probe ended, epoch ms. */
  atMs: number
  state: CheckState
  /** One line for people: what was expected, what came. */
  output: string
  durationMs: number
  /** How long a result stands: the check's interval. */
  stepMs: number
}

export interface ChecksMessage {
  source: string
  /** The bucket the results belong to, as in a metrics message. */
  bucketMs: number
  results: readonly CheckResult[]
}
