/** Recording: a made-up engine-log in memory, and a journal's folder written from it by the real writer. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { encode } from '../../src/bus/codec.ts'
import { JournalWriter, type WriterOptions } from '../../src/cep/journal/write.ts'
import type { Envelope, LogEntry } from '../../src/model/message.ts'
import { emptyMetrics, type MetricsMessage } from '../../src/model/metric.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

export type Counts = Readonly<Record<string, number>>

/** An engine-log as it is written: one source, a marker and a clock message each second. */
export class MadeLog {
  readonly entries: LogEntry[] = []
  readonly source: string
  readonly #name: string
  readonly #startMs: number
  nowMs: number

  constructor(startMs: number, name = 'ingest-a') {
    this.#startMs = this.nowMs = startMs
    this.#name = name
    this.source = `${name}-0`
  }

  add(envelope: Omit<Envelope, 'id'>): void {
    const offset = this.entries.length
    this.entries.push({ ...envelope, id: `made:${offset}`, offset } as LogEntry)
  }

  rules(text: string, file = 'rules/made.yaml'): void {
    this.add({
      kind: 'rules',
      key: 'rules',
      message: { hash: `hash-of-${text.length}`, files: [{ path: file, text }] },
    })
  }

  /** One second with these counts and gauges. */
  second(counts: Counts = {}, gauges: Counts = {}): void {
    this.nowMs += 1000
    const metrics: MetricsMessage = {
      ...emptyMetrics(this.source, this.nowMs, 1000),
      counters: {
        names: Object.keys(counts),
        sums: Float64Array.from(Object.values(counts)),
        samples: Float64Array.from(Object.values(counts), () => 1),
      },
      gauges: { names: Object.keys(gauges), values: Float64Array.from(Object.values(gauges)) },
    }
    if (Object.keys(counts).length + Object.keys(gauges).length > 0) {
      this.add({ kind: 'metrics', key: `metrics.${this.source}`, message: metrics })
    }
    this.marker()
    this.add({ kind: 'clock', key: 'clock', message: { process: 'made', nowMs: this.nowMs } })
  }

  marker(): void {
    const { source, nowMs } = this
    const name = this.#name
    const message = { source, name, startedMs: this.#startMs, bucketMs: nowMs, intervalMs: 1000, latenessMs: 0 }
    this.add({ kind: 'markers', key: `markers.${source}`, message })
  }
}

export function temporaryFolder(): { path: string; remove: () => void } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-journal-'))
  return { path: folder, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}

export function openWriter(dir: string, options: Partial<WriterOptions> = {}): Promise<JournalWriter> {
  const clock: Clock = options.clock ?? systemClock
  const settings = { retention: 1e15, bytesMax: 1e9 }
  return JournalWriter.open({ dir, clock, log: silentLog, stats: new Stats(), settings, ...options })
}

export async function appendAll(writer: JournalWriter, entries: readonly LogEntry[]): Promise<void> {
  for (const entry of entries) await writer.append(entry, bytesOf(entry))
}

export function bytesOf({ offset: _, ...envelope }: LogEntry): Buffer {
  return encode(envelope as Envelope)
}

/** A folder with these entries, all written. */
export async function writeJournal(
  dir: string,
  entries: readonly LogEntry[],
  options: Partial<WriterOptions> = {},
): Promise<void> {
  const writer = await openWriter(dir, options)
  await appendAll(writer, entries)
  await writer.stop()
}
