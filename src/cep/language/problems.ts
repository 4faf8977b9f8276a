/**
 * Problems in rule files: where, which code, what was expected and what came, and how to mend it.
 */
import type { Problem } from '../../runtime/problem.ts'

export type RuleProblemCode =
  | 'syntax'
  | 'name'
  | 'unit'
  | 'kind'
  | 'many'
  | 'group'
  | 'step'
  | 'file'
  | 'memory'
  | 'lint'

export interface RuleProblem extends Problem {
  code: RuleProblemCode
  severity: 'error' | 'warning'
  /** Characters of the line that are meant; 0 when only the position is known. */
  length: number
  /** The whole line of the file; undefined when the file as a whole is meant. */
  source?: string
}

/**
 * As people read it:
 *
 *     bad.yaml:11:11  error[unit]: cannot compare a count with a ratio
 *        11 |     crit: bad > 5%
 *           |           ^^^^^^^^
 *           = help: a percentage needs a ratio, e.g. bad / all > 5%
 */
export function formatRuleProblem(problem: RuleProblem): string {
  const { file, line, column, severity, code, message, source, length, help } = problem
  const where = [file, line, column].filter((part) => part !== undefined).join(':')
  const lines = [`${where}  ${severity}[${code}]: ${message}`]
  if (source !== undefined && line !== undefined) {
    lines.push(`${String(line).padStart(5)} | ${source}`)
    if (column !== undefined) lines.push(`      | ${' '.repeat(column - 1)}${'^'.repeat(Math.max(1, length))}`)
  }
  if (help !== undefined) lines.push(`      = help: ${help}`)
  return lines.join('\n')
}
