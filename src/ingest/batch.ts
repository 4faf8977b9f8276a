/**
 * Batch: keeps messages within what every bus takes. Timers with many values and sets with many members are heavy; a
 * message that would be too large is split, series by series.
 */
import { emptyMetrics, type MetricsMessage, type SetColumn, type TimerColumn } from '../model/metric.ts'
import type { PackedMembers } from '../model/packed-members.ts'

/** Bytes in one message, estimated; well below what the bus refuses, as text may grow when it is escaped. */
export const batchBytesMax = 2 * 1024 ** 2
/** Bytes of all members of one set; it must fit into a message by itself. */
export const setBytesMax = 1024 ** 2

type Series = { bytes: number; put: (message: MetricsMessage) => void }

/** The message itself when it is light enough, else several with the same series. */
export function splitHeavy(message: MetricsMessage): MetricsMessage[] {
  if (weightOf(message) <= batchBytesMax) return [message]
  const heavy = [...timersOf(message), ...setsOf(message)]
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

/**
 * Gives back what the large arrays of messages take, at once rather than when garbage is collected: by then they are old,
 * and several flushes of them wait for the rare collection of what is old. Nobody may look at the messages any more.
 */
export function giveBack(messages: Iterable<MetricsMessage>): void {
  for (const { timers, sets } of messages) {
    const arrays = [timers.packed?.pairs, timers.packed?.figures, sets.packed?.text, sets.packed?.ends]
    for (const array of arrays) if (array?.buffer instanceof ArrayBuffer) array.buffer.transfer(0)
  }
}

function weightOf({ timers, sets }: MetricsMessage): number {
  let bytes = 0
  for (let i = 0; i < timers.names.length; i++) bytes += timerBytes(timers, i)
  if (sets.packed) return bytes + packedSetsBytes(sets.names, sets.packed)
  for (let i = 0; i < sets.names.length; i++) bytes += setBytes(sets, i)
  return bytes
}

function timerBytes(timers: TimerColumn, i: number): number {
  const size = timers.packed ? timers.packed.sizes[i] : timers.distributions[i]?.values.length
  return (timers.names[i] as string).length + 16 * (size as number) + 64
}

function setBytes({ names, members }: SetColumn, i: number): number {
  let bytes = (names[i] as string).length
  for (const member of members[i] as readonly string[]) bytes += member.length + 3
  return bytes
}

function packedSetsBytes(names: readonly string[], { text, ends }: PackedMembers): number {
  return names.reduce((bytes, name) => bytes + name.length, text.length + 3 * ends.length)
}

function timersOf({ timers }: MetricsMessage): Series[] {
  return timers.names.map((name, i) => {
    const distribution = timers.distributions[i] as (typeof timers.distributions)[number]
    return {
      bytes: timerBytes(timers, i),
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
      bytes: setBytes(sets, i),
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
