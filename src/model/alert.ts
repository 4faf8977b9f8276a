/**
 * Alert: what the transitions of one group of a rule amount to for people. Alerts and dashboards use the same steps.
 *
 * An alert is known by its fingerprint (rule and group, never the metric). It begins with the first bad level and lasts,
 * through worsening, improving, hiding, blindness and missing data, until the engine says ok or forgotten. Each such
 * stretch is an episode. Does not decide who is told: see alerts/decide.ts.
 *
 *            warn, crit             ok
 *     (none) ──────────→ firing ──────────→ resolved ──warn, crit──→ firing (a new episode)
 *                          │ forgotten
 *                          └─────────→ forgotten
 *
 * A transition is applied once: what is older than the alert's last applied bucket, or has an id already applied at
 * that bucket, changes nothing. `nodata` and blind hold: the alert stays what it is and says so.
 */
import { fingerprint, type Transition } from './transition.ts'

export type AlertState = 'firing' | 'resolved' | 'forgotten'
export type BadLevel = 'warn' | 'crit'

export interface Alert
  extends Pick<
    Transition,
    'rule' | 'group' | 'groupKey' | 'tags' | 'say' | 'reason' | 'values' | 'comparison' | 'series' | 'partial'
  > {
  fingerprint: string
  state: AlertState
  /** The level now; of an ended alert, the last bad one. */
  level: BadLevel
  /** The worst level of the episode. */
  worstLevel: BadLevel
  /** Id of the transition that began the episode. */
  episode: string
  /** When the trouble began: the bucket in which the condition first held, epoch ms. */
  sinceMs: number
  /** The bucket whose close raised it. */
  raisedMs: number
  /** The bucket whose close ended it. */
  endedMs?: number
  /** Why it ended, and the values then; `reason`, `say` and `values` keep telling why it fired. */
  end?: Pick<Transition, 'reason' | 'values' | 'say'>
  /** Explained by another alert: shown, not told. */
  hidden: boolean
  /** All its sources are dead: neither firing nor resolved can be known. Shown grey. */
  blind: boolean
  /** Its series stopped arriving; this never resolves it. */
  nodata: boolean
  runbook?: string
  remindMs?: number
  /** The last applied bucket and the ids of the transitions applied at it; the newest is last. */
  bucketMs: number
  applied: readonly string[]
}

/**
 * What a transition did. `raised`, `worsened` and `unhidden` are news to page; `improved` (crit → warn) is shown only.
 * `ended` covers resolved and forgotten (see `alert.state`). `same`: details such as partial changed. `overflow`: too
 * many alerts, not kept.
 */
export type AlertChange =
  | 'raised'
  | 'worsened'
  | 'improved'
  | 'unhidden'
  | 'hidden'
  | 'blinded'
  | 'seeing'
  | 'nodata'
  | 'same'
  | 'ended'
  | 'none'
  | 'duplicate'
  | 'overflow'

export interface AlertStep {
  /** The alert after the step; undefined while the group has never been bad. */
  alert: Alert | undefined
  change: AlertChange
}

/** Steps one alert by one transition of its fingerprint; undefined is a group that has not been bad yet. */
export function stepAlert(alert: Alert | undefined, transition: Transition): AlertStep {
  if (alert && isApplied(alert, transition)) return { alert, change: 'duplicate' }
  const { to, blind } = transition
  if (alert?.state !== 'firing') {
    const raises = (to === 'warn' || to === 'crit') && !blind
    if (raises) return { alert: raise(transition, to, alert), change: 'raised' }
    return { alert: alert && stamped(alert, transition), change: 'none' }
  }
  if (to === 'forgotten') return { alert: end(alert, transition, 'forgotten'), change: 'ended' }
  if (blind) return hold(alert, transition, { blind: true }, alert.blind ? 'same' : 'blinded')
  if (to === 'nodata') return hold(alert, transition, { blind: false, nodata: true }, 'nodata')
  if (to === 'ok') return { alert: end(alert, transition, 'resolved'), change: 'ended' }
  return proceed(alert, transition, to)
}

/** Redelivered, a second engine's, or from a replay. */
function isApplied(alert: Alert, { bucketMs, id }: Transition): boolean {
  return bucketMs < alert.bucketMs || (bucketMs === alert.bucketMs && alert.applied.includes(id))
}

function raise(transition: Transition, level: BadLevel, former: Alert | undefined): Alert {
  const { rule, group, groupKey, tags, sinceMs, bucketMs, hidden } = transition
  const bare = { rule, group, groupKey, tags, sinceMs, hidden, blind: false, nodata: false }
  return {
    ...bare,
    ...details(transition),
    fingerprint: fingerprint(transition),
    state: 'firing',
    level,
    worstLevel: level,
    episode: transition.id,
    raisedMs: bucketMs,
    bucketMs,
    applied: appliedAfter(former, transition),
  }
}

