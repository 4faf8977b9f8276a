/**
 * Engine: everything the log says, one entry at a time, in; transitions out. Pure and deterministic: no clock, no I/O.
 *
 * Rules that refer to each other close their buckets together; what closes a bucket is said in sources.ts. Within a
 * bucket rules run in an order in which each stands after those it refers to, and a rule that throws is stopped alone.
 */
import type { LogEntry } from '../model/message.ts'
import { err, ok, type Result } from '../model/result.ts'
import type { RulesMessage } from '../model/rules.ts'
import type { EngineStatus } from '../model/status.ts'
import type { Transition } from '../model/transition.ts'
import { withBuiltIn } from './built-in.ts'
import { type Company, companyOf } from './companies.ts'
import { EngineCore, type EngineOptions } from './engine-core.ts'
import { disagreementsIn, disagreementText } from './heard-kinds.ts'
import type { Catalogue } from './language/catalogue.ts'
import { type CheckedRule, formatRuleProblem, loadRules } from './language/load.ts'
import { lookBackMs, type Wanted } from './look-back.ts'
import { neededRules } from './needed.ts'
import { PostedEvents } from './posted.ts'
import { RetiredEvents } from './retired.ts'
import type { CarriedGroup, RuleRun, SavedRule } from './rule-run.ts'
import { treeHash } from './saved.ts'
import { carriedOf, endOf } from './saved-rule.ts'
import { Traffic } from './traffic.ts'

export type { EngineOptions } from './engine-core.ts'
export type SavedEngine = ReturnType<Engine['save']>

/** Edited rules look back so far at most, and over so many points: nothing else is evaluated meanwhile. */
const lookBackMsMax = 2 * 3_600_000
const lookBackPointsMax = 50_000_000
const noNames: ReadonlySet<string> = new Set()

export class Engine extends EngineCore {
  #catalogue: Catalogue
  #rulesHash = ''
  #rulesProblem: string | undefined
  /** Of the last `rules` message; undefined while the rules are those of the options. */
  #files: RulesMessage['files'] | undefined
  /** Rules that were edited or are new, with the levels that their groups had; until the next entry. */
  #edited = new Map<string, readonly CarriedGroup[]>()
  /** What a restored engine has to tell with the first entry. */
  #owed: readonly Transition[] = []

  constructor(options: EngineOptions) {
    super(options)
    this.#catalogue = options.rules?.catalogue ?? []
  }

