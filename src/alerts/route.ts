/**
 * Route: which receivers hear of an alert.
 *
 * The tree of `alerts.route` is walked from its root: the first child whose `match` holds is entered, and so on; the
 * deepest receiver on the way is told. `match` compares `severity` (warn or crit), `rule`, the group's kept names and
 * the rule's tags with patterns in which `*` stands for any text; all of its keys must hold. Without a tree every
 * receiver is told.
 */
import type { Alert } from '../model/alert.ts'
import type { Config, Route } from '../runtime/config.ts'

export type Routing = Pick<Config['alerts'], 'receivers' | 'route'>
type Routed = Pick<Alert, 'rule' | 'level' | 'group' | 'tags'>

/** Names of receivers, none twice; empty when nobody is configured for it. */
export function route(alert: Routed, routing: Routing): string[] {
  if (routing.route === undefined) return Object.keys(routing.receivers)
  const receiver = receiverOf(routing.route, alert, undefined)
  return receiver === undefined ? [] : [receiver]
}

function receiverOf(node: Route, alert: Routed, inherited: string | undefined): string | undefined {
  const receiver = node.receiver ?? inherited
  const child = node.routes?.find((candidate) => matches(candidate, alert))
  return child ? receiverOf(child, alert, receiver) : receiver
}

function matches({ match = {} }: Route, alert: Routed): boolean {
  return Object.entries(match).every(([name, pattern]) => glob(pattern, valueNamed(alert, name)))
}

function valueNamed(alert: Routed, name: string): string {
  if (name === 'severity') return alert.level
  if (name === 'rule') return alert.rule
  return alert.group.find((kept) => kept.name === name)?.value ?? alert.tags[name] ?? ''
}

/** `*` stands for any text, also none. Linear: each piece is taken at its first place. */
function glob(pattern: string, text: string): boolean {
  const pieces = pattern.split('*')
  const first = pieces.shift() as string
  const last = pieces.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false
  let at = first.length
  for (const piece of pieces) {
    const found = text.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return at <= text.length - last.length
}
