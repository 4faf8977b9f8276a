/**
 * Journal lint: rules held against what was recorded in the journal's last day: selectors that matched nothing, and entries
 * of the catalogue that the bus contradicts.
 *
 * First the last hour is read; the rest of the day only while some selector has matched nothing yet. An event may well not
 * have happened for a day: its selector is told only where something of nearly that name has.
 */

import { roughDuration } from '../../model/duration.ts'
import { matchPath, type PathPattern, segmentSource } from '../../model/path.ts'
import { suggest } from '../../runtime/problem.ts'
import { disagrees } from '../heard-kinds.ts'
import { noFindings } from '../journal/findings.ts'
import { Inventory, type SeriesSeen } from '../journal/inventory.ts'
import type { Recording } from '../journal/recording.ts'
import { type CatalogueEntry, entryOfSeries } from '../language/catalogue.ts'
import type { LoadedRules, RuleProblem } from '../language/load.ts'
import type { Selector } from '../language/syntax.ts'
import { selectorsOf } from '../language/trace.ts'
import { type LocatedText, reportRange } from '../language/yaml-rules.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

interface Asked {
  pattern: PathPattern
  text: string
  /** Everywhere it stands. */
  places: { where: LocatedText; selector: Selector }[]
}

/** Warnings about rules that were loaded with a trace. */
export async function lintByJournal(loaded: LoadedRules, recording: Recording): Promise<RuleProblem[]> {
  const span = await recording.span()
  if (!span) return []
  const inventory = new Inventory()
  const unmatched = new Map(askedOf(loaded).map((asked) => [asked.text, asked]))
  await readInto(inventory, recording, span.toMs - hourMs, span.toMs)
  strike(unmatched, inventory)
  if (unmatched.size > 0 && span.fromMs < span.toMs - hourMs) {
    await readInto(inventory, recording, span.toMs - dayMs, span.toMs - hourMs, () => {
      strike(unmatched, inventory)
      return unmatched.size === 0
    })
    strike(unmatched, inventory)
  }
  const covered = Math.min(dayMs, span.toMs - span.fromMs)
  const period =
    covered >= dayMs ? "the journal's last day" : `the journal, which is of ${roughDuration(Math.max(1000, covered))}`
  const all = [...inventory.series]
  return [
    ...[...unmatched.values()].flatMap((asked) => unmatchedProblems(asked, all, period)),
    ...disagreements(loaded, all),
  ]
}

function askedOf({ rules }: LoadedRules): Asked[] {
  const asked = new Map<string, Asked>()
  for (const { trace } of rules) {
    for (const place of trace ? selectorsOf(trace) : []) {
      const { pattern, text } = place.selector
      if (pattern.prefix === 'rule' || pattern.prefix === 'source') continue
      const known = asked.get(text) ?? { pattern, text, places: [] }
      known.places.push(place)
      asked.set(text, known)
    }
  }
  return [...asked.values()]
}

/** Batches between two looks at what is still unmatched. */
const lookEvery = 50

async function readInto(
  inventory: Inventory,
  recording: Recording,
  fromMs: number,
  toMs: number,
  isDone: () => boolean = () => false,
): Promise<void> {
  let batches = 0
  for await (const { entries } of recording.read({ fromMs, toMs }, noFindings())) {
    for (const entry of entries) inventory.add(entry)
    if (++batches % lookEvery === 0 && isDone()) return
  }
}

function strike(unmatched: Map<string, Asked>, inventory: Inventory): void {
  for (const [text, { pattern }] of unmatched) {
    for (const series of inventory.series) {
      if (!matches(pattern, series)) continue
      unmatched.delete(text)
      break
    }
  }
}

/** Tags of events vary too much to be kept: their name is asked alone. */
function matches(pattern: PathPattern, { name, kind }: SeriesSeen): boolean {
  if (kindOf(pattern) !== (kind === 'check' || kind === 'event' ? kind : 'metric')) return false
  if (kind === 'event') return matchPath({ ...pattern, tags: [], groupHoles: [], holes: [] }, name) !== undefined
  return matchPath(pattern, name) !== undefined
}

function kindOf({ prefix }: PathPattern): 'check' | 'event' | 'metric' {
  return prefix === 'check' || prefix === 'event' ? prefix : 'metric'
}

function unmatchedProblems(
  { pattern, text, places }: Asked,
  all: readonly SeriesSeen[],
  period: string,
): RuleProblem[] {
  const kind = kindOf(pattern)
  const like = nearest(
    pattern,
    all.filter((series) => matchesKind(series, kind)),
  )
  if (kind === 'event' && !like) return []
  const prefix = kind === 'metric' ? '' : `${kind}:`
  const help = like ? `did you mean "${prefix}${like}"?` : 'nothing like it was recorded'
  return places.flatMap(({ where, selector }) => warned(where, selector, `${text} matched nothing in ${period}`, help))
}

function matchesKind({ kind }: SeriesSeen, wanted: 'check' | 'event' | 'metric'): boolean {
  return wanted === 'metric' ? kind !== 'check' && kind !== 'event' : kind === wanted
}

/** The name that has most segments in common with the pattern, slips counted half; at least half of them. */
function nearest({ segments }: PathPattern, all: readonly SeriesSeen[]): string | undefined {
  const patterns = segments.map((segment) => ({
    expression: new RegExp(`^(?:${segmentSource(segment)})$`, 'u'),
    literal:
      segment.kind === 'deep' ? '' : segment.parts.map((part) => (part.kind === 'literal' ? part.text : '')).join(''),
  }))
  let best: string | undefined
  let bestScore = Math.max(0.5, patterns.length / 2 - 0.01)
  for (const { name } of all) {
    const written = (name.split(';', 1)[0] as string).split('.')
    let score = -Math.abs(written.length - patterns.length)
    patterns.forEach(({ expression, literal }, i) => {
      const text = written[i] ?? ''
      if (literal !== '' && expression.test(text)) score++
      else if (literal === '' && text !== '') score += 0.4
      else if (literal !== '' && suggest(literal, [text]) !== undefined) score += 0.7
    })
    if (score > bestScore) {
      best = name
      bestScore = score
    }
  }
  return best
}

function disagreements({ catalogue }: LoadedRules, all: readonly SeriesSeen[]): RuleProblem[] {
  const told = new Map<CatalogueEntry, RuleProblem[]>()
  for (const { name, kind } of all) {
    if (kind === 'check' || kind === 'event') continue
    const entry = entryOfSeries(catalogue, false, name)
    if (!entry || told.has(entry) || !disagrees(entry.kind, kind)) continue
    const where = placeOf(entry)
    const message = `declared a ${entry.kind}, but ${name} comes as a ${kind}; the catalogue wins`
    const whole = { start: 0, end: where?.text.length ?? 0 }
    told.set(entry, where ? warned(where, whole, message, `kind: ${kind}, or a narrower "match"`) : [])
  }
  return [...told.values()].flat()
}

/** Entries that were read from files know where they stand. */
function placeOf(entry: CatalogueEntry): LocatedText | undefined {
  return 'at' in entry ? (entry.at as LocatedText) : undefined
}

/** The problem as its file would report it. */
function warned(
  where: LocatedText,
  range: { start: number; end: number },
  message: string,
  help: string,
): RuleProblem[] {
  const before = where.file.problems.length
  reportRange(where, range, 'lint', message, help, 'warning')
  return where.file.problems.slice(before)
}
