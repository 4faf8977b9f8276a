/** Waits on conditions instead of sleeping. */
import { setTimeout as pause } from 'node:timers/promises'

export interface UntilOptions {
  /** After this long the wait fails; default 10 s. */
  timeoutMs?: number
  /** What is awaited, for the failure's message; default the condition's own source. */
  what?: string
  /** How often the condition is asked; default every 10 ms. */
  everyMs?: number
}

/**
 * Asks `condition` until it answers with something truthy and returns that. A condition that throws or rejects counts as
 * not yet met; its last error is part of the failure's message.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, what, everyMs = 10 }: UntilOptions = {},
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    let last: unknown
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | undefined | null | 0 | ''>
    } catch (error) {
      last = error
    }
    if (performance.now() >= deadlineMs) {
      const because = last instanceof Error ? ` (last error: ${last.message})` : ''
      throw new Error(`not within ${timeoutMs} ms: ${what ?? condition.toString()}${because}`, { cause: last })
    }
    await pause(everyMs)
  }
}
