/**
 * Members: those of many sets in one interval, by slot, as bytes in tables that all sets share.
 *
 *     table[hash of slot and member] → entry → hash | slot | entry before it in its set | start
 *                                                └→ the text from its start to the next entry's
 *     heads[slot] → the newest entry of the set → the one before it → … → 0
 *
 * A member is UTF-8; bytes that are none are kept as what they are read as, so that two members are never one text.
 * Bounded: members of one set and their bytes, members of all sets and their bytes. What has no room marks its set.
 */
import { isUtf8 } from 'node:buffer'
import type { PackedMembers } from '../model/packed-members.ts'
import { setBytesMax } from './batch.ts'
import { grown } from './series.ts'

/** Members kept of one set, and of all sets together. */
export interface MemberBounds {
  membersMax: number
  allMembersMax: number
}

/** Bytes of the members of all sets. */
export const allMembersBytesMax = 128 * 1024 ** 2

const entryFields = 4
const entriesMin = 512
const textBytesMin = 16_384
/** In the place of a slot: the member of a set that was forgotten. */
const nobody = -1
/** What a set without a value gets, as to etsy's daemon. */
const zero = Buffer.from('0')

export class Members {
  #heads = new Int32Array(1024)
  #sizes = new Int32Array(1024)
  #bytes = new Int32Array(1024)
  #overflowed = new Uint8Array(1024)
  #table = new Int32Array(2 * entriesMin)
  #fields = new Int32Array(entriesMin * entryFields)
  #text: Uint8Array = new Uint8Array(textBytesMin)
  #textEnd = 0
  /** Entry 0 is the end of every set. */
  #end = 1

  #refused = 0

  /** Members of all sets. */
  get count(): number {
    return this.#end - 1
  }

