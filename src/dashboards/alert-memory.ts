/**
 * Alert memory: alerts, and per rule the newest transitions and receipts, read from alerts-log.
 *
 * The same pure steps as the alerts part uses (model/alert.ts), so both say the same. Decides nothing.
 */
import { type Alert, type AlertBook, applyTransition, compareFiring, emptyAlertBook } from '../model/alert.ts'
import type { Receipt } from '../model/delivery.ts'
import type { Transition } from '../model/transition.ts'
import type { Stats } from '../runtime/stats.ts'
import type { AlertView, ReceiptView, TransitionView } from './view.ts'

/** Kept of each rule, newest first. */
export const entriesPerRuleMax = 100
export const rulesMax = 10_000
export const firingShownMax = 500
export const endedShownMax = 100

interface RuleEntries {
  transitions: TransitionView[]
  receipts: ReceiptView[]
}

export class AlertMemory {
  readonly #book: AlertBook = emptyAlertBook()
  readonly #rules = new Map<string, RuleEntries>()
  readonly #stats: Stats

  constructor(stats: Stats) {
    this.#stats = stats
    stats.observe('alerts_firing', () => this.#book.firing.size)
  }

  /** True when the alert changed, so that pages should be told at once. */
  hear(transition: Transition): boolean {
    const { change } = applyTransition(this.#book, transition)
    if (change === 'overflow') this.#stats.count('alerts_over_max_total')
    if (change === 'duplicate') return false
    const { id, groupKey, bucketMs, from, to, hidden, blind, reason } = transition
    keepNewest(this.#entries(transition.rule).transitions, { id, groupKey, bucketMs, from, to, hidden, blind, reason })
    return change !== 'none'
  }

  hearReceipt({ fingerprint, receiver, kind, outcome, attempt, atMs, detail }: Receipt): void {
    const slash = fingerprint.indexOf('/')
    const groupKey = fingerprint.slice(slash + 1)
    const receipts = this.#entries(fingerprint.slice(0, slash)).receipts
    keepNewest(receipts, { groupKey, receiver, kind, outcome, attempt, atMs, detail })
  }

  /** Firing, the gravest first. */
  firing(): Alert[] {
    return [...this.#book.firing.values()].sort(compareFiring)
  }

  /** Firing first, then what ended lately, the newest first; bounded for the page. */
  list(): AlertView[] {
    const ended = this.#book.history.slice(-endedShownMax).reverse()
    return [...this.firing().slice(0, firingShownMax), ...ended].map(viewAlert)
  }

  count(): { crit: number; warn: number; hidden: number } {
    const counts = { crit: 0, warn: 0, hidden: 0 }
    for (const { level, hidden } of this.#book.firing.values()) counts[hidden ? 'hidden' : level]++
    return counts
  }

  entries(rule: string): Readonly<RuleEntries> {
    return this.#rules.get(rule) ?? { transitions: [], receipts: [] }
  }

  #entries(rule: string): RuleEntries {
    let entries = this.#rules.get(rule)
    if (!entries) {
      entries = { transitions: [], receipts: [] }
      this.#rules.set(rule, entries)
      if (this.#rules.size > rulesMax) this.#rules.delete(this.#rules.keys().next().value as string)
    }
    return entries
  }
}

function keepNewest<T>(list: T[], entry: T): void {
  list.unshift(entry)
  if (list.length > entriesPerRuleMax) list.pop()
}

export function viewAlert(alert: Alert): AlertView {
  const { fingerprint, state, level, worstLevel, rule, groupKey, group, sinceMs, raisedMs, endedMs } = alert
  const { say, reason, hidden, blind, nodata, partial, runbook, tags, end, episode } = alert
  return {
    id: `${fingerprint} ${episode}`,
    ...{ fingerprint, state, level, worstLevel, rule, groupKey, group, sinceMs, raisedMs, say, reason },
    text: valueText(alert),
    values: alert.series.values.map((value) => (value === null ? null : Number(value.toPrecision(4)))),
    threshold: alert.comparison?.threshold ?? null,
    ...{ hidden, blind, nodata, tags },
    ...(endedMs !== undefined && { endedMs }),
    ...(end && { endReason: end.reason }),
    ...(partial && { partial }),
    ...(runbook !== undefined && { runbook }),
  }
}

/** The compared expression's value as the engine wrote it; the last named value where nothing is compared. */
function valueText({ values, comparison }: Alert): string {
  const compared = comparison && values.find(({ name }) => name === comparison.expression)
  return (compared ?? values.at(-1))?.text ?? ''
}
