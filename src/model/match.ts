/**
 * Match: which alerts a set of patterns means; the same for routes and silences.
 *
 * Names are `severity` (warn or crit), `rule`, `group` (the whole group key, such as `web/web1`), the group's kept names
 * and the rule's tags. In a pattern `*` stands for any text, also none. All patterns must hold.
 */
import type { Alert } from './alert.ts'

export type Matchers = Readonly<Record<string, string>>
export type Matchable = Pick<Alert, 'rule' | 'level' | 'group' | 'tags'> & { groupKey?: string }

type Test = (text: string) => boolean

/** Patterns are taken apart once: silences meet every firing alert. */
const tests = new WeakMap<Matchers, readonly (readonly [string, Test])[]>()

export function matchesAll(matchers: Matchers, alert: Matchable): boolean {
  let own = tests.get(matchers)
  if (!own) {
    own = Object.entries(matchers).map(([name, pattern]) => [name, testOf(pattern)] as const)
    tests.set(matchers, own)
  }
  for (const [name, holds] of own) if (!holds(valueNamed(alert, name))) return false
  return true
}

/** Nothing is outside of it. */
export function isEverything(matchers: Matchers): boolean {
  return Object.values(matchers).every((pattern) => /^\*+$/.test(pattern))
}

/** `rule=http_* process=verifier` */
export function matchersText(matchers: Matchers): string {
  return Object.entries(matchers)
    .map(([name, pattern]) => `${name}=${pattern}`)
    .join(' ')
}

function valueNamed(alert: Matchable, name: string): string {
  if (name === 'severity') return alert.level
  if (name === 'rule') return alert.rule
  const kept = alert.group.find((one) => one.name === name)?.value
  return kept ?? (name === 'group' ? alert.groupKey : undefined) ?? alert.tags[name] ?? ''
}

/** `*` stands for any text, also none. */
export function glob(pattern: string, text: string): boolean {
  return testOf(pattern)(text)
}

/** Linear: each piece is taken at its first place. */
function testOf(pattern: string): Test {
  const pieces = pattern.split('*')
  const first = pieces.shift() as string
  const last = pieces.pop()
  if (last === undefined) return (text) => text === first
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const piece of pieces) {
      const found = text.indexOf(piece, at)
      if (found === -1) return false
      at = found + piece.length
    }
    return at <= text.length - last.length
  }
}
