/**
 * Log path: the path of an entry as what finds files and as what names parts of their paths.
 *
 *     /var/log/nginx/{site}.access.log     finds like *, and {site} is what stood there
 *     /srv/*\/log/**\/*.log   [a-z]   ?    as in a shell; {a,b} is a choice
 */

/** Files that are the compressed copies of rotated ones. */
const compressed = /\.(gz|bz2|xz|zst|lz4|Z)$/

export class LogPath {
  /** For a shell. */
  readonly glob: string
  readonly #expression: RegExp

  readonly written: string

  constructor(written: string) {
    this.written = written
    this.glob = written.replace(/\{[A-Za-z_]\w*\}/g, '*')
    this.#expression = new RegExp(`^${expressionOf(written)}$`)
  }

  /** What the path's parts are called, `file` being its last part; undefined for a path that is not meant. */
  match(file: string): Record<string, string> | undefined {
    if (compressed.test(file)) return undefined
    const found = this.#expression.exec(file)
    return found ? { file: file.slice(file.lastIndexOf('/') + 1), ...found.groups } : undefined
  }
}

const token = /\*\*\/|\*\*|\*|\?|\[!?[^\]]+\]|\{[A-Za-z_]\w*\}|\{[^{}]*,[^{}]*\}|[^*?[{]+|[[{]/g

function expressionOf(written: string): string {
  const named = new Set<string>()
  return (written.match(token) ?? []).map((part) => expressionPart(part, named)).join('')
}

function expressionPart(part: string, named: Set<string>): string {
  if (part === '**/') return '(?:.*/)?'
  if (part === '**') return '.*'
  if (part === '*') return '[^/]*'
  if (part === '?') return '[^/]'
  if (/^\[.+\]$/.test(part)) return part.replace(/^\[!/, '[^')
  const [, name] = /^\{(\w+)\}$/.exec(part) ?? []
  if (name !== undefined) {
    if (named.has(name)) return `\\k<${name}>`
    named.add(name)
    return `(?<${name}>[^/]+?)`
  }
  if (/^\{.*,.*\}$/.test(part)) return `(?:${part.slice(1, -1).split(',').map(escaped).join('|')})`
  return escaped(part)
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
