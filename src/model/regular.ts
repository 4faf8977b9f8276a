/**
 * Regular: regular expressions that cannot run away. They match a whole text, in time that grows with its length only.
 *
 * People write them into silences and routes, which meet every alert; one with `(a+)+$` must not stop the pager. So they
 * are stepped as a set of places at once (Thompson's way) and know no look-around and no back-references.
 *
 *     a \. \d \w \s .   [a-z0-9_] [^/]   ( ) (?: ) |   * + ? {2} {2,} {2,5}
 */
import { err, ok, type Result } from './result.ts'

/** Places in a compiled expression; counted repetitions multiply them. */
export const placesMax = 2_000
const repeatMax = 100

type One = (character: string) => boolean

type Tree =
  | { kind: 'one'; test: One }
  | { kind: 'sequence'; parts: Tree[] }
  | { kind: 'choice'; parts: Tree[] }
  | { kind: 'repeat'; part: Tree; least: number; most: number }

/** Reads one character and goes on, or goes on at two places, or is the end. */
type Place = { test: One; next: number } | { either: number[] } | 'end'

/** A test for whole texts; the error says what was expected and where, counted from 1. */
export function compileRegular(source: string): Result<(text: string) => boolean, string> {
  try {
    const places = layOut(new Reading(source).whole())
    return ok((text) => runs(places, text))
  } catch (problem) {
    if (problem instanceof Refusal) return err(problem.message)
    throw problem
  }
}

class Refusal extends Error {}

class Reading {
  readonly #characters: readonly string[]
  #at = 0

  constructor(source: string) {
    this.#characters = [...source]
  }

  whole(): Tree {
    const tree = this.#choice()
    if (this.#at < this.#characters.length) this.#refuse('a ")" without its "("')
    return tree
  }

  #choice(): Tree {
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    return parts.length === 1 ? (parts[0] as Tree) : { kind: 'choice', parts }
  }

  #sequence(): Tree {
    const parts: Tree[] = []
    while (this.#now !== undefined && this.#now !== '|' && this.#now !== ')') parts.push(this.#repeated())
    return { kind: 'sequence', parts }
  }

  #repeated(): Tree {
    let tree = this.#atom()
    for (let count = this.#count(); count; count = this.#count()) tree = { kind: 'repeat', part: tree, ...count }
    return tree
  }

  #count(): { least: number; most: number } | undefined {
    if (this.#take('*')) return { least: 0, most: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { least: 1, most: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { least: 0, most: 1 }
    if (!this.#take('{')) return undefined
    let inside = ''
    while (this.#now !== undefined && this.#now !== '}') inside += this.#next()
    const [, least = '', comma, most = ''] = /^(\d{1,3})(?:(,)(\d{0,3}))?$/.exec(inside) ?? []
    if (!this.#take('}') || least === '') this.#refuse('a count such as {2} or {2,5}')
    const upper = comma === undefined ? Number(least) : most === '' ? Number.POSITIVE_INFINITY : Number(most)
    if (Number(least) > repeatMax || (upper !== Number.POSITIVE_INFINITY && upper > repeatMax)) {
      this.#refuse(`a count of at most ${repeatMax}`)
    }
    if (upper < Number(least)) this.#refuse('a count whose second number is not the smaller')
    return { least: Number(least), most: upper }
  }

  #atom(): Tree {
    const character = this.#next()
    if (character === '(') return this.#group()
    if (character === '[') return { kind: 'one', test: this.#set() }
    if (character === '.') return { kind: 'one', test: () => true }
    if (character === '\\') return { kind: 'one', test: this.#escaped() }
    if (character === '^' || character === '$') this.#refuse(`no "${character}": the whole text is matched anyway`)
    if ('*+?{'.includes(character)) this.#refuse(`something to repeat before "${character}"`)
    return { kind: 'one', test: (one) => one === character }
  }

  #group(): Tree {
    if (this.#take('?') && !this.#take(':')) this.#refuse('"(" or "(?:"; look-around is not known')
    const tree = this.#choice()
    if (!this.#take(')')) this.#refuse('a ")"')
    return tree
  }

  #set(): One {
    const isNegated = this.#take('^')
    const tests: One[] = []
    while (this.#now !== ']' || tests.length === 0) {
      if (this.#now === undefined) this.#refuse('a "]"')
      const first = this.#next()
      if (first === '\\') tests.push(this.#escaped())
      else if (this.#now === '-' && this.#characters[this.#at + 1] !== ']') {
        this.#next()
        const last = this.#next()
        if (last < first) this.#refuse('a range whose end is not before its beginning')
        tests.push((one) => one >= first && one <= last)
      } else tests.push((one) => one === first)
    }
    this.#next()
    return (one) => tests.some((test) => test(one)) !== isNegated
  }

  #escaped(): One {
    const character = this.#next()
    const named = { d: /\d/, D: /\D/, w: /\w/, W: /\W/, s: /\s/, S: /\S/ }[character]
    if (named) return (one) => named.test(one)
    if (/[A-Za-z0-9]/.test(character)) this.#refuse(`one of \\d \\w \\s or an escaped sign, got "\\${character}"`)
    return (one) => one === character
  }

  get #now(): string | undefined {
    return this.#characters[this.#at]
  }

  #next(): string {
    const character = this.#characters[this.#at++]
    return character ?? this.#refuse('more')
  }

  #take(character: string): boolean {
    if (this.#now !== character) return false
    this.#at++
    return true
  }

  #refuse(expected: string): never {
    throw new Refusal(`at ${Math.min(this.#at, this.#characters.length) + 1}: expected ${expected}`)
  }
}

/** From the end to the beginning, so that each place knows where it goes on. */
function layOut(tree: Tree): Place[] {
  const places: Place[] = ['end']
  const add = (place: Place) => {
    if (places.push(place) > placesMax) throw new Refusal(`it is too large: more than ${placesMax} places`)
    return places.length - 1
  }
  const lay = (part: Tree, next: number): number => {
    if (part.kind === 'one') return add({ test: part.test, next })
    if (part.kind === 'sequence') return part.parts.reduceRight((after, inner) => lay(inner, after), next)
    if (part.kind === 'choice') return add({ either: part.parts.map((inner) => lay(inner, next)) })
    let at = part.most === Number.POSITIVE_INFINITY ? loop(part.part, next) : next
    if (at === next) for (let i = part.least; i < part.most; i++) at = add({ either: [next, lay(part.part, at)] })
    for (let i = 0; i < part.least; i++) at = lay(part.part, at)
    return at
  }
  const loop = (part: Tree, next: number): number => {
    const place = { either: [next] }
    const at = add(place)
    place.either.push(lay(part, at))
    return at
  }
  add({ either: [lay(tree, 0)] })
  return places
}

function runs(places: readonly Place[], text: string): boolean {
  let here = new Set<number>()
  enter(places, places.length - 1, here)
  for (const character of text) {
    const after = new Set<number>()
    for (const at of here) {
      const place = places[at]
      if (typeof place === 'object' && 'test' in place && place.test(character)) enter(places, place.next, after)
    }
    if (after.size === 0) return false
    here = after
  }
  return here.has(0)
}

/** The place and all that are reached from it without a character. */
function enter(places: readonly Place[], from: number, into: Set<number>): void {
  const open = [from]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (into.has(at)) continue
    into.add(at)
    const place = places[at]
    if (typeof place === 'object' && 'either' in place) open.push(...place.either)
  }
}
