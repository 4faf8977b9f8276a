/**
 * Limit: at most so many notifications for a receiver within a time; what is more waits and leaves as summaries.
 *
 * The last place of the limit is kept for a summary, so that what is over it is heard of soon. Pages of critical alerts
 * have places of their own: they never wait behind anything else, and behind each other for a minute at most. Time is
 * log time.
 *
 *     one by one ──all places but one are taken──→ gathering ──10s, then whenever a place is free──→ summary
 */
import type { Limit } from '../runtime/config-alerts.ts'
import type { Member } from './group.ts'

export const gatherMs = 10_000
export const urgentWaitMs = 60_000
/** With more waiting, a summary leaves early. */
export const waitingMax = 5_000

/** Something to tell that waits. */
export interface Waiting {
  member: Member
  kind: 'page' | 'reminder' | 'end'
  isUrgent: boolean
}

/** What one receiver got lately, and what waits for it. */
export interface Gathering {
  /** Times of what left within the limit's time, oldest first. */
  urgentMs: readonly number[]
  otherMs: readonly number[]
  waiting: readonly Waiting[]
  /** When the first of them began to wait, and the first urgent one. */
  sinceMs?: number
  urgentSinceMs?: number
}

export const nothingGathered: Gathering = { urgentMs: [], otherMs: [], waiting: [] }

/** Whether one more may leave by itself now. */
export function isFree(gathering: Gathering, limit: Limit, isUrgent: boolean, nowMs: number): boolean {
  if (!isUrgent && gathering.waiting.length > 0) return false
  return recent(gathering, limit, isUrgent, nowMs).length < limit.count - 1
}

/** One has left. */
export function left(gathering: Gathering, limit: Limit, isUrgent: boolean, nowMs: number): Gathering {
  const times = [...recent(gathering, limit, isUrgent, nowMs), nowMs].slice(-limit.count)
  return isUrgent ? { ...gathering, urgentMs: times } : { ...gathering, otherMs: times }
}

export function gathered(gathering: Gathering, entries: readonly Waiting[], nowMs: number): Gathering {
  const { sinceMs = nowMs } = gathering
  const isUrgent = entries.some((one) => one.isUrgent)
  const urgentSinceMs = gathering.urgentSinceMs ?? (isUrgent ? nowMs : undefined)
  const waiting = [...gathering.waiting, ...entries]
  return { ...gathering, waiting, sinceMs, ...(urgentSinceMs !== undefined && { urgentSinceMs }) }
}

/** What waits leaves now. */
export function isDue(gathering: Gathering, limit: Limit | undefined, nowMs: number): boolean {
  const { waiting, sinceMs = nowMs, urgentSinceMs } = gathering
  if (waiting.length === 0) return false
  if (limit === undefined || waiting.length >= waitingMax) return true
  if (nowMs - sinceMs < gatherMs) return false
  if (urgentSinceMs !== undefined && nowMs - urgentSinceMs >= urgentWaitMs) return true
  return recent(gathering, limit, urgentSinceMs !== undefined, nowMs).length < limit.count
}

/** After everything that waited has left. */
export function emptied({ urgentMs, otherMs }: Gathering): Gathering {
  return { urgentMs, otherMs, waiting: [] }
}

/** Nothing is remembered that still matters. */
export function isOver(gathering: Gathering, limit: Limit | undefined, nowMs: number): boolean {
  if (gathering.waiting.length > 0) return false
  return (
    limit === undefined || [true, false].every((isUrgent) => recent(gathering, limit, isUrgent, nowMs).length === 0)
  )
}

function recent({ urgentMs, otherMs }: Gathering, { withinMs }: Limit, isUrgent: boolean, nowMs: number): number[] {
  return (isUrgent ? urgentMs : otherMs).filter((atMs) => nowMs - atMs < withinMs)
}
