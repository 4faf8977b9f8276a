/**
 * Companies: rules that close their buckets together: those without late sources, or those that refer to each other and so
 * share their late sources.
 */
import type { RuleRun } from './rule-run.ts'

export interface Company {
  rules: RuleRun[]
  lateNames: Set<string>
  closedMs: number
}

/** Who closes together now; those that were in no company before have closed up to `fallbackMs`. */
export function companiesOf(runs: readonly RuleRun[], before: readonly Company[], fallbackMs: number): Company[] {
  const closedOf = new Map<string, number>()
  for (const { rules, closedMs } of before) for (const { rule } of rules) closedOf.set(rule.name, closedMs)
  const byKey = new Map<string, Company>()
  for (const rules of tied(runs)) {
    const lateNames = new Set(rules.flatMap((rule) => [...rule.lateNames]))
    const closedMs = Math.max(...rules.map((rule) => closedOf.get(rule.rule.name) ?? fallbackMs))
    const key = `${[...lateNames].sort().join(' ')} ${closedMs}`
    const known = byKey.get(key)
    if (known) known.rules.push(...rules)
    else byKey.set(key, { rules: [...rules], lateNames, closedMs })
  }
  const place = new Map(runs.map((rule, i) => [rule, i]))
  for (const { rules } of byKey.values()) {
    rules.sort((a, b) => (place.get(a) as number) - (place.get(b) as number))
  }
  return [...byKey.values()]
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
