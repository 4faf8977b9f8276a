/**
 * Receiver: the way to one person or program. Two adapters: email.ts and webhook.ts.
 */
import type { Notification } from '../notification.ts'

export interface Receiver {
  /** Tries once. Never rejects: what went wrong is part of the answer. Gives up when the signal is aborted. */
  send(notification: Notification, signal: AbortSignal): Promise<Delivery>
  /** What is known to be wrong before anything has to be sent; for people. */
  readonly problem?: string | undefined
  /** Lets go of idle connections. */
  close(): void
}

/**
 * What became of one try. `detail` is the receiver's own words, for people. `templateProblem`: the person's template could
 * not be used, and the message left in our own words.
 */
export type Delivery = Tried & { templateProblem?: string }

type Tried =
  /** `complaint`: it was taken, but something is to be mended, such as an address that was refused. */
  | { outcome: 'delivered'; detail: string; complaint?: string }
  /**
   * Worth another try, not before `retryAfterMs` from now; `unreachable` when it never got to judge the message.
   * `needsMending`: no try will do before a person has changed something, such as a password, so a fallback need not wait.
   */
  | {
      outcome: 'failed'
      detail: string
      unreachable: boolean
      needsMending?: boolean
      retryAfterMs?: number
      remaining?: readonly string[]
    }
  /** The receiver will never take this. */
  | { outcome: 'refused'; detail: string }

/** What was taken in other words than the person's is taken with a complaint. */
export function withTemplateProblem(delivery: Delivery, templateProblem: string | undefined): Delivery {
  if (templateProblem === undefined) return delivery
  if (delivery.outcome !== 'delivered') return { ...delivery, templateProblem }
  return { complaint: templateProblem, ...delivery, templateProblem }
}

export const detailCharactersMax = 300

/** At most so many UTF-16 units, never half a character, with `…` for what is left out. */
export function shortened(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text
  const cut = text.slice(0, charactersMax - 1).replace(/[\ud800-\udbff]$/, '')
  return `${cut.trimEnd()}…`
}
