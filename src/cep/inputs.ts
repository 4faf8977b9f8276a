/**
 * Inputs: the (source, series) pairs that feed one leaf.
 *
 * An input's number never changes while it lives; `order` lists the inputs by group, series and source, so that what
 * several sources send of one series stands side by side: a run.
 */
import { refill, refillMap } from './saved.ts'

export class Inputs {
  /** Group of each input; -1 for one that was dropped. */
  readonly group: number[] = []
  readonly series: string[] = []
  readonly source: number[] = []
  readonly #byKey = new Map<string, number>()
  #order: readonly number[] | undefined
  #hasRuns = false

  get length(): number {
    return this.group.length
  }

  find(series: string, sourceId: string): number {
    return this.#byKey.get(`${series}\u0000${sourceId}`) ?? -1
  }

  add(series: string, sourceId: string, source: number, group: number): number {
    const input = this.group.push(group) - 1
    this.series.push(series)
    this.source.push(source)
    this.#byKey.set(`${series}\u0000${sourceId}`, input)
    this.#order = undefined
    return input
  }

  /** Forgets the inputs of a group. */
  dropGroup(group: number): void {
    for (const [key, input] of this.#byKey) {
      if (this.group[input] !== group) continue
      this.#byKey.delete(key)
      this.group[input] = -1
    }
    this.#order = undefined
  }

  save() {
    return { group: this.group, series: this.series, source: this.source, keys: [...this.#byKey] }
  }

  restore(saved: ReturnType<Inputs['save']>): void {
    refill(this.group, saved.group)
    refill(this.series, saved.series)
    refill(this.source, saved.source)
    refillMap(this.#byKey, saved.keys)
    this.#order = undefined
  }

  order(): readonly number[] {
    if (this.#order) return this.#order
    this.#order = [...this.#byKey.entries()]
      .sort(([a, i], [b, j]) => (this.group[i] as number) - (this.group[j] as number) || (a < b ? -1 : 1))
      .map(([, input]) => input)
    this.#hasRuns = this.#order.some((input, i, all) => i > 0 && this.isSameSeries(input, all[i - 1] as number))
    return this.#order
  }

  /** Some series has several sources. */
  get hasRuns(): boolean {
    this.order()
    return this.#hasRuns
  }

  /** Both are of the same series in the same group. */
  isSameSeries(a: number, b: number): boolean {
    return this.series[a] === this.series[b] && this.group[a] === this.group[b]
  }
}
