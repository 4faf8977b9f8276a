/**
 * Path: a metric name with holes and stars, shared by rules, dashboards and the catalogue.
 *
 *     browserid.{process}.http.5*            a hole keeps what it matches, a star lumps
 *     interface-{nic}.octets.{dir:rx|tx}     a hole may be part of a segment and list what it takes
 *     memory.gauge-free.**                   `**` is one or more segments; `*` and `?` stay inside one
 *     requests[process={process}, status=5*] tags alike; tags that are not named may have any value
 *     aws:elb.{name}.latency                 a prefix names the source of the series
 *
 * Series names are as on the bus: `name;tag=value`, `aws:` included, checks and events without their prefix. A hole takes
 * at least one character and, of several ways to match, the shortest; a name that stands twice must match equal text.
 */
import { err, ok, type Result } from './result.ts'

export const pathPrefixes = ['check', 'event', 'aws', 'rule', 'source', 'metric'] as const
export type PathPrefix = '' | (typeof pathPrefixes)[number]

export interface PathPattern {
  text: string
  prefix: PathPrefix
  segments: readonly PathSegment[]
  tags: readonly PathTag[]
  /** Names of the holes in order of first appearance. */
  holes: readonly string[]
  /** True where a star, `?` or `**` lumps what differs, so that one group may hold many series. */
  lumps: boolean
  /** Matches the name without prefix and tags; its groups are `groupHoles`. */
  expression: RegExp
  groupHoles: readonly number[]
}

export type PathPart =
  | { kind: 'literal'; text: string }
  | { kind: 'star' }
  | { kind: 'one' }
  | { kind: 'hole'; name: string; globs: readonly string[]; fact?: string }

/** `**`, or the parts of one segment. */
export type PathSegment = { kind: 'deep' } | { kind: 'parts'; parts: readonly PathPart[] }

/** `name=glob|glob` or `name={hole:glob|glob}`; without globs anything matches. */
export interface PathTag {
  name: string
  globs: readonly string[]
  hole?: string
  /** `{host.router}`: the hole's value looked up in the facts; only where a rule is referred to. */
  fact?: string
  expression: RegExp
}

/** Column counts from 1 within the text. */
export interface PathError {
  column: number
  message: string
}

/** Parses one path; never throws. */
export function parsePath(text: string): Result<PathPattern, PathError> {
  try {
    return ok(new PathReader(text).read())
  } catch (error) {
    if (error instanceof Fault) return err({ column: error.at + 1, message: error.message })
    throw error
  }
}

/** The holes' values in order where the series matches; undefined where it does not. */
export function matchPath(pattern: PathPattern, seriesName: string): readonly string[] | undefined {
  const [name = '', ...written] = seriesName.split(';')
  const tags = written.map((tag): [string, string] => {
    const equals = tag.indexOf('=')
    return equals < 0 ? [tag, ''] : [tag.slice(0, equals), tag.slice(equals + 1)]
  })
  return matchTagged(pattern, name, new Map(tags))
}

/** As matchPath, for a name and its tags apart, such as an event's. */
export function matchTagged(
  pattern: PathPattern,
  name: string,
  tags: { get(name: string): string | undefined },
): readonly string[] | undefined {
  const isAws = name.startsWith('aws:')
  if (isAws !== (pattern.prefix === 'aws')) return undefined
  const found = pattern.expression.exec(isAws ? name.slice(4) : name)
  if (!found) return undefined
  const values = new Array<string | undefined>(pattern.holes.length).fill(undefined)
  for (let i = 0; i < pattern.groupHoles.length; i++) {
    if (!keep(values, pattern.groupHoles[i] as number, found[i + 1] as string)) return undefined
  }
  for (const tag of pattern.tags) {
    const value = tags.get(tag.name)
    if (value === undefined || !tag.expression.test(value)) return undefined
    if (tag.hole !== undefined && !keep(values, pattern.holes.indexOf(tag.hole), value)) return undefined
  }
  return values as string[]
}

/** A name that holds nothing but its text, so that it can be looked up; undefined where there are holes, stars or tags. */
export function literalName(pattern: PathPattern): string | undefined {
  if (pattern.holes.length > 0 || pattern.lumps || pattern.tags.length > 0) return undefined
  const name = pattern.segments.map((segment) => literalText(segment) ?? '').join('.')
  return pattern.prefix === 'aws' ? `aws:${name}` : name
}

/** The text of a segment without holes and stars; undefined for others. */
export function literalText(segment: PathSegment): string | undefined {
  if (segment.kind === 'deep') return undefined
  let text = ''
  for (const part of segment.parts) {
    if (part.kind !== 'literal') return undefined
    text += part.text
  }
  return text
}

/** The source of a regular expression for one segment; groups are its holes. */
export function segmentSource(segment: PathSegment): string {
  if (segment.kind === 'deep') return '[^.]+(?:\\.[^.]+)*?'
  return segment.parts.map(partSource).join('')
}

function keep(values: (string | undefined)[], index: number, value: string): boolean {
  const known = values[index]
  values[index] = value
  return known === undefined || known === value
}

function partSource(part: PathPart): string {
  if (part.kind === 'literal') return escaped(part.text)
  if (part.kind === 'star') return '[^.]*'
  if (part.kind === 'one') return '[^.]'
  return part.globs.length === 0 ? '([^.]+?)' : `(${part.globs.map((glob) => globSource(glob, '[^.]')).join('|')})`
}

function globSource(glob: string, character: string): string {
  return [...glob].map((c) => (c === '*' ? `${character}*` : c === '?' ? character : escaped(c))).join('')
}

function tagExpression(globs: readonly string[]): RegExp {
  const source = globs.length === 0 ? '.+' : globs.map((glob) => globSource(glob, '.')).join('|')
  return new RegExp(`^(?:${source})$`, 's')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}

