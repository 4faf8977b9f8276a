/**
 * Catalogue: what is declared of metrics: kind, unit, step. The first entry that matches a series wins.
 */
import { matchPath, type PathPattern, type PathSegment } from '../../model/path.ts'
import type { SeriesKind } from './tree.ts'
import { countUnit, millisecondUnit, type Unit, unitOf, unknownUnit } from './units.ts'

export interface CatalogueEntry {
  pattern: PathPattern
  kind: SeriesKind
  unitText: string
  stepMs: number | undefined
}

export type Catalogue = readonly CatalogueEntry[]

/** The entry of one series, named as on the bus. */
export function entryOfSeries(catalogue: Catalogue, isCheck: boolean, name: string): CatalogueEntry | undefined {
  return catalogue.find(
    ({ pattern }) => (pattern.prefix === 'check') === isCheck && matchPath(pattern, name) !== undefined,
  )
}

/** The entry under which all series of a selector fall, judged by made-up names that it matches. */
export function entryOfPattern(catalogue: Catalogue, pattern: PathPattern): CatalogueEntry | undefined {
  const isCheck = pattern.prefix === 'check'
  for (const depth of [1, 2, 3]) {
    const found = entryOfSeries(catalogue, isCheck, sampleName(pattern, depth))
    if (found) return found
  }
  return undefined
}

/** The first entry that takes some of the selector's series away from `entry` and says something else of them. */
export function entryOfSome(
  catalogue: Catalogue,
  pattern: PathPattern,
  entry: CatalogueEntry | undefined,
): CatalogueEntry | undefined {
  const isCheck = pattern.prefix === 'check'
  return catalogue.find((other) => {
    if (entry && saysTheSame(entry, other)) return false
    return [1, 2, 3].some((depth) => {
      const name = sampleName(other.pattern, depth)
      return matchPath(pattern, name) !== undefined && entryOfSeries(catalogue, isCheck, name) === other
    })
  })
}

function saysTheSame(a: CatalogueEntry, b: CatalogueEntry): boolean {
  return a.kind === b.kind && a.unitText === b.unitText && a.stepMs === b.stepMs
}

export function unitOfEntry(entry: CatalogueEntry | undefined): Unit {
  if (!entry) return unknownUnit
  if (entry.unitText !== '') return unitOf(entry.unitText)
  if (entry.kind === 'timer') return millisecondUnit
  return entry.kind === 'gauge' || entry.kind === 'percentile' ? unknownUnit : countUnit
}

/** Stands for what a star or a hole holds, in made-up names: a letter that names hardly have. */
const filler = '~'

/** A name that the pattern matches; `**` becomes `depth` segments. */
export function sampleName(pattern: PathPattern, depth = 1): string {
  const name = pattern.segments.map((segment) => sampleSegment(segment, depth)).join('.')
  const tags = pattern.tags.map((tag) => `;${tag.name}=${sampleGlob(tag.globs[0] ?? filler)}`)
  return `${pattern.prefix === 'aws' ? 'aws:' : ''}${name || filler}${tags.join('')}`
}

function sampleSegment(segment: PathSegment, depth: number): string {
  if (segment.kind === 'deep') return Array(depth).fill(filler).join('.')
  return segment.parts
    .map((part) => {
      if (part.kind === 'literal') return part.text
      return part.kind === 'hole' ? sampleGlob(part.globs[0] ?? filler) : filler
    })
    .join('')
}

function sampleGlob(glob: string): string {
  return glob.replace(/[*?]/g, filler)
}
