/**
 * Attempts: how often a wrong token may be given on the login page, by address: ten at once, then one in six seconds.
 * Bounded: over `addressesMax` the address that failed longest ago is forgotten.
 */
import type { Clock } from '../runtime/clock.ts'

export const failuresMax = 10
export const perFailureMs = 6_000
export const addressesMax = 10_000

export class Attempts {
  readonly #clock: Clock
  /** By address, when its failures will all be forgiven. */
  readonly #forgivenMs = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  mayTry(address: string): boolean {
    return this.#debtMs(address) <= (failuresMax - 1) * perFailureMs
  }

  fail(address: string): void {
    const debtMs = this.#debtMs(address) + perFailureMs
    this.#forgivenMs.delete(address)
    this.#forgivenMs.set(address, this.#clock.now() + debtMs)
    if (this.#forgivenMs.size > addressesMax) this.#forgivenMs.delete(this.#forgivenMs.keys().next().value as string)
  }

  #debtMs(address: string): number {
    return Math.max(0, (this.#forgivenMs.get(address) ?? 0) - this.#clock.now())
  }
}
