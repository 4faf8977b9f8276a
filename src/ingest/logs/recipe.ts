/**
 * Recipe: what an entry of `ingest.logs` makes of a line: samples for the aggregate that statsd feeds too, and events.
 *
 * A capture in a name is one segment of it: cleaned as statsd names are, its dots become `_`. What a recipe made of the
 * same captures before is remembered as a parsed line, up to `rememberedMax` each, so that a known series costs no text.
 */
import { type LogTemplate, type LogTest, parseLogTemplate, parseLogWhen } from '../../model/log-template.ts'
import type { LogConfig, LogEvent, LogMetric } from '../../runtime/config-logs.ts'
import { linearRegex } from '../../runtime/linear-regex.ts'
import type { DogstatsdEvent } from '../dogstatsd.ts'
import { cleanName } from '../name.ts'
import { Line, parseLine } from '../parse.ts'

type Captures = readonly (string | undefined)[]

/** What is made of lines goes here. */
export interface LogSink {
  /** As Aggregate's add. */
  add(bytes: Buffer, line: Line): void
  addEvent(event: DogstatsdEvent): void
  /** A capture that should be a number is none. */
  badValue(text: string): void
  /** A metric or event that needs a capture which the line does not have. */
  missing(): void
}

export type Recipe = (captures: Captures, sink: LogSink) => void

const rememberedMax = 10_000
const segmentCharsMax = 100
const tagCharsMax = 200

/** All captures that an entry asks for; their order is that of the captures given to its recipes. */
export function capturesOf({ metrics, events }: LogConfig): string[] {
  const used = new Set<string>()
  for (const { when, tags = {}, ...rest } of [...metrics, ...events]) {
    const { unit: _, ...texts } = rest as Record<string, string | undefined>
    for (const text of [...Object.values(texts), ...Object.values(tags)]) {
      if (text !== undefined) for (const capture of template(text).captures) used.add(capture)
    }
    if (when !== undefined) for (const { capture } of tests(when)) used.add(capture)
  }
  return [...used]
}

/** One step for each metric and event of the entry. */
export function recipesOf({ metrics, events }: LogConfig, captures: readonly string[]): Recipe[] {
  const placeOf = (capture: string) => captures.indexOf(capture)
  return [
    ...metrics.map((metric) => guarded(metric.when, placeOf, metricRecipe(metric, placeOf))),
    ...events.map((event) => guarded(event.when, placeOf, eventRecipe(event, placeOf))),
  ]
}

type PlaceOf = (capture: string) => number

function guarded(when: string | undefined, placeOf: PlaceOf, recipe: Recipe): Recipe {
  if (when === undefined) return recipe
  const conditions = tests(when).map((test) => condition(test, placeOf(test.capture)))
  return (captures, sink) => {
    for (const holds of conditions) if (!holds(captures)) return
    recipe(captures, sink)
  }
}

function condition({ operator, value }: LogTest, place: number): (captures: Captures) => boolean {
  const limit = Number(value)
  const number = (captures: Captures) => {
    const text = captures[place]
    return text === undefined || text.trim() === '' ? Number.NaN : Number(text)
  }
  switch (operator) {
    case '=':
      return (captures) => captures[place] === value
    case '!=':
      return (captures) => captures[place] !== value
    case '<':
      return (captures) => number(captures) < limit
    case '<=':
      return (captures) => number(captures) <= limit
    case '>':
      return (captures) => number(captures) > limit
    case '>=':
      return (captures) => number(captures) >= limit
    default: {
      const expression = linearRegex(value)
      const wanted = operator === '~'
      return (captures) => (captures[place] !== undefined && expression.test(captures[place])) === wanted
    }
  }
}

const types = { counter: 'c', gauge: 'g', timer: 'ms', set: 's' } as const
const factors = { us: 0.001, ms: 1, s: 1000 } as const

function metricRecipe(metric: LogMetric, placeOf: PlaceOf): Recipe {
  const kind = (['counter', 'timer', 'gauge', 'set'] as const).find((one) => metric[one] !== undefined) ?? 'counter'
  const name = filler(metric[kind] as string, placeOf, segment)
  const tags = Object.entries(metric.tags ?? {}).map(([tag, text]) => ({ tag, fill: filler(text, placeOf, tagValue) }))
  const value = filler(metric.value ?? '1', placeOf, (text) => text)
  const lines = new Remembered(
    (captures, text) => {
      const written = seriesText(name, tags, captures)
      return written === undefined ? undefined : parsed(`${written.name}:${text}|${types[kind]}${written.tags}`)
    },
    [...new Set([...name.places, ...tags.flatMap(({ fill }) => fill.places), ...(kind === 'set' ? value.places : [])])],
  )
  if (kind === 'set') {
    return (captures, sink) => {
      const member = value(captures)
      const prepared = member === undefined ? undefined : lines.of(captures, member.replace(/[|:\n]/g, '_'))
      if (prepared) sink.add(prepared.bytes, prepared.line)
      else sink.missing()
    }
  }
  const factor = factors[metric.unit ?? 'ms']
  return (captures, sink) => {
    const text = value(captures)
    const prepared = text === undefined ? undefined : lines.of(captures, '0')
    if (text === undefined || !prepared) return sink.missing()
    const number = text.trim() === '' ? Number.NaN : Number(text) * factor
    if (!Number.isFinite(number) || (kind === 'timer' && number < 0)) return sink.badValue(text)
    prepared.line.value = number
    sink.add(prepared.bytes, prepared.line)
  }
}

