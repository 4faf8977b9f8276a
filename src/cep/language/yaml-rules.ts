/**
 * Rule files as YAML: every text keeps where it stands, character by character, so that a problem inside a sentence is
 * located in the file, also in quoted and folded scalars.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import { suggest } from '../../runtime/problem.ts'
import { keyCure } from './cures.ts'
import type { RuleProblem, RuleProblemCode } from './problems.ts'
import type { Range } from './syntax.ts'

/** A text of the file and, for each of its characters, the offset in the file. */
export interface LocatedText {
  file: SourceFile
  text: string
  offsets: readonly number[]
}

const tears =
  /^(Unexpected |Not a YAML token|Tabs are not allowed|All mapping items must start|Missing , or : between flow|Implicit map keys need|Flow map|Flow sequence|Implicit keys|Block collections are|A block sequence may|Sequence item without|All sequence items)/
const tornMessage = 'this cannot be read as YAML from here on'
const quotesHelp =
  'inside { } and [ ] a text with braces, brackets or commas needs quotes, as does one that begins with them'

const listHelp = 'the items of a list begin with "- " in the same column, further to the right than its key'
const flowHelp = 'inside { } a comma ends a text: put a text with commas in quotes'

/** One file under examination; collects its problems. */
export class SourceFile {
  readonly path: string
  readonly text: string
  readonly problems: RuleProblem[] = []
  /** Offsets at which lines begin; counted here, since YAML that is torn is counted wrong elsewhere. */
  readonly #lineStarts: readonly number[]
  readonly #document: Document
  readonly #byPlace = new Map<string, readonly RuleProblem[]>()
  #isTorn = false

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
    this.#lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
    this.#document = parseDocument(text, {
      version: '1.2',
      merge: false,
      prettyErrors: false,
      uniqueKeys: true,
    })
    for (const error of this.#document.errors) this.#reportYaml(error.message, error.pos[0])
  }

  /** Where YAML loses its way, only the first place is told: what follows is the same mistake again and again. */
  #reportYaml(message: string, at: number): void {
    const isTear = tears.test(message)
    const line = this.#placeOf(at).line
    const isTold = this.problems.some((other) => other.line === line)
    if (!(isTear && (this.#isTorn || isTold))) {
      const lineStart = this.text.lastIndexOf('\n', at - 1) + 1
      const before = this.text.slice(lineStart, at)
      const indent = /^\s*/.exec(this.text.slice(lineStart))?.[0].length ?? 0
      const [, quote] = /^Missing closing (["'])/.exec(message) ?? []
      const opened = quote === undefined ? -1 : this.text.lastIndexOf(quote, at - 1)
      const place = opened >= 0 ? opened : Math.max(at, lineStart + indent)
      this.report({ code: 'syntax', length: 1, at: place, ...plainYamlError(message, before) })
    }
    if (isTear) this.#isTorn = true
  }

  get root(): unknown {
    return this.resolve(this.#document.contents)
  }

  resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node
  }

  report(what: {
    code: RuleProblemCode
    message: string
    at: number
    length: number
    help?: string | undefined
    severity?: 'error' | 'warning'
  }): void {
    // In a torn file keys and values stand where nobody wrote them.
    if (this.#isTorn && (what.code === 'file' || / no such key as | is not declared/.test(what.message))) return
    const { line, col } = this.#placeOf(Math.min(what.at, this.text.length))
    // What YAML itself cannot read is told once, not again as a text that is none.
    const place = `${line}:${col}`
    const here = this.#byPlace.get(place) ?? []
    const isKnown = here.some(
      (other) => other.message === what.message || (what.code === 'file' && other.code === 'syntax'),
    )
    if (isKnown) return
    const start = this.#lineStarts[line - 1] as number
    const source = this.text.slice(start, (this.#lineStarts[line] ?? this.text.length + 1) - 1).replace(/\r$/, '')
    const problem: RuleProblem = {
      file: this.path,
      line,
      column: col,
      code: what.code,
      severity: what.severity ?? 'error',
      message: what.message,
      length: Math.max(1, Math.min(what.length, source.length - col + 1)),
      source,
      ...(what.help !== undefined && { help: what.help }),
    }
    this.problems.push(problem)
    this.#byPlace.set(place, [...here, problem])
  }

  #placeOf(at: number): { line: number; col: number } {
    let [low, high] = [0, this.#lineStarts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#lineStarts[middle] as number) <= at) low = middle
      else high = middle - 1
    }
    return { line: low + 1, col: at - (this.#lineStarts[low] as number) + 1 }
  }

  /** Reports a problem of a whole node. */
  reportNode(node: unknown, message: string, help?: string, code: RuleProblemCode = 'file'): void {
    const range = (node as Node | undefined)?.range
    const at = range?.[0] ?? 0
    this.report({ code, message, at, length: (range?.[1] ?? at + 1) - at, help })
  }

  lineOf(node: unknown): number {
    return this.#placeOf((node as Node | undefined)?.range?.[0] ?? 0).line
  }
}

/** Entries of a mapping in order; reports what is no mapping and keys that are not known. */
export function entriesOf(
  file: SourceFile,
  node: unknown,
  what: string,
  known?: readonly string[],
): [string, unknown, Node][] {
  const resolved = file.resolve(node)
  if (!isMap(resolved)) {
    file.reportNode(
      resolved ?? node,
      `${what}: expected a mapping, found ${foundText(resolved)}`,
      mappingHelp(resolved),
    )
    return []
  }
  const entries: [string, unknown, Node][] = []
  for (const pair of mergedItems(file, resolved as YAMLMap)) {
    const key = String(isScalar(pair.key) ? pair.key.value : pair.key)
    if (known && !known.includes(key)) {
      const meant = suggest(key, known)
      const help = keyCure(key, known) ?? (meant ? `did you mean "${meant}"?` : `known here: ${known.join(', ')}`)
      file.reportNode(pair.key, `${what}: there is no such key as "${key}"`, help, 'name')
      continue
    }
    if (pair.value === null || pair.value === undefined) {
      const isFlow = (resolved as YAMLMap).flow === true
      file.reportNode(pair.key, `${key} has no value`, isFlow ? flowHelp : undefined)
      continue
    }
    const value = file.resolve(pair.value)
    if (value === undefined && isAlias(pair.value)) {
      file.reportNode(
        pair.value,
        `there is no anchor called "${pair.value.source}" before this`,
        'a text that begins with * needs quotes',
        'name',
      )
      continue
    }
    entries.push([key, value, pair.key as Node])
  }
  return entries
}

/** The pairs of a mapping, with those that `<<` takes from an anchor and the mapping does not say itself. */
function mergedItems(file: SourceFile, map: YAMLMap): readonly Pair[] {
  const keyOf = (pair: Pair) => String(isScalar(pair.key) ? pair.key.value : pair.key)
  const own = map.items.filter((pair) => keyOf(pair) !== '<<')
  const merged = map.items.filter((pair) => keyOf(pair) === '<<')
  for (const { value } of merged) {
    const from = file.resolve(value)
    if (!isMap(from)) continue
    const known = new Set(own.map(keyOf))
    own.push(...mergedItems(file, from as YAMLMap).filter((pair) => !known.has(keyOf(pair))))
  }
  return own
}

export function itemsOf(file: SourceFile, node: unknown, what: string): unknown[] {
  if (isSeq(node)) return node.items.map((item) => file.resolve(item))
  const help = isMap(node) ? 'begin each item with "- "' : undefined
  file.reportNode(node, `${what}: expected a list, found ${foundText(node)}`, help)
  return []
}

/** A scalar as text with its offsets; undefined, and reported, for anything else. */
export function textOf(file: SourceFile, node: unknown, what: string): LocatedText | undefined {
  if (!isScalar(node) || node.value === null || node.value === undefined || !node.range) {
    const help = isMap(node) || isSeq(node) ? quotesHelp : undefined
    file.reportNode(node, `${what}: expected a text, found ${foundText(node)}`, help)
    return undefined
  }
  // A number or a boolean is the text it was written as.
  const text = typeof node.value === 'string' ? node.value : String(node.source ?? node.value)
  return { file, text, offsets: offsetsOf(file.text, node, text) }
}

function foundText(node: unknown): string {
  if (isMap(node)) return 'a mapping'
  if (isSeq(node)) return 'a list'
  return isScalar(node) && node.value !== null && node.value !== undefined ? 'a text' : 'nothing'
}

function mappingHelp(node: unknown): string | undefined {
  return isScalar(node) && (node.value === null || node.value === undefined)
    ? 'what belongs to it stands below it, further to the right'
    : undefined
}

/** Reports a problem in a range of a located text. */
export function reportRange(
  { file, offsets, text }: LocatedText,
  range: Range,
  code: RuleProblemCode,
  message: string,
  help?: string,
  severity: 'error' | 'warning' = 'error',
): void {
  const last = offsets[text.length] ?? 0
  const at = offsets[range.start] ?? last
  const end = range.end > range.start ? (offsets[range.end - 1] ?? last) + 1 : at + 1
  file.report({ code, message, at, length: end - at, help, severity })
}

/** Walks the scalar's source beside its value; folded line ends stand for one blank or line end. */
function offsetsOf(source: string, node: Scalar, value: string): number[] {
  const [start, end] = node.range as [number, number, number]
  const offsets: number[] = []
  const isQuoted = node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE'
  let at = isQuoted ? start + 1 : start
  if (node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL') at = source.indexOf('\n', start) + 1
  for (let i = 0; i < value.length; i++) {
    const wanted = value[i] as string
    if (source[at] !== wanted) at = skipTo(source, at, end, wanted)
    offsets.push(Math.min(at, end))
    at += node.type === 'QUOTE_DOUBLE' && source[at] === '\\' ? escapeLength(source, at) : 1
    if (node.type === 'QUOTE_SINGLE' && wanted === "'") at++
  }
  offsets.push(Math.min(at, end))
  return offsets
}

function skipTo(source: string, at: number, end: number, wanted: string): number {
  if (source[at] === '\\') return at
  let next = at
  while (next < end && /\s/.test(source[next] as string) && source[next] !== wanted) next++
  return /\s/.test(wanted) || source[next] === wanted ? (/\s/.test(wanted) ? at : next) : at
}

function escapeLength(source: string, at: number): number {
  const kind = source[at + 1]
  return kind === 'x' ? 4 : kind === 'u' ? 6 : kind === 'U' ? 10 : 2
}

/** What YAML says, in the words of someone who wrote a rule. */
const yamlWords: readonly (readonly [begins: string, message: string, help?: string])[] = [
  ['Map keys must be unique', 'this key stands twice in the same mapping'],
  ['Nested mappings are not allowed', '": " may not stand inside a plain text; put the whole text in quotes'],
  ['Tabs are not allowed', 'a tab cannot indent', 'indent with spaces'],
  [
    'All mapping items must start',
    'this begins in another column than its neighbours',
    'what belongs together begins in the same column; what belongs to a key stands further to the right',
  ],
  ['Missing closing', 'this quote is never closed', 'a text in quotes ends with the same quote'],
  ['Plain value cannot start', 'a text cannot begin with this sign', 'put the whole text in quotes'],
  ['Alias cannot be', 'a text cannot begin with *', 'put the whole text in quotes'],
  ['Anchor cannot be', 'a text cannot begin with &', 'put the whole text in quotes'],
  ['Source contains multiple documents', 'a file is one document, and this begins another', 'leave out --- and ...'],
  ['A block sequence may', 'a list cannot begin here', listHelp],
  ['Sequence item without', 'an item of a list begins with "- "', listHelp],
  ['All sequence items', 'this begins in another column than its neighbours', listHelp],
  ['Block collections are', 'a { or [ before this is not closed', quotesHelp],
]

/** `before` is what stands in the line before the place. */
function plainYamlError(text: string, before: string): { message: string; help?: string } {
  const message = text.replace(/\n[\s\S]*$/, '')
  const [, words, help] = yamlWords.find(([begins]) => message.startsWith(begins)) ?? []
  if (words !== undefined) return { message: words, ...(help !== undefined && { help }) }
  if (tears.test(message)) return { message: tornMessage, ...(/[{[]/.test(before) && { help: quotesHelp }) }
  return { message }
}
