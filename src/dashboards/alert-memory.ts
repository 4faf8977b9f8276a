/**
 * Alert memory: alerts, and per rule the newest transitions and receipts, read from alerts-log.
 *
 * The same pure steps as the alerts part uses (model/alert.ts), so both say the same. Decides nothing.
 */
import { type Alert, type AlertBook, applyTransition, compareFiring, emptyAlertBook } from '../model/alert.ts'
import { type Command, isAboutLetter, type PersonCommand, readCommand } from '../model/command.ts'
import type { Decision } from '../model/decision.ts'
import type { Receipt } from '../model/delivery.ts'
import {
  acknowledgementOf,
  applyCommand,
  emptyHandling,
  type Handling,
  type HandlingPolicy,
  handleAlert,
  maintenanceOf,
  noHandlingChanges,
  passTime,
  type Silence,
  silenceOf,
} from '../model/handling.ts'
import type { Maintenance } from '../model/maintenance.ts'
import { type Matchers, matchesAll, reach } from '../model/match.ts'
import type { Transition } from '../model/transition.ts'
import type { Stats } from '../runtime/stats.ts'
import { type AlertFilter, isWanted } from './alert-filter.ts'
import { DeadLetters } from './dead-letters.ts'
import { flaps, quietWhy, rulesWhyCommand, viewAcknowledgement, viewMaintenance, viewSilence } from './mute-views.ts'
import type {
  AlertDetailView,
  AlertView,
  AuditView,
  MaintenanceView,
  PreviewView,
  ReceiptView,
  SilenceView,
  TransitionView,
} from './view.ts'

/** Kept of each rule, newest first. */
export const entriesPerRuleMax = 100
export const rulesMax = 10_000
export const firingShownMax = 500
export const endedShownMax = 100
export const decisionsPerAlertMax = 50
export const alertsDecidedMax = 5_000
export const auditMax = 1_000
/** Firing alerts that a preview or a silence names. */
export const hiddenShownMax = 100

interface RuleEntries {
  transitions: TransitionView[]
  receipts: ReceiptView[]
}

export class AlertMemory {
  readonly letters = new DeadLetters()
  readonly #book: AlertBook = emptyAlertBook()
  readonly #rules = new Map<string, RuleEntries>()
  readonly #handling: Handling = emptyHandling()
  readonly #decisions = new Map<string, Decision[]>()
  readonly #audit: AuditView[] = []
  readonly #stats: Stats
  /** What the configuration plans; set anew when it is read again. */
  policy: HandlingPolicy = {}
  /** Log time. */
  #nowMs = 0

