import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { reportStatus } from '../../src/bus/status.ts'
import type { Status } from '../../src/model/status.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

it('a part says once a second how it is, with its counters as they are then', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-status-'))
  const clock = new ManualClock(10_500)
  const bus = await openMemoryBus({ dir, clock, log: silentLog, stats: new Stats(), instance: 'web1-a' })
  const heard: Status[] = []
  bus.onStatus((status) => void heard.push(status))
  const stats = new Stats()
  const context = { bus, clock, log: silentLog, instance: 'web1-a', host: 'web1' }
  const reporting = reportStatus('ingest', context, stats, () => ({ ready: true, lastBucketMs: 9000 }))
  await clock.advanceTo(11_000)
  stats.count('lines_total', 3)
  await clock.advanceTo(12_999)
  reporting.unsubscribe()
  await clock.advanceTo(15_000)
  const always = { part: 'ingest', instance: 'web1-a', host: 'web1', pid: process.pid, startedMs: 10_500 }
  expect(heard).toEqual([
    { ...always, atMs: 11_000, counters: {}, ready: true, lastBucketMs: 9000 },
    { ...always, atMs: 12_000, counters: { lines_total: 3 }, ready: true, lastBucketMs: 9000 },
  ])
  await bus.close()
  fs.rmSync(dir, { recursive: true })
})
