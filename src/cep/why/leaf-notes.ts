/** Leaf notes: what stands behind a selector for one group: its series, its last point, or why it says nothing. */

import { formatDuration } from '../../model/duration.ts'
import { formatUtc } from '../../runtime/clock.ts'
import { EventLeaf } from '../event-leaf.ts'
import type { LeafRun } from '../leaf.ts'
import { MetricLeaf } from '../metric-leaf.ts'

/** Series that are named; the others are counted. */
const seriesMax = 3

export function leafNotes(leaf: LeafRun, group: number, atMs: number): string[] {
  if (leaf.leaf.source === 'rule' || leaf.leaf.source === 'source' || leaf.leaf.source === 'overflow') return []
  const notes: string[] = []
  if (leaf instanceof MetricLeaf) notes.push(...seriesNote(leaf, group))
  const isBorn = group >= 0 && leaf.isBorn[group] === 1
  const lastMs = leaf.lastSeenMs[group] as number
  const isStale = isBorn && atMs - lastMs > Math.max(leaf.context.stepMs, leaf.standsMs)
  const what = leaf instanceof EventLeaf ? 'last event' : leaf.leaf.source === 'check' ? 'last result' : 'last point'
  if (isStale) notes.push(`${what} ${formatUtc(lastMs)}, ${formatDuration(atMs - lastMs)} before`)
  return notes
}

function seriesNote(leaf: MetricLeaf, group: number): string[] {
  const series = [...new Set(leaf.inputs.series.filter((_, input) => leaf.inputs.group[input] === group))].sort()
  if (series.length === 0) return []
  const named = series.slice(0, seriesMax).join(', ')
  if (series.length === 1) return [`series ${named}`]
  return [`${series.length} series: ${named}${series.length > seriesMax ? ', …' : ''}`]
}

/** Why a leaf has no value for a group. */
export function whyMissing(leaf: LeafRun, group: number, atMs: number): string {
  const { source, path, overMs } = leaf.leaf
  const what = source === 'check' ? 'result of it' : source === 'event' ? 'such event' : 'point of it'
  if (leaf.groups.count === 0) return `no series matches ${path}`
  if (group < 0 || leaf.isBorn[group] !== 1) return `no ${what} has come for this group`
  const lastMs = leaf.lastSeenMs[group] as number
  const since = atMs - lastMs
  const window = overMs > 0 ? `fewer than half of the buckets of the last ${formatDuration(overMs)} have data` : ''
  const last = since > leaf.context.stepMs ? `the last point came ${formatDuration(since)} before` : ''
  return [window, last].filter(Boolean).join('; ') || 'there is no value in this bucket'
}
