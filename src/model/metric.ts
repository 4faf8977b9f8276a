/**
 * Metrics as they travel: one message is (a batch of) one flush of one source, as columns.
 *
 * Only what arrived in the bucket is here; repeating idle gauges and zero counters is the Graphite forwarder's job.
 * Columns of one message are parallel arrays; a name stands at most once in a column. `names` arrays of an unchanged
 * series list may be the same object from message to message: compare by identity first.
 */
import type { Distribution } from './distribution.ts'
import { type PackedDistributions, unpacked } from './packed-distributions.ts'
import { type PackedMembers, unpackedMembers } from './packed-members.ts'

/** How a series behaves; rule-language.md §5. `untyped` is a foreign number (a Graphite line) of unknown kind. */
export type MetricKind = 'count' | 'gauge' | 'timer' | 'set' | 'untyped'

/** statsd counters: `sums[i]` scaled by sample rate, `samples[i]` lines received. */
export interface CounterColumn {
  names: readonly string[]
  sums: Float64Array
  samples: Float64Array
  /** Where given, the name the Graphite forwarder writes verbatim, with the bucket's own time. */
  graphiteNames?: readonly string[]
}

/** Last values of the bucket. */
export interface ValueColumn {
  names: readonly string[]
  values: Float64Array
  graphiteNames?: readonly string[]
}

/** Gauges, and when each value was written, so that of several daemons' values the last one stands. */
export interface GaugeColumn extends ValueColumn {
  /** Counted from the bucket's beginning, bucketMs − stepMs; outside of 0 to stepMs where a flush came late. */
  offsetsMs?: Float64Array
}

/** Timers, in ms unless a catalogue says otherwise. */
export interface TimerColumn {
  names: readonly string[]
  distributions: readonly Distribution[]
  /** The same, where the maker has it so; `distributions` is then made when somebody asks. */
  packed?: PackedDistributions
}

/** A column whose distributions are objects only for whoever looks at them. */
export function packedTimers(names: readonly string[], packed: PackedDistributions): TimerColumn {
  let made: readonly Distribution[] | undefined
  return {
    names,
    packed,
    get distributions() {
      made ??= unpacked(packed)
      return made
    },
  }
}

/** Sets: their members, up to `setMembersMax`; `overflowed[i]` tells that there were more. */
export interface SetColumn {
  names: readonly string[]
  members: readonly (readonly string[])[]
  overflowed: readonly boolean[]
  /** The same members, where the maker has them so; `members` is then made when somebody asks. */
  packed?: PackedMembers
}

/** A column whose members are texts only for whoever looks at them. */
export function packedSets(names: readonly string[], packed: PackedMembers, overflowed: readonly boolean[]): SetColumn {
  let made: string[][] | undefined
  return {
    names,
    packed,
    overflowed,
    get members() {
      made ??= unpackedMembers(packed)
      return made
    },
  }
}

export const setMembersMax = 10_000

/** What an ingest daemon counts of itself under the names of etsy's daemon, as counters in every bucket that grew them. */
export const ownFolder = 'statsd.'
export const ownCounters: readonly string[] = ['bad_lines_seen', 'packets_received', 'metrics_received'].map(
  (name) => ownFolder + name,
)

export interface MetricsMessage {
  /** Source id, no dots: the part's name and its start time. */
  source: string
  /** Nominal end of the bucket, epoch ms; a point belongs to (bucketMs − stepMs, bucketMs]. */
  bucketMs: number
  stepMs: number
  counters: CounterColumn
  gauges: GaugeColumn
  timers: TimerColumn
  sets: SetColumn
  untyped: ValueColumn
}

const noNames: readonly string[] = Object.freeze([])

/** A message with empty columns, to be filled in. */
export function emptyMetrics(source: string, bucketMs: number, stepMs: number): MetricsMessage {
  return {
    source,
    bucketMs,
    stepMs,
    counters: { names: noNames, sums: new Float64Array(0), samples: new Float64Array(0) },
    gauges: { names: noNames, values: new Float64Array(0) },
    timers: { names: noNames, distributions: [] },
    sets: { names: noNames, members: [], overflowed: [] },
    untyped: { names: noNames, values: new Float64Array(0) },
  }
}

/** When the i-th gauge was written, epoch ms: at the end of the bucket where its source does not say. */
export function gaugeWrittenMs({ bucketMs, stepMs, gauges: { offsetsMs } }: MetricsMessage, i: number): number {
  return offsetsMs ? bucketMs - stepMs + (offsetsMs[i] as number) : bucketMs
}

/** Series in all columns of a message. */
export function seriesCount(message: MetricsMessage): number {
  const { counters, gauges, timers, sets, untyped } = message
  return counters.names.length + gauges.names.length + timers.names.length + sets.names.length + untyped.names.length
}
