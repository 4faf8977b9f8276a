/**
 * Slo: a service level objective as level sentences, by the burn rates of the SRE Workbook ("Alerting on SLOs",
 * multiwindow, multi-burn-rate): a long window says that it matters, a short one that it still goes on.
 */
import { parseLevel } from './parse.ts'
import type { RawRule } from './rule-file.ts'
import type { LevelSentence } from './syntax.ts'
import type { LocatedText } from './yaml-rules.ts'

/** By level: how many times the budget burns, over which long and which short window. */
export const burnRates = {
  warn: [
    [3, '1d', '2h'],
    [1, '3d', '6h'],
  ],
  crit: [
    [14.4, '1h', '5m'],
    [6, '6h', '30m'],
  ],
} as const

/** A stretch of an expanded sentence: a path as the author wrote it, or words of ours, which are told of at the target. */
type Piece = string | LocatedText

export function expandSlo(
  slo: NonNullable<RawRule['slo']>,
): { level: 'warn' | 'crit'; where: LocatedText; sentence: LevelSentence }[] {
  return (['warn', 'crit'] as const).map((level) => {
    const where = joined(sloPieces(slo, level), slo.target)
    return { level, where, sentence: parseLevel(where.text) }
  })
}

/** The sentence of one level, its factors multiplied out: 14.4 × (100% − 99.9%) is `> 1.44%`. */
function sloPieces({ bad, all, target, least }: NonNullable<RawRule['slo']>, level: 'warn' | 'crit'): Piece[] {
  const budget = 100 - Number.parseFloat(target.text)
  const ratio = (window: string): Piece[] => ['sum(', bad, `) over ${window} / sum(`, all, `) over ${window}`]
  const pairs = burnRates[level].map(([factor, long, short]) => {
    const limit = Number((budget * factor).toFixed(9))
    return [...ratio(long), ` > ${limit}% and `, ...ratio(short), ` > ${limit}%`]
  })
  const either = [...(pairs[0] as Piece[]), ' or ', ...(pairs[1] as Piece[])]
  return least > 0 ? ['(', ...either, ') and sum(', bad, `) over 1h >= ${least}`] : either
}

function joined(pieces: readonly Piece[], otherwise: LocatedText): LocatedText {
  let text = ''
  const offsets: number[] = []
  for (const piece of pieces) {
    const isOurs = typeof piece === 'string'
    const added = isOurs ? piece : piece.text
    for (let i = 0; i < added.length; i++) offsets.push((isOurs ? otherwise.offsets[0] : piece.offsets[i]) ?? 0)
    text += added
  }
  return { file: otherwise.file, text, offsets: [...offsets, otherwise.offsets[0] ?? 0] }
}
