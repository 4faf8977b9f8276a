/** Road: one way in, from its sockets to its source on the bus. */
import type { HostPort } from '../runtime/config.ts'

export interface Road {
  /** Where it listens, with real ports. */
  addresses: Readonly<Record<string, HostPort>>
  lastBucketMs(): number
  /** What is wrong, for people. */
  problem(): string | undefined
  /** Closes the sockets, flushes the last interval, says `bye`. */
  stop(): Promise<void>
}

/** Series that nobody has fed for this long make room for others, looked at this often. */
export const idleMaxMs = 3_600_000
export const sweepEveryMs = 60_000
