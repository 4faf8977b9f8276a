/**
 * Stats: a part's own counters and gauges. They go out once a second in the part's status and as `tocsin.<part>.<name>`
 * metrics through our own pipeline.
 *
 * Names are Prometheus-style: `bad_lines_total`, `queue_bytes`. A label is written into the name: `bad_lines_total{reason="type"}`.
 */
export class Stats {
  readonly #values = new Map<string, number>()
  readonly #gauges = new Map<string, () => number>()

  /** Adds to a counter; the first call creates it. */
  count(name: string, by = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + by)
  }

  /** Sets a gauge. */
  set(name: string, value: number): void {
    this.#values.set(name, value)
  }

  /** A gauge that is read whenever somebody looks. */
  observe(name: string, read: () => number): void {
    this.#gauges.set(name, read)
  }

  get(name: string): number {
    return this.#gauges.get(name)?.() ?? this.#values.get(name) ?? 0
  }

  snapshot(): Record<string, number> {
    const all: Record<string, number> = Object.fromEntries(this.#values)
    for (const [name, read] of this.#gauges) all[name] = read()
    return all
  }
}
