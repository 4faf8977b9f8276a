import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bus, BusError, type Reader } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

let dir: string
let bus: Bus
let reader: Reader
let entries: LogEntry[]

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-source-'))
  bus = await openMemoryBus({ dir, clock: systemClock, log: silentLog, stats: new Stats(), instance: 'test' })
  entries = []
  reader = bus.readLog('engine-log', 'first', (entry) => void entries.push(entry))
})

afterEach(async () => {
  await bus.close()
  fs.rmSync(dir, { recursive: true })
})

const metrics = (bucketMs: number, name = 'load') => ({
  ...emptyMetrics('web1-0', bucketMs, 1000),
  gauges: { names: [name], values: Float64Array.of(1) },
})
const event = (name: string) => ({ source: 'web1-0', sequence: 1, atMs: 1, bucketMs: 1000, name, tags: {} })
const check = { name: 'web', sequence: 1, atMs: 1, state: 'ok', output: '', durationMs: 1, stepMs: 1000 } as const
const options = { name: 'web1', startedMs: 0, intervalMs: 1000 }
const markers = () => entries.flatMap((entry) => (entry.kind === 'markers' ? [entry.message] : []))

describe('a source', () => {
  it('publishes what a bucket has, then its marker', async () => {
    const source = new Source(bus, options)
    await source.flush(1000, { metrics: [metrics(1000)], checks: [check], events: [event('deploy')] }, { flushMs: 5 })
    await reader.caughtUp()
    expect(entries.map(({ key, hops }) => [key, hops?.flushMs])).toEqual([
      ['metrics.web1-0', 5],
      ['checks.web1-0', 5],
      ['events.deploy', 5],
      ['markers.web1-0', undefined],
    ])
    expect(markers()).toEqual([
      { source: 'web1-0', name: 'web1', startedMs: 0, bucketMs: 1000, intervalMs: 1000, latenessMs: 0 },
    ])
  })

  it('sends a marker for an empty bucket too: silence must be told from death', async () => {
    await new Source(bus, options).flush(1000, {})
    await reader.caughtUp()
    expect(markers().length).toBe(1)
  })

  it('lags its markers by its lateness, and they only grow', async () => {
    const source = new Source(bus, { ...options, latenessMs: 5000 })
    await source.flush(20_000, {})
    await source.flush(19_000, {})
    await source.flush(21_000, {})
    await reader.caughtUp()
    expect(markers().map(({ bucketMs }) => bucketMs)).toEqual([15_000, 15_000, 16_000])
    expect(source.lastBucketMs).toBe(16_000)
  })

  it('says bye with its last marker', async () => {
    const source = new Source(bus, options)
    void source.flush(1000, {})
    await source.bye(2000, { metrics: [metrics(2000)] })
    await reader.caughtUp()
    expect(entries.map(({ kind }) => kind)).toEqual(['markers', 'metrics', 'markers'])
    expect(markers().map(({ bye }) => bye)).toEqual([undefined, true])
  })

  it('sends no marker for a bucket that could not be published, and goes on with the next', async () => {
    const source = new Source(bus, options)
    const refused = source.flush(1000, { metrics: [metrics(1000, 'two\nlines')] })
    const next = source.flush(2000, { metrics: [metrics(2000)] })
    await expect(refused).rejects.toThrow(BusError)
    await expect(refused).rejects.toMatchObject({ isFinal: true })
    await next
    await reader.caughtUp()
    expect(markers().map(({ bucketMs }) => bucketMs)).toEqual([2000])
  })

  it('publishes an event whose name is longer than a key may be', async () => {
    const name = `${'ü'.repeat(300)}.end`
    await new Source(bus, options).flush(1000, { events: [event(name)] })
    await reader.caughtUp()
    expect(entries[0]?.message).toMatchObject({ name })
  })
})
