/**
 * Memory: the most that a rule can take, before anything runs: bytes a group for everything that it remembers, times the
 * groups that it may have.
 *
 * By the bounds of the operators (panes of a window, slots of a ring, members of a set), not by what is there now. Series
 * names and points on their way are not in it: those are shared by all rules and bounded by `ingest.seriesMax`.
 */
import { formatDuration } from '../model/duration.ts'
import { sampling } from './history.ts'
import type { CheckedRule } from './language/load.ts'
import { type HoldTree, type Leaf, type Node, partsOf, type RuleTree } from './language/tree.ts'
import { windowShape } from './window.ts'

/** One thing that a rule remembers for each of its groups, or for each member of a quorum or a pool. */
export interface MemoryPart {
  /** What it is: a selector with its function, `5m ago`, `for 2m`. */
  what: string
  /** How the bytes come about: `60 panes of 1s`. */
  shape: string
  bytesPerGroup: number
  groups: number
}

export interface RuleMemory {
  parts: readonly MemoryPart[]
  /** Of parts that every group of the rule has. */
  bytesPerGroup: number
  groups: number
  totalBytes: number
}

export type MemoryOf = Pick<CheckedRule, 'tree' | 'lets' | 'sayParts'>

/** A group's own: its names, who feeds it, its level, the last 60 values for graphs; measured 1.9 kB. */
const groupBytes = 2000
/** Members that a quorum or a pool may have, unless the rule may have more groups. */
const membersMax = 10_000
const panesMax = 360
const percentilePanesMax = 30
/** Bins of 1 % between 1 ms and 60 s. */
const binsMax = 549
const distinctMax = 10_000
/** A member of a set: its text, and the pane in which it came last. */
const memberBytes = 64
const seasonsMax = 8

export function ruleMemory(rule: MemoryOf, stepMs: number): RuleMemory {
  const { tree } = rule
  const groups = groupsOf(tree.names, tree)
  const parts: MemoryPart[] = [
    { what: 'the group itself', shape: 'names, level, 60 values', bytesPerGroup: groupBytes, groups },
    ...tree.leaves.map((leaf) => ({ ...leafPart(leaf, stepMs), groups: groupsOf(leaf.names, tree) })),
    ...nodeParts(rule, stepMs),
    ...tree.levels.flatMap(({ level, hold }) => holdPart(level, hold, stepMs).map((part) => ({ ...part, groups }))),
  ]
  return {
    parts,
    groups,
    bytesPerGroup: sum(parts.filter((part) => part.groups === groups).map(({ bytesPerGroup }) => bytesPerGroup)),
    totalBytes: sum(parts.map((part) => part.bytesPerGroup * part.groups)),
  }
}

/** What remembers in expressions; a let that is used twice is computed once, and so counted once. */
function nodeParts(rule: MemoryOf, stepMs: number): MemoryPart[] {
  const seen = new Set<Node>()
  const parts: MemoryPart[] = []
  const add = (node: Node, names: readonly string[]): void => {
    if (seen.has(node)) return
    seen.add(node)
    const isPool = node.op === 'pool'
    const part = nodePart(node, stepMs)
    if (part) parts.push({ ...part, groups: groupsOf(isPool ? node.names : names, rule.tree) })
    const inner = isPool || node.op === 'quantifier' ? node.innerNames : names
    for (const child of partsOf(node)) add(child, inner)
  }
  for (const root of rootsOf(rule)) add(root, rule.tree.names)
  return parts
}

function rootsOf({ tree: { levels, hide }, lets, sayParts }: MemoryOf): Node[] {
  return [
    ...levels.flatMap(({ condition, until }) => (until ? [condition, until] : [condition])),
    ...(hide ? [hide] : []),
    ...[...lets, ...sayParts].flatMap((part) => (typeof part === 'object' && 'node' in part ? [part.node] : [])),
  ]
}

function groupsOf(names: readonly string[], tree: RuleTree): number {
  if (names.length === 0) return 1
  return names.length === tree.names.length ? tree.groupsMax : Math.max(membersMax, tree.groupsMax)
}

type Part = Omit<MemoryPart, 'groups'>

