/** Why text: an explanation as people read it at night: the verdict first, then each level with its values. */
import { formatDuration } from '../../model/duration.ts'
import { formatUtc } from '../../runtime/clock.ts'
import type { Explanation, LevelExplanation } from './explanation.ts'
import { truth, type ValueNode } from './values.ts'

const textWidthMax = 72

export function explanationLines(explanation: Explanation): string[] {
  const { rule, group, bucketMs, stepMs, partial, hide, levels } = explanation
  const bucket = `the ${formatDuration(stepMs)} that ended ${formatUtc(bucketMs)}`
  const lines = [`${rule} ${group}, ${bucket}`, explanation.verdict]
  if (partial) lines.push(`${partial.alive} of ${partial.known} sources are alive: it may raise, and does not clear`)
  for (const level of levels) lines.push('', ...levelLines(level))
  if (hide) lines.push('', 'hide when', ...treeLines(hide))
  return lines
}

function levelLines({ level, sentence, on, progress, unmet, tree, until }: LevelExplanation): string[] {
  const state = [on ? 'on' : 'off', progress].filter(Boolean).join(', ')
  const lines = [`${level}: ${sentence}`, `  ${state}`]
  if (unmet !== undefined) lines.push(`  because ${unmet}`)
  lines.push(...treeLines(tree))
  if (until) lines.push('  until', ...treeLines(until))
  return lines
}

interface Row {
  text: string
  shown: string
  notes: string
}

function treeLines(tree: ValueNode): string[] {
  const rows: Row[] = []
  collect(tree, '  ', '  ', rows)
  const width = Math.min(textWidthMax, Math.max(...rows.map(({ text }) => text.length)))
  const shownWidth = Math.max(...rows.map(({ shown }) => shown.length))
  return rows.map(({ text, shown, notes }) =>
    `${text.padEnd(width)}  ${shown.padEnd(notes ? shownWidth : 0)}${notes ? `  ${notes}` : ''}`.trimEnd(),
  )
}

function collect(node: ValueNode, head: string, rest: string, into: Row[]): void {
  const shown = node.shown || (typeof node.value === 'boolean' ? truth(Number(node.value)) : '')
  // Said once, where it comes from.
  const isSaidBelow = node.children.some(({ missing }) => missing === node.missing)
  const missing = node.value === null && node.missing && !isSaidBelow ? [node.missing] : []
  const notes = node.kind === 'name' && node.children.length > 0 ? [] : node.notes
  into.push({ text: head + oneLine(node.text), shown, notes: [...missing, ...notes].join('; ') })
  node.children.forEach((child, i) => {
    const isLast = i === node.children.length - 1
    collect(child, `${rest}${isLast ? '└ ' : '├ '}`, `${rest}${isLast ? '  ' : '│ '}`, into)
  })
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
