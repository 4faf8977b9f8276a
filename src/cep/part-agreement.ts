/**
 * Agreement: whether the engine that leads tells what this one computes. Two engines on one log must say the same, id for
 * id and value for value; where they do not, one of them is of another version, has lost data or has a fault, and a
 * takeover would change what people are told.
 *
 * Only a standby compares. It waits until its own time is `patienceMs` past a transition's bucket, so that neither the one
 * that is ahead nor the one that is behind is blamed for it.
 */
import type { Transition } from '../model/transition.ts'

/** Transitions waiting to be compared, of each side; beyond it the oldest go uncompared. */
export const comparedMax = 20_000
const patienceMs = 60_000

interface Words {
  bucketMs: number
  /** All that people are told. */
  text: string
}

export class Agreement {
  readonly #computed = new Map<string, Words>()
  readonly #told = new Map<string, Words>()
  /** Transitions of buckets up to here are not compared. */
  #fromMs = Number.POSITIVE_INFINITY

  /** What this engine computed. */
  computed(transition: Transition): void {
    this.#keep(this.#computed, transition)
  }

  /** What stands on alerts-log. */
  told(transition: Transition): void {
    this.#keep(this.#told, transition)
  }

  /** Compares only buckets after `nowMs`: this process leads, or has just begun to stand by. */
  restart(nowMs: number): void {
    this.#computed.clear()
    this.#told.clear()
    this.#fromMs = nowMs
  }

  /** What does not agree, in words, of the buckets that are old enough at `nowMs`, the engine's own time. */
  disagreements(nowMs: number): string[] {
    const found: string[] = []
    for (const [id, { bucketMs, text }] of this.#computed) {
      if (bucketMs > nowMs - patienceMs) continue
      this.#computed.delete(id)
      const told = this.#told.get(id)
      this.#told.delete(id)
      if (!told) found.push(`this engine computed ${id}, the one that leads did not tell it`)
      else if (told.text !== text) found.push(`${id} was told as ${told.text}, this engine computed ${text}`)
    }
    for (const [id, { bucketMs }] of this.#told) {
      if (bucketMs > nowMs - patienceMs) continue
      this.#told.delete(id)
      found.push(`the engine that leads told ${id}, this one did not compute it`)
    }
    return found
  }

  #keep(side: Map<string, Words>, transition: Transition): void {
    if (transition.bucketMs <= this.#fromMs) return
    side.set(transition.id, { bucketMs: transition.bucketMs, text: wordsOf(transition) })
    if (side.size > comparedMax) side.delete(side.keys().next().value as string)
  }
}

function wordsOf({ blind, partial, sinceMs, say, reason, values }: Transition): string {
  return JSON.stringify({
    say,
    reason,
    values: values.map(({ name, value }) => [name, value]),
    sinceMs,
    blind,
    partial,
  })
}
