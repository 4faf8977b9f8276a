/** A restart after the log's beginning has gone: what alerts-log was told still counts. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import { startCep } from '../../src/cep/index.ts'
import { firingAt } from '../../src/cep/part-resume.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { loadConfig } from '../../src/runtime/config.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { transition } from '../support/transitions.ts'

const startMs = 1_700_000_000_000
const hot = `
metrics: [{match: "heat.*", kind: gauge, step: 1s}]
rules:
  hot:
    every: 1s
    crit: heat.{host} > 50, until < 20
`

let dir: string
let clock: ManualClock
let bus: Bus

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-resume-'))
  fs.mkdirSync(path.join(dir, 'rules'))
  fs.writeFileSync(path.join(dir, 'rules', 'hot.yaml'), hot)
  clock = new ManualClock(startMs)
  const options = { dir: path.join(dir, 'log'), clock, log: silentLog, stats: new Stats(), instance: 'a' }
  bus = await openMemoryBus({ ...options, retentionBytes: 200_000 })
})

afterEach(async () => {
  await bus.close()
  fs.rmSync(dir, { recursive: true })
})

const tell = (given: Partial<Transition> & { to: 'crit' | 'ok' | 'nodata'; host: string; atMs: number }) =>
  bus.publish('transitions.hot', {
    ...transition(given.to, given.atMs, { rule: 'hot', group: given.host }),
    group: [{ name: 'host', value: given.host }],
  })

/** Lets the first messages of engine-log expire; alerts-log hears nothing of it. */
async function fillEngineLog(): Promise<void> {
  const text = 'x'.repeat(10_000)
  for (let sequence = 0; sequence < 40; sequence++) {
    const event = { source: 'filler-0', sequence, atMs: startMs, bucketMs: startMs, name: 'filler', tags: {}, text }
    await bus.publish('events.filler', event)
  }
}

test('a group told as critical, now between its lines, still is; and is told as well when it clears', async () => {
  await tell({ to: 'crit', host: 'a', atMs: startMs - 10_000 })
  await tell({ to: 'crit', host: 'b', atMs: startMs - 10_000 })
  await tell({ to: 'ok', host: 'b', atMs: startMs - 5000 })
  await fillEngineLog()
  const config = loadConfig(path.join(dir, 'tocsin.yaml'), {}, true)
  if (!config.ok) throw new Error('no configuration')
  const told: string[] = []
  const reader = bus.readLog('alerts-log', 'next', ({ kind, message }) => {
    if (kind === 'transitions') told.push(`${message.groupKey} ${message.from} → ${message.to}`)
  })
  const part = await startCep(config.value, { bus, clock, log: silentLog, instance: 'a', host: 'h' })
  const source = new Source(bus, { name: 'test', startedMs: startMs, intervalMs: 1000 })
  const heat = async (values: readonly [number, number]) => {
    await clock.advanceBy(1000)
    const gauges = { names: ['heat.a', 'heat.b'], values: Float64Array.from(values) }
    await source.flush(clock.now(), { metrics: [{ ...emptyMetrics(source.id, clock.now(), 1000), gauges }] })
    await reader.caughtUp()
  }
  await heat([30, 30])
  await heat([30, 30])
  expect(told).toEqual([])
  await heat([10, 10])
  await part.stop()
  await reader.caughtUp()
  expect(told).toEqual(['a crit → ok'])
  await reader.stop()
})

test('what was firing is asked as of the log’s beginning; no data does not end it', async () => {
  await tell({ to: 'crit', host: 'a', atMs: 1000 })
  await tell({ to: 'nodata', host: 'a', atMs: 2000 })
  await tell({ to: 'crit', host: 'b', atMs: 3000 })
  await tell({ to: 'ok', host: 'b', atMs: 5000 })
  const groups = async (atMs: number) => ((await firingAt(bus, atMs)).get('hot') ?? []).map(({ values }) => values[0])
  expect(await groups(500)).toEqual([])
  expect(await groups(2500)).toEqual(['a'])
  expect(await groups(4000)).toEqual(['a', 'b'])
  expect(await groups(6000)).toEqual(['a'])
})
