/**
 * Ancestors: whether who started us is still there. Under npm that is npm itself, behind the shell in which it runs
 * scripts; the shell alone would outlive it.
 */
import fs from 'node:fs'

/** Returns a question that stays true until an ancestor that matters has gone. */
export function watchAncestors(isUnderNpm: boolean): () => boolean {
  const parent = process.ppid
  const grandparent = isUnderNpm ? parentOf(parent) : undefined
  return () => process.ppid === parent && (grandparent === undefined || parentOf(parent) === grandparent)
}

/** Undefined where there is no /proc. */
function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  } catch {
    return undefined
  }
}
