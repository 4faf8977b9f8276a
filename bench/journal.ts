/**
 * What the journal costs and gives: `node bench/journal.ts`.
 *
 * Ten minutes of 10,000 series, one point a second each, in batches of a thousand, are written and replayed. Printed are
 * the bytes a point on disk against those on the bus, the time at work on the main thread to keep it, and the points a
 * second of a replay through the engine (50 rules over one fifth of the series) against the engine alone on the same
 * entries in memory.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { encode } from '../src/bus/codec.ts'
import { replay } from '../src/cep/backtest/replay.ts'
import { Engine } from '../src/cep/engine.ts'
import { readJournal } from '../src/cep/journal/read.ts'
import { openRecording } from '../src/cep/journal/recording.ts'
import { JournalWriter } from '../src/cep/journal/write.ts'
import { loadRules } from '../src/cep/language/load.ts'
import type { Envelope, LogEntry } from '../src/model/message.ts'
import { emptyMetrics } from '../src/model/metric.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { silentLog } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'

const [series, seconds, perMessage] = [10_000, 600, 1000]
const startMs = 1_700_000_000_000
const source = 'bench-0'
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-bench-journal-'))
const rules = Array.from({ length: 50 }, (_, i) => `  r${i}: {every: 1s, warn: "avg(bench.m${i}.{host}) over 1m > 90"}`)
const loaded = loadRules([{ path: 'bench.yaml', text: `rules:\n${rules.join('\n')}\n` }])
const names = Array.from({ length: series }, (_, i) => `bench.m${Math.floor(i / 40)}.host${i % 40}`)
const parts = Array.from({ length: series / perMessage }, (_, p) => names.slice(p * perMessage, (p + 1) * perMessage))

function* log(): Generator<LogEntry> {
  let offset = 0
  const entry = (envelope: object) => ({ ...envelope, id: `bench:${offset}`, offset: offset++ }) as LogEntry
  for (let second = 1; second <= seconds; second++) {
    const bucketMs = startMs + second * 1000
    for (const [p, part] of parts.entries()) {
      // Figures as traffic has them: small whole numbers that wander.
      const values = Float64Array.from(part, (_, i) => Math.round(50 + 40 * Math.sin((second + i * 13 + p) / 17)))
      const message = { ...emptyMetrics(source, bucketMs, 1000), gauges: { names: part, values } }
      yield entry({ kind: 'metrics', key: `metrics.${source}`, message })
    }
    const message = { source, name: 'bench', startedMs: startMs, bucketMs, intervalMs: 1000, latenessMs: 0 }
    yield entry({ kind: 'markers', key: `markers.${source}`, message })
    yield entry({ kind: 'clock', key: 'clock', message: { process: 'bench', nowMs: bucketMs } })
  }
}

function busyMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const points = series * seconds
const all = [...log()]
const encoded = all.map(({ offset: _, ...envelope }) => encode(envelope as Envelope))
const busBytes = encoded.reduce((sum, { length }) => sum + length, 0)

const settings = { retention: 1e15, bytesMax: 1e12 }
const writer = await JournalWriter.open({ dir, clock: systemClock, log: silentLog, stats: new Stats(), settings })
const beforeWrite = busyMs()
for (const [i, entry] of all.entries()) await writer.append(entry, encoded[i] as Buffer)
await writer.stop()
const writeMs = busyMs() - beforeWrite

const beforeRead = performance.now()
let entries = 0
for await (const batch of readJournal(dir)) entries += batch.entries.length
const readMs = performance.now() - beforeRead

const engine = new Engine({ defaultStepMs: 1000, rules: loaded })
const beforeAlone = performance.now()
let transitionsAlone = 0
for (const entry of all) transitionsAlone += engine.step(entry).length
const aloneMs = performance.now() - beforeAlone

const beforeReplay = performance.now()
let transitions = 0
await replay(openRecording(dir), [loaded], { onTransition: () => transitions++ })
const replayMs = performance.now() - beforeReplay

const perSecond = (ms: number) => `${(points / ms / 1000).toFixed(1)} M points/s`
const bytes = fs.readdirSync(dir).reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).size, 0)
console.log(
  `${entries} entries, ${points / 1e6} M points; ${transitions} transitions (engine alone: ${transitionsAlone})`,
)
console.log(
  `on disk      ${(bytes / points).toFixed(2)} B a point, 1 / ${(busBytes / bytes).toFixed(0)} of the bus's ${(busBytes / points).toFixed(1)} B`,
)
console.log(`to keep it   ${((writeMs * 1e6) / points).toFixed(0)} ns a point on the main thread`)
console.log(`read alone   ${perSecond(readMs)}`)
console.log(
  `replay       ${perSecond(replayMs)}, ${(aloneMs / replayMs).toFixed(2)} × the engine alone (${perSecond(aloneMs)})`,
)
fs.rmSync(dir, { recursive: true })
