/**
 * Bus: the port on which all parts meet. Two adapters, memory.ts and rabbitmq.ts; one contract suite runs on both.
 *
 * What always holds: messages of one publisher are read in the order published, also across a reconnect; a message whose
 * `publish` resolved is never lost while it is within the log's retention; a message is handled once per reader
 * (duplicates are dropped by id); a marker is never read before data whose `publish` was awaited before it.
 */
import type { Envelope, Hops, Key, KindOf, LogEntry, LogName, Messages } from '../model/message.ts'
import type { Status } from '../model/status.ts'

/** `first`: the oldest message kept. `next`: only what comes from now on. A number: that offset, inclusive. */
export type Offset = number | 'first' | 'next'

export interface Bus {
  /** Resolves once the bus has taken charge of the message; rejects with BusError if it will not. */
  publish<K extends Key>(key: K, message: Messages[KindOf<K>], hops?: Hops): Promise<void>
  /**
   * Runs `handle` on each message of a log from `from` on, in order, one at a time. `handle` must not reject.
   * Where `from` has left the log, `lost` is told and reading starts at the first message there is.
   */
  readLog(log: LogName, from: Offset, handle: (entry: LogEntry) => Promise<void> | void, options?: ReadOptions): Reader
  /** Hears status messages as they come; no history. */
  onStatus(handle: (status: Status) => void): Reader
  /** Resolves when this process leads `role`; `lost` settles when it no longer does. Aborting the signal gives up waiting. */
  lock(role: string, signal?: AbortSignal): Promise<Lock>
  /**
   * Runs `handle` on raw messages that foreign producers publish to `exchange`. A rejected one is redelivered once, then
   * set aside and counted. Rejects with BusError where the adapter has no exchanges (memory).
   */
  readForeign(exchange: string, handle: (body: Buffer, routingKey: string) => Promise<void>): Promise<Reader>
  /** What is wrong with the connection, for people; undefined when all is well. */
  readonly problem: string | undefined
  /** Hands over what is buffered (bounded wait), then lets go of everything. */
  close(): Promise<void>
}

export interface ReadOptions {
  /** The wanted offset has left the log; `first` is where reading starts instead. */
  lost?: (wanted: number, first: number) => void
  /** A message that cannot be read (bad bytes, unknown version): counted and skipped, nothing else is lost. */
  bad?: (problem: string, offset: number) => void
}

export interface Reader {
  /** Resolves when the handler has finished everything that was in the log at the time of the call. */
  caughtUp(): Promise<void>
  /** Resolves when no handler runs any more. */
  stop(): Promise<void>
}

export interface Lock {
  /** Settles when the lock is no longer held, for whatever reason. */
  lost: Promise<void>
  release(): Promise<void>
}

export class BusError extends Error {
  override name = 'BusError'
}

export type { Envelope, LogEntry }
