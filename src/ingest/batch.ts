/**
 * Batch: keeps messages within what every bus takes. Timers with many values and sets with many members are heavy; a
 * message that would be too large is split, series by series.
 */
import { emptyMetrics, type MetricsMessage } from '../model/metric.ts'

/** Bytes in one message, estimated; well below what the bus refuses, as text may grow when it is escaped. */
export const batchBytesMax = 2 * 1024 ** 2
/** Bytes of all members of one set; it must fit into a message by itself. */
export const setBytesMax = 1024 ** 2

type Series = { bytes: number; put: (message: MetricsMessage) => void }

/** The message itself when it is light enough, else several with the same series. */
export function splitHeavy(message: MetricsMessage): MetricsMessage[] {
  const heavy = [...timersOf(message), ...setsOf(message)]
  if (heavy.reduce((sum, { bytes }) => sum + bytes, 0) <= batchBytesMax) return [message]
  const { source, bucketMs, stepMs, counters, gauges, untyped } = message
  const messages: MetricsMessage[] = [{ ...emptyMetrics(source, bucketMs, stepMs), counters, gauges, untyped }]
  let room = 0
  for (const { bytes, put } of heavy) {
    if (bytes > room) {
      messages.push({
        ...emptyMetrics(source, bucketMs, stepMs),
        timers: { names: [], distributions: [] },
        sets: { names: [], members: [], overflowed: [] },
      })
      room = batchBytesMax
    }
    put(messages.at(-1) as MetricsMessage)
    room -= bytes
  }
  return messages
}

function timersOf({ timers }: MetricsMessage): Series[] {
  return timers.names.map((name, i) => {
    const distribution = timers.distributions[i] as (typeof timers.distributions)[number]
    return {
      bytes: name.length + 16 * distribution.values.length + 64,
      put: (into) => {
        const { names, distributions } = into.timers
        into.timers = { names: [...names, name], distributions: [...distributions, distribution] }
      },
    }
  })
}

function setsOf({ sets }: MetricsMessage): Series[] {
  return sets.names.map((name, i) => {
    const members = sets.members[i] as readonly string[]
    return {
      bytes: members.reduce((sum, member) => sum + member.length + 3, name.length),
      put: (into) => {
        const { names, members: all, overflowed } = into.sets
        into.sets = {
          names: [...names, name],
          members: [...all, members],
          overflowed: [...overflowed, sets.overflowed[i] as boolean],
        }
      },
    }
  })
}
