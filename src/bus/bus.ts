/**
 * Bus: the port on which all parts meet. Parts know nothing of each other, only of what travels here (model/message.ts).
 *
 *     publish ──→ engine-log   metrics checks events markers clock rules       ──→ readLog, from any offset
 *             ──→ alerts-log   transitions commands claims receipts decisions clock ──→ readLog, from any offset
 *             ──→ status, live only                                            ──→ onStatus
 *
 * Two adapters, memory.ts (embedded: one process, segments on disk) and rabbitmq.ts (production: many processes, stream
 * queues). One suite, test/contract/bus.test.ts, holds both to what stands here; test/contract/bus-rabbitmq.test.ts
 * breaks the broker.
 *
 * What always holds:
 *
 *   Order      The messages of one publisher (one process) on one log are read in the order in which `publish` was
 *              called, also across a reconnect; it need not be awaited in between. Between publishers the log decides,
 *              and every reader sees the same order.
 *   Nothing lost   A message whose `publish` resolved is on its log until its age goes beyond the retention. On memory a
 *              kill loses nothing, a power cut at most the last second.
 *   Once       A reader handles each message once, also if it was published again after a reconnect: duplicates are
 *              dropped by id. Handling is not remembered across restarts of a reader: save the offset with the state.
 *   Markers    So a marker that was published after its data was confirmed (source.ts does that) is read after it.
 *   Bad bytes  What cannot be read is counted, told to `bad` and skipped; nothing else is lost.
 *
 * What never happens: a handler running twice at a time for one reader; a lock with two holders; an exception for
 * something that the world did (a broker away is waiting, not an error).
 *
 * Clock and status are live: worth nothing a second later, so with the broker away they are refused, not kept.
 */
import type { Envelope, Hops, Key, KindOf, LogEntry, LogName, Messages } from '../model/message.ts'
import type { Status } from '../model/status.ts'

/** `first`: the oldest message kept. `next`: only what comes from now on. A number: that offset, inclusive. */
export type Offset = number | 'first' | 'next'

export interface Bus {
  /**
   * Hands a message over; resolves once the bus has taken charge of it, that is when the broker has confirmed it or it
   * stands in its segment. While the broker is away this waits, in order and within bounds (rabbitmq/publisher.ts).
   *
   * Rejects with BusError: for a message that can never be published (`isFinal`), for a live one with the broker away,
   * when too much waits already, and when the bus is closed first. `message` may be changed after the call.
   */
  publish<K extends Key>(key: K, message: Messages[KindOf<K>], hops?: Hops): Promise<void>

  /**
   * Runs `handle` on each message of a log from `from` on, in order, one at a time, until the reader is stopped. With
   * many readers each has its own pace and place. Returns at once; what is wrong meanwhile is in `problem`.
   *
   * `handle` must not reject: that is a fault of ours and ends the process. It may publish and wait for it; it must not
   * wait for its own reader's `caughtUp` or `stop`.
   *
   * Offsets grow from message to message, not always by one. A reader goes on behind `offset` with `offset + 1`. Where
   * that has left the log, or is of another log that stood here before, `lost` is told and reading starts at the first
   * message there is.
   *
   * On RabbitMQ a reader takes its place a moment after the call. With `first` and `next`, await `caughtUp()` before
   * relying on where that is.
   */
  readLog(log: LogName, from: Offset, handle: HandleEntry, options?: ReadOptions): Reader

  /** Hears status messages as they come; no history, no order between instances, and none is waited for. */
  onStatus(handle: (status: Status) => void): Reader

  /**
   * Resolves when this process leads `role`: nobody else does then, on the whole bus. Waits as long as it takes; rejects
   * with BusError when `signal` is aborted or the bus is closed first.
   *
   * A killed leader's lock passes on within a second, a released one's at once, a hanging one's within about 3 s; a
   * leader that is cut off from the broker is told (`lost`) within 2 s, before another can have it.
   */
  lock(role: string, signal?: AbortSignal): Promise<Lock>

  /**
   * Runs `handle` on raw messages that foreign producers publish to `exchange`, one at a time. Readers of the same
   * exchange share its messages, which wait (bounded) while there is none. One that `handle` rejects is redelivered once,
   * then set aside and counted. Rejects with BusError where the adapter has no exchanges (memory).
   */
  readForeign(exchange: string, handle: (body: Buffer, routingKey: string) => Promise<void>): Promise<Reader>

  /** What is wrong now, for people: the broker away, the disk full; undefined when all is well. Never has a password. */
  readonly problem: string | undefined

  /**
   * Hands over what waits (up to 5 s), then lets go of everything: readers end after the message they are at, locks pass
   * on, what could not be handed over is rejected. Bounded, also when the broker hangs.
   */
  close(): Promise<void>
}

/** `bytes` is the entry without its offset as the codec wrote it, for those who keep it; it may be reused after the call. */
export type HandleEntry = (entry: LogEntry, bytes: Buffer) => Promise<void> | void

export interface ReadOptions {
  /** The wanted offset has left the log; `first` is where reading starts, or goes on, instead. */
  lost?: (wanted: number, first: number) => void
  /** A message that cannot be read (bad bytes, unknown version): counted and skipped, nothing else is lost. */
  bad?: (problem: string, offset: number) => void
}

export interface Reader {
  /**
   * Resolves when the handler has finished everything that was in the log at the time of the call, above all what this
   * process published before. Waits through reconnects. Resolves early only when the reader is stopped.
   */
  caughtUp(): Promise<void>
  /** Resolves when no handler runs any more; none begins after the call. */
  stop(): Promise<void>
}

export interface Lock {
  /**
   * Whether this process still leads for certain. False as soon as that is in doubt, also before `lost` settles: a process
   * that wakes up after a hang asks before it acts on what it knew.
   */
  isHeld(): boolean
  /** Settles when the lock is no longer held, for whatever reason. To have it again, call `lock` again. */
  lost: Promise<void>
  release(): Promise<void>
}

export class BusError extends Error {
  override name = 'BusError'
  /** The message itself cannot be published, now or ever; trying again is of no use. */
  readonly isFinal: boolean

  constructor(message: string, options: ErrorOptions & { isFinal?: boolean } = {}) {
    super(message, options)
    this.isFinal = options.isFinal ?? false
  }
}

export type { Envelope, LogEntry }
