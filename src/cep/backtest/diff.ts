/**
 * Diff: the alerts of two replays compared, rule by rule and group by group: added, lost and moved.
 *
 * Two alerts of a group are the same one where they overlap in time, or begin within ten minutes of each other; they moved
 * where their times or levels differ.
 */
import type { Alert } from './alerts.ts'
import { nameOf } from './alerts.ts'

export type Difference =
  | { kind: 'added'; after: Alert; before?: undefined }
  | { kind: 'lost'; before: Alert; after?: undefined }
  | { kind: 'moved'; before: Alert; after: Alert }

export interface Diff {
  /** In the order of rule, group and time. */
  differences: readonly Difference[]
  /** Alerts that are in both as they were. */
  same: number
}

const nearMs = 600_000

export function diffAlerts(before: readonly Alert[], after: readonly Alert[]): Diff {
  const byGroup = (alerts: readonly Alert[]) => Map.groupBy(alerts, ({ rule, group }) => JSON.stringify([rule, group]))
  const [old, now] = [byGroup(before), byGroup(after)]
  const differences: Difference[] = []
  let same = 0
  for (const key of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const rest = [...(now.get(key) ?? [])]
    for (const one of old.get(key) ?? []) {
      const match = nearest(one, rest)
      if (match) rest.splice(rest.indexOf(match), 1)
      if (match && isEqual(one, match)) same++
      else differences.push(match ? { kind: 'moved', before: one, after: match } : { kind: 'lost', before: one })
    }
    differences.push(...rest.map((one) => ({ kind: 'added' as const, after: one })))
  }
  return { differences: differences.sort(byPlace), same }
}

/** The one that overlaps, or the nearest that begins about then; an equal one first of all. */
function nearest(one: Alert, among: readonly Alert[]): Alert | undefined {
  let best: Alert | undefined
  let bestMs = Number.POSITIVE_INFINITY
  for (const other of among) {
    const apartMs = Math.abs(other.fromMs - one.fromMs)
    if ((overlaps(one, other) || apartMs <= nearMs) && apartMs < bestMs) {
      best = other
      bestMs = apartMs
    }
  }
  return best
}

function overlaps(a: Alert, b: Alert): boolean {
  return a.fromMs <= (b.toMs ?? Number.POSITIVE_INFINITY) && b.fromMs <= (a.toMs ?? Number.POSITIVE_INFINITY)
}

function isEqual(a: Alert, b: Alert): boolean {
  return (
    a.changes.length === b.changes.length &&
    a.changes.every((change, i) => {
      const other = b.changes[i]
      return other !== undefined && change.atMs === other.atMs && nameOf(change) === nameOf(other)
    })
  )
}

function byPlace(a: Difference, b: Difference): number {
  const [one, other] = [(a.after ?? a.before) as Alert, (b.after ?? b.before) as Alert]
  if (one.rule !== other.rule) return one.rule < other.rule ? -1 : 1
  if (one.group !== other.group) return one.group < other.group ? -1 : 1
  return one.fromMs - other.fromMs
}
