/**
 * Resolve: the rules of all files checked against each other, each after the rules it refers to.
 */

import { suggest } from '../../runtime/problem.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { caught, quietly, report } from './caught.ts'
import { AlreadyReported, CheckError, type LetSource, RuleChecker, type Surroundings, type Typed } from './check.ts'
import { lintRule } from './lints.ts'
import type { CheckedRule, LoadOptions } from './load.ts'
import { type Facts, type RawFile, type RawRule, reportWhole } from './rule-file.ts'
import { sayPart, saysWhole } from './say-part.ts'
import { expandSlo } from './slo.ts'
import type { LevelSentence, Range } from './syntax.ts'
import { TracingChecker, traceOf } from './trace.ts'
import type { HoldTree, LevelTree, RuleTree, SayPart, Shown } from './tree.ts'
import { type LocatedText, reportRange } from './yaml-rules.ts'

export class Resolver {
  readonly catalogue: CatalogueEntry[]
  readonly facts: Facts = {}
  readonly #raw = new Map<string, RawRule>()
  readonly #options: LoadOptions
  readonly #checked = new Map<string, CheckedRule | 'failed'>()
  readonly #open: string[] = []
  /** Rules that tests at the end of a file name. */
  readonly #testedElsewhere: ReadonlySet<string>

  constructor(files: readonly RawFile[], options: LoadOptions) {
    this.#options = options
    this.catalogue = files.flatMap((file) => file.catalogue)
    reportTwice(
      files.flatMap((file) => file.catalogue.map((entry) => ({ ...entry, name: entry.at.text, same: sameOf(entry) }))),
      (name) => `${name} is declared otherwise`,
    )
    reportTwice(
      files.flatMap((file) => file.facts.map((fact) => ({ ...fact, same: JSON.stringify(fact.values) }))),
      (name) => `other facts about ${name} stand`,
    )
    this.#testedElsewhere = new Set(files.flatMap((file) => file.tests.flatMap(({ expect }) => Object.keys(expect))))
    for (const rule of files.flatMap((file) => file.rules)) this.#addRule(rule)
    for (const file of files) {
      for (const fact of file.facts) this.facts[fact.name] = { ...this.facts[fact.name], ...fact.values }
    }
  }

  rules(): CheckedRule[] {
    for (const name of this.#raw.keys()) this.#rule(name)
    return [...this.#checked.values()].filter((rule) => rule !== 'failed')
  }

  raw(name: string): RawRule | undefined {
    return this.#raw.get(name)
  }

  #addRule(rule: RawRule): void {
    const other = this.#raw.get(rule.name)
    if (other) {
      reportWhole(rule.at, `a rule called ${rule.name} stands already in ${other.file.path}:${other.line}`, 'name')
      return
    }
    this.#raw.set(rule.name, rule)
  }

  /** The checked rule; undefined when it failed, which has been reported. */
  #rule(name: string): CheckedRule | undefined {
    const known = this.#checked.get(name)
    if (known) return known === 'failed' ? undefined : known
    const raw = this.#raw.get(name) as RawRule
    this.#open.push(name)
    let checked: CheckedRule | undefined
    try {
      checked = this.#check(raw)
    } catch (error) {
      report(error)
    }
    this.#open.pop()
    this.#checked.set(name, checked ?? 'failed')
    return checked
  }

