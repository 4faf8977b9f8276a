/** `tocsin config check`: the configuration has been read by now; here come the files that it names. */
import { rulesCheck } from '../cep/tools/index.ts'
import { checkChecks } from '../checks/load.ts'
import { checkCloudwatch } from '../cloudwatch2graphite/settings.ts'
import { checkDashboards } from '../dashboards/load.ts'
import type { Config } from '../runtime/config.ts'
import type { Problem } from '../runtime/problem.ts'
import { matchProblems } from './config-matches.ts'
import { type Outcome, problemsOutcome } from './print.ts'

/** `environment` is where secrets in check files come from. */
export async function configCheck(
  config: Config,
  { json = false }: { json?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Outcome> {
  const { checks, dashboards, cloudwatch2graphite } = config
  const problems = [
    ...checkChecks(checks, environment),
    ...checkDashboards(dashboards.files),
    ...(cloudwatch2graphite ? checkCloudwatch(cloudwatch2graphite.metrics) : []),
    ...(await ruleProblems(config)),
    ...matchProblems(config),
  ]
  if (problems.length > 0 || json) return problemsOutcome(problems, json, problems.length > 0 ? 1 : 0)
  return { exitCode: 0, text: `${config.file}: fine` }
}

async function ruleProblems({ rules, cep: { memoryMax } }: Config): Promise<Problem[]> {
  const { text = '{}' } = await rulesCheck(rules, { strict: false, json: true, memoryMax })
  return (JSON.parse(text) as { problems?: Problem[] }).problems ?? []
}