  constructor(stats: Stats) {
    this.#stats = stats
    stats.observe('alerts_firing', () => this.#book.firing.size)
  }

  /** True when the alert changed, so that pages should be told at once. */
  hear(transition: Transition): boolean {
    if (this.#nowMs === 0) this.#nowMs = transition.bucketMs
    const { alert, change } = applyTransition(this.#book, transition)
    if (alert && change !== 'duplicate' && change !== 'overflow') {
      handleAlert(this.#handling, alert, noHandlingChanges())
    }
    if (change === 'overflow') this.#stats.count('alerts_over_max_total')
    if (change === 'duplicate') return false
    const { id, groupKey, bucketMs, from, to, hidden, blind, reason } = transition
    keepNewest(this.#entries(transition.rule).transitions, { id, groupKey, bucketMs, from, to, hidden, blind, reason })
    return change !== 'none'
  }

  /** A person's command; true when something changed. */
  hearCommand(message: Command): boolean {
    if (message.kind === 'tick') return this.hearTime(message.atMs)
    const read = readCommand(message)
    if (!read.ok) {
      this.#stats.count('commands_bad_total')
      return false
    }
    const command = read.value
    const refused = isAboutLetter(command)
      ? this.letters.hearCommand(command)
      : applyCommand(this.#handling, this.#book, command, this.#nowMs, noHandlingChanges())
    if (refused === 'applied before') return false
    this.#audit.push(audited(command, refused))
    if (this.#audit.length > auditMax) this.#audit.shift()
    return true
  }

  /** True when a silence or an acknowledgement began or ended. */
  hearTime(nowMs: number): boolean {
    if (nowMs <= this.#nowMs) return false
    const changes = noHandlingChanges()
    passTime(this.#handling, this.#book, nowMs, this.#nowMs, changes, this.policy)
    this.#nowMs = nowMs
    return changes.silences.size + changes.care.size + changes.maintenances.size > 0
  }

  hearDecisions(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const key = decision.fingerprint
      const known = this.#decisions.get(key) ?? []
      this.#decisions.delete(key)
      this.#decisions.set(key, known)
      if (known.some((other) => isSame(other, decision))) continue
      known.unshift(decision)
      if (known.length > decisionsPerAlertMax) known.pop()
      if (this.#decisions.size > alertsDecidedMax) {
        this.#decisions.delete(this.#decisions.keys().next().value as string)
      }
    }
  }

  hearReceipt(receipt: Receipt): void {
    this.letters.hearReceipt(receipt)
    const { fingerprint, receiver, kind, outcome, attempt, atMs, detail, fallback } = receipt
    const slash = fingerprint.indexOf('/')
    const groupKey = fingerprint.slice(slash + 1)
    const receipts = this.#entries(fingerprint.slice(0, slash)).receipts
    const instead = fallback === undefined ? {} : { fallback }
    keepNewest(receipts, { groupKey, receiver, kind, outcome, attempt, atMs, detail, ...instead })
  }

  /** Firing, the gravest first. */
  firing(): Alert[] {
    return [...this.#book.firing.values()].sort(compareFiring)
  }

  /** Firing first, then what ended lately, the newest first; bounded for the page. */
  list(): AlertView[] {
    return [...this.firing().slice(0, firingShownMax), ...this.#ended()].map((alert) => this.#view(alert))
  }

  /** All that fire, the gravest first, then what ended lately, as far as they are wanted. */
  search(filter: AlertFilter, limit: number): { alerts: AlertView[]; total: number } {
    const wanted = [...this.firing(), ...this.#ended()].filter((alert) =>
      isWanted(filter, alert, () => ({
        isAcknowledged: acknowledgementOf(this.#handling, alert) !== undefined,
        isSilenced: (silenceOf(this.#handling, alert) ?? maintenanceOf(this.#handling, alert)) !== undefined,
      })),
    )
    return { alerts: wanted.slice(0, limit).map((alert) => this.#view(alert)), total: wanted.length }
  }

  /** One alert with what happened to it and why who was told; undefined for one that is not known. */
  detail(fingerprint: string): AlertDetailView | undefined {
    const alert = this.#book.firing.get(fingerprint) ?? this.#book.ended.get(fingerprint)
    if (!alert) return undefined
    const { transitions, receipts } = this.entries(alert.rule)
    const view = this.#view(alert)
    return {
      alert: view,
      quietWhy: quietWhy(view),
      rulesWhy: rulesWhyCommand(alert.rule, alert.groupKey, alert.bucketMs),
      notes: this.#handling.care.get(fingerprint)?.notes ?? [],
      decisions: this.#decisions.get(fingerprint) ?? [],
      transitions: transitions.filter(({ groupKey }) => groupKey === alert.groupKey),
      receipts: receipts.filter(({ groupKey }) => groupKey === alert.groupKey),
    }
  }

  /** In force or to come first, then the ended ones, the newest first. */
  silences(): SilenceView[] {
    const all = [...this.#handling.silences.values()].reverse()
    const isEnded = ({ state }: Silence) => state === 'ended'
    const sorted = [...all.filter((one) => !isEnded(one)), ...all.filter(isEnded)]
    const firing = [...this.#book.firing.values()]
    return sorted.map((silence) => viewSilence(silence, firing))
  }

  /** In force or to come first, the next first; then the ended ones. */
  maintenances(): MaintenanceView[] {
    const all = [...this.#handling.maintenances.values()]
    const rank = ({ state }: Maintenance) => ['active', 'waiting', 'ended'].indexOf(state)
    const firing = [...this.#book.firing.values()]
    return all
      .sort((a, b) => rank(a) - rank(b) || a.startsMs - b.startsMs)
      .map((window) => viewMaintenance(window, firing))
  }

  /** What a silence or maintenance would hide now, and what that fired lately it would have. */
  preview(matchers: Matchers): PreviewView {
    const hidden = this.firing().filter((alert) => matchesAll(matchers, alert))
    const alerts = hidden.slice(0, hiddenShownMax).map((alert) => this.#view(alert))
    const lately = this.#book.history.filter((alert) => matchesAll(matchers, alert)).length
    const all = reach(matchers)
    return { total: hidden.length, lately, isEverything: all === 'every alert', ...(all && { reach: all }), alerts }
  }

  /** Who did what, the newest first. */
  audit(): AuditView[] {
    return [...this.#audit].reverse()
  }

  #ended(): Alert[] {
    return this.#book.history.slice(-endedShownMax).reverse()
  }

  #view(alert: Alert): AlertView {
    const acknowledged = acknowledgementOf(this.#handling, alert)
    const silenced = alert.state === 'firing' ? silenceOf(this.#handling, alert) : undefined
    const window = alert.state === 'firing' ? maintenanceOf(this.#handling, alert) : undefined
    const own = this.#handling.care.get(alert.fingerprint)
    const noteCount = own?.episode === alert.episode ? own.notes.length : 0
    return {
      ...viewAlert(alert),
      ...(acknowledged && { acknowledged: viewAcknowledgement(acknowledged) }),
      ...(silenced && { silenced: { id: silenced.id, by: silenced.by, untilMs: silenced.endsMs } }),
      ...(window && { maintenance: { id: window.id, by: window.by, untilMs: window.endsMs } }),
      ...(this.#isNewest(alert) && flaps(this.#decisions.get(alert.fingerprint) ?? []) && { flaps: true }),
      ...(noteCount > 0 && { noteCount }),
    }
  }

  #isNewest({ fingerprint, episode }: Alert): boolean {
    const { firing, ended } = this.#book
    return (firing.get(fingerprint) ?? ended.get(fingerprint))?.episode === episode
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

function isSame(a: Decision, b: Decision): boolean {
  return a.transition === b.transition && a.change === b.change && a.reason === b.reason && a.atMs === b.atMs
}

function audited(command: PersonCommand, refused: string | undefined): AuditView {
  const { id, kind, by, atMs, ...rest } = command
  return { id, kind, by, atMs, arguments: { ...rest }, ...(refused !== undefined && { refused }) }
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
