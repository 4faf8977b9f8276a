/**
 * Route: which receivers hear of an alert.
 *
 * The tree of `alerts.route` is walked from its root: the first child whose `match` and `during` hold is entered, and so
 * on; with `continue` the siblings after it are looked at too. The deepest receiver on each way is told. What `match` may
 * name stands in model/match.ts. Without a tree every receiver is told. Time is log time.
 */
import type { HandlingPolicy } from '../model/handling.ts'
import { type Matchable, matchesAll } from '../model/match.ts'
import { isWithin, readSpan, type Span } from '../model/span.ts'
import type { Config } from '../runtime/config.ts'
import { handlingPolicyOf, nobody, type Route } from '../runtime/config-alerts.ts'
import { undeliveredRule } from './own-alerts.ts'

/** What the configuration says about who is told what. */
export type Routing = Pick<Config['alerts'], 'receivers' | 'route' | 'fallback'> &
  Partial<Pick<Config['alerts'], 'maintenance' | 'flapping' | 'silences'>>

export interface Destination {
  receiver: string
  /** What still fires is repeated so often, where the rule does not say. */
  repeatMs?: number | undefined
  /** Where in the tree, such as `routes[1]`; empty for the root. */
  way: string
}

/**
 * No receiver twice; empty when nobody is configured for it. Of its own trouble a receiver is not told: others on its
 * route are, or its fallback, or everybody else.
 */
export function destinations(alert: Matchable, routing: Routing, nowMs: number): Destination[] {
  const routed = inTree(alert, routing, nowMs)
  const troubled = alert.rule === undeliveredRule ? alert.group[0]?.value : undefined
  if (troubled === undefined) return routed
  const fallback = routing.receivers[troubled]?.fallback ?? routing.fallback
  const choices = [routed, fallback === undefined ? [] : named([fallback]), named(Object.keys(routing.receivers))]
  const others = choices.map((all) => all.filter(({ receiver }) => receiver !== troubled))
  return others.find((all) => all.length > 0) ?? []
}

function named(receivers: readonly string[]): Destination[] {
  return receivers.map((receiver) => ({ receiver, way: '' }))
}

function inTree(alert: Matchable, routing: Routing, nowMs: number): Destination[] {
  if (routing.route === undefined) return named(Object.keys(routing.receivers))
  const found = new Map<string, Destination>()
  for (const one of walk(routing.route, alert, nowMs, { way: '' })) {
    if (one.receiver !== nobody && !found.has(one.receiver)) found.set(one.receiver, one)
  }
  return [...found.values()]
}

/** Names of receivers, none twice. */
export function route(alert: Matchable, routing: Routing, nowMs: number): string[] {
  return destinations(alert, routing, nowMs).map(({ receiver }) => receiver)
}

interface Way {
  receiver?: string | undefined
  repeatMs?: number | undefined
  way: string
}

function walk(node: Route, alert: Matchable, nowMs: number, from: Way): Destination[] {
  const here = { ...from, receiver: node.receiver ?? from.receiver, repeatMs: node.repeat ?? from.repeatMs }
  const found: Destination[] = []
  let isEntered = false
  for (const [i, child] of node.routes?.entries() ?? []) {
    if (!matchesAll(child.match ?? {}, alert) || !isNow(child, nowMs)) continue
    isEntered = true
    found.push(...walk(child, alert, nowMs, { ...here, way: `${here.way}${here.way && '.'}routes[${i}]` }))
    if (!child.continue) break
  }
  const { receiver } = here
  return isEntered || receiver === undefined ? found : [{ ...here, receiver }]
}

const spans = new WeakMap<Route, Span | undefined>()

function isNow(node: Route, nowMs: number): boolean {
  if (node.during === undefined) return true
  if (!spans.has(node)) {
    const read = readSpan(node.during)
    spans.set(node, read.ok ? read.value : undefined)
  }
  const span = spans.get(node)
  return span !== undefined && isWithin(span, nowMs)
}

const leastRepeats = new WeakMap<Route, number>()

/** The shortest repeat interval of the tree; undefined when it has none. */
export function leastRepeatMs({ route }: Routing): number | undefined {
  if (!route) return undefined
  let least = leastRepeats.get(route)
  if (least === undefined) {
    least = leastOf(route)
    leastRepeats.set(route, least)
  }
  return Number.isFinite(least) ? least : undefined
}

function leastOf({ repeat = Number.POSITIVE_INFINITY, routes = [] }: Route): number {
  return Math.min(repeat, ...routes.map(leastOf))
}

const policies = new WeakMap<object, HandlingPolicy>()

/** What of the configuration is about silences and maintenance; made once for each. */
export function handlingPolicy(routing: Routing): HandlingPolicy {
  let policy = policies.get(routing)
  if (!policy) {
    policy = handlingPolicyOf(routing)
    policies.set(routing, policy)
  }
  return policy
}
