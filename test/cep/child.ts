/**
 * The cep part as a process of its own, to be killed: `node child.ts DIRECTORY UNTIL`. It lives through the seconds of a
 * clock of its own, as fast as it can, from where the log in the directory ends up to second UNTIL, and sends itself the
 * traffic of an incident. `at N` is printed for each second, `done` after an orderly stop.
 */
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import { startCep } from '../../src/cep/index.ts'
import { DistributionBuilder } from '../../src/model/distribution.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { loadConfig } from '../../src/runtime/config.ts'
import { createLog, silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

const startMs = 1_700_000_000_000
const [dir, until] = [process.argv[2] as string, Number(process.argv[3])]
const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {})
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
const clock = new ManualClock(startMs)
const instance = `child-${process.pid}`
const bus = await openMemoryBus({ dir: path.join(dir, 'log'), clock, log: silentLog, stats: new Stats(), instance })
let second = 0
const before = bus.readLog('engine-log', 'first', ({ kind, message }) => {
  if (kind === 'clock') second = Math.max(second, Math.round((message.nowMs - startMs) / 1000))
})
await before.caughtUp()
await before.stop()
await clock.advanceBy(second * 1000)
const log = createLog({ format: 'text', write: (line) => void process.stdout.write(line) })
const part = await startCep(loaded.value, { bus, clock, log, instance, host: 'test' })
const source = new Source(bus, { name: 'shop', startedMs: clock.now(), intervalMs: 1000 })

const timerOf = (ms: number) => {
  const builder = new DistributionBuilder()
  for (let i = 0; i < 5; i++) builder.add(ms + i)
  return builder.build()
}

for (second++; second <= until; second++) {
  await clock.advanceBy(1000)
  const bucketMs = clock.now()
  const bad = second % 97 > 40 ? 9 : 1
  const ok = second % 71 > 50 ? [] : ['api.db.ok']
  const names = ['api.web.bad', 'api.db.bad', ...ok]
  const sums = Float64Array.from([bad, second % 53 > 30 ? 7 : 0, ...ok.map(() => 5)])
  const timers = { names: ['api.web.time'], distributions: [timerOf(second % 61 > 35 ? 900 : 90)] }
  const metrics = { ...emptyMetrics(source.id, bucketMs, 1000), counters: { names, sums, samples: sums }, timers }
  const deploy = {
    source: source.id,
    sequence: second,
    atMs: bucketMs - 10,
    bucketMs,
    name: 'deploy',
    tags: { p: 'web' },
  }
  await source.flush(bucketMs, { metrics: [metrics], ...(second % 97 === 35 && { events: [deploy] }) })
  await turn()
  process.stdout.write(`at ${second}\n`)
}
await part.stop()
await bus.close()
console.log('done')
