/** Unmet: the first part of a condition because of which it does not hold, in words. */
import type { ValueNode } from './values.ts'

/** Undefined where it holds. */
export function firstUnmet(node: ValueNode): string | undefined {
  if (node.value === true) return undefined
  const [left, right] = node.children
  switch (node.kind) {
    case 'and': {
      // False for good where one side is, whatever the other lacks.
      const first = [left, right].find((side) => side?.value === node.value) ?? left
      return first ? firstUnmet(first) : said(node)
    }
    case 'or':
      return [left, right].flatMap((side) => (side ? (firstUnmet(side) ?? []) : [])).join(', and ') || said(node)
    case 'name':
      return left ? firstUnmet(left) : said(node)
    case 'compare':
      return comparison(node)
    default:
      return said(node)
  }
}

/** `bad / all > 5% is not met: bad / all is 3.1%`. */
function comparison(node: ValueNode): string {
  if (node.value === null) return said(node)
  const sides = node.children.map(({ text, shown }) => `${text} is ${shown}`).join(', ')
  return `${node.text} is not met: ${sides}`
}

function said(node: ValueNode): string {
  if (node.value === null) return `${node.text} is missing${node.missing ? `: ${node.missing}` : ''}`
  const members = node.children.find(({ kind, text }) => kind === 'member' && text.includes(' hold'))
  const states = node.children
    .filter(({ kind, shown }) => kind !== 'member' && shown !== '')
    .map(({ text, shown }) => `${text} is ${shown}`)
  const because = members?.text.split(',')[0] ?? states.join(', ') ?? ''
  const notes = node.notes.length > 0 && because === '' ? node.notes.join('; ') : because
  return `${node.text} is not met${notes ? `: ${notes}` : ''}`
}
