/** `tocsin config check`. */
import { rulesCheck } from '../cep/tools/index.ts'
import { checkChecks } from '../checks/load.ts'
import { checkDashboards } from '../dashboards/load.ts'
import type { Config } from '../runtime/config.ts'
import type { Problem } from '../runtime/problem.ts'
import { type Outcome, problemsOutcome } from './print.ts'

/** The configuration itself has been read by now; here come the files that it names. */
export async function configCheck(config: Config, { json }: { json?: boolean }): Promise<Outcome> {
  const problems: Problem[] = [...checkChecks(config.checks), ...checkDashboards(config.dashboards.files)]
  const rules = await rulesCheck(config.rules, { strict: false, json: false })
  if (problems.length === 0 && rules.exitCode === 0) {
    return json
      ? { exitCode: 0, text: JSON.stringify({ problems: [] }) }
      : { exitCode: 0, text: `${config.file}: fine` }
  }
  const own = problems.length > 0 ? problemsOutcome(problems, json ?? false) : undefined
  if (json) return own ?? { ...rules, exitCode: 1 }
  return {
    exitCode: 1,
    error: [own?.error, rules.exitCode === 0 ? undefined : (rules.text ?? rules.error)].filter(Boolean).join('\n'),
  }
}
