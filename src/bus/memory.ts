/**
 * Memory bus: the embedded default. Everything runs in one process; the logs are segments on disk, so that a restarted
 * engine replays.
 *
 * A message is written to its segment before it is delivered; fsync runs once a second, so a machine that loses power
 * may lose the last second, a killed process loses nothing. When the disk refuses, the bus says so (`problem`), goes on
 * delivering from memory, and returns to the disk as soon as it can: a monitor must not stop because its disk is full.
 */

import {
  type Envelope,
  type Hops,
  type Key,
  type Kind,
  type KindOf,
  kindOf,
  type LogEntry,
  type LogName,
  logKinds,
  type Messages,
} from '../model/message.ts'
import type { Status } from '../model/status.ts'
import type { Clock } from '../runtime/clock.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { type Bus, BusError, type Lock, type Offset, type Reader, type ReadOptions } from './bus.ts'
import { Decoder, encode } from './codec.ts'
import { SegmentLog } from './segments.ts'

export interface MemoryBusOptions {
  /** Directory of the logs; made when missing. */
  dir: string
  clock: Clock
  log: Log
  stats: Stats
  /** Unique per process start; the publisher half of message ids. */
  instance: string
  retentionMs?: number
  retentionBytes?: number
}

export async function openMemoryBus(options: MemoryBusOptions): Promise<Bus> {
  const bus = new MemoryBus(options)
  return bus
}

class MemoryBus implements Bus {
  readonly #logs: Record<LogName, SegmentLog>
  readonly #statusHandlers = new Set<(status: Status) => void>()
  readonly #readers = new Set<LogReader>()
  readonly #locks = new Map<string, Promise<void>>()
  readonly #situation: Situation
  readonly #stats: Stats
  readonly #instance: string
  #sequence = 0
  #closed = false

  constructor({ dir, clock, log, stats, instance, retentionMs, retentionBytes }: MemoryBusOptions) {
    this.#instance = instance
    this.#stats = stats
    this.#situation = new Situation(log)
    const open = (name: LogName) =>
      new SegmentLog({
        dir: `${dir}/${name}`,
        clock,
        retentionMs: retentionMs ?? 2 * 3_600_000,
        retentionBytes: retentionBytes ?? 1024 ** 3,
        onDisk: (problem) => {
          if (problem === undefined) this.#situation.good('the log is written to disk again')
          else {
            stats.count('disk_errors_total')
            this.#situation.bad(`the log cannot be written (${problem}); going on in memory, a restart would lose it`)
          }
        },
      })
    this.#logs = { 'engine-log': open('engine-log'), 'alerts-log': open('alerts-log') }
  }

  get problem(): string | undefined {
    return this.#situation.problem
  }

  async publish<K extends Key>(key: K, message: Messages[KindOf<K>], hops?: Hops): Promise<void> {
    if (this.#closed) throw new BusError('the bus is closed')
    const kind = kindOf(key)
    if (kind === undefined) throw new BusError(`no such routing key: ${key}`)
    if (kind === 'status') {
      for (const handle of this.#statusHandlers) handle(message as unknown as Status)
      return
    }
    const id = `${this.#instance}:${++this.#sequence}`
    const bytes = encode({ kind, key, id, message, ...(hops && { hops }) } as Envelope)
    this.#stats.count('published_total')
    for (const name of logsOf(kind)) {
      this.#logs[name].append(bytes)
      for (const reader of this.#readers) if (reader.log === name) reader.wake()
    }
  }

  readLog(
    log: LogName,
    from: Offset,
    handle: (entry: LogEntry) => Promise<void> | void,
    options: ReadOptions = {},
  ): Reader {
    const reader = new LogReader(log, this.#logs[log], from, handle, options, () => this.#readers.delete(reader))
    this.#readers.add(reader)
    reader.wake()
    return reader
  }

  onStatus(handle: (status: Status) => void): Reader {
    this.#statusHandlers.add(handle)
    return {
      caughtUp: async () => {},
      stop: async () => void this.#statusHandlers.delete(handle),
    }
  }

  async lock(role: string, signal?: AbortSignal): Promise<Lock> {
    for (let held = this.#locks.get(role); held; held = this.#locks.get(role)) {
      await Promise.race([held, aborted(signal)])
      if (signal?.aborted) throw new BusError(`gave up waiting for the lock ${role}`)
    }
    const { promise: lost, resolve } = Promise.withResolvers<void>()
    this.#locks.set(role, lost)
    return {
      lost,
      release: async () => {
        if (this.#locks.get(role) === lost) this.#locks.delete(role)
        resolve()
      },
    }
  }

  async readForeign(exchange: string): Promise<Reader> {
    throw new BusError(`the memory bus has no exchange "${exchange}"; foreign exchanges need bus: amqp://…`)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#readers].map((reader) => reader.stop()))
    for (const log of Object.values(this.#logs)) log.close()
  }
}

function logsOf(kind: Kind): LogName[] {
  return (Object.keys(logKinds) as LogName[]).filter((name) => logKinds[name].includes(kind))
}

function aborted(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve()
    signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Pulls a log at its own pace: from memory what is recent, from disk what is older. */
class LogReader implements Reader {
  readonly log: LogName
  readonly #segments: SegmentLog
  readonly #handle: (entry: LogEntry) => Promise<void> | void
  readonly #options: ReadOptions
  readonly #decoder = new Decoder()
  readonly #onStop: () => void
  readonly #waiting: { until: number; resolve: () => void }[] = []
  #next: number
  #running: Promise<void> | undefined
  #stopped = false

  constructor(
    log: LogName,
    segments: SegmentLog,
    from: Offset,
    handle: (entry: LogEntry) => Promise<void> | void,
    options: ReadOptions,
    onStop: () => void,
  ) {
    this.log = log
    this.#segments = segments
    this.#handle = handle
    this.#options = options
    this.#onStop = onStop
    this.#next = from === 'next' ? segments.end : from === 'first' ? segments.first : from
  }

  wake(): void {
    if (!this.#stopped) this.#running ??= this.#run()
  }

  caughtUp(): Promise<void> {
    const until = this.#segments.end
    if (this.#stopped || (this.#next >= until && !this.#running)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ until, resolve })
      this.wake()
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#onStop()
    await this.#running
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  async #run(): Promise<void> {
    // The publisher's turn ends before its message is handled, as on a real bus.
    await Promise.resolve()
    while (!this.#stopped && this.#next < this.#segments.end) {
      const first = this.#segments.first
      if (this.#next < first) {
        this.#options.lost?.(this.#next, first)
        this.#next = first
        continue
      }
      for (const { offset, bytes } of this.#segments.read(this.#next)) {
        if (this.#stopped) return
        if (offset > this.#next) this.#options.lost?.(this.#next, offset)
        const decoded = this.#decoder.decode(bytes)
        if (decoded.ok) await this.#handle({ ...decoded.value, offset })
        else this.#options.bad?.(decoded.error, offset)
        this.#next = offset + 1
        this.#settle()
      }
    }
    // Within the same turn as the last look at the log: whatever is published from now on wakes the reader again.
    this.#running = undefined
    this.#settle()
  }

  #settle(): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiting = this.#waiting[i] as { until: number; resolve: () => void }
      if (this.#next >= waiting.until) {
        this.#waiting.splice(i, 1)
        waiting.resolve()
      }
    }
  }
}