  #namesOfRule(name: string, where: LocatedText, range: Range): readonly string[] {
    if (!this.#raw.has(name)) {
      const meant = suggest(name, this.#raw.keys())
      throw new CheckError(
        'name',
        where,
        range,
        `there is no rule called "${name}"`,
        meant && `did you mean "${meant}"?`,
      )
    }
    const from = this.#open.indexOf(name)
    if (from >= 0) {
      const circle = [...this.#open.slice(from), name].join(' → ')
      throw new CheckError('name', where, range, `rules refer to each other in a circle: ${circle}`)
    }
    const rule = this.#rule(name)
    if (!rule) throw new AlreadyReported()
    return rule.names
  }

  #check(raw: RawRule): CheckedRule | undefined {
    const surroundings: Surroundings = {
      catalogue: this.catalogue,
      facts: this.facts,
      everyMs: raw.everyMs,
      strict: this.#options.strict === true,
      lint: this.#options.lint === true,
      namesOfRule: (name, where, range) => this.#namesOfRule(name, where, range),
      report,
      warn: (where, range, code, message, help) => reportRange(where, range, code, message, help, 'warning'),
    }
    const levels = [...raw.levels]
    if (raw.slo) {
      for (const expanded of expandSlo(raw.slo))
        if (!levels.some(({ level }) => level === expanded.level)) levels.push(expanded)
      levels.sort((a, b) => (a.level === b.level ? 0 : a.level === 'warn' ? -1 : 1))
    }
    const Checker = this.#options.trace ? TracingChecker : RuleChecker
    const checker = new Checker(surroundings, raw.lets as ReadonlyMap<string, LetSource>, raw.at)
    const results = levels.map(({ level, where, sentence }) => ({
      level,
      sentence,
      where,
      typed: caught(() => checker.level(where, sentence)),
    }))
    let isFine = raw.isWhole && results.every(({ typed }) => typed !== undefined)
    for (const [name, { expression }] of raw.lets) {
      // A bare selector is judged where it is used: it may be pooled there.
      if (expression && expression.kind !== 'selector' && !caught(() => checker.letValue(name))) isFine = false
      if (!expression) isFine = false
    }
    const names = isFine ? namesOfLevels(results as LevelResult[]) : undefined
    const { hide: hideSource } = raw
    const hide = hideSource && caught(() => checker.hide(hideSource.where, hideSource.expression))
    if (!names) {
      // What else is said is judged by the names that are written, so that one slip does not hide another.
      const written = writtenNames(raw)
      if (raw.say) this.#say(raw, raw.say, checker, written)
      if (raw.known) this.#known(raw.known, written, false)
      return undefined
    }
    const keepsMore = hide?.names.some((name) => !names.includes(name)) === true
    if (keepsMore && raw.hide) reportWhole(raw.hide.where, 'this keeps names that the rule does not keep')
    const sayParts = raw.say ? this.#say(raw, raw.say, checker, names) : []
    const known = raw.known && this.#known(raw.known, names)
    if ((raw.hide && !hide) || keepsMore || !sayParts || (raw.known && !known)) return undefined
    this.#warn(raw, checker, results as LevelResult[])
    const rule = build(raw, checker, results as LevelResult[], names, hide, sayParts, known)
    return checker instanceof TracingChecker ? { ...rule, trace: traceOf(raw, checker, levels) } : rule
  }

  #known(where: LocatedText, names: readonly string[], isSure = true): RuleTree['known'] {
    const facts = this.facts[where.text]
    if (!facts) {
      const meant = suggest(where.text, Object.keys(this.facts))
      const help = meant ? `did you mean "${meant}"?` : `add them: facts: {${where.text}: {…: {}}}`
      reportWhole(where, `there are no facts about {${where.text}}`, 'name', help)
    } else if (!names.includes(where.text)) reportWhole(where, `the rule is not per {${where.text}}`, 'name')
    else {
      const groups = Object.entries(facts).map(([key, values]) =>
        names.map((name) => (name === where.text ? key : (values[name] ?? ''))),
      )
      if (!isSure || !groups.some((group) => group.includes(''))) return { name: where.text, groups }
      const lacking = names.filter((name) => name !== where.text).join(', ')
      reportWhole(where, `the rule is also per ${lacking}, which the facts about {${where.text}} do not tell`, 'name')
    }
    return undefined
  }

  #say(raw: RawRule, where: LocatedText, checker: RuleChecker, names: readonly string[]): SayPart[] | undefined {
    const parts: SayPart[] = []
    let isFine = saysWhole(where)
    let at = 0
    for (const found of where.text.matchAll(/\{([^{}]*)\}/g)) {
      const start = found.index
      if (start > at) parts.push(where.text.slice(at, start))
      at = start + found[0].length
      const part = sayPart(raw, where, found[1] as string, start + 1, checker, names, this.facts)
      if (part === undefined) isFine = false
      else parts.push(part)
    }
    if (at < where.text.length) parts.push(where.text.slice(at))
    return isFine ? parts : undefined
  }

  #warn(raw: RawRule, checker: RuleChecker, results: readonly LevelResult[]): void {
    const [reason] = checker.stepReasons
    if (reason && raw.everyMs === undefined) {
      const severity = this.#options.strict ? 'error' : 'warning'
      reportRange(
        reason.where,
        reason.range,
        'step',
        `the meaning of ${reason.why} depends on the rule's step, which is not said`,
        'add every: 10s, or another step',
        severity,
      )
    }
    if (!this.#options.lint) return
    const linted = results.map((result) => ({
      ...result,
      condition: result.sentence.condition,
      tree: levelTree(result),
    }))
    lintRule(raw, linted, raw.tests.length > 0 || this.#testedElsewhere.has(raw.name))
  }
}

/** Names are global over the files loaded; a duplicate that says something else names both places. */
function reportTwice(
  all: readonly { name: string; at: LocatedText; line: number; same: string }[],
  message: (name: string) => string,
): void {
  const first = new Map<string, { where: string; same: string }>()
  for (const { name, at, line, same } of all) {
    const known = first.get(name)
    if (known && known.same !== same) reportWhole(at, `${message(name)} already in ${known.where}`, 'name')
    if (!known) first.set(name, { where: `${at.file.path}:${line}`, same })
  }
}

