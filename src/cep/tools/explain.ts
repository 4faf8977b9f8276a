/** `tocsin rules explain`: what a rule means, waits for and costs, before it runs. */
import { suggest } from '../../runtime/problem.ts'
import { explain } from '../explain/explain.ts'
import { explanationText } from '../explain/text.ts'
import { formatRuleProblem } from '../language/load.ts'
import { byPlace, type Loaded, loadFiles, many, type Outcome } from './check.ts'

export interface ExplainOptions {
  json: boolean
  /** Rules to explain; all where none is named. */
  names: readonly string[]
  flushMs?: number | undefined
}

export async function rulesExplain(
  paths: readonly string[],
  { json, names, flushMs }: ExplainOptions,
): Promise<Outcome> {
  const loaded = loadFiles(paths, { strict: false, json })
  if ('exitCode' in loaded) return loaded
  const absent = names.filter((name) => !loaded.rules.some((rule) => rule.name === name))
  if (loaded.problems.length > 0 && (names.length === 0 || absent.length > 0)) return cannotExplain(loaded, json)
  if (absent.length > 0) return { exitCode: 2, error: absent.map((name) => noSuchRule(name, loaded)).join('\n') }
  const chosen = loaded.rules.filter(({ name }) => names.length === 0 || names.includes(name))
  const explained = chosen.map((rule) => explain(rule, loaded, flushMs))
  if (json) return { exitCode: 0, text: JSON.stringify({ rules: explained }, null, 2) }
  return { exitCode: 0, text: explained.map(explanationText).join('\n\n') }
}

function cannotExplain({ problems }: Loaded, json: boolean): Outcome {
  const sorted = [...problems].sort(byPlace)
  if (json) return { exitCode: 1, text: JSON.stringify({ problems: sorted }, null, 2) }
  const shown = [...sorted.map(formatRuleProblem), '', `${many(sorted.length, 'problem')}; nothing is explained`]
  return { exitCode: 1, text: shown.join('\n') }
}

function noSuchRule(name: string, { rules }: Loaded): string {
  const known = rules.map((rule) => rule.name)
  const meant = suggest(name, known)
  return `there is no rule called "${name}"\n    ${meant ? `did you mean "${meant}"?` : `rules: ${known.join(', ')}`}`
}
