/** Lints: what is written right and yet is hardly what was meant. Warnings, which `--strict` makes errors. */
import type { RawRule } from './rule-file.ts'
import type { HoldTree, LevelTree, Node } from './tree.ts'
import type { LocatedText } from './yaml-rules.ts'
import { reportRange } from './yaml-rules.ts'

interface LintedLevel {
  level: 'warn' | 'crit'
  where: LocatedText
  condition: { start: number; end: number }
  tree: LevelTree
}

export function lintRule(raw: RawRule, levels: readonly LintedLevel[], isTested: boolean): void {
  const name = { start: 0, end: raw.name.length }
  if (!isTested) {
    const help = 'show that it fires, and that it does not'
    reportRange(raw.at, name, 'lint', `rule ${raw.name} has no tests`, help, 'warning')
  }
  if (raw.runbook === undefined && levels.some(({ level }) => level === 'crit')) {
    const message = `rule ${raw.name} wakes people and names no runbook`
    reportRange(raw.at, name, 'lint', message, 'add runbook: where it says what to do', 'warning')
  }
  lintHidden(levels)
}

/** A warning that can hold only while the critical condition does, and comes no sooner, is never seen. */
function lintHidden(levels: readonly LintedLevel[]): void {
  const [warn, crit] = (['warn', 'crit'] as const).map((level) => levels.find((each) => each.level === level))
  if (!warn || !crit || raised(warn.tree.hold, crit.tree.hold)) return
  if (!implies(warn.tree.condition, crit.tree.condition)) return
  const message = 'this never comes before crit: whenever it holds, the critical condition holds too'
  reportRange(
    warn.where,
    warn.condition,
    'lint',
    message,
    'let warn begin earlier than crit, or leave it out',
    'warning',
  )
}

/** True where the first of two levels with one condition may come on before the second. */
function raised(first: HoldTree, second: HoldTree): boolean {
  if (first.kind === 'for' && second.kind === 'for') return first.durationMs < second.durationMs
  return JSON.stringify(first) !== JSON.stringify(second)
}

/** Whether `a` can hold only where `b` does, as far as comparisons with constants tell. */
function implies(a: Node, b: Node): boolean {
  const known = conjuncts(a)
  return conjuncts(b).every((wanted) => known.some((each) => impliesOne(each, wanted)))
}

function conjuncts(node: Node): readonly Node[] {
  return node.op === 'and' ? [...conjuncts(node.left), ...conjuncts(node.right)] : [node]
}

function impliesOne(a: Node, b: Node): boolean {
  if (JSON.stringify(a) === JSON.stringify(b)) return true
  if (a.op !== 'compare' || b.op !== 'compare' || a.right.op !== 'constant' || b.right.op !== 'constant') return false
  if (JSON.stringify(a.left) !== JSON.stringify(b.left)) return false
  const [limit, wanted] = [a.right.value, b.right.value]
  const isStrict = b.operator.length === 1 && a.operator.length === 2
  if (a.operator[0] !== b.operator[0]) return false
  if (a.operator[0] === '>') return isStrict ? limit > wanted : limit >= wanted
  if (a.operator[0] === '<') return isStrict ? limit < wanted : limit <= wanted
  return false
}
