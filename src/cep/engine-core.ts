/**
 * Engine core: sources, buckets and the rules that run now; what one entry means for them. How rules come, change and are
 * saved stands in engine.ts.
 */
import type { EventMessage } from '../model/event.ts'
import type { LogEntry } from '../model/message.ts'
import { seriesCount } from '../model/metric.ts'
import type { Transition } from '../model/transition.ts'
import { formatUtc } from '../runtime/clock.ts'
import { Agenda } from './agenda.ts'
import { boardOf, withDetail } from './boards.ts'
import { withBuiltIn } from './built-in.ts'
import { type Company, companiesOf } from './companies.ts'
import { Feed } from './feed.ts'
import type { CheckedRule, LoadedRules } from './language/load.ts'
import { startOf } from './log-time.ts'
import { MetricLeaf } from './metric-leaf.ts'
import { PostedEvents } from './posted.ts'
import { RetiredEvents } from './retired.ts'
import { type CarriedGroup, RuleRun, type ToldGroup } from './rule-run.ts'
import { Sources } from './sources.ts'
import { BoardLeaf, type StateBoard } from './state-leaf.ts'
import { Traffic } from './traffic.ts'
import type { EngineWatch } from './watch.ts'

export interface EngineOptions {
  /** The step of rules without `every`: 1000 live, 10000 in tests. */
  defaultStepMs: number
  /** In tests, how long every value stands: the test's step. */
  testStepMs?: number
  /** Rules from the start; live they come as a `rules` message. */
  rules?: Pick<LoadedRules, 'rules' | 'problems' | 'catalogue'>
  /** By rule, groups that are firing from the start, where the log's beginning is gone. */
  firing?: ReadonlyMap<string, readonly CarriedGroup[]>
  /** For tools: told of what happens inside. */
  watch?: EngineWatch
}

/** Buckets of silence that are lived through one by one; a longer gap is skipped. */
const gapMsMax = 2 * 86_400_000

export abstract class EngineCore {
  protected readonly options: EngineOptions
  protected sources = new Sources()
  protected posted = new PostedEvents()
  protected loaded: readonly CheckedRule[]
  protected rules: RuleRun[] = []
  protected companies: readonly Company[] = []
  /** By place of a rule. */
  protected readonly companyAt: Company[] = []
  protected agenda = new Agenda([], false)
  protected readonly refusals = { version: 0 }
  protected feed: Feed
  protected isStarted = false
  protected retired = new RetiredEvents()
  protected traffic = new Traffic()
  /** A part of the log was lost; the next entry with a time says up to where. */
  protected isInterrupted = false

  constructor(options: EngineOptions) {
    this.options = options
    this.loaded = withBuiltIn(options.rules?.rules ?? [])
    this.feed = this.newFeed([])
  }

  protected apply(entry: LogEntry): readonly Transition[] {
    switch (entry.kind) {
      case 'markers':
        // Its data may have come before its first marker, when nobody knew that it is late.
        if (this.sources.marker(entry.message)) this.feed.forgetPlans()
        return this.advance()
      case 'clock':
        this.sources.clock(entry.message.nowMs)
        return this.advance()
      case 'metrics':
        this.start(startOf(entry) as number)
        this.traffic.note(entry.message.bucketMs, seriesCount(entry.message))
        this.feed.metrics(entry.message)
        return []
      case 'checks':
        this.start(startOf(entry) as number)
        this.feed.checks(entry.message)
        return []
      case 'events':
        this.start(startOf(entry) as number)
        this.happened(entry.message)
        return []
      default:
        return []
    }
  }

  protected happened(message: EventMessage): void {
    const event = this.posted.place(message, Math.max(...this.companies.map(({ closedMs }) => closedMs)))
    if (!event) return
    this.feed.event(event)
    this.retired.note(event)
    if (event.name === 'retired') this.agenda.wakeAt(event.bucketMs)
  }

