/**
 * Router: which leaves a series belongs to, found once per series through a trie of path segments.
 */
import { literalText, matchPath, matchTagged, type PathPattern, parsePath, segmentSource } from '../model/path.ts'
import { projection } from './groups.ts'
import type { LeafRun } from './leaf.ts'

export interface Match<L extends LeafRun> {
  leaf: L
  values: readonly string[]
}

interface Entry<L extends LeafRun> {
  leaf: L
  pattern: PathPattern
  project: (values: readonly string[]) => readonly string[]
}

interface TrieNode<L extends LeafRun> {
  literal: Map<string, TrieNode<L>>
  patterns: { source: string; expression: RegExp; node: TrieNode<L> }[]
  entries: Entry<L>[]
}

const knownMax = 200_000

export class Router<L extends LeafRun> {
  readonly #root: TrieNode<L> = emptyNode()
  /** Patterns with `**`, tried one by one. */
  readonly #deep: Entry<L>[] = []
  readonly #known = new Map<string, readonly Match<L>[]>()

  add(leaf: L): void {
    const parsed = parsePath(leaf.leaf.path)
    if (!parsed.ok) return
    const pattern = parsed.value
    const entry = { leaf, pattern, project: projection(pattern.holes, leaf.leaf.names) }
    if (pattern.segments.length === 0 || pattern.segments.some(({ kind }) => kind === 'deep')) this.#deep.push(entry)
    else this.#nodeOf(pattern).entries.push(entry)
  }

  /** The leaves of a series, and the group it belongs to in each; remembered. */
  match(series: string): readonly Match<L>[] {
    let known = this.#known.get(series)
    if (!known) {
      if (this.#known.size >= knownMax) this.#known.clear()
      const name = series.split(';', 1)[0] as string
      known = this.#find(name, (pattern) => matchPath(pattern, series))
      this.#known.set(series, known)
    }
    return known
  }

  /** As match, for an event, whose tags vary too much to be remembered. */
  matchEvent(name: string, tags: Readonly<Record<string, string>>): readonly Match<L>[] {
    const lookup = { get: (tag: string) => (Object.hasOwn(tags, tag) ? tags[tag] : undefined) }
    return this.#find(name, (pattern) => matchTagged(pattern, name, lookup))
  }

  #find(name: string, match: (pattern: PathPattern) => readonly string[] | undefined): Match<L>[] {
    const candidates = [...this.#deep]
    const segments = (name.startsWith('aws:') ? name.slice(4) : name).split('.')
    this.#walk(this.#root, segments, 0, candidates)
    const found: Match<L>[] = []
    for (const { leaf, pattern, project } of candidates) {
      const values = match(pattern)
      if (values) found.push({ leaf, values: project(values) })
    }
    return found
  }

  #walk(node: TrieNode<L>, segments: readonly string[], depth: number, into: Entry<L>[]): void {
    if (depth === segments.length) {
      into.push(...node.entries)
      return
    }
    const segment = segments[depth] as string
    const literal = node.literal.get(segment)
    if (literal) this.#walk(literal, segments, depth + 1, into)
    for (const { expression, node: next } of node.patterns) {
      if (expression.test(segment)) this.#walk(next, segments, depth + 1, into)
    }
  }

  #nodeOf(pattern: PathPattern): TrieNode<L> {
    let node = this.#root
    for (const segment of pattern.segments) {
      const literal = literalText(segment)
      if (literal !== undefined) {
        let next = node.literal.get(literal)
        if (!next) {
          next = emptyNode()
          node.literal.set(literal, next)
        }
        node = next
        continue
      }
      const source = segmentSource(segment)
      let known = node.patterns.find((other) => other.source === source)
      if (!known) {
        known = { source, expression: new RegExp(`^${source}$`, 'u'), node: emptyNode() }
        node.patterns.push(known)
      }
      node = known.node
    }
    return node
  }
}

function emptyNode<L extends LeafRun>(): TrieNode<L> {
  return { literal: new Map(), patterns: [], entries: [] }
}
