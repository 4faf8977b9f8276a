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

/** One flush as two messages, each with some of the series in another order. */
function halves(entry: Extract<LogEntry, { kind: 'metrics' }>, chance: Chance): LogEntry[] {
  const turn = chance.below(2)
  return [turn, 1 - turn].map((side) => ({ ...entry, message: picked(entry.message, side, chance) }))
}

interface Half {
  names: readonly string[]
  places: readonly number[]
}

/** By array of names; the halves of one array are the same arrays each time, as a decoder gives them. */
const known = new WeakMap<readonly string[], Half[]>()

function halfOf(names: readonly string[], side: number, chance: Chance): Half {
  let both = known.get(names)
  if (!both) {
    const order = shuffle(
      names.map((_, i) => i),
      chance,
    )
    both = [0, 1].map((half) => {
      const places = order.filter((i) => i % 2 === half)
      return { places, names: places.map((i) => names[i] as string) }
    })
    known.set(names, both)
  }
  return both[side] as Half
}

function picked(message: MetricsMessage, side: number, chance: Chance): MetricsMessage {
  const { counters, gauges, timers, sets, untyped } = message
  const half = (names: readonly string[]) => halfOf(names, side, chance)
  const of = <T>(list: ArrayLike<T>, { places }: Half) => places.map((i) => list[i] as T)
  const column = (values: typeof gauges) => {
    const mine = half(values.names)
    const { offsetsMs } = values
    return {
      names: mine.names,
      values: Float64Array.from(of(values.values, mine)),
      ...(offsetsMs && { offsetsMs: Float64Array.from(of(offsetsMs, mine)) }),
    }
  }
  const [count, timer, set] = [half(counters.names), half(timers.names), half(sets.names)]
  return {
    ...message,
    counters: {
      names: count.names,
      sums: Float64Array.from(of(counters.sums, count)),
      samples: Float64Array.from(of(counters.samples, count)),
    },
    gauges: column(gauges),
    untyped: column(untyped),
    timers: { names: timer.names, distributions: of(timers.distributions, timer) },
    sets: { names: set.names, members: of(sets.members, set), overflowed: of(sets.overflowed, set) },
  }
}
