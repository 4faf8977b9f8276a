/**
 * Sessions: who logged in with a browser. A session is 256 random bits in a cookie; this table holds only their hash.
 *
 * It ends when it has not been used for `idleMsMax`, after `ageMsMax` in any case, on logging out, and when its token is
 * taken out of the configuration or replaced. The table lives in memory: after a restart everybody logs in again.
 * Bounded: over `sessionsMax` the one that was used longest ago ends.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'

export const sessionsMax = 1_000
export const idleMsMax = 12 * 3_600_000
export const ageMsMax = 7 * 24 * 3_600_000

export interface Session {
  name: string
  /** Of the token that it was opened with. */
  tokenHash: Buffer
  openedMs: number
  usedMs: number
}

export class Sessions {
  readonly #clock: Clock
  readonly #stats: Stats
  /** By the hash of the id; the one used longest ago first. */
  readonly #sessions = new Map<string, Session>()

  constructor(clock: Clock, stats: Stats) {
    this.#clock = clock
    this.#stats = stats
    stats.observe('sessions', () => this.#sessions.size)
  }

  /** Opens one and returns its id. */
  open(name: string, tokenHash: Buffer): string {
    const id = randomBytes(32).toString('base64url')
    const nowMs = this.#clock.now()
    this.#sessions.set(keyOf(id), { name, tokenHash, openedMs: nowMs, usedMs: nowMs })
    if (this.#sessions.size > sessionsMax) {
      this.#sessions.delete(this.#sessions.keys().next().value as string)
      this.#stats.count('sessions_dropped_total')
    }
    return id
  }

  /** The session of an id, which counts as used by this; undefined when there is none or it has ended. */
  use(id: string): Session | undefined {
    const key = keyOf(id)
    const session = this.#sessions.get(key)
    if (!session) return undefined
    this.#sessions.delete(key)
    const nowMs = this.#clock.now()
    if (nowMs - session.usedMs > idleMsMax || nowMs - session.openedMs > ageMsMax) return undefined
    session.usedMs = nowMs
    this.#sessions.set(key, session)
    return session
  }

  close(id: string): void {
    this.#sessions.delete(keyOf(id))
  }
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('hex')
}
