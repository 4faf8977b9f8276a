/**
 * Route: which receivers hear of an alert.
 *
 * The tree of `alerts.route` is walked from its root: the first child whose `match` holds is entered, and so on; the
 * deepest receiver on the way is told. What `match` may name stands in model/match.ts. Without a tree every
 * receiver is told.
 */
import { type Matchable, matchesAll } from '../model/match.ts'
import type { Config, Route } from '../runtime/config.ts'
import { undeliveredRule } from './own-alerts.ts'

export type Routing = Pick<Config['alerts'], 'receivers' | 'route' | 'fallback'>

/**
 * Names of receivers, none twice; empty when nobody is configured for it. Of its own trouble a receiver is not told:
 * others on its route are, or its fallback, or everybody else.
 */
export function route(alert: Matchable, routing: Routing): string[] {
  const routed = routeTree(alert, routing)
  const troubled = alert.rule === undeliveredRule ? alert.group[0]?.value : undefined
  if (troubled === undefined) return routed
  const fallback = routing.receivers[troubled]?.fallback ?? routing.fallback
  const choices = [routed, fallback === undefined ? [] : [fallback], Object.keys(routing.receivers)]
  const others = choices.map((names) => names.filter((name) => name !== troubled))
  return others.find((names) => names.length > 0) ?? []
}

function routeTree(alert: Matchable, routing: Routing): string[] {
  if (routing.route === undefined) return Object.keys(routing.receivers)
  const receiver = receiverOf(routing.route, alert, undefined)
  return receiver === undefined ? [] : [receiver]
}

function receiverOf(node: Route, alert: Matchable, inherited: string | undefined): string | undefined {
  const receiver = node.receiver ?? inherited
  const child = node.routes?.find(({ match = {} }) => matchesAll(match, alert))
  return child ? receiverOf(child, alert, receiver) : receiver
}
