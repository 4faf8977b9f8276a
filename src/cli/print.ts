/** What a command gives back to main: text for people or JSON, and the exit status 0, 1 or 2. */
import { formatProblem, type Problem } from '../runtime/problem.ts'
import { strikeSecrets } from '../runtime/secrets.ts'

export interface Outcome {
  exitCode: 0 | 1 | 2
  /** Standard output. */
  text?: string
  /** Standard error. */
  error?: string
}

export function print({ text, error }: Outcome): void {
  if (text) process.stdout.write(`${strikeSecrets(text.trimEnd())}\n`)
  if (error) process.stderr.write(`${strikeSecrets(error.trimEnd())}\n`)
}

/** Problems of files: on standard error for people, as JSON on standard output when asked. */
export function problemsOutcome(problems: readonly Problem[], json: boolean, exitCode: 0 | 1 | 2 = 1): Outcome {
  if (json) return { exitCode, text: JSON.stringify({ problems }, null, 2) }
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return { exitCode, error: `${problems.map(formatProblem).join('\n')}\n${count}` }
}
