/**
 * Sequences by brute force (§10): every chain of instants is tried at every bucket.
 */
import type { Node } from '../../../src/cep/language/tree.ts'
import type { Evaluator } from './evaluate.ts'
import { eventsOf } from './leaves.ts'
import type { Bindings } from './world.ts'

type SequenceNode = Extract<Node, { op: 'sequence' }>

interface Instant {
  atMs: number
  /** Equal for two steps that see one and the same event. */
  id: string
}

/** Whether the sequence completes in the bucket that ends at `atMs`. */
export function sequenceFires(evaluator: Evaluator, node: SequenceNode, group: Bindings, atMs: number): boolean {
  return completions(evaluator, node, group, atMs).some((at) => at > atMs - evaluator.stepMs && at <= atMs)
}

function completions(evaluator: Evaluator, node: SequenceNode, group: Bindings, untilMs: number): number[] {
  const steps = [node.first, ...node.steps.map(({ of }) => of)].map((of) => instants(evaluator, of, group, untilMs))
  const spoilers = node.without ? instants(evaluator, node.without, group, untilMs) : []
  const isClean = (fromMs: number, toMs: number) => !spoilers.some(({ atMs }) => atMs >= fromMs && atMs <= toMs)
  const last = node.steps.at(-1)
  const positive = last?.no ? steps.length - 1 : steps.length
  const chains: Instant[][] = []
  const extend = (chain: Instant[]): void => {
    if (chain.length === positive) {
      chains.push(chain)
      return
    }
    const from = chain.at(-1)
    for (const next of steps[chain.length] ?? []) {
      const withinMs = chain.length === 0 ? Number.POSITIVE_INFINITY : (node.steps[chain.length - 1]?.withinMs ?? 0)
      if (from && (next.atMs < from.atMs || next.atMs - from.atMs > withinMs)) continue
      if (chain.some(({ id }) => id === next.id)) continue
      extend([...chain, next])
    }
  }
  extend([])
  const clean = chains.filter((chain) => isClean((chain[0] as Instant).atMs, (chain.at(-1) as Instant).atMs))
  if (!last?.no) return clean.map((chain) => (chain.at(-1) as Instant).atMs)
  return deadlines(clean, steps.at(-1) as Instant[], spoilers, last.withinMs)
}

/** `then no`: the earliest unanswered start keeps its deadline, later ones share it. */
function deadlines(chains: Instant[][], answers: Instant[], spoilers: Instant[], withinMs: number): number[] {
  const starts = [...new Set(chains.map((chain) => (chain.at(-1) as Instant).atMs))].sort((a, b) => a - b)
  const ends = [...answers, ...spoilers].map(({ atMs }) => atMs).sort((a, b) => a - b)
  const found: number[] = []
  let busyUntil = Number.NEGATIVE_INFINITY
  for (const start of starts) {
    if (start <= busyUntil) continue
    const deadline = start + withinMs
    const end = ends.find((at) => at >= start && at <= deadline)
    busyUntil = end ?? deadline
    if (end === undefined) found.push(deadline)
  }
  return found
}

function instants(evaluator: Evaluator, node: Node, group: Bindings, untilMs: number): Instant[] {
  if (node.op === 'leaf' && evaluator.leafOf(node.leaf).fold === 'event') {
    return eventsOf(evaluator.world, evaluator.leafOf(node.leaf), group)
      .filter(({ atMs }) => atMs <= untilMs)
      .map((event) => ({ atMs: event.atMs, id: String(evaluator.world.events.indexOf(event)) }))
  }
  const found: Instant[] = []
  let known: boolean | undefined
  for (let atMs = evaluator.stepMs; atMs <= untilMs; atMs += evaluator.stepMs) {
    const now = evaluator.at(node, group, atMs) as boolean | undefined
    if (now === true && known === false) found.push({ atMs, id: `${JSON.stringify(node)}@${atMs}` })
    if (now !== undefined) known = now
  }
  return found
}
