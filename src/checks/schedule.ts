/**
 * Schedule: when each check is due. Pure: values in, values out, time comes with the call.
 *
 * A check that is fine runs on a grid of its own, every interval, at an offset made from its name, so that a hundred
 * checks do not fire together and a restart does not move them. While it fails it runs `whileFailingMs` after its last
 * start, or at once where that has passed. A check never overlaps itself, and at most `probesMax` run at a time.
 *
 *     due ──begin──▶ running ──end, ok──▶ due at the next point of the grid
 *      ▲                    └─end, not ok─▶ due after whileFailing
 */
import type { CheckState } from '../model/check.ts'

export const probesMax = 32
/** A new check runs for the first time within this long, whatever its interval. */
const firstWithinMs = 2_000

/** What scheduling needs to know of a check. */
export interface Timing {
  name: string
  intervalMs: number
  whileFailingMs: number
}

export interface Slot extends Timing {
  dueMs: number
  /** Set while a probe runs. */
  startedMs?: number
  /** Of the last result. */
  state?: CheckState
}

export type Schedule = ReadonlyMap<string, Slot>

/** A new check's slot. */
export function firstSlot(timing: Timing, nowMs: number): Slot {
  const { name, intervalMs, whileFailingMs } = timing
  const dueMs = nextOnGrid(name, Math.min(intervalMs, firstWithinMs), nowMs)
  return { name, intervalMs, whileFailingMs, dueMs }
}

/** Which checks to begin now, longest due first, how many have to wait for a free place, and when to look again. */
export function plan(
  schedule: Schedule,
  nowMs: number,
  places = probesMax,
): { begin: string[]; waiting: number; wakeMs: number | undefined } {
  let running = 0
  let wakeMs: number | undefined
  const due: Slot[] = []
  for (const slot of schedule.values()) {
    if (slot.startedMs !== undefined) running++
    else if (slot.dueMs <= nowMs) due.push(slot)
    else if (wakeMs === undefined || slot.dueMs < wakeMs) wakeMs = slot.dueMs
  }
  due.sort((a, b) => a.dueMs - b.dueMs || (a.name < b.name ? -1 : 1))
  const begin = due.slice(0, Math.max(0, places - running)).map(({ name }) => name)
  return { begin, waiting: due.length - begin.length, wakeMs }
}

export function begin(slot: Slot, nowMs: number): Slot {
  return { ...slot, startedMs: nowMs }
}

export function end(slot: Slot, state: CheckState, nowMs: number): Slot {
  const { startedMs = nowMs, ...rest } = slot
  return { ...rest, state, dueMs: nextDue(slot, state, startedMs, nowMs) }
}

/** How long a result stands: until the next is due, or as long as this one was in coming where that is longer. */
export function stepMs(slot: Slot, state: CheckState, nowMs: number): number {
  const regularMs = state === 'ok' ? slot.intervalMs : slot.whileFailingMs
  const tookMs = nowMs - slot.dueMs
  return tookMs > regularMs ? Math.ceil(tookMs / 1000) * 1000 : regularMs
}

/** The slots after a reload: unchanged checks keep theirs, changed and new ones begin anew, others go. */
export function reschedule(
  schedule: Schedule,
  timings: readonly Timing[],
  unchanged: ReadonlySet<string>,
  nowMs: number,
): Map<string, Slot> {
  return new Map(
    timings.map((timing) => {
      const slot = unchanged.has(timing.name) ? schedule.get(timing.name) : undefined
      return [timing.name, slot ?? firstSlot(timing, nowMs)]
    }),
  )
}

function nextDue(
  { name, intervalMs, whileFailingMs }: Slot,
  state: CheckState,
  startedMs: number,
  nowMs: number,
): number {
  if (state !== 'ok') return Math.max(nowMs, startedMs + whileFailingMs)
  // At least half an interval after the last start, so that the first point of the grid is not too close.
  return nextOnGrid(name, intervalMs, Math.max(nowMs, startedMs + intervalMs / 2))
}

/** The first time from `fromMs` on that is the name's offset plus a multiple of the period. */
function nextOnGrid(name: string, periodMs: number, fromMs: number): number {
  const offsetMs = hash(name) % periodMs
  return Math.ceil((fromMs - offsetMs) / periodMs) * periodMs + offsetMs
}

/** FNV-1a with a final mix, so that names that differ in their last letter are far apart. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}