  /** Applies one entry; what it decided comes back in order of bucket, rule and group. */
  step(entry: LogEntry): readonly Transition[] {
    this.#edited.clear()
    if (this.isInterrupted) this.skip(entry)
    const told = entry.kind === 'rules' ? this.#change(entry.message) : this.apply(entry)
    if (this.#owed.length === 0) return told
    const owed = this.#owed
    this.#owed = []
    return [...owed, ...told]
  }

  /** Everything but `leader`, which is the part's to know. */
  status(): Omit<EngineStatus, 'leader'> {
    const warnings = disagreementsIn(this.rules, this.#catalogue).map(disagreementText)
    this.passAll()
    return {
      rulesHash: this.#rulesHash,
      ...(this.#rulesProblem !== undefined && { rulesProblem: this.#rulesProblem }),
      ...(warnings.length > 0 && { warnings }),
      sources: this.sources.status(),
      rules: this.rules.map((rule) => rule.status()),
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
    this.#files = message.files
    this.loaded = withBuiltIn(loaded.rules)
    this.#catalogue = loaded.catalogue
    if (!this.isStarted) return []
    this.passAll()
    const before = new Map(this.rules.map((run) => [run.rule.name, run]))
    const closedMs = this.sources.closed(noNames) ?? 0
    const transitions: Transition[] = []
    this.rules = this.loaded.map((rule) => this.#replace(before, rule, closedMs, transitions))
    for (const run of before.values()) transitions.push(...run.end(Math.max(run.lastBucketMs, closedMs)))
    this.regroup(closedMs)
    return transitions
  }

  /** An unchanged rule goes on; an edited one begins anew at the levels of its groups. */
  #replace(before: Map<string, RuleRun>, rule: CheckedRule, closedMs: number, into: Transition[]): RuleRun {
    const run = before.get(rule.name)
    before.delete(rule.name)
    if (!run) return this.#editedRun(rule, closedMs, [])
    if (run.rule.treeKey === rule.treeKey && run.problem === undefined) {
      // Compiled anew, since its words may have changed; so what it computes is what its present words need.
      return this.#takenOver(rule, run.save())
    }
    const isSameGroups = run.rule.names.join() === rule.names.join()
    if (!isSameGroups) into.push(...run.end(Math.max(run.lastBucketMs, closedMs)))
    return this.#editedRun(rule, closedMs, isSameGroups ? run.carry() : [])
  }

  #editedRun(rule: CheckedRule, closedMs: number, carried: readonly CarriedGroup[]): RuleRun {
    this.#edited.set(rule.name, carried)
    return this.newRun(rule, closedMs, carried)
  }

  /**
   * After a `rules` message, what its edited and new rules need to see again, so as to have their windows (look-back.ts).
   * They may do without, and then fill them from new data.
   */
  lookBack(): Wanted | undefined {
    if (this.#edited.size === 0) return undefined
    const needed = neededRules(this.#edited.keys(), this.loaded)
    const nowMs = Math.max(...this.companies.map(({ closedMs }) => closedMs))
    const backMs = Math.min(lookBackMsMax, lookBackMs(needed))
    const side = new Engine({
      ...this.options,
      rules: { rules: needed, problems: [], catalogue: [] },
      firing: new Map(),
      watch: {},
    })
    side.sources = this.sources.sibling()
    return { fromMs: this.traffic.reach(nowMs, backMs, lookBackPointsMax), side }
  }

  /** Takes over what the rules that were edited remember of what `side` has seen; their levels stay as they were. */
  remember(side: Engine): void {
    this.sources.adopt(side.sources)
    side.passAll()
    const late: Company[] = []
    for (const company of side.companies) {
      const taken = company.rules.flatMap((run) => this.#remembered(run) ?? [])
      // Late sources are waited for as the one that looked back did; the others have been waited for already.
      if (company.lateNames.size > 0) late.push(companyOf(taken, company.lateNames, company.closedMs))
    }
    this.#edited.clear()
    this.passAll()
    this.wire(true)
    this.companies = [...this.companies, ...late]
    this.assemble(this.sources.closed(noNames) ?? 0)
  }

  #remembered(past: RuleRun): RuleRun | undefined {
    const carried = this.#edited.get(past.rule.name)
    const place = this.rules.findIndex(({ rule }) => rule.name === past.rule.name)
    if (!carried || place < 0 || past.problem !== undefined) return undefined
    const run = this.#takenOver(past.rule, past.save())
    run.carryOver(carried)
    this.rules[place] = run
    return run
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
    this.passAll()
    return {
      rulesHash: this.#rulesHash,
      rulesProblem: this.#rulesProblem,
      files: this.#files,
      isStarted: this.isStarted,
      sources: this.sources.save(),
      rules: this.rules.map((run) => run.save()),
      companies: this.companies.map(({ rules, lateNames, closedMs }) => {
        return { rules: rules.map(({ rule }) => rule.name), lateNames: [...lateNames], closedMs }
      }),
      retired: this.retired.events,
      posted: this.posted.ids,
      traffic: this.traffic.points,
      owed: this.#owed,
      isInterrupted: this.isInterrupted,
    }
  }

  #restore(saved: SavedEngine): void {
    this.#rulesHash = saved.rulesHash
    this.#rulesProblem = saved.rulesProblem
    this.#files = saved.files
    this.isStarted = saved.isStarted
    this.sources.restore(saved.sources)
    this.isInterrupted = saved.isInterrupted
    this.retired = new RetiredEvents(saved.retired)
    this.posted = new PostedEvents(saved.posted)
    this.traffic = new Traffic(saved.traffic)
    const transitions = [...saved.owed]
    const before = new Map(saved.rules.map((rule) => [rule.name, rule]))
    if (saved.isStarted) this.rules = this.loaded.map((rule) => this.#revive(before, rule, transitions))
    for (const rule of before.values()) transitions.push(...endOf(rule))
    this.#owed = transitions
    this.wire(false)
    const byName = new Map(this.rules.map((run) => [run.rule.name, run]))
    const runsOf = (names: readonly string[]) => names.flatMap((name) => byName.get(name) ?? [])
    this.seat(
      saved.companies.map(({ rules, lateNames, closedMs }) => companyOf(runsOf(rules), new Set(lateNames), closedMs)),
    )
    const isSame =
      before.size === 0 && saved.rules.every(({ key }, i) => key === treeHash(this.loaded[i] as CheckedRule))
    if (saved.isStarted && !isSame) this.assemble(this.sources.closed(noNames) ?? 0)
  }

  /** As #replace, for a rule that was saved. */
  #revive(before: Map<string, SavedRule>, rule: CheckedRule, into: Transition[]): RuleRun {
    const saved = before.get(rule.name)
    before.delete(rule.name)
    if (saved?.key === treeHash(rule)) return this.#takenOver(rule, saved)
    const closedMs = this.sources.closed(noNames) ?? 0
    const isSameGroups = saved?.names.join() === rule.names.join()
    if (saved && !isSameGroups) into.push(...endOf(saved))
    return this.#editedRun(rule, closedMs, saved && isSameGroups ? carriedOf(saved) : [])
  }

  #takenOver(rule: CheckedRule, saved: SavedRule): RuleRun {
    const run = this.newRun(rule, saved.startMs)
    run.restore(saved)
    return run
  }
}
