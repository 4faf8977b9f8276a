/**
 * Given: what a test says about one series, parsed. The text of §15 of the rule language:
 *
 *     100 for 5m, 3 for 4m, nothing for 2m, 100       a value each step; the last one runs to the end
 *     [0, 0.4, _, 1.2], 0                             one value a step, _ is a gap
 *     100 to 40 for 10h, 40 ± 2                       a ramp, then seeded noise
 *     95x100ms + 5x900ms                              a hundred timer samples each step
 *     ok for 5m, crit for 10m, ok                     results of a check
 *
 * Only the text: units are converted and steps counted in series.ts.
 */
import type { CheckState } from '../../model/check.ts'
import { parseDuration } from '../../model/duration.ts'
import { err, ok, type Result } from '../../model/result.ts'

/** A number with its unit as written, '' for none. */
export interface Quantity {
  value: number
  unit: string
}

/** What one step holds. */
export type Item =
  | { kind: 'number'; quantity: Quantity }
  | { kind: 'samples'; groups: readonly { count: number; quantity: Quantity }[] }
  | { kind: 'state'; state: CheckState }
  | { kind: 'nothing' }

export type Segment =
  | { kind: 'list'; items: readonly Item[] }
  | { kind: 'hold'; item: Item; durationMs: number | undefined }
  | { kind: 'ramp'; from: Quantity; to: Quantity; durationMs: number }
  | { kind: 'noise'; centre: Quantity; spread: Quantity; durationMs: number | undefined }

/** Where in the text, and what; `help` says how to mend it. */
export interface GivenError {
  at: number
  length: number
  message: string
  help?: string
}

export const unitPattern = '%|ms|s|m|h|d|w|[kMGT]?B|[KMGT]iB|[kMG]?bit'
const quantityPattern = new RegExp(
  `(-?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?)(${unitPattern})?(?![A-Za-z0-9_.%])`,
  'y',
)
/** Samples that one step may hold: a slip such as 1000000000x must not stop the machine. */
const samplesMax = 100_000
const states: readonly string[] = ['ok', 'warn', 'crit', 'unknown']

/** Parses the text after a series in `given:`. Never throws. */
export function parseGiven(text: string): Result<Segment[], GivenError> {
  const reader = new Reader(text)
  try {
    const segments = [readSegment(reader)]
    while (reader.take(',')) segments.push(readSegment(reader))
    if (!reader.atEnd)
      reader.fail('expected "," or the end', 'values follow each other with commas: 1 for 5m, 9 for 2m, 1')
    const open = segments.findIndex((segment, i) => i < segments.length - 1 && isOpen(segment))
    if (open >= 0)
      reader.failAt(
        reader.starts[open] as number,
        'only the last value may go without "for"',
        'say how long, such as "100 for 5m"',
      )
    return ok(segments)
  } catch (error) {
    if (error instanceof GivenFailure) return err(error.problem)
    throw error
  }
}

function isOpen(segment: Segment): boolean {
  return segment.kind !== 'list' && segment.durationMs === undefined
}

function readSegment(reader: Reader): Segment {
  reader.begin()
  if (reader.take('[')) return readList(reader)
  const item = readItem(reader)
  if (item.kind === 'number') {
    if (reader.takeWord('to')) {
      const to = reader.quantity()
      const durationMs = readFor(reader)
      if (durationMs === undefined) return reader.fail('a ramp needs a time', 'write "100 to 40 for 10h"')
      return { kind: 'ramp', from: item.quantity, to, durationMs }
    }
    if (reader.take('±') || reader.take('+-') || reader.take('+/-')) {
      const spread = reader.quantity()
      return { kind: 'noise', centre: item.quantity, spread, durationMs: readFor(reader) }
    }
  }
  return { kind: 'hold', item, durationMs: readFor(reader) }
}

function readList(reader: Reader): Segment {
  const items = [readItem(reader)]
  while (reader.take(',')) items.push(readItem(reader))
  if (!reader.take(']')) reader.fail('expected "," or "]"')
  if (reader.takeWord('for')) reader.fail('a list gives one value a step and takes no "for"')
  return { kind: 'list', items }
}

function readItem(reader: Reader): Item {
  if (reader.takeWord('nothing') || reader.takeWord('_')) return { kind: 'nothing' }
  for (const state of states) if (reader.takeWord(state)) return { kind: 'state', state: state as CheckState }
  const first = reader.times()
  if (first === undefined) return { kind: 'number', quantity: reader.quantity() }
  const groups = [{ count: first, quantity: reader.quantity() }]
  while (reader.take('+')) {
    const count = reader.times()
    if (count === undefined) return reader.fail('expected a number of samples such as 5x900ms')
    groups.push({ count, quantity: reader.quantity() })
  }
  return { kind: 'samples', groups }
}

function readFor(reader: Reader): number | undefined {
  return reader.takeWord('for') ? reader.duration() : undefined
}

class GivenFailure extends Error {
  readonly problem: GivenError
  constructor(problem: GivenError) {
    super(problem.message)
    this.problem = problem
  }
}

/** Walks the text; every method skips the spaces before what it takes. */
class Reader {
  readonly starts: number[] = []
  #at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    this.#space()
    return this.#at === this.#text.length
  }

  begin(): void {
    this.#space()
    this.starts.push(this.#at)
  }

  take(sign: string): boolean {
    this.#space()
    if (!this.#text.startsWith(sign, this.#at)) return false
    this.#at += sign.length
    return true
  }

  takeWord(word: string): boolean {
    this.#space()
    const after = this.#text[this.#at + word.length] ?? ''
    return !/[A-Za-z0-9_]/.test(after) && this.take(word)
  }

  /** `95x`, the number of samples that follow; undefined when there is none here. */
  times(): number | undefined {
    const match = this.#match(/(\d+)x/y)
    if (match && Number(match[1]) > samplesMax) this.fail(`more than ${samplesMax} samples a step`)
    return match && Number(match[1])
  }

  quantity(): Quantity {
    const match = this.#match(quantityPattern)
    if (!match)
      return this.fail(
        `expected a value, found ${this.#found()}`,
        'a number and its unit are one word: 100, 1.5s, 4GiB; or nothing, ok, warn, crit, unknown',
      )
    return { value: Number(match[1]), unit: match[2] ?? '' }
  }

  duration(): number {
    const match = this.#match(/[A-Za-z0-9]+/y)
    const durationMs = match && parseDuration(match[0])
    if (!durationMs)
      return this.fail(`expected a time such as 5m after "for"`, 'a number and its unit are one word: 5m, 1h30m')
    return durationMs
  }

  fail(message: string, help?: string): never {
    this.#space()
    return this.failAt(this.#at, message, help)
  }

  failAt(at: number, message: string, help?: string): never {
    const length = Math.max(1, /^[^,\]]*/.exec(this.#text.slice(at))?.[0].trimEnd().length ?? 1)
    throw new GivenFailure({ at, length, message, ...(help && { help }) })
  }

  #found(): string {
    const word = /^[^\s,\]]+/.exec(this.#text.slice(this.#at))?.[0]
    return word ? `"${word}"` : 'nothing more'
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    this.#space()
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text) ?? undefined
    if (match) this.#at += match[0].length
    return match
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
  }
}
