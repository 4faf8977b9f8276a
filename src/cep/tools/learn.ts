/**
 * `tocsin rules learn`: a catalogue from recorded traffic, as YAML that stands in a rules file.
 */
import { formatDuration } from '../../model/duration.ts'
import { formatUtc } from '../../runtime/clock.ts'
import { noFindings } from '../journal/findings.ts'
import { Inventory } from '../journal/inventory.ts'
import { catalogueOf, type Learnt, type LearntEntry } from '../learn/catalogue-of.ts'
import type { Outcome } from './check.ts'
import { findingLines, openRecorded, type RecordedFlags } from './recorded.ts'

export async function rulesLearn(flags: RecordedFlags): Promise<Outcome> {
  const opened = await openRecorded(flags)
  if (!opened.ok) return opened.error
  const { recording, span, fromMs = span.fromMs, toMs = span.toMs } = opened.value
  const inventory = new Inventory()
  const findings = noFindings()
  for await (const { entries, share, toMs: atMs } of recording.read({ fromMs, toMs }, findings)) {
    for (const entry of entries) inventory.add(entry)
    flags.progress?.(share, formatUtc(atMs))
  }
  const series = [...inventory.series].filter(({ kind }) => kind !== 'event')
  const learnt = catalogueOf(series)
  if (learnt.entries.length === 0) return { exitCode: 2, error: 'tocsin: no metrics and no checks were recorded then' }
  if (flags.json) return { exitCode: 0, text: asJson(learnt, series.length, inventory.overflow, fromMs, toMs) }
  const from = `${formatUtc(Math.max(fromMs, span.fromMs))} to ${formatUtc(Math.min(toMs, span.toMs))}`
  const head = [
    `# Learnt from what was recorded from ${from}: ${series.length} series.`,
    '# The first entry that matches a series wins. Add units, and better kinds where one is said to be a guess.',
  ]
  const errors = [
    ...findingLines({ ...findings, late: { count: 0, first: [] } }, true),
    ...overLines(inventory, learnt),
  ]
  return {
    exitCode: 0,
    text: [...head, 'metrics:', ...learnt.entries.flatMap(entryLines)].join('\n'),
    error: errors.join('\n'),
  }
}

function entryLines({ match, kind, unit, stepMs, series, example, guess }: LearntEntry): string[] {
  const fields = [`match: ${JSON.stringify(match)}`, `kind: ${kind}`]
  if (unit) fields.push(`unit: ${unit}`)
  if (stepMs !== undefined) fields.push(`step: ${formatDuration(stepMs)}`)
  const why = guess ? `; ${kind} is a guess: ${guess}` : ''
  const such = series === 1 ? '1 series' : `${series} series, such as ${example.replaceAll('\n', ' ')}`
  return [`  # ${such}${why}`, `  - {${fields.join(', ')}}`]
}

function overLines({ overflow, size }: Inventory, { misfits }: Learnt): string[] {
  const lines: string[] = []
  if (overflow > 0) lines.push(`warning: only the first ${size} series were looked at`)
  if (misfits > 0) lines.push(`warning: ${misfits} series come as another kind than the entry they fall under`)
  return lines
}

function asJson({ entries, misfits }: Learnt, series: number, overflow: number, fromMs: number, toMs: number): string {
  return JSON.stringify({ fromMs, toMs, series, overflow, misfits, metrics: entries }, null, 2)
}
