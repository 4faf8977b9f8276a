/**
 * Alerts of a replay: transitions by rule and group, and what they make together: one alert from the bucket in which a
 * group left ok to the one in which it came back.
 */
import type { Level, Transition } from '../../model/transition.ts'

export interface Change {
  atMs: number
  to: Level
  hidden: boolean
  blind: boolean
  /** It was so before the range began. */
  isBefore?: boolean
}

/** By rule, then by group, in the order of time. */
export type Changes = Map<string, Map<string, Change[]>>

export interface Alert {
  rule: string
  group: string
  changes: readonly Change[]
  fromMs: number
  /** Undefined where it had not ended when the range did. */
  toMs: number | undefined
}

/** Gathers the transitions of a range; what fires already when it begins is said at its beginning. */
export class Gathered {
  readonly changes: Changes = new Map()
  transitions = 0
  readonly #range: { fromMs: number; toMs: number }
  readonly #before: Changes = new Map()

  constructor(range: { fromMs: number; toMs: number }) {
    this.#range = range
  }

  add({ rule, groupKey, bucketMs, to, hidden, blind }: Transition): void {
    if (bucketMs > this.#range.toMs) return
    const isBefore = bucketMs < this.#range.fromMs
    const change = { atMs: bucketMs, to, hidden, blind }
    if (isBefore) changesOf(this.#before, rule, groupKey)[0] = change
    else {
      const changes = changesOf(this.changes, rule, groupKey)
      if (changes.length === 0) changes.push(...this.#standing(rule, groupKey))
      changes.push(change)
      this.transitions++
    }
  }

  /** All there is, once the replay is over. */
  finish(): Changes {
    for (const [rule, groups] of this.#before) {
      for (const group of groups.keys()) {
        const standing = this.#standing(rule, group)
        if (standing.length > 0 && !this.changes.get(rule)?.has(group)) {
          changesOf(this.changes, rule, group).push(...standing)
        }
      }
    }
    return sorted(this.changes)
  }

  #standing(rule: string, group: string): Change[] {
    const last = this.#before.get(rule)?.get(group)?.[0]
    return last && !isOver(last) ? [{ ...last, atMs: this.#range.fromMs, isBefore: true }] : []
  }
}

/** The alerts, in the order of rule, group and time. */
export function alertsOf(changes: Changes): Alert[] {
  const alerts: Alert[] = []
  for (const [rule, groups] of changes) {
    for (const [group, list] of groups) alerts.push(...alertsOfGroup(rule, group, list))
  }
  return alerts
}

function alertsOfGroup(rule: string, group: string, changes: readonly Change[]): Alert[] {
  const alerts: Alert[] = []
  let open: Change[] = []
  for (const change of changes) {
    open.push(change)
    if (!isOver(change)) continue
    if (open.length > 1) alerts.push(alertOf(rule, group, open))
    open = []
  }
  if (open.length > 0) alerts.push(alertOf(rule, group, open))
  return alerts
}

function alertOf(rule: string, group: string, changes: readonly Change[]): Alert {
  const [first, last] = [changes[0] as Change, changes.at(-1) as Change]
  return { rule, group, changes, fromMs: first.atMs, toMs: isOver(last) ? last.atMs : undefined }
}

function isOver({ to }: Change): boolean {
  return to === 'ok' || to === 'forgotten'
}

/** What a group was at, as people read it: `crit hidden`. */
export function nameOf({ to, hidden, blind }: Change): string {
  return `${to}${hidden ? ' hidden' : ''}${blind ? ' blind' : ''}`
}

function changesOf(changes: Changes, rule: string, group: string): Change[] {
  const groups = changes.get(rule) ?? new Map<string, Change[]>()
  changes.set(rule, groups)
  const list = groups.get(group) ?? []
  groups.set(group, list)
  return list
}

export function sorted(changes: Changes): Changes {
  const byName = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)
  return new Map([...changes].sort(byName).map(([rule, groups]) => [rule, new Map([...groups].sort(byName))]))
}
