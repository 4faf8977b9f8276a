/** Catalogue file: the entries under `metrics` and the lookups under `facts`, as they are written. */
import { isMap } from 'yaml'
import { parsePath } from '../../model/path.ts'
import { meantUnit, pathCure } from './cures.ts'
import { didYouMean, keyText, type RawFile, readDuration, reportWhole } from './rule-file.ts'
import type { SeriesKind } from './tree.ts'
import { catalogueKeys, catalogueUnits, seriesKinds } from './words.ts'
import { entriesOf, reportRange, type SourceFile, textOf } from './yaml-rules.ts'

export function readEntry(file: SourceFile, item: unknown, into: RawFile['catalogue']): void {
  const found = new Map(entriesOf(file, item, 'metrics', catalogueKeys).map(([key, node]) => [key, node]))
  const match = found.has('match') ? textOf(file, found.get('match'), 'match') : undefined
  const kind = found.has('kind') ? textOf(file, found.get('kind'), 'kind') : undefined
  const unit = found.has('unit') ? textOf(file, found.get('unit'), 'unit') : undefined
  if (!found.has('match') || !found.has('kind')) {
    if (isMap(item)) file.reportNode(item, 'an entry needs "match" and "kind"')
    return
  }
  if (!match || !kind) return
  const parsed = parsePath(match.text)
  if (!parsed.ok) {
    reportRange(
      match,
      { start: parsed.error.column - 1, end: parsed.error.column },
      'syntax',
      parsed.error.message,
      pathCure(match.text),
    )
    return
  }
  const isKind = seriesKinds.some((known) => known === kind.text)
  if (!isKind)
    reportWhole(kind, `expected a kind: ${seriesKinds.join(', ')}`, 'file', didYouMean(kind.text, seriesKinds))
  const isUnit = !unit || catalogueUnits.some((known) => known === unit.text)
  if (unit && !isUnit) reportWhole(unit, `expected a unit: ${catalogueUnits.join(' ')}`, 'file', unitHelp(unit.text))
  const stepMs = readDuration(file, found.get('step'), 'step')
  if (!isKind || !isUnit) return
  into.push({
    pattern: parsed.value,
    kind: kind.text as SeriesKind,
    unitText: unit?.text ?? '',
    stepMs,
    at: match,
    line: file.lineOf(item),
  })
}

function unitHelp(text: string): string | undefined {
  const meant = meantUnit(text)
  return meant && `write ${meant}`
}

export function readFacts(file: SourceFile, node: unknown): RawFile['facts'] {
  return entriesOf(file, node, 'facts').map(([name, keys, at]) => {
    const values: Record<string, Record<string, string>> = {}
    for (const [key, facts] of entriesOf(file, keys, `facts.${name}`)) {
      values[key] = {}
      for (const [fact, value] of entriesOf(file, facts, `facts.${name}.${key}`)) {
        const text = textOf(file, value, fact)
        if (text) (values[key] as Record<string, string>)[fact] = text.text
      }
    }
    return { name, at: keyText(file, name, at), line: file.lineOf(at), values }
  })
}
