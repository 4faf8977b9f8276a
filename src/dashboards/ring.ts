/** Ring: the newest values at even steps of time. What was not set is missing. */
export class Ring {
  readonly stepMs: number
  readonly #values: Float32Array
  /** Step number of the newest value; -1 before the first. */
  #newest = -1

  constructor(stepMs: number, size: number) {
    this.stepMs = stepMs
    this.#values = new Float32Array(size).fill(Number.NaN)
  }

  /** Puts a value at the step that ends at or after `atMs`; what is older than the ring is dropped. */
  set(atMs: number, value: number | null): void {
    const step = Math.ceil(atMs / this.stepMs)
    const size = this.#values.length
    if (step < 0 || (this.#newest >= 0 && step <= this.#newest - size)) return
    for (let gap = Math.max(this.#newest + 1, step - size + 1); gap <= step && this.#newest >= 0; gap++) {
      this.#values[gap % size] = Number.NaN
    }
    this.#newest = Math.max(this.#newest, step)
    this.#values[step % size] = value ?? Number.NaN
  }

  /** The value of the step that ends at `atMs`. */
  get(atMs: number): number | null {
    const step = Math.ceil(atMs / this.stepMs)
    if (step < 0 || step > this.#newest || step <= this.#newest - this.#values.length) return null
    const value = this.#values[step % this.#values.length] as number
    return Number.isNaN(value) ? null : Number(value.toPrecision(7))
  }
}
