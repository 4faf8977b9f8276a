/**
 * Look back: how much of the past decides what rules say now, so that a replay can begin in the middle; and how an engine
 * whose rules were edited sees that past again.
 */
import type { LogEntry } from '../model/message.ts'
import type { Engine } from './engine.ts'
import type { CheckedRule } from './language/load.ts'
import type { Node, RuleTree } from './language/tree.ts'
import { timeOf } from './log-time.ts'

/** Liveness of sources, `nodata`, and how long values stand without a catalogue. */
const leastMs = 600_000
const seasonsMax = 8

/** Of all rules; levels that fire since longer ago than this are not known at the beginning of a replay. */
export function lookBackMs(rules: readonly CheckedRule[]): number {
  return Math.max(leastMs, ...rules.map(({ tree }) => leastMs + lookBackOf(tree)))
}

function lookBackOf(tree: RuleTree): number {
  const levels = tree.levels.map(({ condition, until, hold, keepMs }) => {
    const held = hold.kind === 'for' ? hold.durationMs : (hold.kind === 'of' ? hold.size : hold.count) * stepOf(tree)
    return Math.max(reach(condition, tree), until ? reach(until, tree) : 0) + held + keepMs
  })
  const hidden = tree.hide ? reach(tree.hide, tree) + tree.settleMs : 0
  return Math.max(hidden, ...levels)
}

function stepOf({ everyMs, leaves }: RuleTree): number {
  return Math.max(everyMs ?? 1000, ...leaves.map(({ valueStepMs }) => valueStepMs ?? 0))
}

function reach(node: Node, tree: RuleTree): number {
  switch (node.op) {
    case 'constant':
      return 0
    case 'leaf':
    case 'is': {
      const leaf = tree.leaves[node.leaf]
      return (leaf?.overMs ?? 0) + 3 * (leaf?.valueStepMs ?? 0)
    }
    case 'pool':
      return node.overMs + reach(node.of, tree)
    case 'ago':
      return node.agoMs + reach(node.of, tree)
    case 'unusual':
      return node.lengthMs * (node.mode === 'season' ? seasonsMax : 1) + reach(node.of, tree)
    case 'forecast':
      return node.fromMs + reach(node.of, tree)
    case 'sequence':
      return sequenceReach(node, tree)
    default:
      return 'left' in node ? Math.max(reach(node.left, tree), reach(node.right, tree)) : reach(node.of, tree)
  }
}

function sequenceReach({ first, steps, without }: Extract<Node, { op: 'sequence' }>, tree: RuleTree): number {
  const within = steps.reduce((sum, step) => sum + step.withinMs, 0)
  const parts = [first, ...steps.map(({ of }) => of), ...(without ? [without] : [])]
  return within + Math.max(...parts.map((part) => reach(part, tree)))
}

/** What an engine wants to see again: entries of its log with a time after `fromMs`, for an engine of its own. */
export interface Wanted {
  fromMs: number
  side: Engine
}

/** Entries of a log, the oldest first, from about `fromMs` on. */
export type History = (fromMs: number) => AsyncIterable<LogEntry>

/**
 * Rebuilds what edited and new rules remember, after their `rules` message was applied and before the next entry is: their
 * windows, as if they had run all the time. `offset` is that message's; how many entries were looked at comes back.
 */
export async function lookBack(engine: Engine, history: History, offset: number): Promise<number> {
  const wanted = engine.lookBack()
  if (!wanted) return 0
  let entries = 0
  for await (const entry of history(wanted.fromMs)) {
    if (entry.offset >= offset) break
    // A reader may begin earlier than it was asked to; what is taken must not depend on that.
    if (timeOf(entry) <= wanted.fromMs || entry.kind === 'rules') continue
    wanted.side.step(entry)
    entries++
  }
  engine.remember(wanted.side)
  return entries
}
