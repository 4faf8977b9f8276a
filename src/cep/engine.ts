/**
 * Engine: everything the log says, one entry at a time, in; transitions out. Pure and deterministic: no clock, no I/O.
 *
 * Rules that refer to each other close their buckets together; what closes a bucket is said in sources.ts. Within a
 * bucket rules run in an order in which each stands after those it refers to, and a rule that throws is stopped alone.
 */
import type { EventMessage } from '../model/event.ts'
import type { LogEntry } from '../model/message.ts'
import { matchPath, parsePath } from '../model/path.ts'
import type { RulesMessage } from '../model/rules.ts'
import type { EngineStatus } from '../model/status.ts'
import type { Transition } from '../model/transition.ts'
import { builtInRules } from './built-in.ts'
import { Feed } from './feed.ts'
import { type CheckedRule, formatRuleProblem, type LoadedRules, loadRules } from './language/load.ts'
import { stateCodes } from './language/tree.ts'
import { MetricLeaf } from './metric-leaf.ts'
import { PostedEvents } from './posted.ts'
import { type CarriedGroup, RuleRun } from './rule-run.ts'
import { Sources } from './sources.ts'
import { BoardLeaf, type StateBoard } from './state-leaf.ts'

export interface EngineOptions {
  /** The step of rules without `every`: 1000 live, 10000 in tests. */
  defaultStepMs: number
  /** In tests, how long every value stands: the test's step. */
  testStepMs?: number
  /** Rules from the start; live they come as a `rules` message. */
  rules?: LoadedRules
  /** By rule, groups that are firing from the start, where the log's beginning is gone. */
  firing?: ReadonlyMap<string, readonly CarriedGroup[]>
}

/** Rules that close their buckets together: those without late sources, or those that refer to each other. */
interface Company {
  rules: RuleRun[]
  lateNames: Set<string>
  closedMs: number
}

/** Buckets of silence that are lived through one by one; a longer gap is skipped. */
const gapMsMax = 2 * 86_400_000
const retiredMax = 10_000

export class Engine {
  readonly #options: EngineOptions
  readonly #sources = new Sources()
  readonly #posted = new PostedEvents()
  #loaded: readonly CheckedRule[]
  #rules: RuleRun[] = []
  #companies: Company[] = []
  #feed: Feed
  #isStarted = false
  #rulesHash = ''
  #rulesProblem: string | undefined
  #retired: EventMessage[] = []

  constructor(options: EngineOptions) {
    this.#options = options
    this.#loaded = withBuiltIn(options.rules?.rules ?? [])
    this.#feed = new Feed([], this.#sources, () => {})
  }

