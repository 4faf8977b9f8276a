/**
 * Catalogue of traffic: what was recorded of series, as entries of a catalogue. The bus tells the kinds of what came through
 * our own ingest; of foreign numbers, Graphite lines, they are guessed, and the entry says so.
 *
 * The first entry that matches a series wins, so narrow patterns stand before wide ones, and every entry is tried: a series
 * that would fall under an entry of another kind gets one of its own before it.
 */
import { parsePath } from '../../model/path.ts'
import type { SeriesSeen } from '../journal/inventory.ts'
import { type Catalogue, type CatalogueEntry, entryOfSeries } from '../language/catalogue.ts'
import type { SeriesKind } from '../language/tree.ts'
import { familiesOf } from './families.ts'

export interface LearntEntry {
  match: string
  kind: SeriesKind
  unit?: string
  stepMs?: number
  /** How many series it stands for, and one of them. */
  series: number
  example: string
  /** Why the kind is a guess. */
  guess?: string
}

/** Entries for series that fall under a wider pattern of another kind. */
const exceptionsMax = 200

export interface Learnt {
  entries: LearntEntry[]
  /** Series that come as another kind than the entry they fall under. */
  misfits: number
}

export function catalogueOf(seen: Iterable<SeriesSeen>): Learnt {
  const series = [...seen].filter(({ kind }) => kind !== 'event')
  const byKind = Map.groupBy(series, (one) => kindOf(one).kind)
  const entries = new Map<string, LearntEntry>()
  for (const [kind, ofKind] of byKind) {
    const bySeries = Map.groupBy(ofKind, ({ name }) => name.split(';', 1)[0] as string)
    for (const { pattern, names } of familiesOf(bySeries.keys())) {
      const members = names.flatMap((name) => bySeries.get(name) ?? [])
      const entry = entryOf(kind, pattern, members)
      // Of two kinds under one pattern the larger has it; the other's series are told one by one.
      const other = entries.get(entry.match)
      if (!other || other.series < entry.series) entries.set(entry.match, entry)
    }
  }
  return withExceptions([...entries.values()].sort(byWidth), series)
}

function entryOf(kind: SeriesKind, pattern: string, members: readonly SeriesSeen[]): LearntEntry {
  const [first] = members as [SeriesSeen]
  const { guess } = kindOf(first)
  const stepMs = stepOf(kind, members)
  return {
    match: pathOf(kind, pattern),
    kind,
    ...(kind === 'timer' && { unit: 'ms' }),
    ...(stepMs > 1000 && { stepMs }),
    series: members.length,
    example: first.name,
    ...(guess && { guess }),
  }
}

/** A pattern as a path: characters that a path may not have are left to a star. */
function pathOf(kind: SeriesKind, pattern: string): string {
  const prefix = kind === 'check' ? 'check:' : pattern.includes('.') || pattern.startsWith('aws:') ? '' : 'metric:'
  if (parsePath(prefix + pattern).ok) return prefix + pattern
  const segments = pattern.split('.').map((segment) => (parsePath(`a.${segment}`).ok ? segment : '*'))
  return prefix + segments.join('.')
}

/** The kind that the bus tells; for foreign numbers the likely one. */
export function kindOf({ kind, name, rose, fell }: SeriesSeen): { kind: SeriesKind; guess?: string } {
  if (kind !== 'untyped') return { kind: kind as SeriesKind }
  if (/(^|[._])(upper|lower|mean|median|p|sum)_?\d{1,3}(_\d+)?($|[._])/.test(name)) {
    return { kind: 'percentile', guess: 'by its name' }
  }
  if (rose >= 10 && fell === 0) return { kind: 'counter', guess: 'it only ever grew' }
  return { kind: 'gauge', guess: 'its kind is not on the bus' }
}

/** How long a value stands: the step of its source, or the time between two points of most series. */
function stepOf(kind: SeriesKind, members: readonly SeriesSeen[]): number {
  const flushMs = Math.max(...members.map(({ stepMs }) => stepMs))
  if (kind === 'count' || kind === 'timer' || kind === 'set' || kind === 'check') return flushMs
  const votes = new Map<number, number>()
  for (const { gapMs, gapVotes } of members) {
    if (gapVotes > 1) votes.set(gapMs, (votes.get(gapMs) ?? 0) + 1)
  }
  const [common] = [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0])
  return Math.max(flushMs, Math.round((common?.[0] ?? 0) / 1000) * 1000)
}

/** Narrow before wide: fewer `**`, then fewer stars, then longer. */
function byWidth(a: LearntEntry, b: LearntEntry): number {
  const width = ({ match }: LearntEntry) =>
    (match.match(/\*\*/g)?.length ?? 0) * 100 + (match.match(/\*/g)?.length ?? 0)
  return width(a) - width(b) || b.match.length - a.match.length || (a.match < b.match ? -1 : 1)
}

function withExceptions(entries: readonly LearntEntry[], series: readonly SeriesSeen[]): Learnt {
  const catalogue: Catalogue = entries.map(asCatalogue)
  const exceptions = new Map<string, LearntEntry>()
  let misfits = 0
  for (const one of series) {
    const name = one.name.split(';', 1)[0] as string
    const found = entryOfSeries(catalogue, one.kind === 'check', name)
    const { kind } = kindOf(one)
    if (found?.kind === kind || exceptions.has(name)) continue
    const exception = entryOf(kind, name, [one])
    // A name with characters that no path may have cannot be told apart.
    if (exceptions.size < exceptionsMax && !exception.match.includes('*')) exceptions.set(name, exception)
    else misfits++
  }
  return { entries: [...exceptions.values(), ...entries], misfits }
}

function asCatalogue({ match, kind, unit, stepMs }: LearntEntry): CatalogueEntry {
  const parsed = parsePath(match)
  if (!parsed.ok) throw new Error(`${match}: ${parsed.error.message}`)
  return { pattern: parsed.value, kind, unitText: unit ?? '', stepMs }
}
