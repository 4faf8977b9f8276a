/**
 * Notification: one thing to tell one receiver, as it waits in the outbox and as receivers render it.
 *
 * Plain data and complete: whoever sends it needs nothing else, so it survives restarts and rule deletions. Its key is
 * made of what is told and to whom, never of when, so a replay of the log makes the same key and a receiver that
 * honours keys hears each thing once.
 *
 *     due ──claim──→ claimed ──receipt──→ delivered
 *      ↑                │───────────────→ dead (told to its fallback instead, or moot, or a dead letter: visible)
 *      └──── failed ←───┘  (retried at retryMs)
 */
import { createHash } from 'node:crypto'
import type { Alert, BadLevel } from '../model/alert.ts'
import type { Hops } from '../model/message.ts'

/** A notice is about alerts and says nothing new of them: a silence that soon ends. */
export type NotificationKind = 'firing' | 'reminder' | 'resolved' | 'forgotten' | 'notice'
export type NotificationState = 'due' | 'claimed' | 'failed' | 'delivered' | 'dead'

/** What receivers see of an alert. */
export type ToldAlert = Omit<Alert, 'applied' | 'bucketMs'>

export interface Notification {
  key: string
  receiver: string
  kind: NotificationKind
  rule: string
  /** The worst level among `alerts`. */
  level: BadLevel
  /** One, or the members of a summary: at most `summaryAlertsMax`, without their series. */
  alerts: readonly ToldAlert[]
  /** Members of the summary beyond those listed. */
  moreCount: number
  /** It tells that the alert flaps, or no longer does; or it gathers what was over the receiver's limit. */
  turn?: 'flapping' | 'calm' | 'digest'
  /** One sentence on that, for people. */
  remark?: string
  /** Why it is told: the decision's reason. */
  reason: string
  /** Keys of the first notifications about these alerts to this receiver; mails thread under them. */
  threads: readonly string[]
  /** Keys of earlier notifications to the same receiver that must be settled first. */
  after: readonly string[]
  /** Of a resolved or forgotten notice: keys of the pages it ends. When none of them arrived, neither does this. */
  ends: readonly string[]
  hops: Hops
  /** Log time of the decision, epoch ms. */
  atMs: number
  /** Transition that led to it; of a summary, that of its first member. */
  transition: string
  state: NotificationState
  attempt: number
  firstClaimMs?: number
  retryMs?: number
  detail?: string
  /** Why it will not be sent: the outbox makes it a dead letter. */
  doomed?: string
  /** Sent by a person to see whether it arrives. */
  isTest?: boolean
  /** Receivers that did not take it, in order; this one is told instead. */
  insteadOf?: readonly InsteadOf[]
  /** Of a dead one: who is told instead. */
  fallback?: string
  /** Of a dead one: it need not arrive any more. */
  isMoot?: boolean
  /** Why the person's template was not used when it was sent. */
  templateProblem?: string
  /** Addresses that have not taken it yet, where some have. */
  remaining?: readonly string[]
}

export interface InsteadOf {
  receiver: string
  /** Of the notification that it did not take. */
  key: string
  /** Why not, in its own words. */
  detail: string
}

export const summaryAlertsMax = 200

/** The same at every attempt, replay and engine; 32 hexadecimal digits. */
export function notificationKey(kind: NotificationKind, receiver: string, about: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, receiver, [...about].sort()]))
    .digest('hex')
    .slice(0, 32)
}

/** An alert as told; members of a summary go without their bulk. */
export function told({ applied: _, bucketMs: __, ...alert }: Alert, inSummary: boolean): ToldAlert {
  return inSummary ? { ...alert, series: { stepMs: alert.series.stepMs, values: [] }, values: [] } : alert
}

export function isOpen({ state }: Notification): boolean {
  return state !== 'delivered' && state !== 'dead'
}

/** Nobody was told, and nobody will be until a person has it sent again. */
export function isDeadLetter({ state, fallback, isMoot, isTest }: Notification): boolean {
  return state === 'dead' && fallback === undefined && !isMoot && !isTest
}
