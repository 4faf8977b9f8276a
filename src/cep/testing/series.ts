/**
 * Series: plays the parsed text of one given series step by step, with every value in the unit that the catalogue
 * declares for it (undeclared: ms for times, B for data, a plain ratio for %).
 */
import type { CheckState } from '../../model/check.ts'
import { type Distribution, DistributionBuilder } from '../../model/distribution.ts'
import { err, ok, type Result } from '../../model/result.ts'
import type { Item, Quantity, Segment } from './given.ts'

/** What a series holds in one step; undefined for a gap. */
export type Played = number | Distribution | CheckState | undefined

export interface SeriesOptions {
  /** The series name on the bus; seeds the noise. */
  name: string
  stepMs: number
  /** The catalogue's unit for it. */
  unit?: string | undefined
}

interface Unit {
  dimension: 'time' | 'data' | 'ratio'
  factor: number
}

const kilo = 1000
const kibi = 1024
const units: Readonly<Record<string, Unit>> = {
  ms: { dimension: 'time', factor: 1 },
  s: { dimension: 'time', factor: 1000 },
  m: { dimension: 'time', factor: 60_000 },
  h: { dimension: 'time', factor: 3_600_000 },
  d: { dimension: 'time', factor: 86_400_000 },
  w: { dimension: 'time', factor: 604_800_000 },
  B: { dimension: 'data', factor: 1 },
  kB: { dimension: 'data', factor: kilo },
  MB: { dimension: 'data', factor: kilo ** 2 },
  GB: { dimension: 'data', factor: kilo ** 3 },
  TB: { dimension: 'data', factor: kilo ** 4 },
  KiB: { dimension: 'data', factor: kibi },
  MiB: { dimension: 'data', factor: kibi ** 2 },
  GiB: { dimension: 'data', factor: kibi ** 3 },
  TiB: { dimension: 'data', factor: kibi ** 4 },
  bit: { dimension: 'data', factor: 1 / 8 },
  kbit: { dimension: 'data', factor: kilo / 8 },
  Mbit: { dimension: 'data', factor: kilo ** 2 / 8 },
  Gbit: { dimension: 'data', factor: kilo ** 3 / 8 },
  '%': { dimension: 'ratio', factor: 0.01 },
}

/** The number in the declared unit; the error is one clause. */
export function convert({ value, unit }: Quantity, declared: string | undefined): Result<number, string> {
  const from = units[unit]
  if (!from) return ok(value)
  const to = declared === undefined ? undefined : units[declared]
  if (!to) return ok(value * from.factor)
  if (to.dimension !== from.dimension) return err(`${value}${unit} for a metric that is declared in ${declared}`)
  return ok((value * from.factor) / to.factor)
}

/** Checks every quantity once, so that playing cannot fail. */
export function checkUnits(segments: readonly Segment[], declared: string | undefined): string | undefined {
  for (const quantity of segments.flatMap(quantitiesOf)) {
    const converted = convert(quantity, declared)
    if (!converted.ok) return converted.error
  }
  return undefined
}

function quantitiesOf(segment: Segment): Quantity[] {
  if (segment.kind === 'ramp') return [segment.from, segment.to]
  if (segment.kind === 'noise') return [segment.centre, segment.spread]
  const items = segment.kind === 'list' ? segment.items : [segment.item]
  return items.flatMap((item) =>
    item.kind === 'number'
      ? [item.quantity]
      : item.kind === 'samples'
        ? item.groups.map((group) => group.quantity)
        : [],
  )
}

/** Plays segments from the first step on; `next()` is called once a step. */
export class SeriesPlayer {
  readonly #segments: readonly Segment[]
  readonly #options: SeriesOptions
  readonly #noise: () => number
  /** The samples of a step are built once, not each step. */
  readonly #built = new Map<Item, Distribution>()
  #segment = 0
  #step = 0

  constructor(segments: readonly Segment[], options: SeriesOptions) {
    this.#segments = segments
    this.#options = options
    this.#noise = noise(options.name)
  }

  next(): Played {
    let segment = this.#segments[this.#segment]
    while (segment && this.#step >= this.#steps(segment)) {
      segment = this.#segments[++this.#segment]
      this.#step = 0
    }
    return segment && this.#play(segment, this.#step++)
  }

  #steps(segment: Segment): number {
    if (segment.kind === 'list') return segment.items.length
    return segment.durationMs === undefined ? Number.POSITIVE_INFINITY : segment.durationMs / this.#options.stepMs
  }

  #play(segment: Segment, step: number): Played {
    if (segment.kind === 'hold') return this.#item(segment.item)
    if (segment.kind === 'list') return this.#item(segment.items[step] as Item)
    if (segment.kind === 'noise') return this.#number(segment.centre) + this.#number(segment.spread) * this.#noise()
    const [from, to, last] = [this.#number(segment.from), this.#number(segment.to), this.#steps(segment) - 1]
    return step === last ? (last === 0 ? from : to) : from + ((to - from) * step) / last
  }

  #item(item: Item): Played {
    if (item.kind === 'number') return this.#number(item.quantity)
    if (item.kind === 'state') return item.state
    if (item.kind === 'nothing') return undefined
    const built = this.#built.get(item) ?? this.#distribution(item.groups)
    this.#built.set(item, built)
    return built
  }

  #distribution(groups: readonly { count: number; quantity: Quantity }[]): Distribution {
    const builder = new DistributionBuilder()
    for (const { count, quantity } of groups) {
      const value = this.#number(quantity)
      for (let i = 0; i < count; i++) builder.add(value)
    }
    return builder.build()
  }

  #number(quantity: Quantity): number {
    const converted = convert(quantity, this.#options.unit)
    return converted.ok ? converted.value : Number.NaN
  }
}

const modulus = 2_147_483_647

/** Numbers from −1 to 1, the same for the same series in every run: Lehmer's generator, seeded by the series key. */
function noise(seriesKey: string): () => number {
  let x = 1 + (fnv1a32(seriesKey) % (modulus - 1))
  return () => {
    x = (48_271 * x) % modulus
    return (2 * x) / modulus - 1
  }
}

/** FNV-1a, 32 bits, over the UTF-8 bytes. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}
