/**
 * Flapping: keeps count of each alert's episodes in the state, and says when it begins and ceases to flap (flap.ts).
 *
 * While an alert flaps nobody is told of its single beginnings and ends. A receiver that has only heard of warnings is
 * paged when it becomes critical: that it flaps does not make crit less urgent. At the end its receivers are told how it is.
 */
import type { Alert } from '../model/alert.ts'
import { worse } from '../model/alert.ts'
import { countEpisode, type Flap, type FlapPolicy, isFlapping, isForgettable } from './flap.ts'
import type { AlertsState, Changes, ToldReceiver } from './state.ts'

/** An alert that has ceased to flap, and whom we told that it did. */
export interface Calmed {
  fingerprint: string
  receivers: Readonly<Record<string, ToldReceiver>>
}

export class Flapping {
  readonly #state: AlertsState
  readonly #changes: Changes
  readonly #policy: FlapPolicy | undefined

  constructor(state: AlertsState, changes: Changes, policy: FlapPolicy | false | undefined) {
    this.#state = state
    this.#changes = changes
    this.#policy = policy || undefined
  }

  /** Counts an episode that somebody is to be told of; true while it flaps. */
  count({ fingerprint, episode }: Alert): boolean {
    if (!this.#policy) return false
    const before = this.#state.flaps.get(fingerprint)
    const flap = countEpisode(before, episode, this.#policy, this.#state.nowMs)
    if (flap !== before) this.#put(fingerprint, flap)
    return isFlapping(flap)
  }

  /** An episode has begun, told or not: it is not calm yet. */
  begun({ fingerprint }: Alert): void {
    const flap = this.#state.flaps.get(fingerprint)
    if (isFlapping(flap)) this.#put(fingerprint, { ...flap, changedMs: this.#state.nowMs })
  }

  /**
   * An episode has ended, of which these receivers were told. While it flaps they are remembered, and true comes back:
   * its end is not told.
   */
  ended({ fingerprint }: Alert, told: Readonly<Record<string, ToldReceiver>>): boolean {
    const flap = this.#state.flaps.get(fingerprint)
    if (!isFlapping(flap)) return false
    this.#put(fingerprint, { ...flap, changedMs: this.#state.nowMs, receivers: both(flap.receivers, told) })
    return true
  }

  /** It will not come back: whom we told that it flaps is given back. */
  forgotten({ fingerprint }: Alert): Readonly<Record<string, ToldReceiver>> {
    const flap = this.#state.flaps.get(fingerprint)
    this.#put(fingerprint, undefined)
    return isFlapping(flap) ? flap.receivers : {}
  }

  /** Those for which nothing has changed for long enough; what nothing is known of may still flap. */
  calmed(): Calmed[] {
    const { flaps, book, nowMs } = this.#state
    const found: Calmed[] = []
    for (const [fingerprint, flap] of flaps) {
      const alert = book.firing.get(fingerprint)
      if (isFlapping(flap) && !alert?.blind && !alert?.nodata && nowMs - flap.changedMs >= (this.#policy?.calm ?? 0)) {
        this.#put(fingerprint, undefined)
        found.push({ fingerprint, receivers: flap.receivers })
      } else if (!this.#policy || isForgettable(flap, this.#policy, nowMs)) this.#put(fingerprint, undefined)
    }
    return found
  }

  #put(fingerprint: string, flap: Flap | undefined): void {
    if (flap) this.#state.flaps.set(fingerprint, flap)
    else if (!this.#state.flaps.delete(fingerprint)) return
    this.#changes.flaps.add(fingerprint)
  }
}

/** What either knows; of a receiver that both know, the worst level and all keys. */
export function both(
  one: Readonly<Record<string, ToldReceiver>>,
  other: Readonly<Record<string, ToldReceiver>>,
): Record<string, ToldReceiver> {
  const all: Record<string, ToldReceiver> = { ...one }
  for (const [receiver, { level, keys, atMs }] of Object.entries(other)) {
    const known = all[receiver]
    const merged = { level: worse(known?.level ?? level, level), keys: [...new Set([...(known?.keys ?? []), ...keys])] }
    all[receiver] = { ...merged, atMs }
  }
  return all
}
