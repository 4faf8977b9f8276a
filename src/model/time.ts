/**
 * Time as messages; design: "the engine has no clock of its own".
 */

/** Ends one bucket of one source, published only after every message of that bucket is confirmed. */
export interface Marker {
  /** Source id: name and start time, no dots. */
  source: string
  /** The instance's lasting name, what `source:NAME` in a rule means. */
  name: string
  startedMs: number
  /** All of this source's data up to this bucket end has been published; only ever grows. */
  bucketMs: number
  /** How often the source sends markers. */
  intervalMs: number
  /** How far the source lags on purpose, because it passes on foreign timestamps; 0 for statsd and checks. */
  latenessMs: number
  /** True on the last marker of an orderly stop. */
  bye?: boolean
}

/** Sent by each `cep` process once a second; never buffered or republished. The engine takes the larger. */
export interface ClockTick {
  process: string
  nowMs: number
}

/** The end of the bucket that `atMs` belongs to: buckets are (end − step, end]. */
export function bucketEnd(atMs: number, stepMs: number): number {
  return Math.ceil(atMs / stepMs) * stepMs
}
