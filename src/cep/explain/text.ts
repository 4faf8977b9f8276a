/** Text: an explanation as people read it. */
import { roughByteSize } from '../../model/byte-size.ts'
import { formatDuration } from '../../model/duration.ts'
import { arithmetic } from '../language/budget.ts'
import { burnRates } from '../language/slo.ts'
import type { MemoryPart } from '../memory.ts'
import type { Delay } from './delay.ts'
import type { ExplainedLevel, Explanation, Reading } from './explain.ts'

export function explanationText(explanation: Explanation): string {
  const sections: [string, readonly string[]][] = [
    [
      'means',
      [
        ...letLines(explanation),
        ...explanation.levels.flatMap((level) => levelLines(level, explanation.slo)),
        ...settingLines(explanation),
      ],
    ],
    ['reads', columns(explanation.reads.map(readingRow))],
    ['detects', delayLines(explanation)],
    ['memory', memoryLines(explanation)],
    ['says', sayLines(explanation)],
    ['tests', explanation.tests.length > 0 ? explanation.tests : ['none']],
    ['note', explanation.notes],
  ]
  const shown = sections.flatMap(([title, lines]) =>
    lines.length > 0 ? [title, ...lines.map((line) => `  ${line}`)] : [],
  )
  return [headline(explanation), ...shown].join('\n')
}

function headline({ rule, file, line, names, slo }: Explanation): string {
  const per = names.length > 0 ? `per ${names.map((name) => `{${name}}`).join(' ')}` : 'one for everything'
  return `${rule}   ${per}   ${file}:${line}${slo === undefined ? '' : `   slo: ${slo.target}`}`
}

function letLines({ lets, slo }: Explanation): string[] {
  const named = Object.entries(lets).map(([name, text]) => [`let ${name}`, text])
  const requests = slo
    ? [
        ['bad', `sum(${slo.bad})`],
        ['all', `sum(${slo.all})`],
      ]
    : []
  return columns([...named, ...requests, ...budgetRow(slo)])
}

/** `14.4 × 0.1% = 1.44%`: how the limits of an slo come about. */
function budgetRow(slo: Explanation['slo']): string[][] {
  if (!slo) return []
  const budget = 100 - Number.parseFloat(slo.target)
  const limits = [...burnRates.crit, ...burnRates.warn].map(
    ([factor]) => `${factor} × ${rounded(budget)}% = ${rounded(budget * factor)}%`,
  )
  return [['budget', limits.join(', ')]]
}

function rounded(value: number): number {
  return Number(value.toFixed(9))
}

/** Conditions that an slo expands to say bad and all where the paths stand, and each pair of windows has its line. */
function levelLines({ level, condition, hold, until, keep }: ExplainedLevel, slo: Explanation['slo']): string[] {
  const short = (text: string) =>
    slo ? text.replaceAll(`sum(${slo.bad})`, 'bad').replaceAll(`sum(${slo.all})`, 'all') : text
  const [first = '', ...more] = slo ? short(condition).split(/ (?=or bad)|(?<=\)) (?=and )/) : [condition]
  const isLong = short(until).length > 100 && until.includes('default')
  return [
    `${level}   ${first}`,
    ...more.map((line) => `       ${line}`),
    `       ${hold}`,
    `       until ${isLong ? 'this does not hold any more (default: the negation)' : short(until)}`,
    `       keep ${keep}`,
  ]
}

function settingLines(explanation: Explanation): string[] {
  const { everyMs, isEverySaid, ifMissing, forgetMs, settleMs, groupsMax, known, names, remindMs, hideWhen } =
    explanation
  return columns(
    [
      ['every', `${formatDuration(everyMs)}${isEverySaid ? '' : ' (default; 10s in tests)'}`],
      ['if missing', ifMissing === 'hold' ? 'hold: the level stays as it is (default)' : `it counts as ${ifMissing}`],
      names.length > 0 ? ['at most', `${groupsMax} groups${isDefault(groupsMax === 1000)}`] : [],
      known === undefined ? [] : ['known', `every ${known} of the facts is a group from the start`],
      names.length > 0
        ? ['forget', `a group after ${formatDuration(forgetMs)} of silence${isDefault(forgetMs === 86_400_000)}`]
        : [],
      hideWhen === undefined ? [] : ['hide when', hideWhen],
      hideWhen === undefined
        ? []
        : ['settle', `${formatDuration(settleMs)} of calm before it is shown${isDefault(settleMs === 60_000)}`],
      remindMs === undefined ? [] : ['remind', `every ${formatDuration(remindMs)} while it fires`],
      explanation.rulesUsed.length > 0 ? ['refers to', explanation.rulesUsed.join(', ')] : [],
    ].filter((row) => row.length > 0),
  )
}

function isDefault(is: boolean): string {
  return is ? ' (default)' : ''
}

function readingRow({ path, kind, unit, step, asked }: Reading): string[] {
  const shown = asked.filter((text) => text !== path)
  return [path, [kind, unit].filter(Boolean).join(', '), step && `step ${step}`, shown.join('; ')]
}

function delayLines({ delays, warmUpMs }: Explanation): string[] {
  const lines = delays.map(delayLine)
  return warmUpMs > 0 ? [...lines, `a group that has just begun says nothing for ${formatDuration(warmUpMs)}`] : lines
}

/** `crit   at most 2m31s after it began: 1s until …, 30s …`. */
function delayLine({ level, totalMs, parts }: Delay): string {
  const words = parts.map(({ what, ms }) => `${formatDuration(ms)} ${what}`)
  return `${level}   about ${formatDuration(totalMs)} after it begins: ${words.join(' + ')}`
}

function memoryLines({ memory }: Explanation): string[] {
  const total = `${arithmetic(memory)} = ${roughByteSize(memory.totalBytes)} at worst`
  return [...columns(memory.parts.map(memoryRow)), total]
}

function memoryRow({ what, shape, bytesPerGroup, groups }: MemoryPart): string[] {
  return [what, shape, roughByteSize(bytesPerGroup), `× ${groups}`]
}

function sayLines({ example }: Explanation): string[] {
  if (!example) return ['nothing of its own: pages show the rule, its group and its sentence (add "say")']
  const from = example.test === undefined ? 'with values made up' : `from the test "${example.test}"`
  return [example.say, `(${from})`]
}

/** Rows with their columns under each other; the last column may be as long as it likes. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell))
      .join('   ')
      .trimEnd(),
  )
}
