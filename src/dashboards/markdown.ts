/**
 * Markdown: our documents as HTML, plainly. Pure; never throws; every text is escaped.
 *
 * It reads what docs/ is written in: headings (each with an id, so that a runbook can be linked to), paragraphs, lists, tables,
 * fenced code; in a line code, bold, emphasis and links. What else there is stays as it is written.
 */

/** Where a link's target leads; undefined where it leads nowhere that can be shown. */
export type LinkOf = (target: string) => string | undefined

export function markdownToHtml(text: string, linkOf: LinkOf): string {
  const lines = text.split(/\r?\n/)
  const blocks: string[] = []
  for (let at = 0; at < lines.length; ) {
    const [html, next] = block(lines, at, linkOf)
    if (html !== '') blocks.push(html)
    at = next
  }
  return blocks.join('\n')
}

/** As GitHub makes it: `What is unusual?` is `what-is-unusual`. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')
}

/** One block's HTML and the line after it. */
function block(lines: readonly string[], at: number, linkOf: LinkOf): [string, number] {
  const line = lines[at] as string
  if (line.trim() === '') return ['', at + 1]
  if (isFence(line)) return fence(lines, at)
  const heading = /^(#{1,6}) (.*)$/.exec(line)
  if (heading) return [headingOf(heading[1] as string, heading[2] as string, linkOf), at + 1]
  if (isRow(line)) return table(lines, at, linkOf)
  if (isItem(line)) return list(lines, at, linkOf)
  const end = endOf(
    lines,
    at,
    (other) => other.trim() !== '' && !isFence(other) && !isItem(other) && !/^#{1,6} /.test(other),
  )
  return [`<p>${inline(lines.slice(at, end).join('\n'), linkOf)}</p>`, end]
}

const isFence = (line: string) => line.startsWith('```')
const isRow = (line: string) => line.startsWith('|')
const isItem = (line: string) => /^(?:[-*]|\d+\.) /.test(line)

/** The first line after `at` that does not belong any more. */
function endOf(lines: readonly string[], at: number, belongs: (line: string) => boolean): number {
  let end = at + 1
  while (end < lines.length && belongs(lines[end] as string)) end++
  return end
}

function fence(lines: readonly string[], at: number): [string, number] {
  const end = endOf(lines, at, (line) => !isFence(line))
  return [`<pre>${escaped(lines.slice(at + 1, end).join('\n'))}</pre>`, end + 1]
}

function headingOf(marks: string, text: string, linkOf: LinkOf): string {
  const tag = `h${marks.length}`
  return `<${tag} id="${escaped(anchorOf(text))}">${inline(text, linkOf)}</${tag}>`
}

function table(lines: readonly string[], at: number, linkOf: LinkOf): [string, number] {
  const end = endOf(lines, at, isRow)
  const rows = lines.slice(at, end).filter((line) => !/^[|:\s-]+$/.test(line))
  const html = rows.map((row, index) => {
    const tag = index === 0 ? 'th' : 'td'
    return `<tr>${cells(row)
      .map((cell) => `<${tag}>${inline(cell, linkOf)}</${tag}>`)
      .join('')}</tr>`
  })
  return [`<table>${html.join('')}</table>`, end]
}

/** A `|` in a cell is written `\|`. */
function cells(row: string): string[] {
  const inner = row
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '')
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/** Items may go on in indented lines; lists in lists become one. */
function list(lines: readonly string[], at: number, linkOf: LinkOf): [string, number] {
  const end = endOf(lines, at, (line) => isItem(line) || /^ +\S/.test(line))
  const items: string[] = []
  for (const line of lines.slice(at, end)) {
    const mark = /^ *(?:[-*]|\d+\.) (.*)$/.exec(line)
    if (mark) items.push(mark[1] as string)
    else items.push(`${items.pop() ?? ''}\n${line.trim()}`)
  }
  const tag = /^\d/.test(lines[at] as string) ? 'ol' : 'ul'
  return [`<${tag}>${items.map((item) => `<li>${inline(item, linkOf)}</li>`).join('')}</${tag}>`, end]
}

/** A link's label may hold code, even with a `]` in it. */
function inline(text: string, linkOf: LinkOf): string {
  const links = /!?\[((?:`[^`]*`|[^\]`])*)\]\(([^()\s]*)\)/g
  let html = ''
  let from = 0
  for (const found of text.matchAll(links)) {
    html += marked(text.slice(from, found.index)) + link(found[0], found[1] as string, found[2] as string, linkOf)
    from = found.index + found[0].length
  }
  return html + marked(text.slice(from))
}

function link(whole: string, label: string, target: string, linkOf: LinkOf): string {
  const href = whole.startsWith('!') ? undefined : linkOf(target)
  return href === undefined
    ? marked(label)
    : `<a href="${escaped(href)}" rel="noreferrer noopener">${marked(label)}</a>`
}

/** What stands between two backquotes is code, in which nothing else means anything. */
function marked(text: string): string {
  const pieces = text.split('`')
  if (pieces.length % 2 === 0) return emphasised(escaped(text))
  return pieces
    .map((piece, at) => (at % 2 === 1 ? `<code>${escaped(piece)}</code>` : emphasised(escaped(piece))))
    .join('')
}

function emphasised(html: string): string {
  return html.replace(/\*\*([^*\n]+)\*\*/g, '<strong>$1</strong>').replace(/\*([^*\s][^*\n]*)\*/g, '<em>$1</em>')
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
