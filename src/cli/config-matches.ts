/** Config matches: whether what routes and maintenance match can ever be met by the rules that there are. */
import { templateRule, undeliveredRule } from '../alerts/own-alerts.ts'
import { withBuiltIn } from '../cep/built-in.ts'
import { loadFiles } from '../cep/tools/check.ts'
import { glob, type Matchers } from '../model/match.ts'
import type { Config } from '../runtime/config.ts'
import type { Route } from '../runtime/config-alerts.ts'
import { type Problem, suggest } from '../runtime/problem.ts'

/** Names that no rule has, and patterns that no rule's name meets; nothing where the rules cannot be read. */
export function matchProblems(config: Config): Problem[] {
  const known = knownOf(config.rules)
  if (!known) return []
  return [...matchesOf(config)].flatMap(({ at, match }) =>
    Object.entries(match).flatMap(([name, pattern]) => {
      const found = problemOf(name, pattern, known)
      return found ? [{ file: config.file, ...found, message: `${at}.match.${name}: ${found.message}` }] : []
    }),
  )
}

interface Known {
  rules: readonly string[]
  /** Everything that a pattern may be given for. */
  names: ReadonlySet<string>
}

function knownOf(paths: readonly string[]): Known | undefined {
  const loaded = loadFiles(paths, { strict: false, json: false })
  if ('exitCode' in loaded || loaded.problems.length > 0) return undefined
  const rules = withBuiltIn(loaded.rules)
  const own = ['severity', 'rule', 'group', 'receiver']
  const names = new Set([...own, ...rules.flatMap((rule) => [...rule.names, ...Object.keys(rule.tags)])])
  return { rules: [...rules.map(({ name }) => name), undeliveredRule, templateRule], names }
}

function problemOf(
  name: string,
  pattern: string,
  { rules, names }: Known,
): Pick<Problem, 'message' | 'help'> | undefined {
  if (!names.has(name)) {
    const meant = suggest(name, names)
    const help = meant
      ? `did you mean "${meant}"?`
      : 'known are severity, rule, group, the names that rules keep, their tags'
    return { message: 'no rule has such a name or tag', help }
  }
  if (name !== 'rule' || rules.some((rule) => glob(pattern, rule))) return undefined
  const meant = suggest(pattern.replaceAll('*', ''), rules)
  return { message: `no rule is called so, got "${pattern}"`, ...(meant && { help: `did you mean "${meant}"?` }) }
}

function* matchesOf({ alerts }: Config): Generator<{ at: string; match: Matchers }> {
  for (const [id, { match }] of Object.entries(alerts.maintenance)) yield { at: `alerts.maintenance.${id}`, match }
  if (alerts.route) yield* matchesIn(alerts.route, 'alerts.route')
}

function* matchesIn({ match, routes = [] }: Route, at: string): Generator<{ at: string; match: Matchers }> {
  if (match) yield { at, match }
  for (const [i, child] of routes.entries()) yield* matchesIn(child, `${at}.routes[${i}]`)
}
