/**
 * Series: known names by their raw bytes, so that a line of a known series costs one hash lookup and no string.
 *
 * A *slot* is a small integer that stands for one series (a cleaned name and a kind), in order of first appearance; the
 * slots of removed series are given to new ones. Two raw names that clean to the same name share a slot. Lookup is an open-addressed table over raw names:
 *
 *     table[hash & mask] → entry + 1 → (hash, kind, bytes of name and tags in the arena) → slot
 *
 * Bounded: `seriesMax` slots, and four raw spellings a slot on average; further spellings work but take the slow way.
 */
import { seriesName, type TagStyle } from './name.ts'
import type { Line, LineKind } from './parse.ts'

/** `slotOf` when there is no room for another series. */
export const refused = -1
/** `slotOf` when cleaning leaves nothing of the name. */
export const nameless = -2

export class SeriesTable {
  readonly seriesMax: number
  /** By slot; empty where a series was removed. */
  readonly names: string[] = []
  readonly kinds: LineKind[] = []
  readonly #slots = new Map<string, number>()
  readonly #free: number[] = []
  #table = new Int32Array(1024)
  #entries = 0
  #hashes = new Int32Array(512)
  #entryKinds = new Uint8Array(512)
  #entrySlots = new Int32Array(512)
  #starts = new Uint32Array(512)
  #lengths = new Uint16Array(512)
  #tagLengths = new Uint16Array(512)
  #arena: Uint8Array = new Uint8Array(16_384)
  #arenaEnd = 0

  readonly #style: TagStyle

  constructor(seriesMax: number, style: TagStyle = 'dogstatsd') {
    this.seriesMax = seriesMax
    this.#style = style
  }

  /** Slots, those of removed series included. */
  get slots(): number {
    return this.names.length
  }

  /** Series. */
  get size(): number {
    return this.names.length - this.#free.length
  }

  /** The slot of the line's series, a new one if need be. */
  slotOf(bytes: Uint8Array, line: Line): number {
    const { nameStart, nameEnd, tagsStart, tagsEnd, kind } = line
    let hash = Math.imul(line.nameHash ^ kind, 0x01000193)
    for (let i = tagsStart; i < tagsEnd; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
    const mask = this.#table.length - 1
    for (let at = (hash ^ (hash >>> 15)) & mask; ; at = (at + 1) & mask) {
      const entry = (this.#table[at] as number) - 1
      if (entry < 0) return this.#intern(bytes, line, hash)
      if (this.#hashes[entry] !== hash || this.#entryKinds[entry] !== kind) continue
      if (this.#lengths[entry] !== nameEnd - nameStart || this.#tagLengths[entry] !== tagsEnd - tagsStart) continue
      const from = this.#starts[entry] as number
      if (!this.#isSame(from, bytes, nameStart, nameEnd)) continue
      if (tagsEnd !== tagsStart && !this.#isSame(from + nameEnd - nameStart, bytes, tagsStart, tagsEnd)) continue
      return this.#entrySlots[entry] as number
    }
  }

  /** Whether the line's series has a slot; the slow way, by name. */
  has(bytes: Uint8Array, line: Line): boolean {
    return this.#slots.has(line.kind + this.#nameOf(bytes, line))
  }

  /** Removes series; raw spellings are learnt anew. */
  remove(slots: readonly number[]): void {
    for (const slot of slots) {
      this.#slots.delete(`${this.kinds[slot]}${this.names[slot]}`)
      this.names[slot] = ''
      this.#free.push(slot)
    }
    this.#entries = 0
    this.#arenaEnd = 0
    this.#table.fill(0)
  }

  #isSame(from: number, bytes: Uint8Array, start: number, end: number): boolean {
    const arena = this.#arena
    const shift = from - start
    for (let i = start; i < end; i++) if (arena[i + shift] !== bytes[i]) return false
    return true
  }

  #intern(bytes: Uint8Array, line: Line, hash: number): number {
    const { nameStart, nameEnd, tagsStart, tagsEnd, kind } = line
    const written = bytes.subarray(nameStart, nameEnd)
    const tags = bytes.subarray(tagsStart, tagsEnd)
    const name = this.#nameOf(bytes, line)
    if (name === '') return nameless
    let slot = this.#slots.get(kind + name)
    if (slot === undefined) {
      if (this.size >= this.seriesMax) return refused
      slot = this.#addSlot(name, kind)
    }
    if (this.#entries < this.seriesMax * 4) this.#addEntry(written, tags, hash, kind, slot)
    return slot
  }

  #nameOf(bytes: Uint8Array, { nameStart, nameEnd, tagsStart, tagsEnd }: Line): string {
    return seriesName(
      textOf(bytes.subarray(nameStart, nameEnd)),
      textOf(bytes.subarray(tagsStart, tagsEnd)),
      this.#style,
    )
  }

  #addSlot(name: string, kind: LineKind): number {
    const slot = this.#free.pop() ?? this.names.length
    this.names[slot] = name
    this.kinds[slot] = kind
    this.#slots.set(kind + name, slot)
    return slot
  }

  #addEntry(written: Uint8Array, tags: Uint8Array, hash: number, kind: LineKind, slot: number): void {
    if (this.#entries === this.#hashes.length) this.#growEntries()
    const bytes = written.length + tags.length
    while (this.#arenaEnd + bytes > this.#arena.length) this.#arena = grown(this.#arena, Uint8Array)
    const entry = this.#entries++
    this.#hashes[entry] = hash
    this.#entryKinds[entry] = kind
    this.#entrySlots[entry] = slot
    this.#starts[entry] = this.#arenaEnd
    this.#lengths[entry] = written.length
    this.#tagLengths[entry] = tags.length
    this.#arena.set(written, this.#arenaEnd)
    this.#arena.set(tags, this.#arenaEnd + written.length)
    this.#arenaEnd += bytes
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
    this.#tagLengths = grown(this.#tagLengths, Uint16Array)
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

type Growable = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array

/** A copy of twice the length. */
export function grown<T extends Growable>(array: T, make: new (length: number) => T): T {
  const larger = new make(array.length * 2)
  larger.set(array as never)
  return larger
}
