/**
 * Slo: a service level objective as level sentences, by the burn rates of the SRE Workbook ("Alerting on SLOs",
 * multiwindow, multi-burn-rate): a long window says that it matters, a short one that it still goes on.
 */
import { parseLevel } from './parse.ts'
import type { RawRule } from './rule-file.ts'
import type { LevelSentence } from './syntax.ts'
import type { LocatedText } from './yaml-rules.ts'

const burnRates = {
  warn: [
    [3, '1d', '2h'],
    [1, '3d', '6h'],
  ],
  crit: [
    [14.4, '1h', '5m'],
    [6, '6h', '30m'],
  ],
} as const

export function expandSlo(
  slo: NonNullable<RawRule['slo']>,
): { level: 'warn' | 'crit'; where: LocatedText; sentence: LevelSentence }[] {
  return (['warn', 'crit'] as const).map((level) => {
    const text = sloSentence(slo, level)
    // Every character of the expansion stands where the path of the bad requests stands.
    const offsets = new Array(text.length + 1).fill(slo.bad.offsets[0] ?? 0)
    return { level, where: { file: slo.bad.file, text, offsets }, sentence: parseLevel(text) }
  })
}

/** The sentence of one level, its factors multiplied out: 14.4 × (100% − 99.9%) is `> 1.44%`. */
export function sloSentence(
  slo: { bad: LocatedText; all: LocatedText; target: LocatedText; least: number },
  level: 'warn' | 'crit',
): string {
  const target = Number.parseFloat(slo.target.text)
  const ratio = (window: string) => `sum(${slo.bad.text}) over ${window} / sum(${slo.all.text}) over ${window}`
  const pairs = burnRates[level].map(([factor, long, short]) => {
    const limit = Number(((100 - target) * factor).toFixed(9))
    return `${ratio(long)} > ${limit}% and ${ratio(short)} > ${limit}%`
  })
  const guard = slo.least > 0 ? ` and sum(${slo.bad.text}) over 1h >= ${slo.least}` : ''
  return guard ? `(${pairs.join(' or ')})${guard}` : pairs.join(' or ')
}
