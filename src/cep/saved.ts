/**
 * Saved: helpers for state as plain data. `save` of a class gives references, not copies, so what it gives must be
 * written down before the next entry is applied; `restore` copies, so that nothing read from a file is kept alive or shared.
 */

import { createHash } from 'node:crypto'
import type { CheckedRule } from './language/load.ts'

const hashes = new WeakMap<CheckedRule, string>()

/** Equal for rules that mean the same. */
export function treeHash(rule: CheckedRule): string {
  let hash = hashes.get(rule)
  if (hash === undefined) {
    hash = createHash('sha256').update(rule.treeKey).digest('base64url')
    hashes.set(rule, hash)
  }
  return hash
}

/** Places that state by number has at first; so few that a rule of few groups stays small and together in memory. */
export const roomMin = 4

/** A copy with room for the first numbers; the rest holds `fill`. */
export function floats(saved: Float64Array, fill = 0, size = saved.length): Float64Array<ArrayBuffer> {
  const array = new Float64Array(Math.max(roomMin, size)).fill(fill)
  array.set(saved)
  return array
}

export function ints(saved: Int32Array, fill = 0, size = saved.length): Int32Array<ArrayBuffer> {
  const array = new Int32Array(Math.max(roomMin, size)).fill(fill)
  array.set(saved)
  return array
}

export function bytes(saved: Uint8Array, size = saved.length): Uint8Array<ArrayBuffer> {
  const array = new Uint8Array(Math.max(roomMin, size))
  array.set(saved)
  return array
}

/** Puts saved items in the place of those of a list that must stay the same object. */
export function refill<T>(list: T[], saved: readonly T[]): void {
  list.length = 0
  for (let i = 0; i < saved.length; i++) list[i] = saved[i] as T
}

/** The same for maps. */
export function refillMap<K, V>(map: Map<K, V>, saved: Iterable<readonly [K, V]>): void {
  map.clear()
  for (const [key, value] of saved) map.set(key, value)
}

/** Drops the open buckets up to `toMs`. */
export function dropUpTo(open: Map<number, unknown>, toMs: number): void {
  for (const bucketMs of open.keys()) if (bucketMs <= toMs) open.delete(bucketMs)
}
