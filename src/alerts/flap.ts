/**
 * Flap: an alert that begins and ends again and again is told of once when that begins and once when it is over.
 *
 * Counted for each fingerprint: episodes that somebody was to be told of. With `episodes` of them within `within` it
 * flaps, until no episode has begun or ended for `calm`. Plain data and pure steps; who is told what stands in flapping.ts.
 *
 *     steady ──the nth episode within the time──→ flapping ──calm for long enough──→ steady
 */
import type { ToldReceiver } from './state.ts'

export interface Flap {
  /** Log times at which the last episodes began to matter, oldest first. */
  raisedMs: readonly number[]
  /** The newest episode counted. */
  episode: string
  /** When an episode last began or ended. */
  changedMs: number
  /** Since when it flaps. */
  sinceMs?: number
  /** Whom we told while it flaps: they are told when it is over. */
  receivers: Readonly<Record<string, ToldReceiver>>
}

export interface FlapPolicy {
  episodes: number
  within: number
  calm: number
}

/** An episode that somebody is to be told of; counted once. */
export function countEpisode(flap: Flap | undefined, episode: string, policy: FlapPolicy, nowMs: number): Flap {
  if (flap?.episode === episode) return flap
  const raisedMs = [...(flap?.raisedMs ?? []), nowMs].filter((atMs) => nowMs - atMs < policy.within)
  const kept = {
    ...flap,
    receivers: flap?.receivers ?? {},
    raisedMs: raisedMs.slice(-policy.episodes),
    episode,
    changedMs: nowMs,
  }
  return kept.sinceMs === undefined && raisedMs.length >= policy.episodes ? { ...kept, sinceMs: nowMs } : kept
}

export function isFlapping(flap: Flap | undefined): flap is Flap & { sinceMs: number } {
  return flap?.sinceMs !== undefined
}

/** Nothing of it matters any more, unless it flaps. */
export function isForgettable({ raisedMs, sinceMs }: Flap, { within }: FlapPolicy, nowMs: number): boolean {
  return sinceMs === undefined && nowMs - (raisedMs.at(-1) ?? 0) >= within
}
