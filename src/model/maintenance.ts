/**
 * Maintenance: windows, planned in the configuration or begun by a person, in which what they match is not told.
 *
 * Once, or recurring (model/schedule.ts). Stepped by log time alone, so every reader of the log agrees. What a window
 * does to who is told stands in model/handling.ts and alerts/decide.ts.
 *
 *     once        waiting ──startsMs──→ active ──endsMs, released──→ ended
 *     recurring   waiting ──────→ active ──its end──→ waiting …      ──released──→ ended
 */
import type { Matchers } from './match.ts'
import { type Occurrence, occurrenceAfter, occurrenceAt, type RecurrenceText } from './schedule.ts'

/** As it stands in the configuration. */
export interface Planned {
  id: string
  by: string
  reason: string
  matchers: Matchers
  when: Occurrence | RecurrenceText
}

export interface Maintenance extends Planned {
  atMs: number
  /** It stands in the configuration, and goes when it is taken out there. */
  isPlanned: boolean
  state: 'waiting' | 'active' | 'ended'
  /** The occurrence that it is in, or the next one. */
  startsMs: number
  endsMs: number
  /** A recurring window whose occurrence was ended early sleeps until then. */
  skipUntilMs?: number
  endedMs?: number
  endedWhy?: string
  /** Log time at which it was last read from the log. */
  heardMs: number
}

export const maintenancesMax = 200
export const endedMaintenancesMax = 50

export function isRecurring({ when }: Pick<Planned, 'when'>): boolean {
  return 'every' in when
}

/** A window as it is when it becomes known. */
export function begin(planned: Planned, isPlanned: boolean, atMs: number, nowMs: number): Maintenance {
  const bare = { ...planned, atMs, isPlanned, state: 'waiting' as const, startsMs: 0, endsMs: 0, heardMs: nowMs }
  return stepMaintenance('every' in planned.when ? bare : { ...bare, ...planned.when }, nowMs)
}

/** Lets time pass; the same object when nothing changed. */
export function stepMaintenance(window: Maintenance, nowMs: number): Maintenance {
  const { state, startsMs, endsMs, when, skipUntilMs = 0 } = window
  if (state === 'ended' || nowMs < startsMs || (state === 'active' && nowMs < endsMs)) return window
  if (!('every' in when)) {
    if (nowMs >= endsMs) return { ...window, state: 'ended', endedMs: endsMs, endedWhy: overWhy }
    return { ...window, state: 'active' }
  }
  const now = nowMs < skipUntilMs ? undefined : occurrenceAt(when, nowMs)
  if (now) return { ...window, ...now, state: 'active' }
  const next = occurrenceAfter(when, Math.max(nowMs, skipUntilMs - 1))
  if (!next) return { ...window, state: 'ended', endedMs: nowMs, endedWhy: 'it does not come again' }
  return { ...window, ...next, state: 'waiting' }
}

/** Ends it: a planned one for this time, any other for good. */
export function release(window: Maintenance, nowMs: number, why: string): Maintenance {
  if (!window.isPlanned) return { ...window, state: 'ended', endedMs: nowMs, endedWhy: why }
  if (!isRecurring(window)) return { ...window, state: 'ended', endedMs: nowMs, endedWhy: why }
  const asleep = { ...window, state: 'waiting' as const, skipUntilMs: window.endsMs, startsMs: 0 }
  return stepMaintenance(asleep, nowMs)
}

export const overWhy = 'its time was over'

/** The next few, for whoever looks before they leap. */
export function occurrences(when: Planned['when'], fromMs: number, count: number): Occurrence[] {
  if (!('every' in when)) return [when]
  const found: Occurrence[] = []
  const present = occurrenceAt(when, fromMs)
  if (present) found.push(present)
  for (let atMs = fromMs; found.length < count; ) {
    const next = occurrenceAfter(when, atMs)
    if (!next) break
    found.push(next)
    atMs = next.startsMs
  }
  return found
}
