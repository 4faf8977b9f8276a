/**
 * Series: known names by their raw bytes, so that a line of a known series costs one hash lookup and no string.
 *
 * A *slot* is a small integer that stands for one series (a cleaned name and a kind), in order of first appearance; the
 * slots of removed series are given to new ones. Two raw names that clean to the same name share a slot. Lookup is an open-addressed table over raw names:
 *
 *     table[hash & mask] → entry + 1 → hash | shape | start | slot        shape: kind, lengths of name and tags
 *                                                        └→ the bytes of both in the arena
 *
 * An entry's four numbers stand side by side, so that a look-up among very many touches few cache lines.
 *
 * Bounded: `seriesMax` slots, and four raw spellings a slot on average; further spellings work but take the slow way.
 */
import { seriesName, type TagStyle } from './name.ts'
import type { Line, LineKind } from './parse.ts'

/** `slotOf` when there is no room for another series. */
export const refused = -1
/** `slotOf` when cleaning leaves nothing of the name. */
export const nameless = -2

/** Numbers of an entry. */
const entryFields = 4

export class SeriesTable {
  readonly seriesMax: number
  /** By slot; empty where a series was removed. */
  readonly names: string[] = []
  readonly kinds: LineKind[] = []
  readonly #slots = new Map<string, number>()
  readonly #free: number[] = []
  #table = new Int32Array(1024)
  #entries = 0
  #fields = new Int32Array(512 * entryFields)
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
    const shape = shapeOf(nameEnd - nameStart, tagsEnd - tagsStart, kind)
    const table = this.#table
    const fields = this.#fields
    const mask = table.length - 1
    for (let at = (hash ^ (hash >>> 15)) & mask; ; at = (at + 1) & mask) {
      const entry = (table[at] as number) - 1
      if (entry < 0) return this.#intern(bytes, line, hash)
      const field = entry * entryFields
      if (fields[field] !== hash || fields[field + 1] !== shape) continue
      const from = fields[field + 2] as number
      if (!this.#isSame(from, bytes, nameStart, nameEnd)) continue
      if (tagsEnd !== tagsStart && !this.#isSame(from + nameEnd - nameStart, bytes, tagsStart, tagsEnd)) continue
      return fields[field + 3] as number
    }
  }

  /** Whether the line's series has a slot; the slow way, by name. */
  has(bytes: Uint8Array, line: Line): boolean {
    return this.#slots.has(line.kind + this.#nameOf(bytes, line))
  }

  /** The slot of a series by its clean name, a new one if need be; `refused` when there is no room. */
  slotNamed(kind: LineKind, name: string): number {
    const known = this.#slots.get(kind + name)
    if (known !== undefined) return known
    return this.size >= this.seriesMax ? refused : this.#addSlot(name, kind)
  }

  /** The slot of a series by its clean name; undefined when it has none. */
  find(kind: LineKind, name: string): number | undefined {
    return this.#slots.get(kind + name)
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
    const slot = this.slotNamed(kind, name)
    if (slot === refused) return refused
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
    if (this.#entries * entryFields === this.#fields.length) this.#fields = grown(this.#fields, Int32Array)
    const bytes = written.length + tags.length
    while (this.#arenaEnd + bytes > this.#arena.length) this.#arena = grown(this.#arena, Uint8Array)
    const entry = this.#entries++
    this.#fields.set([hash, shapeOf(written.length, tags.length, kind), this.#arenaEnd, slot], entry * entryFields)
    this.#arena.set(written, this.#arenaEnd)
    this.#arena.set(tags, this.#arenaEnd + written.length)
    this.#arenaEnd += bytes
    if (this.#entries * 2 > this.#table.length) this.#growTable()
    else this.#place(entry)
  }

  #place(entry: number): void {
    const hash = this.#fields[entry * entryFields] as number
    const mask = this.#table.length - 1
    let at = (hash ^ (hash >>> 15)) & mask
    while (this.#table[at] !== 0) at = (at + 1) & mask
    this.#table[at] = entry + 1
  }

  #growTable(): void {
    this.#table = new Int32Array(this.#table.length * 2)
    for (let entry = 0; entry < this.#entries; entry++) this.#place(entry)
  }
}

/** Names have at most 512 bytes and tags 2048, so both and the kind fit into one number. */
function shapeOf(nameLength: number, tagsLength: number, kind: LineKind): number {
  return nameLength | (tagsLength << 10) | (kind << 22)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

type Growable = Uint8Array | Uint32Array | Int32Array | Float64Array

/** A copy of twice the length, or more so that `index` is in it. */
export function grown<T extends Growable>(array: T, make: new (length: number) => T, index = 0): T {
  let length = array.length * 2
  while (length <= index) length *= 2
  const larger = new make(length)
  larger.set(array as never)
  return larger
}
