/**
 * Ledger: what alerts-log has already been told of each group, so that nothing is told twice and nothing is left out when
 * an engine starts again in the middle of an incident, or a second one takes over.
 *
 * A group's transitions are published in the order of their buckets. So one that is not after the last published one, or
 * that says again what the log said last, is not news. Bounded by the groups there are; groups that were forgotten or are
 * ok again for the longest go first.
 */
import { fingerprint, type Transition } from '../model/transition.ts'

export const ledgerGroupsMax = 200_000

interface Told {
  bucketMs: number
  /** All that alerts can tell apart. */
  state: string
  isCalm: boolean
}

export class Ledger {
  /** In the order of the last change. */
  readonly #told = new Map<string, Told>()

  get size(): number {
    return this.#told.size
  }

  isNews(transition: Transition): boolean {
    const last = this.#told.get(fingerprint(transition))
    return !last || (transition.bucketMs > last.bucketMs && stateOf(transition) !== last.state)
  }

  /** Notes what was published, by us or by another engine. */
  note(transition: Transition): void {
    const key = fingerprint(transition)
    const { bucketMs, to } = transition
    const last = this.#told.get(key)
    if (last && last.bucketMs > bucketMs) return
    this.#told.delete(key)
    this.#told.set(key, { bucketMs, state: stateOf(transition), isCalm: to === 'ok' || to === 'forgotten' })
    if (this.#told.size > ledgerGroupsMax) this.#forgetOne()
  }

  /** The calm group that changed longest ago, or without one near the front the oldest of all. */
  #forgetOne(): void {
    let chosen: string | undefined
    let looked = 0
    for (const [key, { isCalm }] of this.#told) {
      if (isCalm || chosen === undefined) chosen = key
      if (isCalm || ++looked >= 1000) break
    }
    if (chosen !== undefined) this.#told.delete(chosen)
  }
}

function stateOf({ to, hidden, blind, partial }: Transition): string {
  return `${to} ${hidden} ${blind} ${partial ? `${partial.alive}/${partial.known}` : ''}`
}
