/**
 * Resume: where an engine stands when the log's beginning is gone. What it can no longer compute, which groups were
 * firing when the first kept message was written, alerts-log still tells; it is kept for longer than engine-log.
 *
 * Without this, a group that stands between its raising and its clearing line would count as calm after a restart, and
 * what was told as broken would never be told as fixed.
 */
import type { Bus } from '../bus/bus.ts'
import type { LogEntry } from '../model/message.ts'
import type { Transition } from '../model/transition.ts'
import type { CarriedGroup } from './rule-words.ts'

/** When a message's data ends, epoch ms; 0 where it has no time. */
export function timeOf({ kind, message }: LogEntry): number {
  if (kind === 'clock') return message.nowMs
  return kind === 'metrics' || kind === 'checks' || kind === 'events' || kind === 'markers' ? message.bucketMs : 0
}

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
  for (const { rule, group, to, hidden, sinceMs } of last.values()) {
    const groups = firing.get(rule) ?? []
    groups.push({ values: group.map(({ value }) => value), level: to, isHidden: hidden, troubleMs: sinceMs })
    firing.set(rule, groups)
  }
  return firing
}
