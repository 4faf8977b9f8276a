/** Dead letters: notifications that nobody was told of, as receipts and commands on alerts-log tell. Bounded. */
import type { LetterCommand } from '../model/command.ts'
import type { Receipt } from '../model/delivery.ts'
import type { DeadLetterView } from './view.ts'

export const lettersMax = 500

export class DeadLetters {
  readonly #letters = new Map<string, DeadLetterView>()

  hearReceipt(receipt: Receipt): void {
    const { key, receiver, outcome, fallback, isMoot, title = '', detail, atMs, attempt, kind, fingerprint } = receipt
    this.#letters.delete(key)
    if (outcome !== 'dead' || fallback !== undefined || isMoot) return
    this.#letters.set(key, { key, receiver, title, detail, atMs, attempt, kind, fingerprint })
    if (this.#letters.size > lettersMax) this.#letters.delete(this.#letters.keys().next().value as string)
  }

  /** The text says why it changed nothing. */
  hearCommand({ letter }: LetterCommand): string | undefined {
    return this.#letters.delete(letter) ? undefined : 'there is no such dead letter'
  }

  has(key: string): boolean {
    return this.#letters.has(key)
  }

  get count(): number {
    return this.#letters.size
  }

  /** The newest first. */
  list(): DeadLetterView[] {
    return [...this.#letters.values()].reverse()
  }
}
