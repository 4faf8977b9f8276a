/** Secret: compares tokens in a time that does not tell how much of them was right. */
import { createHash, timingSafeEqual } from 'node:crypto'

export function isSameSecret(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}
