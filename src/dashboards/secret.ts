/** Secret: compares tokens, by their hashes, in a time that does not tell how much of them was right. */
import { createHash, timingSafeEqual } from 'node:crypto'

export function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

export function isSameHash(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(a, b)
}
