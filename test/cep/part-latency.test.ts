/** How long a transition takes from the marker that closes its bucket, on the real clock. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import { startCep } from '../../src/cep/index.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { loadConfig } from '../../src/runtime/config.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

it('a transition is on the log a few milliseconds after the marker that closes its bucket', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-latency-'))
  fs.mkdirSync(path.join(dir, 'rules'))
  const rule =
    'metrics:\n  - {match: "api.**", kind: count}\nrules:\n  spike:\n    every: 1s\n    crit: sum(api.{process}.bad) over 1s >= 5\n'
  fs.writeFileSync(path.join(dir, 'rules', 'spike.yaml'), rule)
  const config = loadConfig(path.join(dir, 'tocsin.yaml'), {}, true)
  if (!config.ok) throw new Error('no configuration')
  const context = { clock: systemClock, log: silentLog, instance: 'a', host: 'a' }
  const bus = await openMemoryBus({ ...context, dir: path.join(dir, 'log'), stats: new Stats() })
  const part = await startCep(config.value, { ...context, bus })
  const source = new Source(bus, { name: 'ingest-a', startedMs: systemClock.now(), intervalMs: 1000 })
  const arrivals: number[] = []
  const reader = bus.readLog(
    'alerts-log',
    'next',
    (entry) => void (entry.kind === 'transitions' && arrivals.push(performance.now())),
  )
  const took: number[] = []
  // Buckets of the future: the clock does not close them before we do.
  let bucketMs = Math.ceil(systemClock.now() / 1000) * 1000 + 60_000
  for (let i = 0; i < 40; i++) {
    bucketMs += 1000
    const sums = Float64Array.of(i % 2 === 0 ? 9 : 0)
    const counters = { names: ['api.web.bad'], sums, samples: Float64Array.of(1) }
    const startedMs = performance.now()
    await source.flush(bucketMs, { metrics: [{ ...emptyMetrics(source.id, bucketMs, 1000), counters }] })
    await expect.poll(() => arrivals.length, { interval: 1 }).toBe(i + 1)
    took.push((arrivals[i] as number) - startedMs)
  }
  took.sort((a, b) => a - b)
  expect(took[20]).toBeLessThan(5)
  expect(took[36]).toBeLessThan(20)
  await reader.stop()
  await part.stop()
  await bus.close()
  fs.rmSync(dir, { recursive: true })
})
