/** Boards: what rules may read besides inputs and other rules: the liveness of sources, and the engine's own bounds. */
import { matchPath, parsePath } from '../model/path.ts'
import { stateCodes } from './language/tree.ts'
import type { RuleRun } from './rule-run.ts'
import type { Sources } from './sources.ts'
import type { BoardLeaf, StateBoard } from './state-leaf.ts'

/**
 * Rules with more groups than they may have: warn in a bucket that refused more. `seen` has how many were refused up to
 * the last look, by rule; it is the engine's to keep.
 */
export function overflowBoard(all: () => readonly RuleRun[], seen: Map<string, number>): StateBoard {
  const rules = () => all().filter((rule) => rule.compiled.refused.count > 0)
  return {
    get version() {
      return rules().length
    },
    groups: () => rules().map((rule) => [rule.rule.name]),
    early: () => false,
    state: ([name]) => {
      const rule = all().find((run) => run.rule.name === name)
      const { count } = rule?.compiled.refused ?? { count: 0 }
      const isMore = count > (seen.get(name as string) ?? 0)
      seen.set(name as string, count)
      return isMore ? stateCodes.warn : stateCodes.ok
    },
  }
}

/** Liveness of sources as states: dead is crit, one that said bye is missing. */
export function sourceBoard(leaf: BoardLeaf, sources: Sources): StateBoard {
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
