/**
 * Series: plays the parsed text of one given series step by step, with every value in the unit that its data have.
 */
import type { CheckState } from '../../model/check.ts'
import { type Distribution, DistributionBuilder } from '../../model/distribution.ts'
import type { Item, Quantity, Segment } from './given.ts'

/** What a series holds in one step; undefined for a gap. */
export type Played = number | Distribution | CheckState | undefined

export interface SeriesOptions {
  /** The series name on the bus; seeds the noise. */
  name: string
  stepMs: number
  convert: Convert
}

/** A quantity as a number in the unit of the series' data; undefined where that has no meaning. */
export type Convert = (quantity: Quantity) => number | undefined

/** The first quantity that has no meaning in the series' unit; undefined when all have. */
export function wrongQuantity(segments: readonly Segment[], convert: Convert): Quantity | undefined {
  return segments.flatMap(quantitiesOf).find((quantity) => convert(quantity) === undefined)
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
    return this.#options.convert(quantity) ?? Number.NaN
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
