/**
 * Companies: rules that close their buckets together: those without late sources, or those that refer to each other and so
 * share their late sources.
 */
import type { RuleRun } from './rule-run.ts'

export interface Company {
  readonly rules: readonly RuleRun[]
  /** Of the rules, in all rules; ascending. */
  readonly places: Int32Array
  /** The rules' steps, each once. */
  readonly stepsMs: readonly number[]
  readonly lateNames: ReadonlySet<string>
  closedMs: number
  /** Version of the sources that the rules know of. */
  sourcesSeen: number
}

export function companyOf(rules: readonly RuleRun[], lateNames: ReadonlySet<string>, closedMs: number): Company {
  const inOrder = [...rules].sort((a, b) => a.place - b.place)
  const places = Int32Array.from(inOrder, ({ place }) => place)
  const stepsMs = [...new Set(rules.map(({ stepMs }) => stepMs))]
  return { rules: inOrder, places, stepsMs, lateNames, closedMs, sourcesSeen: -1 }
}

/** Who closes together now; those that were in no company before have closed up to `fallbackMs`. */
export function companiesOf(runs: readonly RuleRun[], before: readonly Company[], fallbackMs: number): Company[] {
  const closedOf = new Map<string, number>()
  for (const { rules, closedMs } of before) for (const { rule } of rules) closedOf.set(rule.name, closedMs)
  const byKey = new Map<string, { rules: RuleRun[]; lateNames: Set<string>; closedMs: number }>()
  for (const rules of tied(runs)) {
    const lateNames = new Set(rules.flatMap((rule) => [...rule.lateNames]))
    const closedMs = Math.max(...rules.map((rule) => closedOf.get(rule.rule.name) ?? fallbackMs))
    const key = `${[...lateNames].sort().join(' ')} ${closedMs}`
    const known = byKey.get(key)
    if (known) known.rules.push(...rules)
    else byKey.set(key, { rules: [...rules], lateNames, closedMs })
  }
  return [...byKey.values()].map(({ rules, lateNames, closedMs }) => companyOf(rules, lateNames, closedMs))
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
