/** `tocsin rules …`: each tool with its words and flags. Without paths, the rules of the configuration. */
import { rulesCheck, rulesExplain, rulesSchema, rulesTest } from '../cep/tools/index.ts'
import type { Config } from '../runtime/config.ts'
import type { Outcome } from './print.ts'
import { backtest, keptJournal, learn, type RecordedFlags, why } from './rules-recorded.ts'

export interface RuleFlags extends RecordedFlags {
  strict?: boolean | undefined
}

type WithConfig = (run: (config: Config) => Promise<Outcome> | Outcome) => Promise<Outcome>
type Tool = (words: readonly string[], flags: RuleFlags, withConfig: WithConfig) => Promise<Outcome>

const tools = {
  check: (paths, { strict = false, json = false, journal }, withConfig) =>
    overFiles(paths, withConfig, (files, config) =>
      rulesCheck(files, { strict, json, memoryMax: config?.cep.memoryMax, journal: journal ?? keptJournal(config) }),
    ),
  test: (paths, { json = false }, withConfig) => overFiles(paths, withConfig, (files) => rulesTest(files, { json })),
  explain: (words, { json = false }, withConfig) => {
    const names = words.filter((word) => !isPath(word))
    const explain = (paths: readonly string[], config?: Config) =>
      rulesExplain(paths, { json, names, flushMs: config?.ingest.flushInterval })
    return overFiles(words.filter(isPath), withConfig, explain)
  },
  backtest,
  why,
  learn,
  schema: async () => rulesSchema(),
} satisfies Record<string, Tool>

export type RuleTool = keyof typeof tools
export const ruleTools = Object.keys(tools) as readonly RuleTool[]

export function rules(tool: RuleTool, words: readonly string[], flags: RuleFlags, withConfig: WithConfig) {
  return (tools[tool] as Tool)(words, flags, withConfig)
}

/** Rules have no dots and no slashes in their names. */
function isPath(word: string): boolean {
  return /[./]/.test(word)
}

function overFiles(
  paths: readonly string[],
  withConfig: WithConfig,
  run: (files: readonly string[], config?: Config) => Promise<Outcome>,
): Promise<Outcome> {
  return paths.length > 0 ? run(paths) : withConfig((config) => run(config.rules, config))
}
