/**
 * Engine: everything the log says, one entry at a time, in; transitions out. Pure and deterministic: no clock, no I/O.
 *
 * Rules that refer to each other close their buckets together; what closes a bucket is said in sources.ts. Within a
 * bucket rules run in an order in which each stands after those it refers to, and a rule that throws is stopped alone.
 */
import type { EventMessage } from '../model/event.ts'
import type { LogEntry } from '../model/message.ts'
import { err, ok, type Result } from '../model/result.ts'
import type { RulesMessage } from '../model/rules.ts'
import type { EngineStatus } from '../model/status.ts'
import type { Transition } from '../model/transition.ts'
import { formatUtc } from '../runtime/clock.ts'
import { boardOf, withDetail } from './boards.ts'
import { withBuiltIn } from './built-in.ts'
import { type Company, companiesOf } from './companies.ts'
import { Feed } from './feed.ts'
import { disagreementsIn, disagreementText } from './heard-kinds.ts'
import type { Catalogue } from './language/catalogue.ts'
import { type CheckedRule, formatRuleProblem, type LoadedRules, loadRules } from './language/load.ts'
import { startOf } from './log-time.ts'
import { MetricLeaf } from './metric-leaf.ts'
import { PostedEvents } from './posted.ts'
import { RetiredEvents } from './retired.ts'
import { type CarriedGroup, RuleRun, type SavedRule, type ToldGroup } from './rule-run.ts'
import { refillMap, treeHash } from './saved.ts'
import { carriedOf, endOf } from './saved-rule.ts'
import { Sources } from './sources.ts'
import { BoardLeaf, type StateBoard } from './state-leaf.ts'
import type { EngineWatch } from './watch.ts'

export interface EngineOptions {
  /** The step of rules without `every`: 1000 live, 10000 in tests. */
  defaultStepMs: number
  /** In tests, how long every value stands: the test's step. */
  testStepMs?: number
  /** Rules from the start; live they come as a `rules` message. */
  rules?: LoadedRules
  /** By rule, groups that are firing from the start, where the log's beginning is gone. */
  firing?: ReadonlyMap<string, readonly CarriedGroup[]>
  /** For tools: told of what happens inside. */
  watch?: EngineWatch
}

export type SavedEngine = ReturnType<Engine['save']>

/** Buckets of silence that are lived through one by one; a longer gap is skipped. */
const gapMsMax = 2 * 86_400_000
const noNames: ReadonlySet<string> = new Set()

export class Engine {
  readonly #options: EngineOptions
  readonly #sources = new Sources()
  #posted = new PostedEvents()
  #loaded: readonly CheckedRule[]
  #catalogue: Catalogue
  #rules: RuleRun[] = []
  #companies: Company[] = []
  #feed: Feed
  #isStarted = false
  #rulesHash = ''
  #rulesProblem: string | undefined
  #retired = new RetiredEvents()
  /** Of the last `rules` message; undefined while the rules are those of the options. */
  #files: RulesMessage['files'] | undefined
  readonly #overflows = new Map<string, number>()
  /** A part of the log was lost; the next entry with a time says up to where. */
  #isInterrupted = false
  /** What a restored engine has to tell with the first entry. */
  #owed: readonly Transition[] = []

  constructor(options: EngineOptions) {
    this.#options = options
    this.#loaded = withBuiltIn(options.rules?.rules ?? [])
    this.#catalogue = options.rules?.catalogue ?? []
    this.#feed = new Feed([], this.#sources, () => {})
  }

  /** The engine that gave `saved`; rules that this program reads otherwise start like edited ones. */
  static restored(options: EngineOptions, saved: SavedEngine): Result<Engine, string> {
    const loaded = saved.files ? loadRules(saved.files) : options.rules
    const [problem] = loaded?.problems ?? []
    if (problem) return err(`its rules are wrong for this program: ${formatRuleProblem(problem)}`)
    const engine = new Engine({ ...options, ...(loaded && { rules: loaded }) })
    engine.#restore(saved)
    return ok(engine)
  }

