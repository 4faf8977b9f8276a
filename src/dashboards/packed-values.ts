/**
 * Packed values: one number per series of a closed slot, in as few bytes as they need.
 *
 * Series are taken in runs of 64. A run in which nothing arrived takes no room, one of small whole numbers (most
 * counters) a byte or two a series, any other four. Missing is NaN, as before packing.
 */
const runBits = 6
const runSize = 1 << runBits
const missingByte = 0xff
const missingShort = 0xffff

/** Kinds of runs, in the low two bits of the table. */
const empty = 0
const bytes = 1
const shorts = 2
const floats = 3

export class PackedValues {
  /** Per run: number of its run within its kind, shifted left by two, and its kind. */
  readonly #table: Int32Array
  readonly #bytes: Uint8Array
  readonly #shorts: Uint16Array
  readonly #floats: Float32Array

  constructor(values: Float32Array) {
    const runs = Math.ceil(values.length / runSize)
    const counts = [0, 0, 0, 0]
    this.#table = new Int32Array(runs)
    for (let run = 0; run < runs; run++) {
      const kind = kindOf(values, run * runSize)
      this.#table[run] = ((counts[kind] as number) << 2) | kind
      counts[kind] = (counts[kind] as number) + 1
    }
    this.#bytes = new Uint8Array((counts[bytes] as number) * runSize).fill(missingByte)
    this.#shorts = new Uint16Array((counts[shorts] as number) * runSize).fill(missingShort)
    this.#floats = new Float32Array((counts[floats] as number) * runSize).fill(Number.NaN)
    for (let id = 0; id < values.length; id++) this.#put(id, values[id] as number)
  }

  get bytes(): number {
    return this.#table.byteLength + this.#bytes.byteLength + this.#shorts.byteLength + this.#floats.byteLength
  }

  get(id: number): number {
    const entry = this.#table[id >> runBits] ?? empty
    const at = ((entry >> 2) << runBits) | (id & (runSize - 1))
    switch (entry & 3) {
      case bytes: {
        const value = this.#bytes[at] as number
        return value === missingByte ? Number.NaN : value
      }
      case shorts: {
        const value = this.#shorts[at] as number
        return value === missingShort ? Number.NaN : value
      }
      case floats:
        return this.#floats[at] as number
      default:
        return Number.NaN
    }
  }

  /** The values as they were, for a slot that is written to again. */
  unpack(): Float32Array {
    return Float32Array.from({ length: this.#table.length * runSize }, (_, id) => this.get(id))
  }

  #put(id: number, value: number): void {
    if (Number.isNaN(value)) return
    const entry = this.#table[id >> runBits] as number
    const at = ((entry >> 2) << runBits) | (id & (runSize - 1))
    const kind = entry & 3
    if (kind === bytes) this.#bytes[at] = value
    else if (kind === shorts) this.#shorts[at] = value
    else this.#floats[at] = value
  }
}

/** The least kind that holds every value of the run that begins at `from`. */
function kindOf(values: Float32Array, from: number): number {
  let kind = empty
  for (let id = from; id < Math.min(values.length, from + runSize); id++) {
    const value = values[id] as number
    if (Number.isNaN(value)) continue
    if (value < 0 || value >= missingShort || !Number.isInteger(value) || Object.is(value, -0)) return floats
    kind = Math.max(kind, value < missingByte ? bytes : shorts)
  }
  return kind
}
