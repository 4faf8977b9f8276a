/** Needed: rules together with those that they refer to. */
import type { CheckedRule } from './language/load.ts'

/** The named rules and all that they refer to, in the order of `rules`. */
export function neededRules(named: Iterable<string>, rules: readonly CheckedRule[]): CheckedRule[] {
  const byName = new Map(rules.map((rule) => [rule.name, rule]))
  const needed = new Set(named)
  // A set that grows while it is walked is walked to its end.
  for (const name of needed) for (const used of byName.get(name)?.rulesUsed ?? []) needed.add(used)
  return rules.filter(({ name }) => needed.has(name))
}
