/** Disturb: what a bus, a network or a pause may do to a log without changing what it says. */
import type { LogEntry } from '../../../src/model/message.ts'
import type { MetricsMessage } from '../../../src/model/metric.ts'
import type { Chance } from './hour.ts'

/** Data between two markers in another order, messages in two halves, columns in another order. */
export function shuffled(entries: readonly LogEntry[], chance: Chance): LogEntry[] {
  const all: LogEntry[] = []
  let data: LogEntry[] = []
  const flush = () => {
    all.push(...shuffle(data, chance))
    data = []
  }
  for (const entry of entries) {
    if (entry.kind === 'metrics') data.push(...halves(entry, chance))
    else if (entry.kind === 'checks' || entry.kind === 'events') data.push(entry)
    else {
      flush()
      all.push(entry)
    }
  }
  flush()
  return all
}

/** Some entries come again, once or a hundred at a time. */
export function redelivered(entries: readonly LogEntry[], chance: Chance): LogEntry[] {
  const all: LogEntry[] = []
  entries.forEach((entry, i) => {
    all.push(entry)
    if (chance.below(10) === 0) all.push(entries[i - chance.below(Math.min(i, 50) + 1)] as LogEntry)
    if (chance.below(500) === 0) all.push(...entries.slice(Math.max(0, i - 100), i + 1))
  })
  return all
}

/**
 * Nothing arrives from `from` on for `count` entries; then each publisher's messages come at once, one publisher after
 * another, and the clock, which is never sent late, has been silent meanwhile.
 */
export function stalled(entries: readonly LogEntry[], from: number, count: number): LogEntry[] {
  const late = entries.slice(from, from + count)
  const byPublisher = Map.groupBy(
    late.filter(({ kind }) => kind !== 'clock'),
    ({ id }) => id.slice(0, id.lastIndexOf(':')),
  )
  return [...entries.slice(0, from), ...[...byPublisher.values()].flat(), ...entries.slice(from + count)]
}

export function shuffle<T>(list: readonly T[], chance: Chance): T[] {
  const all = [...list]
  for (let i = all.length - 1; i > 0; i--) {
    const j = chance.below(i + 1)
    ;[all[i], all[j]] = [all[j] as T, all[i] as T]
  }
  return all
}

/** One flush as two messages, each with some of the series in any order. */
function halves(entry: Extract<LogEntry, { kind: 'metrics' }>, chance: Chance): LogEntry[] {
  const { message } = entry
  const sides = [0, 1].map((side) => ({
    ...entry,
    message: picked(message, (count) =>
      shuffle(
        Array.from({ length: count }, (_, i) => i).filter((i) => i % 2 === side),
        chance,
      ),
    ),
  }))
  return shuffle(sides, chance)
}

function picked(message: MetricsMessage, pick: (count: number) => number[]): MetricsMessage {
  const { counters, gauges, timers, sets, untyped } = message
  const of = <T>(list: ArrayLike<T>, places: readonly number[]) => places.map((i) => list[i] as T)
  const column = (values: typeof gauges) => {
    const places = pick(values.names.length)
    const { offsetsMs } = values
    return {
      names: of(values.names, places),
      values: Float64Array.from(of(values.values, places)),
      ...(offsetsMs && { offsetsMs: Float64Array.from(of(offsetsMs, places)) }),
    }
  }
  const [count, timer, set] = [counters.names, timers.names, sets.names].map((names) => pick(names.length)) as [
    number[],
    number[],
    number[],
  ]
  return {
    ...message,
    counters: {
      names: of(counters.names, count),
      sums: Float64Array.from(of(counters.sums, count)),
      samples: Float64Array.from(of(counters.samples, count)),
    },
    gauges: column(gauges),
    untyped: column(untyped),
    timers: { names: of(timers.names, timer), distributions: of(timers.distributions, timer) },
    sets: { names: of(sets.names, set), members: of(sets.members, set), overflowed: of(sets.overflowed, set) },
  }
}
