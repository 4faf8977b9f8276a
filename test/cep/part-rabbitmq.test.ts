/** Two engines on a real broker: one leads, the other takes over. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { openRabbitBus } from '../../src/bus/rabbitmq.ts'
import { Source } from '../../src/bus/source.ts'
import { type CepPart, startCep } from '../../src/cep/index.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'

const rules = `
metrics:
  - {match: "api.**", kind: count}
rules:
  spike:
    every: 1s
    crit: sum(api.{process}.bad) over 2s >= 5
`

describe.skipIf(!rabbitmqInstalled())('engines on RabbitMQ', () => {
  let broker: Rabbitmq
  let url: string
  let dir: string
  let config: Config
  const buses: Bus[] = []
  const parts: CepPart[] = []

  beforeAll(async () => {
    broker = await startRabbitmq()
  })

  afterAll(() => broker?.end())

  beforeEach(async () => {
    url = await broker.vhost()
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-cep-'))
    fs.mkdirSync(path.join(dir, 'rules'))
    fs.writeFileSync(path.join(dir, 'rules', 'rules.yaml'), rules)
    const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {}, true)
    if (!loaded.ok) throw new Error('no configuration')
    config = loaded.value
  })

  afterEach(async () => {
    await Promise.all(parts.splice(0).map((part) => part.stop()))
    await Promise.all(buses.splice(0).map((bus) => bus.close()))
    fs.rmSync(dir, { recursive: true })
  })

  const connect = async (instance: string) => {
    const options = {
      exchange: 'tocsin',
      retentionMs: 3_600_000,
      clock: systemClock,
      log: silentLog,
      stats: new Stats(),
    }
    const bus = await openRabbitBus({ ...options, url, instance })
    buses.push(bus)
    return bus
  }

  const engine = async (instance: string) => {
    const bus = await connect(instance)
    const part = await startCep(config, { bus, clock: systemClock, log: silentLog, instance, host: instance })
    parts.push(part)
    return { bus, part }
  }

  /** Flushes one count for the next bucket; buckets go up whatever the time is. */
  const feeder = (bus: Bus) => {
    const source = new Source(bus, { name: 'ingest-a', startedMs: systemClock.now(), intervalMs: 1000 })
    let bucketMs = Math.ceil(systemClock.now() / 1000) * 1000
    return async (bad: number) => {
      bucketMs += 1000
      const counters = { names: ['api.web.bad'], sums: Float64Array.of(bad), samples: Float64Array.of(1) }
      await source.flush(bucketMs, { metrics: [{ ...emptyMetrics(source.id, bucketMs, 1000), counters }] })
    }
  }

  it('publish each transition once, also when the leader is lost and the other one takes over', async () => {
    const [first, , watching] = [await engine('a'), await engine('b'), await connect('watcher')]
    const told: string[] = []
    const ids = new Set<string>()
    watching.readLog('alerts-log', 'first', (entry) => {
      if (entry.kind !== 'transitions') return
      const { id, rule, to, blind } = entry.message as Transition
      if (rule !== 'spike' || blind) return
      told.push(to)
      ids.add(id)
    })
    const feed = feeder(watching)
    for (const bad of [0, 0, 0, 9, 9]) await feed(bad)
    await expect.poll(() => told, { timeout: 15_000 }).toEqual(['crit'])
    // Gone without a word: the lock is free once the broker has noticed.
    await first.bus.close()
    for (const bad of [0, 0, 0, 9]) await feed(bad)
    await expect.poll(() => told, { timeout: 15_000 }).toEqual(['crit', 'ok', 'crit'])
    expect(ids.size).toBe(told.length)
  })
})
