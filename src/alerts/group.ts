/**
 * Group: whether a page of a rule leaves at once or is collected into a summary.
 *
 * Every group of a rule is told of by itself, until the fourth page of the rule within 10 s. From then on pages are
 * collected for 10 s and leave as one. A page worse than all before it in the burst waits for nobody: what has been
 * collected leaves with it. Time is log time, so a window closes with a clock message.
 *
 *     at once ×3 ──fourth within 10 s──→ collecting ──10 s, or a worse page──→ summary, and so on while they come
 */
import type { BadLevel } from '../model/alert.ts'
import type { Hops } from '../model/message.ts'

export const burstMs = 10_000
export const pagesAtOnceMax = 3
/** A window with more leaves early. */
export const membersMax = 5_000

/** An alert that waits in a window. */
export interface Member {
  fingerprint: string
  episode: string
  transition: string
  reason: string
  hops: Hops
  /** It tells that the alert flaps, or no longer does. */
  turn?: 'flapping' | 'calm'
  /** Of an ended alert: receiver → keys of the pages that this ends. */
  ends?: Readonly<Record<string, readonly string[]>>
}

/** One per rule and direction (pages, or ends of pages). */
export interface Burst {
  /** Times of the last pages, oldest first, at most `pagesAtOnceMax`. */
  recentMs: readonly number[]
  /** The worst level of the burst so far. */
  level: BadLevel
  /** Set while collecting. */
  untilMs?: number
  members: readonly Member[]
}

export type Admission = 'at once' | 'collected' | 'summary'

/** Takes one page into the burst; 'summary' means that all members, the new one included, leave now. */
export function admit(
  burst: Burst | undefined,
  member: Member,
  level: BadLevel,
  nowMs: number,
): { burst: Burst; admission: Admission } {
  const recent = (burst?.recentMs ?? []).filter((atMs) => nowMs - atMs < burstMs)
  const goesOn = burst !== undefined && (recent.length > 0 || burst.untilMs !== undefined)
  const former: Burst = goesOn ? burst : { recentMs: [], level: 'warn', members: [] }
  const isWorse = level === 'crit' && former.level === 'warn'
  const next: Burst = {
    ...former,
    recentMs: [...recent, nowMs].slice(-pagesAtOnceMax),
    level: isWorse ? 'crit' : former.level,
  }
  const members = [...former.members, member]
  if (former.untilMs !== undefined) {
    if (isWorse || members.length >= membersMax) return { burst: { ...next, members }, admission: 'summary' }
    return { burst: { ...next, members }, admission: 'collected' }
  }
  if (recent.length < pagesAtOnceMax || isWorse) return { burst: next, admission: 'at once' }
  return { burst: { ...next, members, untilMs: nowMs + burstMs }, admission: 'collected' }
}

/** The burst after its members have left. */
export function emptied({ untilMs: _, ...burst }: Burst): Burst {
  return { ...burst, members: [] }
}

/** Nothing waits in it and the last page was too long ago to matter. */
export function isOver(burst: Burst, nowMs: number): boolean {
  return burst.members.length === 0 && burst.recentMs.every((atMs) => nowMs - atMs >= burstMs)
}
