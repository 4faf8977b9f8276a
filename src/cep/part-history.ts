/**
 * History: entries of engine-log once more, from a time on, as far as the log still has them.
 *
 * Minutes remembers where in the log each of the last minutes began, so that looking back begins near the place and not at
 * the log's first entry.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Bus } from '../bus/bus.ts'
import type { LogEntry } from '../model/message.ts'
import type { Clock } from '../runtime/clock.ts'
import { timeOf } from './log-time.ts'
import type { History } from './look-back.ts'

const minuteMs = 60_000
const minutesMax = 24 * 60
/** Entries read ahead of whoever takes them. */
const aheadMax = 256
/** Other work gets its turn this often. */
const turnMs = 20

/** Up to `ms`, all that was said stands before `offset`. */
export interface MinuteMark {
  ms: number
  offset: number
}

export class Minutes {
  readonly #marks: MinuteMark[]
  #newestMs: number

  constructor(marks: readonly MinuteMark[] = []) {
    this.#marks = [...marks]
    this.#newestMs = this.#marks.at(-1)?.ms ?? Number.NEGATIVE_INFINITY
  }

  /** The state of this object. */
  get marks(): readonly MinuteMark[] {
    return this.#marks
  }

  /** Notes an entry before it is applied. */
  note(entry: LogEntry): void {
    const atMs = timeOf(entry)
    if (atMs <= this.#newestMs) return
    const last = this.#marks.at(-1)
    const isNext = !last || atMs - last.ms >= minuteMs
    if (isNext && this.#newestMs > 0) this.#marks.push({ ms: this.#newestMs, offset: entry.offset })
    if (this.#marks.length > minutesMax) this.#marks.shift()
    this.#newestMs = atMs
  }

  /** An offset before which nothing with a time after `ms` stands. */
  before(ms: number): number | 'first' {
    return this.#marks.findLast((mark) => mark.ms <= ms)?.offset ?? 'first'
  }
}

/** What the log says before entry `end`. */
export function logHistory(bus: Bus, minutes: Minutes, end: number): History {
  return (fromMs) => readTo(bus, minutes.before(fromMs), end)
}

/** The same, letting other work have its turn. */
export function inTurns(history: History, clock: Clock): History {
  return async function* (fromMs) {
    let turnedMs = clock.now()
    for await (const entry of history(fromMs)) {
      yield entry
      if (clock.now() - turnedMs < turnMs) continue
      await turn()
      turnedMs = clock.now()
    }
  }
}

async function* readTo(bus: Bus, from: number | 'first', end: number): AsyncGenerator<LogEntry> {
  let ready: LogEntry[] = []
  let isOver = false
  let more = Promise.withResolvers<void>()
  let room = Promise.withResolvers<void>()
  const reader = bus.readLog('engine-log', from, (entry) => {
    if (isOver) return
    if (entry.offset >= end) isOver = true
    else ready.push(entry)
    more.resolve()
    if (ready.length >= aheadMax) return room.promise
  })
  // The log may end right before `end`.
  const ended = () => {
    isOver = true
    more.resolve()
  }
  reader.caughtUp().then(ended, ended)
  try {
    while (true) {
      await more.promise
      more = Promise.withResolvers()
      const taken = ready
      ready = []
      room.resolve()
      room = Promise.withResolvers()
      yield* taken
      if (isOver && ready.length === 0) return
    }
  } finally {
    isOver = true
    room.resolve()
    await reader.stop()
  }
}