/** A firing alert that goes on firing, at the same or another level. */
function proceed(alert: Alert, transition: Transition, level: BadLevel): AlertStep {
  const { partial: _, runbook: __, remindMs: ___, comparison: ____, ...rest } = alert
  const next: Alert = {
    ...rest,
    ...details(transition),
    level,
    worstLevel: worse(alert.worstLevel, level),
    hidden: transition.hidden,
    blind: false,
    nodata: false,
    bucketMs: transition.bucketMs,
    applied: appliedAfter(alert, transition),
  }
  const change = changeBetween(alert, next)
  // What tells why it fired stands; a first look after blindness may not know a value yet.
  const isNews = change !== 'seeing' && change !== 'same'
  return { alert: isNews ? next : { ...next, ...told(alert) }, change }
}

function told({ say, reason, values, series }: Alert): Pick<Alert, 'say' | 'reason' | 'values' | 'series'> {
  return { say, reason, values, series }
}

function changeBetween(before: Alert, after: Alert): AlertChange {
  if (before.hidden && !after.hidden) return 'unhidden'
  if (before.level !== after.level) return after.level === 'crit' ? 'worsened' : 'improved'
  if (!before.hidden && after.hidden) return 'hidden'
  return before.blind || before.nodata ? 'seeing' : 'same'
}

/** Nothing is known about the level: everything told so far stands. Hiding waits too, so that unhiding is news later. */
function hold(
  alert: Alert,
  transition: Transition,
  flags: Partial<Pick<Alert, 'blind' | 'nodata'>>,
  change: AlertChange,
): AlertStep {
  return { alert: { ...stamped(alert, transition), ...flags }, change }
}

function end(alert: Alert, transition: Transition, state: 'resolved' | 'forgotten'): Alert {
  const { reason, values, say, series, bucketMs, hidden } = transition
  return {
    ...stamped(alert, transition),
    state,
    series: series.values.length > 0 ? series : alert.series,
    endedMs: bucketMs,
    end: { reason, values, say },
    hidden,
    blind: false,
    nodata: false,
  }
}

function details(transition: Transition) {
  const { say, reason, values, comparison, series, partial, runbook, remindMs } = transition
  return {
    say,
    reason,
    values,
    series,
    ...(comparison && { comparison }),
    ...(partial && { partial }),
    ...(runbook !== undefined && { runbook }),
    ...(remindMs !== undefined && { remindMs }),
  }
}

function stamped(alert: Alert, transition: Transition): Alert {
  return { ...alert, bucketMs: transition.bucketMs, applied: appliedAfter(alert, transition) }
}

function appliedAfter(alert: Alert | undefined, { id, bucketMs }: Transition): readonly string[] {
  return alert && alert.bucketMs === bucketMs ? [...alert.applied, id] : [id]
}

export function worse(a: BadLevel, b: BadLevel): BadLevel {
  return a === 'crit' || b === 'crit' ? 'crit' : 'warn'
}

/**
 * All alerts: the newest episode of each fingerprint, and past episodes. The one thing here that is changed in place.
 * Keyed collections are in the order of beginning and of ending.
 */
export interface AlertBook {
  firing: Map<string, Alert>
  /** Fingerprints whose newest episode has ended; kept so that a replayed transition is known for one. */
  ended: Map<string, Alert>
  /** Ended episodes, oldest first. */
  history: Alert[]
}

export const firingAlertsMax = 50_000
export const endedAlertsMax = 5_000
export const historyMax = 1_000

export function emptyAlertBook(): AlertBook {
  return { firing: new Map(), ended: new Map(), history: [] }
}

/** Applies one transition to the book and says what it did. Beyond the bounds the longest ended go first. */
export function applyTransition(book: AlertBook, transition: Transition): AlertStep {
  const key = fingerprint(transition)
  const before = book.firing.get(key) ?? book.ended.get(key)
  const step = stepAlert(before, transition)
  if (step.change === 'raised' && book.firing.size >= firingAlertsMax) return { alert: before, change: 'overflow' }
  if (step.alert && step.alert !== before) keepAlert(book, step.alert)
  if (step.alert && step.change === 'ended') book.history.push(step.alert)
  while (book.history.length > historyMax) book.history.shift()
  return step
}

/** Puts an alert where it belongs; also how a saved book is read back, oldest first. */
export function keepAlert(book: AlertBook, alert: Alert): void {
  const key = alert.fingerprint
  if (alert.state === 'firing') {
    book.ended.delete(key)
    book.firing.set(key, alert)
    return
  }
  book.firing.delete(key)
  book.ended.set(key, alert)
  for (const oldest of book.ended.keys()) {
    if (book.ended.size <= endedAlertsMax) break
    book.ended.delete(oldest)
  }
}

/** Crit before warn, visible before hidden, the newest first. */
export function compareFiring(a: Alert, b: Alert): number {
  const rank = (alert: Alert) => (alert.hidden ? 2 : 0) + (alert.level === 'crit' ? 0 : 1)
  return rank(a) - rank(b) || b.sinceMs - a.sinceMs || (a.fingerprint < b.fingerprint ? -1 : 1)
}
