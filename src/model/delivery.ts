/**
 * Delivery as it travels on alerts-log: a claim is confirmed before a send, a receipt follows it.
 *
 * The projection of this log is the outbox: what is claimed without a receipt may have been sent, what has neither is due.
 */

/** "I am about to send this." */
export interface Claim {
  /** Idempotency key of the notification, the same at every attempt; receivers see it (Message-ID, header). */
  key: string
  receiver: string
  attempt: number
  by: string
  atMs: number
}

export type ReceiptOutcome = 'delivered' | 'failed' | 'dead'

/** What became of a claimed send: delivered, failed (to be retried at `retryMs`), or dead (given up, visible). */
export interface Receipt {
  key: string
  receiver: string
  attempt: number
  by: string
  atMs: number
  outcome: ReceiptOutcome
  /** The receiver's own words, shortened. */
  detail: string
  retryMs?: number
  /** Addresses that have not taken it yet, where others have; only they are tried again. */
  remaining?: readonly string[]
  /** Of a dead one: the receiver that is told instead. Without it and not moot, this is a dead letter. */
  fallback?: string
  /** Of a dead one: it need not arrive any more, because the page that it ends never did. */
  isMoot?: boolean
  /** Why the person's template was not used for it. */
  templateProblem?: string
  /** Of a dead one: one line for people. */
  title?: string
  /** What was told, for pages and history: alert fingerprint, transition and kind. */
  fingerprint: string
  transition: string
  kind: 'firing' | 'resolved'
}