  /** Applies one entry; what it decided comes back in order of bucket, rule and group. */
  step(entry: LogEntry): readonly Transition[] {
    switch (entry.kind) {
      case 'markers':
        this.#sources.marker(entry.message)
        return this.#advance()
      case 'clock':
        this.#sources.clock(entry.message.nowMs)
        return this.#advance()
      case 'metrics':
        this.#start(entry.message.bucketMs - entry.message.stepMs)
        this.#feed.metrics(entry.message)
        return []
      case 'checks':
        this.#start(entry.message.bucketMs - 1)
        this.#feed.checks(entry.message)
        return []
      case 'events':
        this.#start(entry.message.bucketMs - 1)
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
    if (event.name === 'retired') this.#retired = [...this.#retired, event].slice(-retiredMax)
  }

  /** Everything but `leader`, which is the part's to know. */
  status(): Omit<EngineStatus, 'leader'> {
    return {
      rulesHash: this.#rulesHash,
      ...(this.#rulesProblem !== undefined && { rulesProblem: this.#rulesProblem }),
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
    return new RuleRun(rule, { sources: this.#sources, defaultStepMs, testStepMs, closedMs, onDrop }, carried)
  }

  /** Finds out anew who closes together, and wires boards and feed. */
  #regroup(closedMs: number): void {
    const byName = new Map(this.#rules.map((run) => [run.rule.name, run]))
    for (const run of this.#rules) {
      for (const leaf of run.compiled.leaves) {
        if (leaf instanceof BoardLeaf) leaf.board = this.#board(leaf, byName)
      }
    }
    this.#feed = new Feed(this.#rules, this.#sources, (rule, name) => this.#hearLate(rule, name))
    this.#assemble(closedMs)
  }

  /** Companies: rules tied by reference share their late sources; those without any are one company. */
  #assemble(fallbackMs: number): void {
    const closedOf = new Map<RuleRun, number>()
    for (const { rules, closedMs } of this.#companies) for (const rule of rules) closedOf.set(rule, closedMs)
    const byKey = new Map<string, Company>()
    for (const rules of tied(this.#rules)) {
      const lateNames = new Set(rules.flatMap((rule) => [...rule.lateNames]))
      const closedMs = Math.max(...rules.map((rule) => closedOf.get(rule) ?? fallbackMs))
      const key = `${[...lateNames].sort().join(' ')} ${closedMs}`
      const known = byKey.get(key)
      if (known) known.rules.push(...rules)
      else byKey.set(key, { rules: [...rules], lateNames, closedMs })
    }
    const place = new Map(this.#rules.map((rule, i) => [rule, i]))
    this.#companies = [...byKey.values()]
    for (const { rules } of this.#companies) {
      rules.sort((a, b) => (place.get(a) as number) - (place.get(b) as number))
    }
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
    const keptMs = Math.min(...this.#companies.map((other) => other.closedMs)) - 86_400_000
    if (this.#retired.length > 0) this.#retired = this.#retired.filter(({ bucketMs }) => bucketMs > keptMs)
  }

  #close(rule: RuleRun, atMs: number, into: Transition[]): void {
    if (rule.problem !== undefined) return
    try {
      const told = rule.close(atMs, this.#retiredIn(atMs - rule.stepMs, atMs))
      into.push(
        ...(rule.rule.tree.leaves[0]?.source === 'overflow' ? told.map((each) => this.#withSample(each)) : told),
      )
    } catch (error) {
      rule.problem = `stopped at ${atMs}: ${(error as Error).message}`
    }
  }

  /** What an overflow is about: some of the groups that were refused. */
  #withSample(transition: Transition): Transition {
    const run = this.#rules.find(({ rule }) => rule.name === transition.groupKey)
    const sample = run?.compiled.refused.sample ?? []
    return sample.length === 0 ? transition : { ...transition, say: `${transition.say}, such as ${sample.join(', ')}` }
  }

  /** Which groups an `event:retired[host=…]` of these buckets ends; undefined for the usual none. */
  #retiredIn(fromMs: number, toMs: number) {
    if (this.#retired.length === 0) return undefined
    const events = this.#retired.filter(({ bucketMs }) => bucketMs > fromMs && bucketMs <= toMs)
    if (events.length === 0) return undefined
    return (names: readonly string[], values: readonly string[]) =>
      events.some(({ tags }) => {
        const known = names.filter((name) => Object.hasOwn(tags, name))
        return known.length > 0 && known.every((name) => tags[name] === values[names.indexOf(name)])
      })
  }

  #board(leaf: BoardLeaf, byName: ReadonlyMap<string, RuleRun>): StateBoard | undefined {
    if (leaf.leaf.source === 'rule') return byName.get(leaf.leaf.path.slice('rule:'.length))
    return leaf.leaf.source === 'overflow' ? this.#overflowBoard() : sourceBoard(leaf, this.#sources)
  }

  /** Rules with more groups than they may have. */
  #overflowBoard(): StateBoard {
    const rules = () => this.#rules.filter((rule) => rule.compiled.refused.count > 0)
    const seen = new Map<string, number>()
    return {
      get version() {
        return rules().length
      },
      groups: () => rules().map((rule) => [rule.rule.name]),
      early: () => false,
      state: ([name]) => {
        const rule = this.#rules.find((run) => run.rule.name === name)
        const { count } = rule?.compiled.refused ?? { count: 0 }
        const isMore = count > (seen.get(name as string) ?? 0)
        seen.set(name as string, count)
        return isMore ? stateCodes.warn : stateCodes.ok
      },
    }
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
    this.#loaded = withBuiltIn(loaded.rules)
    if (!this.#isStarted) return []
    const before = new Map(this.#rules.map((run) => [run.rule.name, run]))
    const closedMs = this.#sources.closed(new Set()) ?? 0
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
      run.reword(rule)
      return run
    }
    const isSameGroups = run.rule.names.join() === rule.names.join()
    if (!isSameGroups) into.push(...run.end(Math.max(run.lastBucketMs, closedMs)))
    return this.#newRun(rule, closedMs, isSameGroups ? run.carry() : [])
  }
}

function withBuiltIn(rules: readonly CheckedRule[]): readonly CheckedRule[] {
  const names = new Set(rules.map(({ name }) => name))
  return [...rules, ...builtInRules().filter(({ name }) => !names.has(name))]
}

/** Rules that refer to each other, directly or through others. */
function tied(rules: readonly RuleRun[]): RuleRun[][] {
  const company = new Map<string, RuleRun[]>()
  for (const run of rules) {
    const joined = new Set([[run], ...run.rule.rulesUsed.map((name) => company.get(name) ?? [])])
    const all = [...joined].flat()
    for (const member of all) company.set(member.rule.name, all)
  }
  return [...new Set(company.values())]
}

/** Liveness of sources as states: dead is crit, one that said bye is missing. */
function sourceBoard(leaf: BoardLeaf, sources: Sources): StateBoard {
  const parsed = parsePath(leaf.leaf.path)
  const valuesOf = (name: string) => (parsed.ok ? matchPath(parsed.value, name) : undefined)
  const codes = { live: stateCodes.ok, dead: stateCodes.crit, gone: stateCodes.missing }
  return {
    get version() {
      return sources.names().length
    },
    groups: () => sources.names().flatMap((name) => [valuesOf(name) ?? []].filter(() => valuesOf(name) !== undefined)),
    early: () => false,
    state: (values) => {
      const states = sources.names().flatMap((name) => {
        const theirs = valuesOf(name)
        const isMine = theirs?.every((value, i) => value === values[i]) === true
        const state = isMine ? sources.stateOf(name) : undefined
        return state ? [codes[state]] : []
      })
      return states.length > 0
        ? Math.max(...states.map((code) => (code === stateCodes.missing ? -1 : code))) === -1
          ? stateCodes.missing
          : Math.max(...states.filter((code) => code !== stateCodes.missing))
        : stateCodes.missing
    },
  }
}
