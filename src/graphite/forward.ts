/**
 * Forward: the engine log as text for carbon. A step over log entries; no I/O and no time but what the messages tell.
 *
 *     metrics, checks → staged (source, bucket, batch) → marker → window of the flush → complete → lines
 *     columns with Graphite names of their own ──────────────────────────────────────────────────→ lines, at once
 *
 * What always holds. A bucket is folded once, when its source has marked it: a batch that is published again before the
 * marker overwrites itself, after it is dropped. Windows are written in order of time and each once; one that neither
 * data nor the clock reached (everything was off) is not written at all. What comes for a window already written goes
 * into the oldest open one and is counted: totals stay right, as they do when statsd hears a late packet.
 *
 * The position says from which offset a restart has to read so that nothing is lost: what it reads before `nextOffset` of
 * windows up to `writtenMs` has been written and only refreshes the memory of idle series.
 */
import type { EventMessage } from '../model/event.ts'
import { isForgotten, readForget } from '../model/forget.ts'
import type { LogEntry } from '../model/message.ts'
import type { MetricsMessage } from '../model/metric.ts'
import { bucketEnd } from '../model/time.ts'
import type { Stats } from '../runtime/stats.ts'
import { IdleMemory } from './idle.ts'
import { verbatimLines, windowLines } from './lines.ts'
import type { Output } from './output.ts'
import { graceMs, Sources } from './sources.ts'
import { type Staged, Staging } from './staging.ts'
import { Window } from './window.ts'

/** Windows open at a time; when a source holds up more, it is given up on. */
export const openWindowsMax = 30
/** A bucket this far ahead of the clock is a wrong clock somewhere; it is counted and left out. */
export const futureMaxMs = 60_000
/** Late batches of one window that a restart would find again; what is beyond is counted. */
export const lateOffsetsMax = 10_000
const chunkLinesMax = 10_000
const verbatimLinesMax = 5_000

export interface Position {
  /** The oldest message that a window not yet written needs. */
  firstOffset: number
  /** Every message below has been read, and its verbatim lines handed over. */
  nextOffset: number
  /** End of the last window written, epoch ms. */
  writtenMs: number
  /** Messages for windows up to `writtenMs` that came late and wait for a later one. */
  lateOffsets: readonly number[]
}

export interface Chunk {
  text: string
  lines: number
}

export interface ForwardOptions {
  flushMs: number
  seriesMax: number
  stats: Stats
  output: Output
  /** Where a former run stood. */
  position?: Position
}

interface Open {
  window: Window
  /** Smallest offset of what was folded. */
  firstOffset: number
  /** Offsets of what came late. */
  late: number[]
  /** Time heard when the clock passed the end. */
  passedAtMs?: number
}

export class Forwarder {
  readonly idle: IdleMemory
  readonly #options: ForwardOptions
  readonly #sources: Sources
  readonly #staging = new Staging()
  readonly #open = new Map<number, Open>()
  readonly #complete: Window[] = []
  readonly #verbatim: string[] = []
  #verbatimIsDue = false
  #verbatimSecond = 0
  #closedMs: number
  #writtenMs: number
  #nextOffset: number
  #resumeOffset: number
  #lateBefore: ReadonlySet<number>

