/** A bounded wait that leaves no timer behind. */
import { type Clock, sleep } from '../runtime/clock.ts'

/** Resolves when `work` has settled or `durationMs` have passed, whichever is first. */
export async function within(work: Promise<unknown> | undefined, durationMs: number, clock: Clock): Promise<void> {
  const over = new AbortController()
  await Promise.race([work, sleep(durationMs, clock, over.signal)])
  over.abort()
}
