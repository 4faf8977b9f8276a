/**
 * Memory bus: the embedded default. Everything runs in one process; the logs are segments on disk, so that a restarted
 * engine replays.
 *
 * A message is written to its segment before it is delivered; fsync runs once a second, so a machine that loses power
 * may lose the last second, a killed process loses nothing. When the disk refuses, the bus says so (`problem`), goes on
 * delivering from memory, and returns to the disk as soon as it can: a monitor must not stop because its disk is full.
 */
import fs from 'node:fs'
import {
  type Envelope,
  type Hops,
  type Key,
  type Kind,
  type KindOf,
  type LogName,
  logKinds,
  type Messages,
} from '../model/message.ts'
import type { Status } from '../model/status.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { type Log, Situation } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { type Bus, BusError, type HandleEntry, type Lock, type Offset, type Reader, type ReadOptions } from './bus.ts'
import { encode } from './codec.ts'
import { lockDirectory } from './memory/directory-lock.ts'
import { LogReader } from './memory/log-reader.ts'
import { SegmentLog } from './memory/segments.ts'
import { checkedKind, checkedSize } from './outgoing.ts'
import { retentionOf } from './retention.ts'

const closeWaitMs = 5000

export interface MemoryBusOptions {
  /** Directory of the logs; made when missing. One process at a time. */
  dir: string
  clock: Clock
  log: Log
  stats: Stats
  /** Unique per process start; the publisher half of message ids. */
  instance: string
  /** Per log; default 2 h. */
  retentionMs?: number
  /** Per log; default 1 GiB. */
  retentionBytes?: number
}

/** Rejects with BusError when the directory cannot be used or another process uses it. */
export async function openMemoryBus(options: MemoryBusOptions): Promise<Bus> {
  let unlock: (() => void) | undefined
  try {
    fs.mkdirSync(options.dir, { recursive: true })
    unlock = lockDirectory(options.dir)
    return new MemoryBus(options, unlock)
  } catch (error) {
    unlock?.()
    throw new BusError(`the log directory cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

class MemoryBus implements Bus {
  readonly #logs: Record<LogName, SegmentLog>
  readonly #diskProblems = new Map<LogName, string>()
  readonly #statusHandlers = new Set<(status: Status) => void>()
  readonly #readers = new Set<LogReader>()
  readonly #locks = new Map<string, { lost: Promise<void>; release: () => void }>()
  readonly #closing = new AbortController()
  readonly #situation: Situation
  readonly #options: MemoryBusOptions
  readonly #unlock: () => void
  #sequence = 0
  #closed = false

  constructor(options: MemoryBusOptions, unlock: () => void) {
    this.#options = options
    this.#unlock = unlock
    this.#situation = new Situation(options.log)
    this.#logs = { 'engine-log': this.#open('engine-log'), 'alerts-log': this.#open('alerts-log') }
  }

  get problem(): string | undefined {
    return this.#situation.problem
  }

  async publish<K extends Key>(key: K, message: Messages[KindOf<K>], hops?: Hops): Promise<void> {
    if (this.#closed) throw new BusError('the bus is closed')
    const kind = checkedKind(key)
    if (kind === 'status') {
      // The key says what the message is; the compiler cannot follow that through a type parameter.
      for (const handle of this.#statusHandlers) handle(message as unknown as Status)
      return
    }
    const id = `${this.#options.instance}:${++this.#sequence}`
    const bytes = checkedSize(encode({ kind, key, id, message, ...(hops && { hops }) } as Envelope))
    this.#options.stats.count('published_total')
    for (const name of logsOf(kind)) {
      this.#logs[name].append(bytes)
      for (const reader of this.#readers) if (reader.log === name) reader.wake()
    }
  }

  readLog(log: LogName, from: Offset, handle: HandleEntry, options: ReadOptions = {}): Reader {
    if (this.#closed) throw new BusError('the bus is closed')
    const segments = this.#logs[log]
    const onStop = () => this.#readers.delete(reader)
    const reader = new LogReader({ log, segments, from, handle, options, stats: this.#options.stats, onStop })
    this.#readers.add(reader)
    return reader
  }

  onStatus(handle: (status: Status) => void): Reader {
    this.#statusHandlers.add(handle)
    return {
      caughtUp: async () => {},
      stop: async () => {
        this.#statusHandlers.delete(handle)
      },
    }
  }

  async lock(role: string, signal?: AbortSignal): Promise<Lock> {
    const gaveUp = AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])])
    for (let held = this.#locks.get(role); held; held = this.#locks.get(role)) {
      await Promise.race([held.lost, aborted(gaveUp)])
      if (gaveUp.aborted) break
    }
    if (gaveUp.aborted) throw new BusError(`gave up waiting for the lock ${role}`)
    const { promise: lost, resolve } = Promise.withResolvers<void>()
    const release = () => {
      if (this.#locks.get(role) === held) this.#locks.delete(role)
      resolve()
    }
    const held = { lost, release }
    this.#locks.set(role, held)
    return { isHeld: () => this.#locks.get(role) === held, lost, release: async () => release() }
  }

  async readForeign(exchange: string): Promise<Reader> {
    throw new BusError(`the memory bus has no exchange "${exchange}"; foreign exchanges need bus: amqp://…`)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#closing.abort()
    const stopped = Promise.all([...this.#readers].map((reader) => reader.stop())).then(() => true)
    const giveUp = new AbortController()
    const isStopped = await Promise.race([stopped, sleep(closeWaitMs, this.#options.clock, giveUp.signal)])
    giveUp.abort()
    if (!isStopped) this.#options.log.warn('closing the bus without waiting for a handler any longer')
    for (const { release } of this.#locks.values()) release()
    for (const log of Object.values(this.#logs)) log.close()
    this.#unlock()
  }

  #open(name: LogName): SegmentLog {
    const { dir, clock, stats, retentionBytes = 1024 ** 3 } = this.#options
    const retentionMs = retentionOf(name, this.#options.retentionMs ?? 2 * 3_600_000)
    const onDisk = (problem: string | undefined) => this.#onDisk(name, problem)
    const log = new SegmentLog({ dir: `${dir}/${name}`, clock, retentionMs, retentionBytes, onDisk })
    stats.observe(`log_bytes{log="${name}"}`, () => log.bytes)
    stats.observe(`log_unwritten_messages{log="${name}"}`, () => log.unwritten)
    return log
  }

  #onDisk(name: LogName, problem: string | undefined): void {
    if (problem === undefined) this.#diskProblems.delete(name)
    else {
      this.#options.stats.count('disk_errors_total')
      this.#diskProblems.set(name, problem)
    }
    const [first] = this.#diskProblems.values()
    if (first === undefined) this.#situation.good('the log is written to disk again')
    else this.#situation.bad(`the log cannot be written (${first}); going on in memory, a restart would lose it`)
  }
}

function logsOf(kind: Kind): LogName[] {
  return (Object.keys(logKinds) as LogName[]).filter((name) => logKinds[name].includes(kind))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
