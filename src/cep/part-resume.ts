/**
 * Resume: where an engine stands when the log's beginning is gone. What it can no longer compute, which groups were
 * firing when the first kept message was written, alerts-log still tells; it is kept for longer than engine-log.
 *
 * Without this, a group that stands between its raising and its clearing line would count as calm after a restart, and
 * what was told as broken would never be told as fixed.
 */
import type { Bus } from '../bus/bus.ts'
import type { Transition } from '../model/transition.ts'
import type { CarriedGroup, ToldGroup } from './rule-words.ts'

/** By rule, the groups that were firing at `atMs` as alerts-log has it. */
export async function firingAt(bus: Bus, atMs: number): Promise<Map<string, CarriedGroup[]>> {
  const last = new Map<string, Transition>()
  const reader = bus.readLog('alerts-log', 'first', ({ kind, message }) => {
    if (kind !== 'transitions' || message.bucketMs > atMs) return
    const key = JSON.stringify([message.rule, message.groupKey])
    // Calm groups are not kept, so that what is held is bounded by what fires.
    if (message.to === 'warn' || message.to === 'crit') last.set(key, message)
    else if (message.to !== 'nodata') last.delete(key)
  })
  await reader.caughtUp()
  await reader.stop()
  const firing = new Map<string, CarriedGroup[]>()
  for (const transition of last.values()) {
    const groups = firing.get(transition.rule) ?? []
    groups.push(groupOf(transition))
    firing.set(transition.rule, groups)
  }
  return firing
}

/** By rule, what alerts-log said last of each group up to `untilMs`; no data leaves a group at the level it had. */
export async function toldUntil(bus: Bus, untilMs: number): Promise<Map<string, ToldGroup[]>> {
  const last = new Map<string, Transition>()
  const reader = bus.readLog('alerts-log', 'first', ({ kind, message }) => {
    if (kind !== 'transitions' || message.bucketMs > untilMs || message.to === 'nodata') return
    last.set(JSON.stringify([message.rule, message.groupKey]), message)
  })
  await reader.caughtUp()
  await reader.stop()
  const told = new Map<string, ToldGroup[]>()
  for (const transition of last.values()) {
    const groups = told.get(transition.rule) ?? []
    groups.push({ ...groupOf(transition), bucketMs: transition.bucketMs })
    told.set(transition.rule, groups)
  }
  return told
}

function groupOf({ group, to, hidden, sinceMs }: Transition): CarriedGroup {
  const level = to === 'forgotten' ? 'ok' : to
  return { values: group.map(({ value }) => value), level, isHidden: hidden, troubleMs: level === 'ok' ? 0 : sinceMs }
}
