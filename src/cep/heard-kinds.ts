/**
 * Heard kinds: where the catalogue says one kind and the bus another. The catalogue wins; whoever wrote it is told, once
 * per entry. What a catalogue may know better than the bus, a counter or a ready-made percentile that travels as a gauge,
 * is no disagreement, nor is a foreign number, of which the bus knows nothing.
 */
import { parsePath } from '../model/path.ts'
import { type Catalogue, entryOfPattern } from './language/catalogue.ts'
import type { SeriesKind } from './language/tree.ts'
import type { PointKind } from './metric-cells.ts'
import { MetricLeaf } from './metric-leaf.ts'
import type { RuleRun } from './rule-run.ts'

export interface Disagreement {
  /** The entry of the catalogue. */
  match: string
  declared: SeriesKind
  came: PointKind
  /** One that came otherwise than declared. */
  series: string
}

const fitting: Readonly<Record<PointKind, readonly SeriesKind[]>> = {
  count: ['count'],
  gauge: ['gauge', 'counter', 'percentile'],
  timer: ['timer'],
  set: ['set', 'count'],
  untyped: ['count', 'gauge', 'counter', 'timer', 'set', 'percentile', 'check'],
}

export function disagrees(declared: SeriesKind, came: PointKind): boolean {
  return !fitting[came].includes(declared)
}

/** By what the rules have heard: one for each entry, in the order of the rules. */
export function disagreementsIn(rules: readonly RuleRun[], catalogue: Catalogue): Disagreement[] {
  const found = new Map<string, Disagreement>()
  for (const { compiled } of rules) {
    for (const leaf of compiled.leaves) {
      if (!(leaf instanceof MetricLeaf) || leaf.leaf.kind === undefined || leaf.heard === undefined) continue
      if (!disagrees(leaf.leaf.kind, leaf.heard)) continue
      const parsed = parsePath(leaf.leaf.path)
      const entry = parsed.ok ? entryOfPattern(catalogue, parsed.value) : undefined
      const match = entry?.pattern.text ?? leaf.leaf.path
      const series = leaf.inputs.series[0] ?? leaf.leaf.path
      if (!found.has(match)) found.set(match, { match, declared: leaf.leaf.kind, came: leaf.heard, series })
    }
  }
  return [...found.values()]
}

export function disagreementText({ match, declared, came, series }: Disagreement): string {
  return `${match} is declared ${a(declared)}, but ${series} comes as ${a(came)}; the catalogue wins`
}

function a(kind: string): string {
  return `a ${kind}`
}
