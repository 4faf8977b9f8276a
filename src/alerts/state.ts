/**
 * State: what alerts-log amounts to. Plain data, changed only by decide.ts and tell.ts, saved by store.ts.
 */
import { type AlertBook, type BadLevel, emptyAlertBook } from '../model/alert.ts'
import type { Decision } from '../model/decision.ts'
import { emptyHandling, type Handling, type HandlingChanges, noHandlingChanges } from '../model/handling.ts'
import type { Flap } from './flap.ts'
import type { Burst } from './group.ts'
import type { Gathering } from './limit.ts'
import type { Notification } from './notification.ts'

export interface AlertsState {
  book: AlertBook
  /** Acknowledgements, silences, notes. */
  handling: Handling
  /** Fingerprint → whom we told of the present episode. */
  told: Map<string, Told>
  /** Rule and direction → its burst. */
  bursts: Map<string, Burst>
  /** Fingerprint → how often it fired lately, and whether it flaps. */
  flaps: Map<string, Flap>
  /** Receiver → what its limit holds back. */
  gatherings: Map<string, Gathering>
  /** By key, in the order of their making; settled ones are kept up to `settledMax`. */
  notifications: Map<string, Notification>
  /** Log time: the latest clock message, epoch ms. */
  nowMs: number
}

export interface Told {
  episode: string
  receivers: Readonly<Record<string, ToldReceiver>>
}

export interface ToldReceiver {
  /** The worst level it has heard of. */
  level: BadLevel
  /** Keys of what it was sent, the first (which mails thread under) first; at most `keysToldMax`. */
  keys: readonly string[]
  /** Log time of the last one, for reminders. */
  atMs: number
}

/** What steps touched since the store last saved, and what they decided. */
export interface Changes {
  fingerprints: Set<string>
  bursts: Set<string>
  flaps: Set<string>
  gatherings: Set<string>
  notifications: Set<string>
  decisions: Decision[]
  handling: HandlingChanges
}

/** Notifications waiting for one receiver; what comes beyond is doomed. */
export const queueMax = 1_000
export const settledMax = 2_000
export const keysToldMax = 20

export function emptyAlertsState(): AlertsState {
  const handling = emptyHandling()
  const telling = { told: new Map(), bursts: new Map(), flaps: new Map(), gatherings: new Map() }
  return { book: emptyAlertBook(), handling, ...telling, notifications: new Map(), nowMs: 0 }
}

export function noChanges(): Changes {
  const handling = noHandlingChanges()
  const telling = { fingerprints: new Set<string>(), bursts: new Set<string>(), flaps: new Set<string>() }
  return { ...telling, gatherings: new Set(), notifications: new Set(), decisions: [], handling }
}
