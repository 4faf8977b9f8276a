/** A statsd intake without sockets, and what it took as plain values. */
import { Aggregate } from '../../src/ingest/aggregate.ts'
import { BadLines } from '../../src/ingest/bad-lines.ts'
import { Happenings } from '../../src/ingest/happenings.ts'
import type { TagStyle } from '../../src/ingest/name.ts'
import { Senders, type SendersOptions } from '../../src/ingest/senders.ts'
import { type LineTaker, StatsdIntake } from '../../src/ingest/statsd.ts'
import { TimedIntake } from '../../src/ingest/timed.ts'
import type { MetricsMessage } from '../../src/model/metric.ts'
import { type Clock, ManualClock } from '../../src/runtime/clock.ts'
import type { Log } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { recordingLog } from '../support/world.ts'

export const sender = { address: '10.0.0.7', port: 5 }

export interface TestIntake {
  senders: Senders
  intake: StatsdIntake
  aggregate: Aggregate
  timed: TimedIntake
  happenings: Happenings
  stats: Stats
  /** Warnings and errors. */
  logged: string[]
  send(...lines: string[]): void
}

export interface TestIntakeOptions {
  clock?: Clock
  stats?: Stats
  log?: Log
  tags?: TagStyle
  seriesMax?: number
  onFirst?: () => void
  senders?: Partial<SendersOptions>
  /** Takes the lines instead of an aggregate. */
  aggregate?: LineTaker
}

export function openIntake(options: TestIntakeOptions = {}): TestIntake {
  const { clock = new ManualClock(), stats = new Stats(), tags = 'dogstatsd', seriesMax = 100 } = options
  const logged: string[] = []
  const senders = new Senders({ stats, ...options.senders })
  const badLines = new BadLines(clock, options.log ?? recordingLog(logged), stats, senders)
  const aggregate = new Aggregate({ seriesMax, tags })
  const onFirst = options.onFirst ?? (() => {})
  const timed = new TimedIntake({ stepMs: 1000, latenessMs: 5000, seriesMax, tags, clock, badLines, stats, onFirst })
  const happenings = new Happenings(clock, stats, 60_000)
  const intake = new StatsdIntake({
    aggregate: options.aggregate ?? aggregate,
    timed,
    happenings,
    senders,
    badLines,
    clock,
    stats,
  })
  const send = (...lines: string[]) => intake.take(Buffer.from(lines.join('\n')), sender)
  return { senders, intake, aggregate, timed, happenings, stats, logged, send }
}

/** All columns of all batches as `c name` → [sum, samples], `g name` → value, `t name` → figures, `s name` → members. */
export function flat(messages: readonly MetricsMessage[]): Record<string, unknown> {
  const all = messages.flatMap(({ counters, gauges, timers, sets }): [string, unknown][] => [
    ...counters.names.map((name, i): [string, unknown] => [`c ${name}`, [counters.sums[i], counters.samples[i]]]),
    ...gauges.names.map((name, i): [string, unknown] => [`g ${name}`, gauges.values[i]]),
    ...timers.names.map((name, i): [string, unknown] => {
      const { count, values, counts } = timers.distributions[i] as (typeof timers.distributions)[number]
      return [`t ${name}`, [count, ...[...values].map((value, j) => `${value}×${counts[j]}`)]]
    }),
    ...sets.names.map((name, i): [string, unknown] => [`s ${name}`, [...(sets.members[i] ?? [])].sort()]),
  ])
  return Object.fromEntries(all)
}