function eventRecipe({ event, tags = {}, text }: LogEvent, placeOf: PlaceOf): Recipe {
  const name = filler(event, placeOf, segment)
  const tagged = Object.entries(tags).map(([tag, written]) => ({ tag, fill: filler(written, placeOf, eventTag) }))
  const words = text === undefined ? undefined : filler(text, placeOf, (one) => one)
  return (captures, sink) => {
    const named = name(captures)
    if (named === undefined) return sink.missing()
    const filled = tagged.flatMap(({ tag, fill }): [string, string][] => {
      const value = fill(captures)
      return value === undefined ? [] : [[tag, value]]
    })
    const said = words?.(captures) ?? named
    sink.addEvent({ name: named, tags: Object.fromEntries(filled), text: said.slice(0, 1000) })
  }
}

interface Prepared {
  bytes: Buffer
  line: Line
}

/** Parsed lines by the captures that they were made of. */
class Remembered {
  readonly #make: (captures: Captures, value: string) => Prepared | undefined
  readonly #places: readonly number[]
  readonly #known = new Map<string, Prepared | undefined>()

  constructor(make: (captures: Captures, value: string) => Prepared | undefined, places: readonly number[]) {
    this.#make = make
    this.#places = places
  }

  of(captures: Captures, value: string): Prepared | undefined {
    const places = this.#places
    let key = ''
    for (let i = 0; i < places.length; i++) key += `${captures[places[i] as number] ?? '\x00'}\x01`
    const known = this.#known.get(key)
    if (known) return known
    if (this.#known.size >= rememberedMax) this.#known.clear()
    const made = this.#make(captures, value)
    if (made) this.#known.set(key, made)
    return made
  }
}

function parsed(text: string): Prepared | undefined {
  const bytes = Buffer.from(text)
  const line = new Line()
  return parseLine(bytes, 0, bytes.length, line) ? { bytes, line } : undefined
}

type Filler = ((captures: Captures) => string | undefined) & { places: readonly number[] }

function seriesText(
  name: Filler,
  tags: readonly { tag: string; fill: Filler }[],
  captures: Captures,
): { name: string; tags: string } | undefined {
  const text = name(captures)
  if (text === undefined) return undefined
  const filled = tags.flatMap(({ tag, fill }) => {
    const value = fill(captures)
    return value === undefined ? [] : [`${tag}:${value}`]
  })
  return { name: text, tags: filled.length > 0 ? `|#${filled.join(',')}` : '' }
}

/** The text with its captures put in; undefined when one is missing or nothing is left of it. */
function filler(text: string, placeOf: PlaceOf, clean: (text: string) => string): Filler {
  const parts = template(text).parts.map((part) => (typeof part === 'string' ? part : placeOf(part.capture)))
  const places = parts.filter((part) => typeof part === 'number')
  const fill = (captures: Captures): string | undefined => {
    let filled = ''
    for (const part of parts) {
      if (typeof part === 'string') {
        filled += part
        continue
      }
      const capture = captures[part]
      const cleaned = capture === undefined ? '' : clean(capture)
      if (cleaned === '') return undefined
      filled += cleaned
    }
    return filled
  }
  return Object.assign(fill, { places })
}

/** A capture as one segment of a name. */
function segment(text: string): string {
  return cleanName(text.slice(0, segmentCharsMax).replaceAll('.', '_'))
}

/** As a tag of a series: without what ends a tag. */
function tagValue(text: string): string {
  return text.slice(0, tagCharsMax).replace(/[,|\n]/g, '_')
}

/** As a tag of an event: on one line. */
function eventTag(text: string): string {
  return text.slice(0, tagCharsMax).replace(/[\x00-\x1f\x7f]/g, ' ')
}

/** Checked when the configuration was read. */
function template(text: string): LogTemplate {
  const read = parseLogTemplate(text)
  if (!read.ok) throw new Error(`a template that was not checked: ${read.error}`)
  return read.value
}

function tests(when: string): readonly LogTest[] {
  const read = parseLogWhen(when)
  if (!read.ok) throw new Error(`tests that were not checked: ${read.error}`)
  return read.value
}
