/**
 * `tocsin rules check`: are the rule files right. Exit status 0 fine, 1 found problems, 2 could not run.
 */
import { formatProblem, type Problem } from '../../runtime/problem.ts'
import { openRecording } from '../journal/recording.ts'
import { formatRuleProblem, type LoadedRules, loadRules, type RawTest, type RuleProblem } from '../language/load.ts'
import { type RuleFile, readRuleFiles } from '../rule-files.ts'
import { prepare } from '../testing/prepare.ts'
import { lintByJournal } from './journal-lint.ts'

export interface Outcome {
  exitCode: 0 | 1 | 2
  /** Standard output. */
  text?: string
  /** Standard error. */
  error?: string
}

export interface Loaded extends LoadedRules {
  files: readonly RuleFile[]
}

/** As in the configuration, where none is asked. */
const memoryMaxDefault = 4 * 2 ** 30

/** Reads and loads exactly the files named; an Outcome instead says why that cannot be done. */
export function loadFiles(
  paths: readonly string[],
  options: { strict: boolean; json: boolean; lint?: boolean; memoryMax?: number; trace?: boolean },
): Loaded | Outcome {
  const { files, problems } = readRuleFiles(paths)
  if (problems.length > 0) return cannotRead(problems, options.json)
  if (files.length === 0) {
    const message = paths.length === 0 ? 'no rule files are named' : `no *.yaml in ${paths.join(', ')}`
    return cannotRead([{ file: paths[0] ?? 'rules', message }], options.json)
  }
  return {
    ...loadRules(files, {
      strict: options.strict,
      lint: options.lint ?? false,
      memoryMax: options.memoryMax,
      trace: options.trace ?? false,
    }),
    files,
  }
}

function cannotRead(problems: readonly Problem[], json: boolean): Outcome {
  if (json) return { exitCode: 2, text: JSON.stringify({ problems }, null, 2) }
  return { exitCode: 2, error: problems.map(formatProblem).join('\n') }
}

export interface CheckOptions {
  strict: boolean
  json: boolean
  memoryMax?: number | undefined
  /** A recording to hold the rules against. */
  journal?: string | undefined
}

export async function rulesCheck(paths: readonly string[], options: CheckOptions): Promise<Outcome> {
  const { strict, json, journal, memoryMax = memoryMaxDefault } = options
  const loaded = loadFiles(paths, { strict, json, lint: true, memoryMax, trace: journal !== undefined })
  if ('exitCode' in loaded) return loaded
  const recorded = journal === undefined ? [] : await journalWarnings(loaded, journal)
  if ('exitCode' in recorded) return recorded
  const told = [...loaded.warnings, ...recorded]
  const strictly = strict ? told.map((warning) => ({ ...warning, severity: 'error' as const })) : []
  const problems = [...loaded.problems, ...testProblems(loaded), ...strictly].sort(byPlace)
  const warnings = strict ? [] : told.sort(byPlace)
  const exitCode = problems.length > 0 ? 1 : 0
  if (json) return { exitCode, text: JSON.stringify({ ...counts(loaded), problems, warnings }, null, 2) }
  const found = [...problems, ...warnings].sort(byPlace).map(formatRuleProblem)
  return {
    exitCode,
    text: [...found, ...(found.length > 0 ? [''] : []), summary(loaded, problems.length, warnings.length)].join('\n'),
  }
}

async function journalWarnings(loaded: Loaded, journal: string): Promise<RuleProblem[] | Outcome> {
  try {
    return await lintByJournal(loaded, openRecording(journal))
  } catch (error) {
    return { exitCode: 2, error: `tocsin: ${(error as Error).message}` }
  }
}

/** Tests are read too, so that a slip in one is found before it is run; only where the rules they test are right. */
function testProblems(loaded: Loaded): RuleProblem[] {
  const isRight = ({ rule }: RawTest) => loaded.problems.length === 0 || loaded.rules.some(({ name }) => name === rule)
  return loaded.tests.filter(isRight).flatMap((test) => {
    const prepared = prepare(test, loaded, textOf(loaded, test.file))
    return prepared.ok ? [] : prepared.error
  })
}

export function textOf(loaded: Loaded, file: string): string {
  return loaded.files.find(({ path }) => path === file)?.text ?? ''
}

function counts({ files, rules, tests }: Loaded) {
  return { files: files.length, rules: rules.length, tests: tests.length }
}

function summary(loaded: Loaded, problems: number, warnings: number): string {
  const { files, rules, tests } = counts(loaded)
  const what = `${many(rules, 'rule')} and ${many(tests, 'test')} in ${many(files, 'file')}`
  const found = [problems > 0 ? many(problems, 'problem') : '', warnings > 0 ? many(warnings, 'warning') : ''].filter(
    Boolean,
  )
  return `${what}: ${found.length > 0 ? found.join(', ') : 'fine'}`
}

/** `1 rule`, `3 rules`. */
export function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

export function byPlace(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}
