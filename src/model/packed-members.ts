/**
 * Packed members: the members of many sets in three arrays, since a text for each member of a hundred thousand sets costs
 * many times what is in it.
 *
 *     text     all members, UTF-8, one set after another
 *     ends     where in the text each member ends
 */

export interface PackedMembers {
  /** Members of each set. */
  sizes: Int32Array
  ends: Int32Array
  text: Uint8Array
}

/** Calls back with the range in the text of each member of the i-th set, which begins with member `first`. */
export function eachMember(
  { sizes, ends }: PackedMembers,
  i: number,
  first: number,
  tell: (start: number, end: number) => void,
): void {
  for (let at = first; at < first + (sizes[i] as number); at++)
    tell(at === 0 ? 0 : (ends[at - 1] as number), ends[at] as number)
}

/** The members of each set as texts. */
export function unpackedMembers(packed: PackedMembers): string[][] {
  const { buffer, byteOffset, length } = packed.text
  const text = Buffer.from(buffer, byteOffset, length)
  let first = 0
  return Array.from(packed.sizes, (size, i) => {
    const members: string[] = []
    eachMember(packed, i, first, (start, end) => void members.push(text.toString('utf8', start, end)))
    first += size
    return members
  })
}