  /** The log goes on after a part of it was lost; `told` is what other engines said of groups meanwhile, by rule. */
  interrupt(told: ReadonlyMap<string, readonly ToldGroup[]>): void {
    this.passAll()
    this.wakeAll()
    this.sources.cut()
    this.isInterrupted = true
    for (const run of this.rules) for (const group of told.get(run.rule.name) ?? []) run.adopt(group)
  }

  /** Passes over the buckets that are gone. */
  protected skip(entry: LogEntry): void {
    const toMs = startOf(entry)
    if (toMs === undefined) return
    this.isInterrupted = false
    this.passAll()
    this.wakeAll()
    for (const run of this.rules) run.skip(toMs)
    for (const company of this.companies) company.closedMs = Math.max(company.closedMs, toMs)
  }

  /** Brings rules that rest to the state that they would have if they had run in every bucket. */
  protected passAll(): void {
    for (const { rules, closedMs } of this.companies) for (const run of rules) run.pass(closedMs)
  }

  protected wakeAll(): void {
    for (const company of this.companies) this.agenda.wakeAll(company)
  }

  /** Rules that will not run in the next bucket unless something wakes them. */
  get rulesResting(): number {
    return this.agenda.resting
  }

  /** What went over a bound or came too late, since the start; for the part's own metrics. */
  counters(): { latePoints: number; groupsRefused: number; rulesStopped: number } {
    let [latePoints, groupsRefused, rulesStopped] = [0, 0, 0]
    for (const { compiled, problem } of this.rules) {
      for (const leaf of compiled.leaves) if (leaf instanceof MetricLeaf) latePoints += leaf.late
      groupsRefused += compiled.refused.count
      if (problem !== undefined) rulesStopped++
    }
    return { latePoints, groupsRefused, rulesStopped }
  }

  /** Begins time at the first message that has one. */
  protected start(startMs: number): void {
    if (this.isStarted) return
    this.isStarted = true
    this.rules = this.loaded.map((rule) => this.newRun(rule, startMs, this.options.firing?.get(rule.name)))
    this.regroup(startMs)
  }

  protected newRun(rule: CheckedRule, closedMs: number, carried: readonly CarriedGroup[] = []): RuleRun {
    const { defaultStepMs, testStepMs } = this.options
    const onDrop = () => this.feed.forgetPlans()
    const onLate = this.options.watch?.late
    const { sources, refusals } = this
    const context = { sources, refusals, defaultStepMs, testStepMs, closedMs, onDrop, onLate }
    return new RuleRun(rule, context, carried)
  }

  /** Finds out anew who closes together, and wires boards and feed. */
  protected regroup(closedMs: number): void {
    this.wire(true)
    this.assemble(closedMs)
  }

  /** `looksAgain` where boards may be others than before. */
  protected wire(looksAgain: boolean): void {
    const byName = new Map(this.rules.map((run) => [run.rule.name, run]))
    for (const [place, run] of this.rules.entries()) {
      run.place = place
      for (const leaf of run.compiled.leaves) {
        if (leaf instanceof BoardLeaf) leaf.wire(this.board(leaf, byName), looksAgain)
      }
    }
    const running = this.rules.filter(({ problem }) => problem === undefined) // fed, a stopped rule would only pile up
    this.agenda = new Agenda(this.rules, this.options.watch?.closed !== undefined)
    this.feed = this.newFeed(running)
  }

  protected newFeed(rules: readonly RuleRun[]): Feed {
    return new Feed(rules, this.sources, {
      late: (rule, name) => this.hearLate(rule, name),
      fed: ({ place }) => this.agenda.wake(place, this.companyAt[place]?.closedMs ?? 0),
    })
  }

  protected assemble(fallbackMs: number): void {
    this.passAll()
    this.seat(companiesOf(this.rules, this.companies, fallbackMs))
    this.wakeAll()
    // Who joins a company that is ahead leaves out what that has closed.
    for (const { rules, closedMs } of this.companies) for (const run of rules) run.leaveOut(closedMs)
  }

