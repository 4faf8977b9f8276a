/** Make leaf: the right kind of leaf for a selector. */
import { EventLeaf } from './event-leaf.ts'
import type { Leaf, RuleTree } from './language/tree.ts'
import type { LeafContext, LeafRun } from './leaf.ts'
import { MetricLeaf } from './metric-leaf.ts'
import { BoardLeaf, CheckLeaf } from './state-leaf.ts'

const panesMax = 360
/** Members that an inner scope may have. */
export const membersMax = 10_000

export function makeLeaf(leaf: Leaf, tree: RuleTree, context: LeafContext): LeafRun {
  const isOwn = leaf.names.length === tree.names.length
  const groupsMax = isOwn ? context.groupsMax : Math.max(membersMax, context.groupsMax)
  const own = { ...context, groupsMax, panesMax }
  if (leaf.source === 'metric') return new MetricLeaf(leaf, own)
  if (leaf.source === 'event') return new EventLeaf(leaf, own)
  return leaf.source === 'check' ? new CheckLeaf(leaf, own) : new BoardLeaf(leaf, own)
}
