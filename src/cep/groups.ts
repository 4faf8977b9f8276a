/**
 * Groups: the kept names' values that one leaf or one rule has seen, each with a number that its state is stored by.
 *
 * A number whose group was dropped is used again. Order is by key, whatever the order of arrival.
 */
import { refill } from './saved.ts'

const overflowMax = 10_000

/** Tells that groups were refused in some of an engine's rules; shared, so that nobody has to ask every rule. */
export interface Refusals {
  /** Grows with every group refused, and when a rule begins to count its own. */
  version: number
}

export class Groups {
  readonly names: readonly string[]
  readonly max: number
  readonly values: (readonly string[] | undefined)[] = []
  readonly keys: string[] = []
  /** How many found no room; one that asks again is not counted again while there is none. */
  refused = 0
  /** Those of them since there was room last, at most `overflowMax`. */
  readonly #overflow = new Set<string>()
  /** Grows with every group that comes or goes. */
  version = 0
  readonly #byKey = new Map<string, number>()
  readonly #free: number[] = []
  #sorted: readonly number[] | undefined

  readonly #refusals: Refusals

  constructor(names: readonly string[], max: number, refusals: Refusals) {
    this.#refusals = refusals
    this.names = names
    this.max = max
  }

  /** Numbers ever used; state arrays need this length. */
  get length(): number {
    return this.values.length
  }

  get count(): number {
    return this.#byKey.size
  }

  find(values: readonly string[]): number {
    return this.#byKey.get(identity(values)) ?? -1
  }

  /** The group's number; -1 when there is no room for one more. */
  add(values: readonly string[]): number {
    const key = identity(values)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= this.max) return this.#refuse(values)
    const group = this.#free.pop() ?? this.values.length
    this.values[group] = values
    this.keys[group] = groupKeyOf(values)
    this.#byKey.set(key, group)
    this.#sorted = undefined
    this.version++
    return group
  }

  drop(group: number): void {
    const values = this.values[group]
    if (!values) return
    this.#byKey.delete(identity(values))
    this.values[group] = undefined
    this.#free.push(group)
    this.#sorted = undefined
    this.#overflow.clear()
    this.version++
  }

  /** True from the first refusal until there is room again. */
  get isOverfull(): boolean {
    return this.#overflow.size > 0
  }

  /** Some of those that have no room. */
  get overflowSample(): readonly string[] {
    return [...this.#overflow].sort().slice(0, 5)
  }

  /** Numbers of the groups there are, in the order of their keys. */
  sorted(): readonly number[] {
    this.#sorted ??= [...this.#byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
    return this.#sorted
  }

  save() {
    const { values, refused, version } = this
    return { values, refused, overflow: this.#overflow, version, free: this.#free }
  }

  restore(saved: ReturnType<Groups['save']>): void {
    refill(this.values, saved.values)
    refill(this.#free, saved.free)
    this.refused = saved.refused
    this.#overflow.clear()
    for (const key of saved.overflow) this.#overflow.add(key)
    this.version = saved.version
    this.#byKey.clear()
    this.#sorted = undefined
    this.values.forEach((values, group) => {
      if (!values) return
      this.keys[group] = groupKeyOf(values)
      this.#byKey.set(identity(values), group)
    })
  }

  #refuse(values: readonly string[]): number {
    const key = groupKeyOf(values)
    if (this.#overflow.size >= overflowMax || this.#overflow.has(key)) return -1
    this.#overflow.add(key)
    this.refused++
    this.#refusals.version++
    return -1
  }
}

/** `web/web1`; `all` for a rule without kept names. */
export function groupKeyOf(values: readonly string[]): string {
  return values.length === 0 ? 'all' : values.join('/')
}

/** Picks from values in the order `from` those named in `to`; every name of `to` must be in `from`. */
export function projection(
  from: readonly string[],
  to: readonly string[],
): (values: readonly string[]) => readonly string[] {
  if (from.length === to.length && from.every((name, i) => name === to[i])) return (values) => values
  const places = to.map((name) => from.indexOf(name))
  return (values) => places.map((place) => values[place] as string)
}

function identity(values: readonly string[]): string {
  return values.join('\u0000')
}