  protected seat(companies: readonly Company[]): void {
    this.companies = companies
    for (const company of companies) for (const place of company.places) this.companyAt[place] = company
  }

  protected hearLate(rule: RuleRun, name: string): void {
    rule.lateNames.add(name)
    this.assemble(0)
  }

  protected advance(): readonly Transition[] {
    if (!this.isStarted) {
      const startMs = this.sources.startedMs()
      if (startMs === undefined) return []
      this.start(startMs)
    }
    const transitions: Transition[] = []
    for (const company of this.companies) {
      const closed = this.sources.closed(company.lateNames)
      if (closed !== undefined && closed > company.closedMs) this.closeTo(company, closed, transitions)
    }
    return transitions
  }

  protected closeTo(company: Company, closedMs: number, into: Transition[]): void {
    const resumedMs = this.sources.resumedMs(company.closedMs, closedMs)
    if (resumedMs !== undefined) this.pause(company, resumedMs)
    let atMs = company.closedMs
    if (atMs < closedMs - gapMsMax) {
      atMs = closedMs - gapMsMax
      this.leaveOut(company, atMs)
    }
    while (true) {
      let nextMs = Number.POSITIVE_INFINITY
      for (const stepMs of company.stepsMs) nextMs = Math.min(nextMs, (Math.floor(atMs / stepMs) + 1) * stepMs)
      if (nextMs > closedMs) break
      atMs = nextMs
      this.closeBucket(company, atMs, into)
    }
    company.closedMs = closedMs
    this.retired.forget(this.companies)
  }

  protected closeBucket(company: Company, atMs: number, into: Transition[]): void {
    this.sources.settle(atMs)
    if (this.sources.version !== company.sourcesSeen) {
      this.agenda.wakeAll(company)
      company.sourcesSeen = this.sources.version
    }
    const { places, rules } = company
    for (let i = 0; i < places.length; i++) {
      const place = places[i] as number
      if (!this.agenda.isDue(place, atMs)) continue
      const rule = rules[i] as RuleRun
      if (atMs % rule.stepMs !== 0 || atMs <= rule.lastBucketMs) continue
      rule.pass(atMs - rule.stepMs)
      this.close(rule, atMs, into)
      this.agenda.ran(place, Math.min(rule.restsUntil(atMs), this.retired.nextMs(atMs)))
    }
  }

  /** Nothing ran until `toMs`: no rule is evaluated for that time, and nobody was silent in it. */
  protected pause(company: Company, toMs: number): void {
    const pausedMs = toMs - company.closedMs
    this.leaveOut(company, toMs)
    for (const rule of company.rules) rule.pause(pausedMs)
    company.closedMs = toMs
  }

  /** Buckets up to `toMs` are not lived through. */
  protected leaveOut(company: Company, toMs: number): void {
    for (const rule of company.rules) {
      rule.pass(company.closedMs)
      rule.leaveOut(toMs)
    }
    this.agenda.wakeAll(company)
  }

  protected close(rule: RuleRun, atMs: number, into: Transition[]): void {
    if (rule.problem !== undefined) return
    const from = into.length
    try {
      rule.close(atMs, into, this.retired.between(atMs - rule.stepMs, atMs))
      for (let i = from; i < into.length; i++) into[i] = withDetail(into[i] as Transition, rule.rule, this.rules)
      this.options.watch?.closed?.(rule, atMs)
    } catch (error) {
      into.length = from
      rule.problem = `stopped at ${formatUtc(atMs)}: ${(error as Error).message}`
      this.wire(false)
    }
  }

  protected board(leaf: BoardLeaf, byName: ReadonlyMap<string, RuleRun>): StateBoard | undefined {
    if (leaf.leaf.source === 'rule') return byName.get(leaf.leaf.path.slice('rule:'.length))
    return boardOf(leaf, this.sources, this.rules, this.refusals)
  }
}
