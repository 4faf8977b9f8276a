/** Boards: what rules may read besides inputs and other rules: the liveness of sources, the engine's bounds, its failures. */
import { matchPath, parsePath } from '../model/path.ts'
import type { Transition } from '../model/transition.ts'
import type { Refusals } from './groups.ts'
import type { CheckedRule } from './language/load.ts'
import { stateCodes } from './language/tree.ts'
import type { RuleRun } from './rule-run.ts'
import type { Sources } from './sources.ts'
import type { BoardLeaf, StateBoard } from './state-leaf.ts'

/** What a leaf reads that asks neither inputs nor another rule. */
export function boardOf(leaf: BoardLeaf, sources: Sources, all: readonly RuleRun[], refusals: Refusals): StateBoard {
  if (leaf.leaf.source === 'overflow') return overflowBoard(all, refusals)
  return leaf.leaf.source === 'stopped' ? stoppedBoard(all) : sourceBoard(leaf, sources)
}

/** Rules with more groups than they may have: warn from the first one that was refused until there is room again. */
function overflowBoard(all: readonly RuleRun[], refusals: Refusals): StateBoard {
  let known = -1
  let count = 0
  let over = new Map<string, RuleRun>()
  /** Rules that refused a group, looked for only after another refusal. */
  const look = () => {
    if (known === refusals.version) return
    known = refusals.version
    over = new Map(all.flatMap((run) => (run.compiled.refused.count > 0 ? [[run.rule.name, run]] : [])))
    count = all.reduce((sum, { compiled }) => sum + compiled.refused.count, 0)
  }
  return {
    get version() {
      look()
      return count
    },
    groups: () => {
      look()
      return [...over.keys()].map((name) => [name])
    },
    early: () => false,
    state: ([name]) => {
      look()
      const { groups } = over.get(name as string)?.compiled.refused ?? {}
      return groups?.isOverfull ? stateCodes.warn : stateCodes.ok
    },
  }
}

/** Rules that failed: crit until they are edited, or gone. */
function stoppedBoard(all: readonly RuleRun[]): StateBoard {
  const stopped = () => all.filter(({ problem }) => problem !== undefined)
  return {
    get version() {
      return stopped().length
    },
    groups: () => stopped().map(({ rule }) => [rule.name]),
    early: () => false,
    state: ([name]) => (stopped().some(({ rule }) => rule.name === name) ? stateCodes.crit : stateCodes.ok),
  }
}

/** What a transition of one of the engine's own rules is about: groups that were refused, or what went wrong. */
export function withDetail(transition: Transition, watching: CheckedRule, all: readonly RuleRun[]): Transition {
  const source = watching.tree.leaves[0]?.source
  if (source !== 'overflow' && source !== 'stopped') return transition
  const run = all.find(({ rule }) => rule.name === transition.groupKey)
  const sample = run?.compiled.refused.groups?.overflowSample ?? []
  const detail = source === 'overflow' ? sample.join(', ') : (run?.problem ?? '')
  if (detail === '') return transition
  return { ...transition, say: `${transition.say}${source === 'overflow' ? `, such as ${detail}` : ` (${detail})`}` }
}

/** Liveness of sources as states: dead is crit, one that said bye is missing. */
function sourceBoard(leaf: BoardLeaf, sources: Sources): StateBoard {
  const parsed = parsePath(leaf.leaf.path)
  const valuesOf = (name: string) => (parsed.ok ? matchPath(parsed.value, name) : undefined)
  const codes = { live: stateCodes.ok, dead: stateCodes.crit, gone: stateCodes.missing }
  return {
    get version() {
      return sources.names().length
    },
    groups: () => sources.names().flatMap((name) => [valuesOf(name) ?? []].filter(() => valuesOf(name) !== undefined)),
    early: () => false,
    state: (values) => {
      const states = sources.names().flatMap((name) => {
        const theirs = valuesOf(name)
        const isMine = theirs?.every((value, i) => value === values[i]) === true
        const state = isMine ? sources.stateOf(name) : undefined
        return state ? [codes[state]] : []
      })
      return states.length > 0
        ? Math.max(...states.map((code) => (code === stateCodes.missing ? -1 : code))) === -1
          ? stateCodes.missing
          : Math.max(...states.filter((code) => code !== stateCodes.missing))
        : stateCodes.missing
    },
  }
}