function sameOf({ kind, unitText, stepMs }: CatalogueEntry): string {
  return `${kind} ${unitText} ${stepMs ?? ''}`
}

interface LevelResult {
  level: 'warn' | 'crit'
  where: LocatedText
  sentence: LevelSentence
  typed: { condition: Typed; until: Typed | undefined }
}

/** Every name that stands in braces in a sentence of the rule. */
function writtenNames({ levels, slo, lets, unread }: RawRule): string[] {
  const texts = [...levels.map(({ where }) => where), ...[...lets.values()].map(({ where }) => where), ...unread]
  if (slo) texts.push(slo.bad, slo.all)
  return texts.flatMap(({ text }) => [...text.matchAll(/\{([a-z_][a-z0-9_]*)/g)].map(([, name]) => name as string))
}

function namesOfLevels(results: readonly LevelResult[]): readonly string[] | undefined {
  const [first, ...others] = results
  const names = first?.typed.condition.names ?? []
  for (const other of others) {
    const theirs = other.typed.condition.names
    if (theirs.length === names.length && theirs.every((name) => names.includes(name))) continue
    const [a, b] = [names, theirs].map((list) =>
      list.length === 0 ? 'nothing' : list.map((name) => `{${name}}`).join(' '),
    )
    const message = `${first?.level} is per ${a}, ${other.level} is per ${b}; all levels of a rule have the same names`
    reportRange(other.where, other.sentence.condition, 'group', message)
    return undefined
  }
  for (const { typed, where, sentence } of results) {
    if (typed.until && !typed.until.names.every((name) => names.includes(name))) {
      const range = sentence.until?.kind === 'condition' ? sentence.until.of : (sentence.until as Range)
      reportRange(where, range, 'group', '"until" keeps names that the condition does not keep')
      return undefined
    }
  }
  return names
}

function build(
  raw: RawRule,
  checker: RuleChecker,
  results: readonly LevelResult[],
  names: readonly string[],
  hide: Typed | undefined,
  sayParts: SayPart[],
  known: RuleTree['known'],
): CheckedRule {
  const tree: RuleTree = {
    names,
    leaves: checker.leaves,
    levels: results.map(levelTree),
    hide: hide?.node,
    settleMs: raw.settleMs,
    everyMs: raw.everyMs,
    ifMissing: raw.ifMissing,
    known,
    groupsMax: raw.groupsMax,
    forgetMs: raw.forgetMs,
    facts: checker.factsUsed,
  }
  const lets = shownLets(raw, checker, names)
  const sentences = Object.fromEntries(results.map(({ level, sentence }) => [level, sentence.text]))
  const comparisons = Object.fromEntries(results.map(({ level, typed }) => [level, typed.condition.comparisons]))
  return {
    name: raw.name,
    file: raw.file.path,
    line: raw.line,
    everyMs: raw.everyMs,
    names,
    levels: sentences,
    ...(raw.slo && { slo: { bad: raw.slo.bad.text, all: raw.slo.all.text, target: raw.slo.target.text } }),
    ...(raw.hide && { hide: raw.hide.where.text }),
    ...(raw.say && { say: raw.say.text }),
    ...(raw.runbook !== undefined && { runbook: raw.runbook }),
    ...(raw.remindMs !== undefined && { remindMs: raw.remindMs }),
    tags: raw.tags,
    rulesUsed: [...checker.rulesUsed],
    tree,
    treeKey: JSON.stringify([tree, nodesOf(lets), nodesOf(sayParts)]),
    sayParts,
    lets,
    letTexts: Object.fromEntries([...raw.lets].map(([name, { where }]) => [name, where.text])),
    comparisons,
  }
}

/** What is computed for people to read; its words do not matter. */
function nodesOf(parts: readonly SayPart[]): readonly unknown[] {
  return parts.flatMap((part) => (typeof part === 'object' && 'node' in part ? [part.node] : []))
}

function shownLets(raw: RawRule, checker: RuleChecker, names: readonly string[]): (Shown & { name: string })[] {
  const shown: (Shown & { name: string })[] = []
  for (const name of raw.lets.keys()) {
    const typed = quietly(() => checker.letValue(name))
    if (typed?.type !== 'number' || !typed.names.every((kept) => names.includes(kept))) continue
    shown.push({ name, text: name, node: typed.node, unit: typed.unit, isPercent: typed.isPercent })
  }
  return shown
}

function levelTree({ level, sentence, typed }: LevelResult): LevelTree {
  const hold: HoldTree = sentence.hold ?? { kind: 'for', durationMs: 0 }
  return { level, condition: typed.condition.node, hold, until: typed.until?.node, keepMs: sentence.keepMs ?? 0 }
}