class Fault extends Error {
  readonly at: number
  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

const nameAt = /[a-z_][a-z0-9_]*/y
const literalAt = /[\p{L}\p{N}_\-@+~$#]+/uy
const holeGlobAt = /[\p{L}\p{N}_\-@+~$#*?]+/uy
const tagGlobAt = /[^\s,\]|{}="']+/uy
const tagNameAt = /[\p{L}_][\p{L}\p{N}_\-.]*/uy

/** Reads a path from left to right; throws Fault where it cannot go on. */
class PathReader {
  readonly #text: string
  readonly #holes: string[] = []
  #lumps = false
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): PathPattern {
    const prefix = this.#prefix()
    const startAt = this.#at
    const segments: PathSegment[] = []
    if (this.#at < this.#text.length && this.#text[this.#at] !== '[') {
      do segments.push(this.#segment())
      while (this.#take('.'))
    }
    const groupHoles = this.#groupHoles(segments)
    const tags = this.#text[this.#at] === '[' ? this.#tags() : []
    if (this.#at < this.#text.length) throw new Fault(this.#at, `"${this.#text[this.#at]}" cannot stand in a path`)
    if (segments.length === 0 && tags.length === 0) throw new Fault(startAt, 'a path needs a name')
    const source = segments.length === 0 ? '.+' : segments.map(segmentSource).join('\\.')
    const expression = new RegExp(`^${source}$`, 'u')
    const lumps = this.#lumps || segments.length === 0
    return { text: this.#text, prefix, segments, tags, holes: this.#holes, lumps, expression, groupHoles }
  }

  #prefix(): PathPrefix {
    const found = /^([a-z]+):/.exec(this.#text)
    if (!found) return ''
    const prefix = pathPrefixes.find((known) => known === found[1])
    if (!prefix) throw new Fault(0, `no prefix is called "${found[1]}"; there are ${pathPrefixes.join(', ')}`)
    this.#at = found[0].length
    return prefix
  }

  #segment(): PathSegment {
    if (this.#text.startsWith('**', this.#at) && /^(\.|\[|$)/.test(this.#text.slice(this.#at + 2))) {
      this.#at += 2
      this.#lumps = true
      return { kind: 'deep' }
    }
    const parts: PathPart[] = []
    for (let part = this.#part(); part; part = this.#part()) parts.push(part)
    if (parts.length === 0) throw new Fault(this.#at, this.#emptySegment())
    return { kind: 'parts', parts }
  }

  #emptySegment(): string {
    const next = this.#text[this.#at]
    return next === undefined || next === '.' ? 'a segment is empty' : `"${next}" cannot stand in a path`
  }

  #part(): PathPart | undefined {
    const literal = this.#match(literalAt)
    if (literal !== undefined) return { kind: 'literal', text: literal }
    if (this.#take('*')) {
      if (this.#text[this.#at] === '*') throw new Fault(this.#at - 1, '"**" must be a segment of its own')
      this.#lumps = true
      return { kind: 'star' }
    }
    if (this.#take('?')) {
      this.#lumps = true
      return { kind: 'one' }
    }
    if (this.#text[this.#at] === '{') return this.#hole(holeGlobAt)
    return undefined
  }

  #hole(globAt: RegExp): PathPart & { kind: 'hole' } {
    this.#at++
    const name = this.#match(nameAt)
    if (name === undefined) throw new Fault(this.#at, 'a hole needs a name of a-z, 0-9 and _, such as {host}')
    const fact = this.#take('.') ? this.#match(nameAt) : undefined
    const globs = this.#take(':') ? this.#globs(globAt) : []
    if (!this.#take('}')) throw new Fault(this.#at, 'expected "}" at the end of the hole')
    if (!this.#holes.includes(name)) this.#holes.push(name)
    return { kind: 'hole', name, globs, ...(fact !== undefined && { fact }) }
  }

  #globs(allowed: RegExp): string[] {
    const globs: string[] = []
    do {
      const glob = this.#match(allowed)
      if (glob === undefined) throw new Fault(this.#at, 'expected a value, such as rx or 5*')
      globs.push(glob)
    } while (this.#take('|'))
    return globs
  }

  #tags(): PathTag[] {
    const tags: PathTag[] = []
    this.#at++
    do {
      this.#spaces()
      tags.push(this.#tag())
      this.#spaces()
    } while (this.#take(','))
    if (!this.#take(']')) throw new Fault(this.#at, 'expected "," or "]" after a tag')
    return tags
  }

  #tag(): PathTag {
    const name = this.#match(tagNameAt)
    if (name === undefined) throw new Fault(this.#at, 'expected a tag, such as process={process}')
    this.#spaces()
    if (!this.#take('=')) throw new Fault(this.#at, `expected "=" after the tag ${name}`)
    this.#spaces()
    if (this.#text[this.#at] !== '{') {
      const globs = this.#globs(tagGlobAt)
      if (globs.some((glob) => /[*?]/.test(glob)) || globs.length > 1) this.#lumps = true
      return { name, globs, expression: tagExpression(globs) }
    }
    const { name: hole, globs, fact } = this.#hole(tagGlobAt)
    return { name, globs, hole, expression: tagExpression(globs), ...(fact !== undefined && { fact }) }
  }

  #groupHoles(segments: readonly PathSegment[]): number[] {
    const parts = segments.flatMap((segment) => (segment.kind === 'deep' ? [] : segment.parts))
    return parts.flatMap((part) => (part.kind === 'hole' ? [this.#holes.indexOf(part.name)] : []))
  }

  #spaces(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #match(allowed: RegExp): string | undefined {
    allowed.lastIndex = this.#at
    const found = allowed.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}