  constructor(options: ForwardOptions) {
    this.#options = options
    this.idle = new IdleMemory(options.seriesMax, options.output.idle)
    this.#sources = new Sources(options.flushMs)
    this.#closedMs = this.#writtenMs = options.position?.writtenMs ?? 0
    this.#nextOffset = this.#resumeOffset = options.position?.nextOffset ?? 0
    this.#lateBefore = new Set(options.position?.lateOffsets)
    options.stats.observe('idle_series', () => this.idle.size)
    options.stats.observe('idle_series_refused_total', () => this.idle.refused)
    options.stats.observe('windows_open', () => this.#open.size)
    options.stats.observe('sources', () => this.#sources.size)
  }

  get position(): Position {
    let firstOffset = Math.min(this.#nextOffset, this.#staging.firstOffset)
    const lateOffsets = this.#staging.offsetsUpTo(this.#writtenMs)
    for (const open of this.#open.values()) {
      firstOffset = Math.min(firstOffset, open.firstOffset)
      lateOffsets.push(...open.late)
    }
    return { firstOffset, nextOffset: this.#nextOffset, writtenMs: this.#writtenMs, lateOffsets }
  }

  /** There is something for `drain`. */
  get isDue(): boolean {
    return this.#complete.length > 0 || this.#verbatimIsDue
  }

  /** The log is not the one that the position is of (a new broker, an emptied directory). */
  beginAnew(): void {
    this.#resumeOffset = this.#nextOffset = 0
    this.#lateBefore = new Set()
  }

  take(entry: LogEntry): void {
    if (entry.kind === 'metrics') this.#takeMetrics(entry.message, entry.offset)
    else if (entry.kind === 'checks') {
      const { source, bucketMs, results } = entry.message
      this.#stage(source, bucketMs, { key: `checks ${results[0]?.sequence}`, offset: entry.offset, checks: results })
    } else if (entry.kind === 'events') {
      this.#forget(entry.message)
    } else if (entry.kind === 'markers') {
      this.#sources.mark(entry.message)
      for (const staged of this.#staging.release(entry.message.source, entry.message.bucketMs)) this.#fold(staged)
      this.#advance(entry.message.bucketMs)
    } else if (entry.kind === 'clock') {
      this.#sources.tick(entry.message)
      this.#windowAt(entry.message.nowMs)
      this.#notePassed()
      this.#advance(entry.message.nowMs)
    }
    this.#nextOffset = Math.max(this.#nextOffset, entry.offset + 1)
  }

  /** The lines that are due, in chunks; call to the end. Afterwards the position counts them as written. */
  *drain(): Generator<Chunk> {
    const { flushMs, output } = this.#options
    yield* chunks(this.#verbatim.splice(0))
    this.#verbatimIsDue = false
    for (const window of this.#complete.splice(0)) {
      this.idle.remember(window)
      this.idle.forget(window.endMs)
      yield* chunks(windowLines(window, this.idle, flushMs, output))
      this.#writtenMs = window.endMs
    }
  }

  /** What the open windows hold so far, for an orderly stop. After a restart the whole windows overwrite them. */
  *partial(): Generator<Chunk> {
    const { flushMs, output } = this.#options
    yield* chunks(this.#verbatim.splice(0))
    for (const { window } of [...this.#open.values()].sort((a, b) => a.window.endMs - b.window.endMs)) {
      if (!window.isEmpty) yield* chunks(windowLines(window, new IdleMemory(0), flushMs, output))
    }
  }

  /** A command takes what came before it; what the rest of its bucket brings is not folded yet and stays. */
  #forget(event: EventMessage): void {
    const forget = readForget(event)
    if (!forget) return
    const isGone = isForgotten(forget.series)
    this.idle.drop(forget.kind, isGone)
    for (const { window } of this.#open.values()) window.drop(forget.kind, isGone)
    this.#options.stats.count('forget_commands_total')
  }

  #takeMetrics(message: MetricsMessage, offset: number): void {
    if (offset >= this.#resumeOffset) this.#verbatim.push(...verbatimLines(message))
    if (this.#verbatim.length >= verbatimLinesMax) this.#verbatimIsDue = true
    const { counters, gauges, timers, sets } = message
    const columns = [
      counters.graphiteNames ? [] : counters.names,
      gauges.graphiteNames ? [] : gauges.names,
      timers.names,
      sets.names,
    ]
    if (columns.every((names) => names.length === 0)) return
    const key = columns.map((names) => `${names.length} ${names[0] ?? ''}`).join('\n')
    this.#stage(message.source, message.bucketMs, { key, offset, metrics: message })
  }

  #stage(source: string, bucketMs: number, given: Omit<Staged, 'bucketMs'>): void {
    const { stats } = this.#options
    const staged: Staged = { ...given, bucketMs }
    const { nowMs } = this.#sources
    if (bucketMs <= (this.#sources.markedMs(source) ?? 0)) stats.count('repeated_batches_total')
    else if (nowMs > 0 && bucketMs > nowMs + futureMaxMs) stats.count('future_batches_total')
    else this.#staging.put(source, staged)
  }

  #fold(staged: Staged): void {
    const { bucketMs, offset } = staged
    const wasWritten = bucketMs <= this.#writtenMs && offset < this.#resumeOffset && !this.#lateBefore.has(offset)
    if (wasWritten) {
      this.#recall(staged)
      return
    }
    const open = this.#windowAt(Math.max(bucketMs, this.#closedMs + 1)) as Open
    open.firstOffset = Math.min(open.firstOffset, offset)
    if (bucketMs <= this.#closedMs) {
      this.#options.stats.count('late_batches_total')
      if (open.late.length < lateOffsetsMax) open.late.push(offset)
      else this.#options.stats.count('late_offsets_refused_total')
    }
    foldInto(open.window, staged)
  }

  /** Read again after a restart: written already, so only remembered. */
  #recall(staged: Staged): void {
    const window = new Window(staged.bucketMs)
    foldInto(window, staged)
    this.idle.remember(window)
  }

  /** The open window that `atMs` belongs to; undefined when it has been closed. */
  #windowAt(atMs: number): Open | undefined {
    const endMs = bucketEnd(atMs, this.#options.flushMs)
    if (endMs <= this.#closedMs) return undefined
    const open = this.#open.get(endMs) ?? { window: new Window(endMs), firstOffset: Number.POSITIVE_INFINITY, late: [] }
    this.#open.set(endMs, open)
    return open
  }

  /** A marker or the clock told `atMs`: closes what is complete by now. */
  #advance(atMs: number): void {
    const second = Math.floor(atMs / 1000)
    if (second > this.#verbatimSecond) {
      this.#verbatimSecond = second
      this.#verbatimIsDue ||= this.#verbatim.length > 0
    }
    for (let next = this.#oldest(); next; next = this.#oldest()) {
      if (this.#open.size > openWindowsMax) this.#sources.forgetLaggards(next.window.endMs)
      else if (!this.#isComplete(next)) return
      this.#close(next)
    }
  }

  #notePassed(): void {
    const { nowMs, heardMs } = this.#sources
    for (const open of this.#open.values()) if (nowMs >= open.window.endMs) open.passedAtMs ??= heardMs
  }

  #oldest(): Open | undefined {
    let oldest: Open | undefined
    for (const open of this.#open.values()) if (!oldest || open.window.endMs < oldest.window.endMs) oldest = open
    return oldest
  }

  #isComplete(open: Open): boolean {
    if (this.#sources.haveMarked(open.window.endMs)) return true
    if (open.passedAtMs === undefined || this.#sources.heardMs - open.passedAtMs < graceMs) return false
    this.#options.stats.count('windows_forced_total')
    return true
  }

  #close({ window }: Open): void {
    for (const staged of this.#staging.releaseAll(window.endMs)) this.#fold(staged)
    this.#options.stats.count('set_members_left_out_total', window.membersLeftOut)
    this.#open.delete(window.endMs)
    this.#closedMs = window.endMs
    this.#complete.push(window)
  }
}

function foldInto(window: Window, { bucketMs, metrics, checks }: Staged): void {
  if (metrics) window.fold(metrics)
  if (checks) window.foldChecks(bucketMs, checks)
}

function* chunks(lines: Iterable<string>): Generator<Chunk> {
  let gathered: string[] = []
  for (const line of lines) {
    gathered.push(line)
    if (gathered.length < chunkLinesMax) continue
    yield { text: `${gathered.join('\n')}\n`, lines: gathered.length }
    gathered = []
  }
  if (gathered.length > 0) yield { text: `${gathered.join('\n')}\n`, lines: gathered.length }
}