  /** Bytes that its tables take. */
  get bytes(): number {
    const tables = [this.#heads, this.#sizes, this.#bytes, this.#overflowed, this.#table, this.#fields, this.#text]
    return tables.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** Forgets all; every slot is to be begun anew. Room that was hardly used is given up. */
  clear(): void {
    if (this.#end === 1) return
    if (this.#end * entryFields * 8 < this.#fields.length || this.#textEnd * 8 < this.#text.length) {
      this.#table = new Int32Array(2 * entriesMin)
      this.#fields = new Int32Array(entriesMin * entryFields)
      this.#text = new Uint8Array(textBytesMin)
    } else this.#table.fill(0)
    this.#heads.fill(0)
    this.#end = 1
    this.#textEnd = 0
  }

  /** The slot's first member of the interval is about to come. */
  begin(slot: number): void {
    while (slot >= this.#heads.length) {
      this.#heads = grown(this.#heads, Int32Array)
      this.#sizes = grown(this.#sizes, Int32Array)
      this.#bytes = grown(this.#bytes, Int32Array)
      this.#overflowed = grown(this.#overflowed, Uint8Array)
    }
    this.#heads[slot] = this.#sizes[slot] = this.#bytes[slot] = this.#overflowed[slot] = 0
  }

  /** Adds the member that stands from `start` to `end`; false when there is no room, which marks the set. */
  add(slot: number, bytes: Uint8Array, start: number, end: number, bounds: MemberBounds): boolean {
    if (start === end) return this.#add(slot, zero, 0, zero.length, bounds)
    for (let i = start; i < end; i++)
      if ((bytes[i] as number) >= 0x80) return this.#addWide(slot, bytes.subarray(start, end), bounds)
    return this.#add(slot, bytes, start, end, bounds)
  }

  /** The set has more members than are here. */
  markOverflowed(slot: number): void {
    this.#overflowed[slot] = 1
  }

  overflowed(slot: number): boolean {
    return this.#overflowed[slot] === 1
  }

  /** Lines whose members had no room, since the last asking. */
  takeRefused(): number {
    const refused = this.#refused
    this.#refused = 0
    return refused
  }

  /** The members of slots that have some, as they came. */
  pack(slots: readonly number[]): PackedMembers {
    const sizes = Int32Array.from(slots, (slot) => this.#sizes[slot] as number)
    const ends = new Int32Array(sizes.reduce((sum, size) => sum + size, 0))
    const text = new Uint8Array(slots.reduce((sum, slot) => sum + (this.#bytes[slot] as number), 0))
    let last = 0
    let textEnd = 0
    for (const slot of slots) {
      last += this.#sizes[slot] as number
      textEnd += this.#bytes[slot] as number
      this.#copy(slot, ends, last, text, textEnd)
    }
    return { sizes, ends, text }
  }

  /** What came of the slot does not count. */
  forget(slot: number): void {
    let entry = this.#heads[slot] ?? 0
    if (entry !== 0) this.#heads[slot] = 0
    while (entry !== 0) {
      this.#fields[entry * entryFields + 1] = nobody
      entry = this.#fields[entry * entryFields + 2] as number
    }
  }

  #addWide(slot: number, member: Uint8Array, bounds: MemberBounds): boolean {
    const utf8 = isUtf8(member) ? member : Buffer.from(Buffer.from(member).toString('utf8'))
    return this.#add(slot, utf8, 0, utf8.length, bounds)
  }

  #add(
    slot: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    { membersMax, allMembersMax }: MemberBounds,
  ): boolean {
    let hash = Math.imul(slot + 1, 0x9e3779b1)
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
    const mask = this.#table.length - 1
    let at = (hash ^ (hash >>> 15)) & mask
    for (let entry = this.#table[at] as number; entry !== 0; entry = this.#table[at] as number) {
      if (this.#isSame(entry, hash, slot, bytes, start, end)) return true
      at = (at + 1) & mask
    }
    const length = end - start
    const isFull = (this.#sizes[slot] as number) >= membersMax || (this.#bytes[slot] as number) + length > setBytesMax
    if (isFull || this.count >= allMembersMax || this.#textEnd + length > allMembersBytesMax) {
      this.#overflowed[slot] = 1
      this.#refused++
      return false
    }
    this.#table[at] = this.#end
    this.#append(slot, hash, bytes, start, end)
    return true
  }

  #isSame(entry: number, hash: number, slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    const field = entry * entryFields
    const fields = this.#fields
    if (fields[field] !== hash || fields[field + 1] !== slot) return false
    const from = fields[field + 3] as number
    if (this.#endOf(entry) - from !== end - start) return false
    const text = this.#text
    for (let i = start; i < end; i++) if (text[from + i - start] !== bytes[i]) return false
    return true
  }

  #endOf(entry: number): number {
    return entry + 1 === this.#end ? this.#textEnd : (this.#fields[(entry + 1) * entryFields + 3] as number)
  }

  #append(slot: number, hash: number, bytes: Uint8Array, start: number, end: number): void {
    const field = this.#end * entryFields
    if (field === this.#fields.length) this.#fields = grown(this.#fields, Int32Array)
    const textEnd = this.#textEnd + end - start
    if (textEnd > this.#text.length) this.#text = grown(this.#text, Uint8Array, textEnd)
    const fields = this.#fields
    fields[field] = hash
    fields[field + 1] = slot
    fields[field + 2] = this.#heads[slot] as number
    fields[field + 3] = this.#textEnd
    const text = this.#text
    for (let i = start, to = this.#textEnd; i < end; i++, to++) text[to] = bytes[i] as number
    this.#textEnd = textEnd
    this.#sizes[slot] = (this.#sizes[slot] as number) + 1
    this.#bytes[slot] = (this.#bytes[slot] as number) + end - start
    this.#heads[slot] = this.#end++
    if (this.#end * 2 > this.#table.length) this.#growTable()
  }

  #growTable(): void {
    const table = new Int32Array(this.#table.length * 2)
    const mask = table.length - 1
    for (let entry = 1; entry < this.#end; entry++) {
      const hash = this.#fields[entry * entryFields] as number
      let at = (hash ^ (hash >>> 15)) & mask
      while (table[at] !== 0) at = (at + 1) & mask
      table[at] = entry
    }
    this.#table = table
  }

  /** Copies the slot's members, as they came, to before `last` and `textEnd`. */
  #copy(slot: number, ends: Int32Array, last: number, text: Uint8Array, textEnd: number): void {
    let end = textEnd
    for (let entry = this.#heads[slot] as number, at = last - 1; entry !== 0; at--) {
      const from = this.#fields[entry * entryFields + 3] as number
      const to = this.#endOf(entry)
      ends[at] = end
      end -= to - from
      for (let i = from; i < to; i++) text[end + i - from] = this.#text[i] as number
      entry = this.#fields[entry * entryFields + 2] as number
    }
  }
}