function leafPart(leaf: Leaf, stepMs: number): Part {
  const what = leafText(leaf)
  if (leaf.fold === 'distinct') {
    return { what, shape: `${distinctMax} members of ${memberBytes} B`, bytesPerGroup: distinctMax * memberBytes }
  }
  const isSmall = ['silence', 'since', 'state', 'event'].includes(leaf.fold)
  if (isSmall) return { what, shape: 'the last one', bytesPerGroup: 16 }
  const isCount = (leaf.kind ?? leaf.assumedKind) === 'count' || leaf.kind === 'set' || leaf.source === 'event'
  return { what, ...windowPart(leaf.fold, isCount, leaf.overMs, stepMs) }
}

function windowPart(fold: Leaf['fold'], isCount: boolean, overMs: number, stepMs: number): Omit<Part, 'what'> {
  const shape = windowShape(overMs || stepMs, stepMs, fold === 'p' ? percentilePanesMax : panesMax)
  const panes = shape.fullPanesMax + 1
  const of = `${panes} ${panes === 1 ? 'pane' : 'panes'} of ${formatDuration(shape.paneBuckets * stepMs)}`
  if (fold === 'p') return { shape: `${of}, ${binsMax} bins`, bytesPerGroup: (panes + 1) * binsMax * 4 }
  const perPane = fold === 'stddev' ? 48 : !isCount && (fold === 'avg' || fold === 'change') ? 24 : 16
  return { shape: of, bytesPerGroup: perPane * panes + 24 }
}

function nodePart(node: Node, stepMs: number): Part | undefined {
  switch (node.op) {
    case 'pool':
      return {
        what: `${node.function === 'p' ? `p${node.percent}` : node.function}(…)${overText(node.overMs)}`,
        ...windowPart(node.function, node.isCondition, node.overMs, stepMs),
      }
    case 'ago': {
      const slots = Math.max(1, Math.round(node.agoMs / stepMs)) + 1
      return { what: `${formatDuration(node.agoMs)} ago`, shape: `${slots} values`, bytesPerGroup: 8 * slots }
    }
    case 'unusual':
      return {
        what: `${node.wants === 'expected' ? 'expected' : 'unusual'}(…, ${node.mode}=${formatDuration(node.lengthMs)})`,
        ...usualPart(node, stepMs),
      }
    case 'forecast': {
      const { count } = sampling(node.fromMs, stepMs)
      return {
        what: `forecast(…, from=${formatDuration(node.fromMs)})`,
        shape: `${count} points`,
        bytesPerGroup: 80 * count,
      }
    }
    case 'sequence': {
      const steps = node.steps.length + 1
      return { what: 'sequence', shape: `${steps} steps`, bytesPerGroup: 8 * (steps - 1) + 8 * steps }
    }
    default:
      return undefined
  }
}

function usualPart(node: Extract<Node, { op: 'unusual' }>, stepMs: number): Omit<Part, 'what'> {
  if (node.mode === 'vs') {
    const { count } = sampling(node.lengthMs, stepMs)
    return { shape: `${count} values`, bytesPerGroup: 16 * count }
  }
  const slots = Math.max(1, Math.round(node.lengthMs / stepMs)) * seasonsMax
  return { shape: `${slots} values of ${seasonsMax} seasons`, bytesPerGroup: 8 * slots }
}

function holdPart(level: string, hold: HoldTree, stepMs: number): Part[] {
  if (hold.kind === 'row') return []
  const buckets = hold.kind === 'for' ? Math.max(1, Math.ceil(hold.durationMs / stepMs)) : hold.size
  const what = hold.kind === 'for' ? `for ${formatDuration(hold.durationMs)}` : `${hold.count} of ${hold.size}`
  return buckets > 1 ? [{ what: `${level}: ${what}`, shape: `${buckets} buckets`, bytesPerGroup: 8 * buckets }] : []
}

/** `p99(login.*.time) over 5m`. */
export function leafText({ fold, path, percent, overMs, tag }: Leaf): string {
  if (fold === 'value' || fold === 'state' || fold === 'event') return path
  if (fold === 'silence') return `no ${path} for ${formatDuration(overMs)}`
  const called = fold === 'p' ? `p${percent}` : fold
  return `${called}(${path}${tag === '' ? '' : `, "${tag}"`})${overText(overMs)}`
}

function overText(overMs: number): string {
  return overMs > 0 ? ` over ${formatDuration(overMs)}` : ''
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
