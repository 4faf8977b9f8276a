/** What passes between the ingest part and its worker threads. */
import type { CheckResult } from '../../model/check.ts'
import type { Config, HostPort } from '../../runtime/config.ts'
import type { LogLevel } from '../../runtime/log.ts'
import type { BadLineReport } from '../bad-lines.ts'
import type { DogstatsdEvent } from '../dogstatsd.ts'
import type { LineKind } from '../parse.ts'
import type { SenderReport } from '../senders.ts'
import type { ShardReport } from '../shard.ts'
import type { Taken } from '../statsd.ts'

/** A thread's workerData. */
export interface ThreadOptions {
  ingest: Pick<Config['ingest'], 'statsd' | 'seriesMax' | 'allow' | 'perSourceLinesMax'>
  /** UDP sockets of one thread. */
  sockets: number
  /** Lines that senders may still send this second, shared by all threads. */
  rooms: SharedArrayBuffer | undefined
}

export type ToThread =
  | { do: 'listen'; address: HostPort }
  | { do: 'report' }
  | { do: 'forget'; kind: LineKind; names: readonly string[] }
  | { do: 'forget idle'; intervals: number }
  /** Closes the sockets; the answer is a last report. */
  | { do: 'stop' }

/** A line with a time of its own, written anew. */
export interface TimedLine {
  from: string
  text: string
}

/** Everything that came since the last report. */
export interface Report {
  metrics: ShardReport
  taken: Taken
  senders: readonly SenderReport[]
  linesLimited: number
  badLines: BadLineReport
  /** By what the thread's other counters have grown. */
  counts: Readonly<Record<string, number>>
  timed: readonly TimedLine[]
  events: readonly (DogstatsdEvent & { atMs: number })[]
  checks: readonly (Pick<CheckResult, 'name' | 'state' | 'output'> & { atMs: number })[]
}

export type FromThread =
  | { did: 'start' }
  | { did: 'listen'; grantedBytes: number }
  | { did: 'fail'; message: string }
  | { did: 'report'; report: Report }
  | { did: 'log'; level: LogLevel; message: string; fields?: object }
