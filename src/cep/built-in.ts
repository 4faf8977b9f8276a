/** Built-in rules: the engine watching itself, written in its own language. */
import { type CheckedRule, loadRules } from './language/load.ts'

const text = `
rules:
  source_dead:
    crit: source:{source} is crit
    say: "{source} has stopped sending: what it feeds is not watched any more"
    runbook: docs/runbooks.md#source_dead
  rule_overflow:
    warn: source:{rule} is warn, keep 10m
    say: "rule {rule} has more groups than it may have; new ones are not watched"
    runbook: docs/runbooks.md#rule_overflow
  rule_stopped:
    crit: source:{rule} is crit
    say: "rule {rule} failed and is not evaluated any more; the others go on"
    runbook: docs/runbooks.md#rule_stopped
`

/** Those rules, and the engine's own beside them; a rule of the same name in a file takes its place. */
export function withBuiltIn(rules: readonly CheckedRule[]): readonly CheckedRule[] {
  const names = new Set(rules.map(({ name }) => name))
  return [...rules, ...builtInRules().filter(({ name }) => !names.has(name))]
}

/** Rules that stand beside those of the files. */
export function builtInRules(): readonly CheckedRule[] {
  return loadRules([{ path: 'built-in', text }]).rules.map((rule) => {
    if (rule.name === 'rule_overflow') return asking(rule, 'overflow', { warn: 'more groups than "at most" allows' })
    return rule.name === 'rule_stopped' ? asking(rule, 'stopped', { crit: 'it failed' }) : rule
  })
}

/** Those that say in the language itself what they ask, for tools that show their parts. */
export function tracedBuiltInRules(): readonly CheckedRule[] {
  return loadRules([{ path: 'built-in', text }], { trace: true }).rules.filter(({ name }) => name === 'source_dead')
}

/** The rule with a board of the engine's own in place of sources, and its sentence in words. */
function asking(rule: CheckedRule, source: 'overflow' | 'stopped', levels: CheckedRule['levels']): CheckedRule {
  const tree = { ...rule.tree, leaves: rule.tree.leaves.map((leaf) => ({ ...leaf, source })) }
  return { ...rule, levels, tree, treeKey: JSON.stringify(tree) }
}
