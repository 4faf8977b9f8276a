/**
 * Rooms: how many lines each sender may still send this second, in memory that all threads share, because a sender's
 * packets may land on any of them.
 *
 *     [hash of the address, room] × places        open addressing; a place is taken for good
 *
 * Two addresses with one 32-bit hash share a room, and so do all that find no place.
 */
const places = 16_384
const triesMax = 64

export class Rooms {
  readonly buffer: SharedArrayBuffer
  readonly #linesMax: number
  readonly #cells: Int32Array

  constructor(linesMax: number, buffer = new SharedArrayBuffer(places * 2 * 4)) {
    this.buffer = buffer
    this.#linesMax = linesMax
    this.#cells = new Int32Array(buffer)
  }

  /** The place of an address. */
  placeOf(address: string): number {
    const hash = hashOf(address)
    let place = (hash >>> 0) % places
    for (let tries = 0; tries < triesMax; tries++, place = (place + 1) % places) {
      const before = Atomics.compareExchange(this.#cells, place * 2, 0, hash)
      if (before === 0) Atomics.store(this.#cells, place * 2 + 1, this.#linesMax)
      if (before === 0 || before === hash) return place
    }
    return place
  }

  left(place: number): number {
    return Math.max(0, Atomics.load(this.#cells, place * 2 + 1))
  }

  take(place: number, lines: number): void {
    Atomics.sub(this.#cells, place * 2 + 1, lines)
  }

  /** A new second: everybody may send again. For one thread to call. */
  refill(): void {
    for (let place = 0; place < places; place++) Atomics.store(this.#cells, place * 2 + 1, this.#linesMax)
  }
}

/** FNV-1a, never 0. */
function hashOf(address: string): number {
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < address.length; i++) hash = Math.imul(hash ^ address.charCodeAt(i), 0x01000193)
  return hash || 1
}