  /** Its whole state between two entries, as plain data that is not copied: see saved.ts and snapshot.ts. */
  save() {
    return {
      rulesHash: this.#rulesHash,
      rulesProblem: this.#rulesProblem,
      files: this.#files,
      isStarted: this.#isStarted,
      sources: this.#sources.save(),
      rules: this.#rules.map((run) => run.save()),
      companies: this.#companies.map(({ rules, lateNames, closedMs }) => {
        return { rules: rules.map(({ rule }) => rule.name), lateNames: [...lateNames], closedMs }
      }),
      retired: this.#retired.events,
      posted: this.#posted.ids,
      overflows: this.#overflows,
      owed: this.#owed,
      isInterrupted: this.#isInterrupted,
    }
  }

  #restore(saved: SavedEngine): void {
    this.#rulesHash = saved.rulesHash
    this.#rulesProblem = saved.rulesProblem
    this.#files = saved.files
    this.#isStarted = saved.isStarted
    this.#sources.restore(saved.sources)
    this.#isInterrupted = saved.isInterrupted
    this.#retired = new RetiredEvents(saved.retired)
    this.#posted = new PostedEvents(saved.posted)
    refillMap(this.#overflows, saved.overflows)
    const transitions = [...saved.owed]
    const before = new Map(saved.rules.map((rule) => [rule.name, rule]))
    if (saved.isStarted) this.#rules = this.#loaded.map((rule) => this.#revive(before, rule, transitions))
    for (const rule of before.values()) transitions.push(...endOf(rule))
    this.#owed = transitions
    this.#wire()
    const byName = new Map(this.#rules.map((run) => [run.rule.name, run]))
    this.#companies = saved.companies.map(({ rules, lateNames, closedMs }) => {
      return { rules: rules.flatMap((name) => byName.get(name) ?? []), lateNames: new Set(lateNames), closedMs }
    })
    const isSame =
      before.size === 0 && saved.rules.every(({ key }, i) => key === treeHash(this.#loaded[i] as CheckedRule))
    if (saved.isStarted && !isSame) this.#assemble(this.#sources.closed(noNames) ?? 0)
  }

  /** As #replace, for a rule that was saved. */
  #revive(before: Map<string, SavedRule>, rule: CheckedRule, into: Transition[]): RuleRun {
    const saved = before.get(rule.name)
    before.delete(rule.name)
    if (saved?.key === treeHash(rule)) return this.#takenOver(rule, saved)
    const closedMs = this.#sources.closed(noNames) ?? 0
    const isSameGroups = saved?.names.join() === rule.names.join()
    if (saved && !isSameGroups) into.push(...endOf(saved))
    return this.#newRun(rule, closedMs, saved && isSameGroups ? carriedOf(saved) : [])
  }

  #takenOver(rule: CheckedRule, saved: SavedRule): RuleRun {
    const run = this.#newRun(rule, saved.startMs)
    run.restore(saved)
    return run
  }

  /** Applies one entry; what it decided comes back in order of bucket, rule and group. */
  step(entry: LogEntry): readonly Transition[] {
    if (this.#isInterrupted) this.#skip(entry)
    if (this.#owed.length === 0) return this.#apply(entry)
    const owed = this.#owed
    this.#owed = []
    return [...owed, ...this.#apply(entry)]
  }

  #apply(entry: LogEntry): readonly Transition[] {
    switch (entry.kind) {
      case 'markers':
        // Its data may have come before its first marker, when nobody knew that it is late.
        if (this.#sources.marker(entry.message)) this.#feed.forgetPlans()
        return this.#advance()
      case 'clock':
        this.#sources.clock(entry.message.nowMs)
        return this.#advance()
      case 'metrics':
        this.#start(startOf(entry) as number)
        this.#feed.metrics(entry.message)
        return []
      case 'checks':
        this.#start(startOf(entry) as number)
        this.#feed.checks(entry.message)
        return []
      case 'events':
        this.#start(startOf(entry) as number)
        this.#happened(entry.message)
        return []
      case 'rules':
        return this.#change(entry.message)
      default:
        return []
    }
  }

  #happened(message: EventMessage): void {
    const event = this.#posted.place(message, Math.max(...this.#companies.map(({ closedMs }) => closedMs)))
    if (!event) return
    this.#feed.event(event)
    this.#retired.note(event)
  }

  /** The log goes on after a part of it was lost; `told` is what other engines said of groups meanwhile, by rule. */
  interrupt(told: ReadonlyMap<string, readonly ToldGroup[]>): void {
    this.#sources.cut()
    this.#isInterrupted = true
    for (const run of this.#rules) for (const group of told.get(run.rule.name) ?? []) run.adopt(group)
  }

  /** Passes over the buckets that are gone. */
  #skip(entry: LogEntry): void {
    const toMs = startOf(entry)
    if (toMs === undefined) return
    this.#isInterrupted = false
    for (const run of this.#rules) run.skip(toMs)
    for (const company of this.#companies) company.closedMs = Math.max(company.closedMs, toMs)
  }

  /** Everything but `leader`, which is the part's to know. */
  status(): Omit<EngineStatus, 'leader'> {
    const warnings = disagreementsIn(this.#rules, this.#catalogue).map(disagreementText)
    return {
      rulesHash: this.#rulesHash,
      ...(this.#rulesProblem !== undefined && { rulesProblem: this.#rulesProblem }),
      ...(warnings.length > 0 && { warnings }),
      sources: this.#sources.status(),
      rules: this.#rules.map((rule) => rule.status()),
    }
  }

  /** What went over a bound or came too late, since the start; for the part's own metrics. */
  counters(): { latePoints: number; groupsRefused: number; rulesStopped: number } {
    let [latePoints, groupsRefused, rulesStopped] = [0, 0, 0]
    for (const { compiled, problem } of this.#rules) {
      for (const leaf of compiled.leaves) if (leaf instanceof MetricLeaf) latePoints += leaf.late
      groupsRefused += compiled.refused.count
      if (problem !== undefined) rulesStopped++
    }
    return { latePoints, groupsRefused, rulesStopped }
  }

  /** Begins time at the first message that has one. */
  #start(startMs: number): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#rules = this.#loaded.map((rule) => this.#newRun(rule, startMs, this.#options.firing?.get(rule.name)))
    this.#regroup(startMs)
  }

  #newRun(rule: CheckedRule, closedMs: number, carried: readonly CarriedGroup[] = []): RuleRun {
    const { defaultStepMs, testStepMs } = this.#options
    const onDrop = () => this.#feed.forgetPlans()
    const onLate = this.#options.watch?.late
    return new RuleRun(rule, { sources: this.#sources, defaultStepMs, testStepMs, closedMs, onDrop, onLate }, carried)
  }

  /** Finds out anew who closes together, and wires boards and feed. */
  #regroup(closedMs: number): void {
    this.#wire()
    this.#assemble(closedMs)
  }

  #wire(): void {
    const byName = new Map(this.#rules.map((run) => [run.rule.name, run]))
    for (const run of this.#rules) {
      for (const leaf of run.compiled.leaves) {
        if (leaf instanceof BoardLeaf) leaf.board = this.#board(leaf, byName)
      }
    }
    const running = this.#rules.filter(({ problem }) => problem === undefined) // fed, a stopped rule would only pile up
    this.#feed = new Feed(running, this.#sources, (rule, name) => this.#hearLate(rule, name))
  }

  #assemble(fallbackMs: number): void {
    this.#companies = companiesOf(this.#rules, this.#companies, fallbackMs)
  }

  #hearLate(rule: RuleRun, name: string): void {
    rule.lateNames.add(name)
    this.#assemble(0)
  }

  #advance(): readonly Transition[] {
    if (!this.#isStarted) {
      const startMs = this.#sources.startedMs()
      if (startMs === undefined) return []
      this.#start(startMs)
    }
    const transitions: Transition[] = []
    for (const company of this.#companies) {
      const closed = this.#sources.closed(company.lateNames)
      if (closed !== undefined && closed > company.closedMs) this.#closeTo(company, closed, transitions)
    }
    return transitions
  }

  #closeTo(company: Company, closedMs: number, into: Transition[]): void {
    const steps = [...new Set(company.rules.map(({ stepMs }) => stepMs))]
    let atMs = Math.max(company.closedMs, closedMs - gapMsMax)
    while (true) {
      atMs = Math.min(...steps.map((stepMs) => (Math.floor(atMs / stepMs) + 1) * stepMs))
      if (atMs > closedMs || steps.length === 0) break
      this.#sources.settle(atMs)
      for (const rule of company.rules) {
        if (atMs % rule.stepMs === 0 && atMs > rule.lastBucketMs) this.#close(rule, atMs, into)
      }
    }
    company.closedMs = closedMs
    this.#retired.forget(this.#companies)
  }

  #close(rule: RuleRun, atMs: number, into: Transition[]): void {
    if (rule.problem !== undefined) return
    const from = into.length
    try {
      rule.close(atMs, into, this.#retired.between(atMs - rule.stepMs, atMs))
      for (let i = from; i < into.length; i++) into[i] = withDetail(into[i] as Transition, rule.rule, this.#rules)
      this.#options.watch?.closed?.(rule, atMs)
    } catch (error) {
      into.length = from
      rule.problem = `stopped at ${formatUtc(atMs)}: ${(error as Error).message}`
      this.#wire()
    }
  }

  #board(leaf: BoardLeaf, byName: ReadonlyMap<string, RuleRun>): StateBoard | undefined {
    if (leaf.leaf.source === 'rule') return byName.get(leaf.leaf.path.slice('rule:'.length))
    return boardOf(leaf, this.#sources, () => this.#rules, this.#overflows)
  }

  /** Takes over other rules, from the next bucket on; with errors nothing changes. */
  #change(message: RulesMessage): readonly Transition[] {
    const loaded = loadRules(message.files)
    if (loaded.problems.length > 0) {
      this.#rulesProblem = loaded.problems.map(formatRuleProblem).join('\n')
      return []
    }
    this.#rulesProblem = undefined
    this.#rulesHash = message.hash
    this.#files = message.files
    this.#loaded = withBuiltIn(loaded.rules)
    this.#catalogue = loaded.catalogue
    if (!this.#isStarted) return []
    const before = new Map(this.#rules.map((run) => [run.rule.name, run]))
    const closedMs = this.#sources.closed(noNames) ?? 0
    const transitions: Transition[] = []
    this.#rules = this.#loaded.map((rule) => this.#replace(before, rule, closedMs, transitions))
    for (const run of before.values()) transitions.push(...run.end(Math.max(run.lastBucketMs, closedMs)))
    this.#regroup(closedMs)
    return transitions
  }

  /** An unchanged rule goes on; an edited one begins anew at the levels of its groups. */
  #replace(before: Map<string, RuleRun>, rule: CheckedRule, closedMs: number, into: Transition[]): RuleRun {
    const run = before.get(rule.name)
    before.delete(rule.name)
    if (!run) return this.#newRun(rule, closedMs)
    if (run.rule.treeKey === rule.treeKey && run.problem === undefined) {
      // Compiled anew, since its words may have changed; so what it computes is what its present words need.
      return this.#takenOver(rule, run.save())
    }
    const isSameGroups = run.rule.names.join() === rule.names.join()
    if (!isSameGroups) into.push(...run.end(Math.max(run.lastBucketMs, closedMs)))
    return this.#newRun(rule, closedMs, isSameGroups ? run.carry() : [])
  }
}
