/**
 * Series: known names by their raw bytes, so that a line of a known series costs one hash lookup and no string.
 *
 * A *slot* is a small integer that stands for one series (a cleaned name and a kind), in order of first appearance. Two
 * raw names that clean to the same name share a slot. Lookup is an open-addressed table over raw names:
 *
 *     table[hash & mask] → entry + 1 → (hash, kind, bytes in the arena) → slot
 *
 * Bounded: `seriesMax` slots, and four raw spellings a slot on average; further spellings work but take the slow way.
 */
import { cleanName, type LineKind } from './parse.ts'

/** `slotOf` when there is no room for another series. */
export const refused = -1
/** `slotOf` when cleaning leaves nothing of the name. */
export const nameless = -2

export class SeriesTable {
  readonly seriesMax: number
  /** By slot. */
  readonly names: string[] = []
  readonly kinds: LineKind[] = []
  readonly #slots = new Map<string, number>()
  #table = new Int32Array(1024)
  #entries = 0
  #hashes = new Int32Array(512)
  #entryKinds = new Uint8Array(512)
  #entrySlots = new Int32Array(512)
  #starts = new Uint32Array(512)
  #lengths = new Uint16Array(512)
  #arena: Uint8Array = new Uint8Array(16_384)
  #arenaEnd = 0

  constructor(seriesMax: number) {
    this.seriesMax = seriesMax
  }

  get size(): number {
    return this.names.length
  }

  /** The slot of the series with raw name bytes[start, end) and its FNV-1a hash, a new one if need be. */
  slotOf(bytes: Uint8Array, start: number, end: number, nameHash: number, kind: LineKind): number {
    const hash = Math.imul(nameHash ^ kind, 0x01000193)
    const mask = this.#table.length - 1
    for (let at = (hash ^ (hash >>> 15)) & mask; ; at = (at + 1) & mask) {
      const entry = (this.#table[at] as number) - 1
      if (entry < 0) return this.#intern(bytes, start, end, hash, kind)
      if (this.#hashes[entry] === hash && this.#entryKinds[entry] === kind && this.#hasName(entry, bytes, start, end)) {
        return this.#entrySlots[entry] as number
      }
    }
  }

  /** A new table with only the slots for which `keep` is true, in the same order; raw spellings are learnt anew. */
  filter(keep: (slot: number) => boolean): { table: SeriesTable; kept: number[] } {
    const table = new SeriesTable(this.seriesMax)
    const kept: number[] = []
    for (let slot = 0; slot < this.size; slot++) {
      if (!keep(slot)) continue
      kept.push(slot)
      table.#addSlot(this.names[slot] as string, this.kinds[slot] as LineKind)
    }
    return { table, kept }
  }

  #hasName(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start
    if (this.#lengths[entry] !== length) return false
    const arena = this.#arena
    const from = this.#starts[entry] as number
    for (let i = 0; i < length; i++) if (arena[from + i] !== bytes[start + i]) return false
    return true
  }

  #intern(bytes: Uint8Array, start: number, end: number, hash: number, kind: LineKind): number {
    const raw = bytes.subarray(start, end)
    const name = cleanName(Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('utf8'))
    if (name === '') return nameless
    let slot = this.#slots.get(kind + name)
    if (slot === undefined) {
      if (this.size >= this.seriesMax) return refused
      slot = this.#addSlot(name, kind)
    }
    if (this.#entries < this.seriesMax * 4) this.#addEntry(raw, hash, kind, slot)
    return slot
  }

  #addSlot(name: string, kind: LineKind): number {
    const slot = this.names.push(name) - 1
    this.kinds.push(kind)
    this.#slots.set(kind + name, slot)
    return slot
  }

  #addEntry(raw: Uint8Array, hash: number, kind: LineKind, slot: number): void {
    if (this.#entries === this.#hashes.length) this.#growEntries()
    while (this.#arenaEnd + raw.length > this.#arena.length) this.#arena = grown(this.#arena, Uint8Array)
    const entry = this.#entries++
    this.#hashes[entry] = hash
    this.#entryKinds[entry] = kind
    this.#entrySlots[entry] = slot
    this.#starts[entry] = this.#arenaEnd
    this.#lengths[entry] = raw.length
    this.#arena.set(raw, this.#arenaEnd)
    this.#arenaEnd += raw.length
    if (this.#entries * 2 > this.#table.length) this.#growTable()
    else this.#place(entry)
  }

  #place(entry: number): void {
    const hash = this.#hashes[entry] as number
    const mask = this.#table.length - 1
    let at = (hash ^ (hash >>> 15)) & mask
    while (this.#table[at] !== 0) at = (at + 1) & mask
    this.#table[at] = entry + 1
  }

  #growTable(): void {
    this.#table = new Int32Array(this.#table.length * 2)
    for (let entry = 0; entry < this.#entries; entry++) this.#place(entry)
  }

  #growEntries(): void {
    this.#hashes = grown(this.#hashes, Int32Array)
    this.#entryKinds = grown(this.#entryKinds, Uint8Array)
    this.#entrySlots = grown(this.#entrySlots, Int32Array)
    this.#starts = grown(this.#starts, Uint32Array)
    this.#lengths = grown(this.#lengths, Uint16Array)
  }
}

type Growable = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array

/** A copy of twice the length. */
export function grown<T extends Growable>(array: T, make: new (length: number) => T): T {
  const larger = new make(array.length * 2)
  larger.set(array as never)
  return larger
}
