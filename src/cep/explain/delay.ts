/**
 * Delay: how long after trouble begins a level comes on, at most, and how long a new group says nothing.
 *
 * The bucket has to close; a window shows a step once half of it is bad; then `for`; and sources that pass on foreign
 * times mark their buckets late. Stronger trouble shows sooner in a mean or a sum.
 */
import { formatDuration } from '../../model/duration.ts'
import type { CheckedRule } from '../language/load.ts'
import { type HoldTree, type Leaf, type LevelTree, type Node, partsOf } from '../language/tree.ts'

export interface Delay {
  level: 'warn' | 'crit'
  /** In order; their sum is `totalMs`. */
  parts: readonly { what: string; ms: number }[]
  totalMs: number
}

const cloudwatchLateMs = 180_000
const graphiteLateMs = 5000

export function delays(rule: CheckedRule, all: readonly CheckedRule[], stepMs: number, flushMs: number): Delay[] {
  const late = latenessOf(rule, all)
  return rule.tree.levels.map((level) => {
    const parts = [
      {
        what: `until the bucket of ${formatDuration(Math.max(stepMs, flushMs))} closes`,
        ms: Math.max(stepMs, flushMs),
      },
      windowPart(level.condition, rule.tree.leaves, stepMs),
      holdPart(level, rule.tree.leaves, stepMs),
      late,
    ].filter(({ ms }) => ms > 0)
    return { level: level.level, parts, totalMs: parts.reduce((sum, { ms }) => sum + ms, 0) }
  })
}

/** How long a group that has just been born can say nothing: windows half filled, histories long enough. */
export function warmUpMs(rule: CheckedRule, stepMs: number): number {
  const ofNode = (node: Node): number => {
    const parts = partsOf(node).map(ofNode)
    const inner = node.op === 'or' ? Math.min(...parts) : Math.max(0, ...parts)
    if (node.op === 'leaf') return half((rule.tree.leaves[node.leaf] as Leaf).overMs, stepMs)
    if (node.op === 'pool') return inner + half(node.overMs, stepMs)
    if (node.op === 'ago') return inner + node.agoMs
    if (node.op === 'unusual') return inner + (node.mode === 'vs' ? half(node.lengthMs, stepMs) : 2 * node.lengthMs)
    return node.op === 'forecast' ? inner + half(node.fromMs, stepMs) : inner
  }
  return Math.min(...rule.tree.levels.map(({ condition }) => ofNode(condition)))
}

function windowPart(condition: Node, leaves: readonly Leaf[], stepMs: number): { what: string; ms: number } {
  const silence = waits(condition, leaves)
  if (silence > 0) return { what: `of silence or waiting, as the condition says`, ms: silence }
  const ms = windowMs(condition, leaves, stepMs)
  return { what: 'for half of the windows to show it', ms }
}

/** What `no … for D` and `then no … within D` wait for. */
function waits(node: Node, leaves: readonly Leaf[]): number {
  if (node.op === 'leaf') {
    const leaf = leaves[node.leaf] as Leaf
    return leaf.fold === 'silence' ? leaf.overMs : 0
  }
  const last = node.op === 'sequence' ? node.steps.at(-1) : undefined
  if (last) return last.no ? last.withinMs : 0
  return Math.max(0, ...partsOf(node).map((part) => waits(part, leaves)))
}

/** Half of the windows through which trouble has to come: of both sides of `and`, of the quicker side of `or`. */
function windowMs(node: Node, leaves: readonly Leaf[], stepMs: number): number {
  if (node.op === 'leaf') return half((leaves[node.leaf] as Leaf).overMs, stepMs)
  if (node.op === 'sequence') return windowMs((node.steps.at(-1) ?? { of: node.first }).of, leaves, stepMs)
  const inner = partsOf(node).map((part) => windowMs(part, leaves, stepMs))
  const within = node.op === 'or' ? Math.min(...inner) : Math.max(0, ...inner)
  return node.op === 'pool' ? within + half(node.overMs, stepMs) : within
}

/** Half a window in whole buckets; a window of one bucket is there at once. */
function half(overMs: number, stepMs: number): number {
  return overMs <= stepMs ? 0 : Math.ceil(overMs / 2 / stepMs) * stepMs
}

function holdPart(
  { hold, condition }: LevelTree,
  leaves: readonly Leaf[],
  stepMs: number,
): { what: string; ms: number } {
  if (hold.kind === 'for') return { what: 'of "for"', ms: hold.durationMs }
  const resultMs = Math.max(stepMs, checkStepMs(condition, leaves) ?? 0)
  return { what: holdWords(hold, resultMs), ms: (hold.count - 1) * resultMs }
}

function holdWords(hold: Exclude<HoldTree, { kind: 'for' }>, resultMs: number): string {
  const words = hold.kind === 'row' ? `${hold.count} in a row` : `${hold.count} of ${hold.size}`
  return `for ${words}, one each ${formatDuration(resultMs)}`
}

function checkStepMs(node: Node, leaves: readonly Leaf[]): number | undefined {
  const leaf = node.op === 'is' || node.op === 'leaf' ? leaves[node.leaf] : undefined
  if (leaf) return leaf.source === 'check' ? (leaf.valueStepMs ?? 10_000) : undefined
  return partsOf(node)
    .map((part) => checkStepMs(part, leaves))
    .find((ms) => ms !== undefined)
}

/** The latest of the sources that the rule, or one it refers to, waits for. */
function latenessOf(rule: CheckedRule, all: readonly CheckedRule[]): { what: string; ms: number } {
  const leaves = [...leavesBehind(rule, all)]
  if (leaves.some(isCloudwatch)) return { what: 'of lateness that CloudWatch is allowed', ms: cloudwatchLateMs }
  const isForeign = leaves.some(({ kind }) => kind === 'counter' || kind === 'percentile')
  return { what: 'of lateness that Graphite lines are allowed', ms: isForeign ? graphiteLateMs : 0 }
}

/** The leaves of a rule and of all rules that it refers to. */
export function leavesBehind(rule: CheckedRule, all: readonly CheckedRule[]): Set<Leaf> {
  const names = new Set([rule.name])
  for (const name of names)
    for (const used of all.find((other) => other.name === name)?.rulesUsed ?? []) names.add(used)
  return new Set(all.filter(({ name }) => names.has(name)).flatMap(({ tree }) => tree.leaves))
}

export function isCloudwatch({ source, path }: Leaf): boolean {
  return source === 'metric' && path.startsWith('aws:')
}
