/**
 * Rules for running: the files that the configuration names, all right or none.
 */
import path from 'node:path'
import { err, ok, type Result } from '../model/result.ts'
import type { RulesMessage } from '../model/rules.ts'
import { formatProblem } from '../runtime/problem.ts'
import { formatRuleProblem, type LoadedRules, loadRules } from './language/load.ts'
import { readRuleFiles, rulesMessage } from './rule-files.ts'

export interface RunnableRules {
  message: RulesMessage
  loaded: LoadedRules
  /** Paths that are not there: no rules, but no reason not to run. */
  absent: readonly string[]
}

/** Rules that may need more than `memoryMax` bytes are refused. Paths are shown relative to `root`, so that every node publishes the same text. The error is all problems, formatted. */
export function rulesForRunning(
  paths: readonly string[],
  root: string,
  memoryMax?: number,
): Result<RunnableRules, string[]> {
  const { files, problems } = readRuleFiles(paths, (file) => path.relative(root, file))
  const absent = problems.filter(({ absent }) => absent)
  const unreadable = problems.filter(({ absent }) => !absent)
  if (unreadable.length > 0) return err(unreadable.map(formatProblem))
  const loaded = loadRules(files, { memoryMax })
  if (loaded.problems.length > 0) return err(loaded.problems.map(formatRuleProblem))
  return ok({ message: rulesMessage(files), loaded, absent: absent.map(({ file }) => path.relative(root, file)) })
}
