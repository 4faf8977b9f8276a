/** Console state: the views of everything the console knows, for the API and the stream alike. */
import type { Clock } from '../runtime/clock.ts'
import type { DashboardFiles } from './load.ts'
import type { Mailbox } from './mailbox.ts'
import type { ConsoleMemory } from './memory.ts'
import { usualBuckets, viewGroup, viewRule, viewRules } from './rule-views.ts'
import { silentMs } from './status-memory.ts'
import type {
  AlertView,
  DashboardsView,
  EventView,
  HeartbeatView,
  PartView,
  RuleDetailView,
  RuleGraphView,
  RuleView,
  SourceView,
} from './view.ts'

/** Characters of the rule files' problems that pages are told. */
const rulesProblemMax = 8000

export class ConsoleState {
  readonly memory: ConsoleMemory
  readonly files: DashboardFiles
  /** Undefined where none is configured. */
  mailbox: Mailbox | undefined
  readonly #clock: Clock
  /** Kept until an alert changes: sorting thousands each second would be for nothing. */
  #alerts: readonly AlertView[] | undefined

  constructor(memory: ConsoleMemory, files: DashboardFiles, clock: Clock) {
    this.memory = memory
    this.files = files
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  alertsChanged(): void {
    this.#alerts = undefined
  }

  alerts(): readonly AlertView[] {
    this.#alerts ??= this.memory.alerts.list()
    return this.#alerts
  }

  rules(): RuleView[] {
    return viewRules(this.memory.status.engine(), this.now())
  }

  parts(): PartView[] {
    return this.memory.status.parts(this.now())
  }

  sources(): readonly SourceView[] {
    return this.memory.status.sources()
  }

  dashboards(): DashboardsView {
    return this.files.view()
  }

  events(fromMs: number, untilMs: number): EventView[] {
    return this.memory.events.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs)
  }

  heartbeat(): HeartbeatView {
    const nowMs = this.now()
    const dataBucketMs = this.memory.series.lastBucketMs
    const engine = this.memory.status.engine()
    return {
      nowMs,
      ...(dataBucketMs !== undefined && { dataBucketMs }),
      outlook: this.memory.status.outlook(nowMs),
      firing: this.memory.alerts.count(),
      deadLetters: this.memory.alerts.letters.count,
      lastBucketMsByStep: usualBuckets(engine),
      ...(engine?.rulesProblem !== undefined && { rulesProblem: engine.rulesProblem.slice(0, rulesProblemMax) }),
    }
  }

  /** Undefined for a rule that neither runs nor has ever said anything. */
  rule(name: string): RuleDetailView | undefined {
    const engine = this.memory.status.engine()
    const entries = this.memory.alerts.entries(name)
    const status = engine?.rules.find((rule) => rule.name === name)
    if (status && engine) {
      const { lastBucketMs, levels, say, runbook, groups } = status
      const rule = viewRule(status, this.now() - engine.heardMs < silentMs)
      const told = { ...(say !== undefined && { say }), ...(runbook !== undefined && { runbook }) }
      return { rule, lastBucketMs, levels, ...told, groups: groups.map(viewGroup), ...entries }
    }
    if (entries.transitions.length === 0) return undefined
    const rule = { name, file: '', state: 'unknown' as const, stepMs: 1000, groupCount: 0, counts: {} }
    return { rule, lastBucketMs: 0, levels: {}, groups: [], ...entries }
  }

  /** The wanted group stands first, then those that fire. */
  ruleGraph(name: string, wanted: string | undefined, fromMs: number, untilMs: number): RuleGraphView {
    const detail = this.rule(name)
    const known = detail?.groups.length ? detail.groups.map(({ key }) => key) : this.#toldGroups(detail)
    const keys = [...new Set([...(wanted === undefined ? [] : [wanted]), ...known])]
    return this.memory.rules.graph(name, keys, fromMs, untilMs)
  }

  /** What the engine compares now, by fingerprint of the firing alerts. */
  firingValues(): Map<string, string> {
    const values = new Map<string, string>()
    for (const { name, groups } of this.memory.status.engine()?.rules ?? []) {
      for (const { key, level, text } of groups) {
        if (level === 'warn' || level === 'crit') values.set(`${name}/${key}`, text)
      }
    }
    return values
  }

  #toldGroups(detail: RuleDetailView | undefined): string[] {
    return detail?.transitions.map(({ groupKey }) => groupKey) ?? []
  }
}
