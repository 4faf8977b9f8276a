/**
 * Match: which alerts a set of patterns means; the same for routes, silences and maintenance.
 *
 * Names are `severity` (warn or crit), `rule`, `group` (the whole group key, such as `web/web1`), the group's kept names
 * and the rule's tags; an alert without such a name has an empty text there. Patterns are those of model/pattern.ts. All
 * must hold.
 */
import type { Alert, BadLevel } from './alert.ts'
import { patternTest, readPattern, type Test } from './pattern.ts'
import { err, ok, type Result } from './result.ts'

export type Matchers = Readonly<Record<string, string>>
export type Matchable = Pick<Alert, 'rule' | 'level' | 'group' | 'tags'> & { groupKey?: string }

/** Patterns are taken apart once: silences meet every firing alert. */
const tests = new WeakMap<Matchers, readonly (readonly [string, Test])[]>()

export function matchesAll(matchers: Matchers, alert: Matchable): boolean {
  let own = tests.get(matchers)
  if (!own) {
    own = Object.entries(matchers).map(([name, pattern]) => [name, patternTest(pattern)] as const)
    tests.set(matchers, own)
  }
  for (const [name, holds] of own) if (!holds(valueNamed(alert, name))) return false
  return true
}

/** A name that nobody gives. */
const nameless = '\u0001'

/** What of all there is would be met, where that is nearly all; undefined for anything narrower. */
export function reach(matchers: Matchers): 'every alert' | 'nearly every alert' | 'every critical alert' | undefined {
  if (Object.values(matchers).every((pattern) => /^(\*+|\/\.\*\/)$/.test(pattern))) return 'every alert'
  const meets = (level: BadLevel) =>
    matchesAll(matchers, { rule: nameless, level, group: [], tags: {}, groupKey: nameless })
  if (!meets('crit')) return undefined
  return meets('warn') ? 'nearly every alert' : 'every critical alert'
}

/** What is wrong with a pattern for this name. */
export function patternProblem(name: string, pattern: string): string | undefined {
  const read = readPattern(pattern)
  if (!read.ok) return read.error
  if (name !== 'severity' || read.value('warn') || read.value('crit')) return undefined
  return 'expected a pattern that meets warn or crit'
}

/** `rule=http_*`, `process!=router` */
export function readMatch(text: string): Result<[string, string], string> {
  const [, name, not, pattern = ''] = /^([^=!]+)(!?)=(.+)$/s.exec(text) ?? []
  if (name === undefined) {
    return err(`expected name=pattern or name!=pattern such as rule=http_*, got "${text.slice(0, 60)}"`)
  }
  const problem = patternProblem(name, `${not}${pattern}`)
  return problem === undefined ? ok([name, `${not}${pattern}`]) : err(`${name}: ${problem}`)
}

/** Several of them; the error is about the first that is wrong. */
export function readMatches(texts: readonly string[]): Result<Matchers, string> {
  const matchers: Record<string, string> = {}
  for (const text of texts) {
    const read = readMatch(text)
    if (!read.ok) return read
    const [name, pattern] = read.value
    if (Object.hasOwn(matchers, name)) return err(`${name} stands twice; one pattern can name several: ${name}=/a|b/`)
    matchers[name] = pattern
  }
  return Object.keys(matchers).length > 0 ? ok(matchers) : err('expected at least one, such as rule=http_*')
}

/** `rule=http_* process!=verifier` */
export function matchersText(matchers: Matchers): string {
  return Object.entries(matchers)
    .map(([name, pattern]) => (pattern.startsWith('!') ? `${name}!=${pattern.slice(1)}` : `${name}=${pattern}`))
    .join(' ')
}

function valueNamed(alert: Matchable, name: string): string {
  if (name === 'severity') return alert.level
  if (name === 'rule') return alert.rule
  const kept = alert.group.find((one) => one.name === name)?.value
  return kept ?? (name === 'group' ? alert.groupKey : undefined) ?? alert.tags[name] ?? ''
}

/** Filters meet thousands of alerts with one pattern. */
const globTests = new Map<string, Test>()
const globTestsMax = 100

/** Whether one text meets one pattern. */
export function glob(pattern: string, text: string): boolean {
  let test = globTests.get(pattern)
  if (!test) {
    if (globTests.size >= globTestsMax) globTests.clear()
    test = patternTest(pattern)
    globTests.set(pattern, test)
  }
  return test(text)
}
