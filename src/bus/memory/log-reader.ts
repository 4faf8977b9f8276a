/** LogReader of the memory bus: pulls a log at its own pace, from memory what is recent, from disk what is older. */
import { setImmediate as turn } from 'node:timers/promises'
import type { LogName } from '../../model/message.ts'
import type { Stats } from '../../runtime/stats.ts'
import type { HandleEntry, Offset, Reader, ReadOptions } from '../bus.ts'
import { Decoder } from '../codec.ts'
import type { LogRecord, SegmentLog } from './segments.ts'

/** Messages handled in one go; then sockets and timers get their turn, also while a long log is replayed. */
const withoutTurnMax = 1000

export interface LogReaderOptions {
  log: LogName
  segments: SegmentLog
  from: Offset
  handle: HandleEntry
  options: ReadOptions
  stats: Stats
  onStop: () => void
}

export class LogReader implements Reader {
  readonly log: LogName
  readonly #with: LogReaderOptions
  readonly #decoder = new Decoder()
  readonly #waiting: { until: number; resolve: () => void }[] = []
  #next: number
  /** The offset asked for is of a log that was there before this one. */
  #isBeyond: boolean
  #idle: Promise<void> = Promise.resolve()
  #working = false
  #stopped = false
  #withoutTurn = 0

  constructor(options: LogReaderOptions) {
    this.log = options.log
    this.#with = options
    const { segments, from } = options
    this.#next = from === 'next' ? segments.end : from === 'first' ? segments.first : from
    this.#isBeyond = this.#next > segments.end
    this.wake()
  }

  /** Something may have been appended. */
  wake(): void {
    if (this.#stopped || this.#working) return
    this.#working = true
    this.#idle = this.#work()
  }

  caughtUp(): Promise<void> {
    const until = this.#with.segments.end
    if (this.#stopped || (this.#next >= until && !this.#working)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ until, resolve })
      this.wake()
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#with.onStop()
    await this.#idle
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  async #work(): Promise<void> {
    // The publisher's turn ends before its message is handled, as on a real bus.
    await Promise.resolve()
    const { segments } = this.#with
    if (this.#isBeyond) this.#skipTo(segments.first)
    this.#isBeyond = false
    while (!this.#stopped && this.#next < segments.end) {
      if (this.#next < segments.first) this.#skipTo(segments.first)
      const read = segments.read(this.#next)
      await this.#handleAll(read instanceof Promise ? await read : read)
    }
    // In the same turn as the last look at the log's end, so that no wake is missed.
    this.#working = false
    this.#settle()
  }

  async #handleAll(records: readonly LogRecord[]): Promise<void> {
    for (const { offset, bytes } of records) {
      if (this.#stopped) return
      if (offset > this.#next) this.#skipTo(offset)
      const handling = this.#handle(offset, bytes)
      if (handling) await handling
      this.#next = offset + 1
      if (this.#waiting.length > 0) this.#settle()
      if (++this.#withoutTurn >= withoutTurnMax) {
        this.#withoutTurn = 0
        await turn()
      }
    }
  }

  #handle(offset: number, bytes: Buffer): Promise<void> | undefined {
    const decoded = this.#decoder.decode(bytes)
    if (decoded.ok) return this.#with.handle({ ...decoded.value, offset }, bytes) || undefined
    this.#with.stats.count('bad_messages_total')
    this.#with.options.bad?.(decoded.error, offset)
  }

  #skipTo(offset: number): void {
    const wanted = this.#next
    this.#next = offset
    this.#with.options.lost?.(wanted, offset)
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
