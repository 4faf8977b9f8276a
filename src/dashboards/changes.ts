/** Changes: tells what became of a keyed list between two looks at it. */
import type { ChangeView } from './view.ts'

export class Changes<T> {
  readonly #keyOf: (item: T) => string
  #items: readonly T[] = []
  #texts = new Map<string, string>()

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf
  }

  /** The list as last taken. */
  all(): readonly T[] {
    return this.#items
  }

  /** Undefined when nothing changed. */
  take(items: readonly T[]): ChangeView<T> | undefined {
    if (items === this.#items) return undefined
    const texts = new Map(items.map((item) => [this.#keyOf(item), JSON.stringify(item)]))
    const set = items.filter((item) => this.#texts.get(this.#keyOf(item)) !== texts.get(this.#keyOf(item)))
    const gone = [...this.#texts.keys()].filter((key) => !texts.has(key))
    this.#items = items
    this.#texts = texts
    return set.length > 0 || gone.length > 0 ? { set, gone } : undefined
  }
}
