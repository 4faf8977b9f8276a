/** The part with its snapshots, over the memory bus: what a restart keeps when its log is long gone, damaged or another. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Bus, BusError } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import { Engine } from '../../src/cep/engine.ts'
import { type CepPart, startCep } from '../../src/cep/index.ts'
import { Snapshots, snapshotsKept } from '../../src/cep/part-snapshots.ts'
import { openSnapshot, packSnapshot, sealSnapshot } from '../../src/cep/snapshot.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Status } from '../../src/model/status.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { createLog, silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { transition } from '../support/transitions.ts'

const startMs = 1_700_000_000_000
const rules = `
metrics:
  - {match: "heat.*", kind: gauge, step: 1s}
  - {match: "hits.*", kind: count}
rules:
  hot:
    every: 1s
    crit: heat.{host} > 50 for 20s, until < 20
  busy:
    every: 1s
    warn: sum(hits.{host}) over 30s >= 400
  silent:
    every: 1s
    crit: no heat.{host} for 30s
`

let dir: string
let clock: ManualClock
let bus: Bus
let config: Config
let source: Source
let lines: string[]
let part: CepPart | undefined

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-snapshots-'))
  fs.mkdirSync(path.join(dir, 'rules'))
  fs.writeFileSync(path.join(dir, 'rules', 'all.yaml'), rules)
  clock = new ManualClock(startMs)
  lines = []
  bus = await openBus('log')
  const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {}, true)
  if (!loaded.ok) throw new Error('no configuration')
  config = { ...loaded.value, cep: { ...loaded.value.cep, journal: false } }
  source = new Source(bus, { name: 'test', startedMs: startMs, intervalMs: 1000 })
})

afterEach(async () => {
  await stop()
  await bus.close()
  fs.rmSync(dir, { recursive: true })
})

const openBus = (name: string) =>
  openMemoryBus({
    dir: path.join(dir, name),
    clock,
    log: silentLog,
    stats: new Stats(),
    instance: name,
    retentionBytes: 400_000,
  })

async function start(over: Bus = bus): Promise<void> {
  const log = createLog({ format: 'text', write: (line) => void lines.push(line) })
  part = await startCep(config, { bus: over, clock, log, instance: `at-${clock.now()}`, host: 'h' })
}

async function stop(): Promise<void> {
  await part?.stop()
  part = undefined
}

/** Seconds pass in which the source sends the same heat and hits. */
async function seconds(count: number, heat: number | undefined, hits = 0): Promise<void> {
  for (let i = 0; i < count; i++) {
    await clock.advanceBy(1000)
    const bucketMs = clock.now()
    const gauges = heat === undefined ? {} : { gauges: { names: ['heat.a'], values: Float64Array.of(heat) } }
    const counters = { names: ['hits.a'], sums: Float64Array.of(hits), samples: Float64Array.of(1) }
    await source.flush(bucketMs, { metrics: [{ ...emptyMetrics(source.id, bucketMs, 1000), ...gauges, counters }] })
  }
}

/** Pushes everything out of engine-log but its last messages. */
async function forgetLog(): Promise<void> {
  const text = 'x'.repeat(10_000)
  for (let sequence = 0; sequence < 60; sequence++) {
    const event = { source: 'filler-0', sequence, atMs: clock.now(), bucketMs: clock.now(), name: 'filler', tags: {} }
    await bus.publish('events.filler', { ...event, text })
  }
}

async function story(): Promise<string[]> {
  const told: string[] = []
  const reader = bus.readLog('alerts-log', 'first', ({ kind, message }) => {
    if (kind === 'transitions') told.push(`${message.rule} ${message.to} ${(message.bucketMs - startMs) / 1000}`)
  })
  await reader.caughtUp()
  await reader.stop()
  return told
}

async function status(): Promise<Status> {
  let last: Status | undefined
  const reader = bus.onStatus((heard) => {
    if (heard.part === 'cep') last = heard
  })
  await clock.advanceBy(1000)
  await reader.stop()
  return last as Status
}

const snapshotFiles = () =>
  fs
    .readdirSync(path.join(dir, 'var'), { recursive: true, encoding: 'utf8' })
    .map((name) => path.basename(name))
    .filter((name) => name.endsWith('.snapshot'))
    .sort()
const damage = (name: string) => fs.writeFileSync(path.join(dir, 'var', 'snapshots', name), 'rubbish')

test('a restart goes on from the snapshot: of the log only what is behind it is read', async () => {
  await start()
  await seconds(30, 10)
  await stop()
  await seconds(2, 10)
  await start()
  const { counters } = await status()
  expect(counters.entries_total).toBeLessThan(12)
  expect(lines.join('')).toMatch(/goes on from its snapshot, behind entry \d+/)
})

test('pending timers and windows survive the log that they came from', async () => {
  await start()
  await seconds(10, 60, 30)
  await stop()
  await forgetLog()
  await start()
  await seconds(11, 60, 30)
  await expect.poll(story).toEqual(['busy warn 16', 'hot crit 21'])
})

test('a damaged snapshot is reported, and the one before is used', async () => {
  await start()
  await seconds(10, 60)
  await stop()
  await start()
  await seconds(5, 60)
  await stop()
  const [, newer] = snapshotFiles()
  damage(newer as string)
  await start()
  await seconds(7, 60)
  await expect.poll(story).toEqual(['hot crit 21'])
  expect(lines.join('')).toContain(`the snapshot ${newer} is not used: it is not a snapshot`)
  expect((await status()).counters.snapshots_refused_total).toBe(1)
})

test('with no usable snapshot the whole log is replayed', async () => {
  await start()
  await seconds(10, 60)
  await stop()
  for (const name of snapshotFiles()) damage(name)
  await start()
  await seconds(12, 60)
  await expect.poll(story).toEqual(['hot crit 21'])
  expect((await status()).counters.entries_total).toBeGreaterThan(40)
})

test('a snapshot of another log is not used', async () => {
  await start()
  await seconds(10, 60)
  await stop()
  await bus.close()
  bus = await openBus('log2')
  source = new Source(bus, { name: 'test', startedMs: clock.now(), intervalMs: 1000 })
  // As many messages as the former log had.
  for (let i = 0; i < 100; i++) await bus.publish('clock', { process: 'x', nowMs: clock.now() })
  await start()
  await seconds(19, 60)
  expect(lines.join('')).toMatch(/is not used: entry \d+ of the log is not the one that it ends with/)
  expect(await story()).toEqual([])
  await seconds(3, 60)
  await expect.poll(story).toEqual(['hot crit 31'])
})

test('where the log does not go on from the snapshot, what is gone is passed over: silence in it is no silence', async () => {
  await start()
  await seconds(25, 60, 30)
  await expect.poll(story).toEqual(['busy warn 16', 'hot crit 21'])
  await stop()
  await seconds(100, 60, 30)
  await forgetLog()
  await start()
  await seconds(5, 30, 30)
  expect(lines.join('')).toMatch(/the log no longer has entries \d+ to \d+; going on at \d+/)
  expect(await story()).toEqual(['busy warn 16', 'hot crit 21'])
  await seconds(3, 10, 30)
  await expect.poll(story).toEqual(['busy warn 16', 'hot crit 21', 'hot ok 131'])
})

test('what another engine told in the part of the log that is gone is taken over', async () => {
  await start()
  await seconds(25, 60)
  await expect.poll(story).toEqual(['hot crit 21'])
  await stop()
  await seconds(100, 10)
  const told = { ...transition('ok', clock.now() - 80_000, { rule: 'hot', group: 'a' }), hidden: false }
  await bus.publish('transitions.hot', { ...told, group: [{ name: 'host', value: 'a' }] })
  await forgetLog()
  await start()
  await seconds(5, 10)
  expect(await story()).toEqual(['hot crit 21', 'hot ok 45'])
  await seconds(21, 60)
  await expect.poll(story).toEqual(['hot crit 21', 'hot ok 45', 'hot crit 150'])
})

test('what was computed but could not be published is in the snapshot, and published after the restart', async () => {
  const refusing: Bus = Object.create(bus, {
    publish: {
      value: async (...words: Parameters<Bus['publish']>) => {
        if (words[0].startsWith('transitions.')) throw new BusError('the broker is away')
        return bus.publish(...words)
      },
    },
    readLog: { value: bus.readLog.bind(bus) },
    lock: { value: bus.lock.bind(bus) },
  })
  await start(refusing)
  await seconds(22, 60)
  const stopping = stop()
  await clock.advanceBy(6000)
  await stopping
  await forgetLog()
  expect(await story()).toEqual([])
  await start()
  await expect.poll(story).toEqual(['hot crit 21'])
})

test('one is taken each minute, and only the newest few are kept', async () => {
  await start()
  const newest = new Set<string | undefined>()
  for (let minute = 1; minute <= snapshotsKept + 2; minute++) {
    await seconds(60, 10)
    await expect.poll(() => newest.add(snapshotFiles().at(-1)).size).toBe(minute)
  }
  await expect.poll(() => snapshotFiles().length).toBe(snapshotsKept)
  const { counters } = await status()
  expect(counters.snapshot_bytes).toBeGreaterThan(100)
})

test('a disk that refuses is told, and rules go on', async () => {
  fs.mkdirSync(path.join(dir, 'var'), { recursive: true })
  fs.writeFileSync(path.join(dir, 'var', 'snapshots'), 'not a folder')
  await start()
  await seconds(70, 60)
  expect(await story()).toEqual(['hot crit 21'])
  await expect.poll(() => lines.join('')).toContain('no snapshot of the engine can be written')
  expect((await status()).problem).toContain('no snapshot of the engine can be written')
})

test('an edited rule has its windows at once, from the log', async () => {
  await start()
  await seconds(60, 60, 4)
  await expect.poll(story).toEqual(['hot crit 21'])
  fs.writeFileSync(path.join(dir, 'rules', 'all.yaml'), rules.replace('>= 400', '>= 120').replace('> 50', '> 55'))
  await part?.reload?.(config)
  await seconds(2, 60, 4)
  await expect.poll(story).toEqual(['hot crit 21', 'busy warn 61'])
  expect(lines.join('')).toMatch(/edited rules saw \d+ entries again in \d+ ms/)
})

test('a program that reads a rule otherwise than the one before lets it keep its alert and look back', async () => {
  await start()
  await seconds(60, 60, 20)
  await expect.poll(story).toEqual(['busy warn 20', 'hot crit 21'])
  await stop()
  const file = path.join(dir, 'var', 'snapshots', snapshotFiles().at(-1) as string)
  const opened = openSnapshot(fs.readFileSync(file))
  if (!opened.ok) throw new Error(opened.error)
  const { engine } = opened.value
  const otherwise = { ...engine, rules: engine.rules.map((rule) => ({ ...rule, key: 'of another program' })) }
  fs.writeFileSync(file, await sealSnapshot(packSnapshot({ ...opened.value, engine: otherwise })))
  await start()
  await seconds(2, 60, 20)
  expect(lines.join('')).toMatch(/edited rules saw \d+ entries again/)
  await seconds(6, 60, 0)
  expect(await story()).toEqual(['busy warn 20', 'hot crit 21'])
  // 600 hits in half a minute fall below 400 in the eleventh second without any.
  await seconds(7, 60, 0)
  await expect.poll(story).toEqual(['busy warn 20', 'hot crit 21', 'busy ok 73'])
})

test('a state that cannot be packed is counted and told, and what was saved before stays', async () => {
  const stats = new Stats()
  const log = createLog({ format: 'text', write: (line) => void lines.push(line) })
  const snapshots = new Snapshots(dir, { bus, clock, log, instance: 'a', host: 'h' }, stats)
  const engine = new Engine({ defaultStepMs: 1000 }).save()
  await snapshots.take({ offset: 1, id: 'a:1', engine, minutes: [], waiting: [] })
  const odd = { ...engine, rulesHash: (() => {}) as unknown as string }
  await snapshots.take({ offset: 2, id: 'a:2', engine: odd, minutes: [], waiting: [] })
  expect(stats.get('snapshots_failed_total')).toBe(1)
  expect(snapshots.problem).toContain('no snapshot of the engine can be written')
  const found: number[] = []
  for await (const { snapshot } of snapshots.newest()) found.push(snapshot.offset)
  expect(found).toEqual([1])
})

test('a snapshot that is whole but makes no sense does not keep the engine from starting', async () => {
  await start()
  await seconds(10, 60)
  await stop()
  for (const name of snapshotFiles()) {
    const file = path.join(dir, 'var', 'snapshots', name)
    const opened = openSnapshot(fs.readFileSync(file))
    if (!opened.ok) throw new Error(opened.error)
    const engine = { ...opened.value.engine, sources: {} as typeof opened.value.engine.sources }
    fs.writeFileSync(file, await sealSnapshot(packSnapshot({ ...opened.value, engine })))
  }
  await start()
  await seconds(12, 60)
  await expect.poll(story).toEqual(['hot crit 21'])
  expect(lines.join('')).toContain('is not used: the engine cannot take it up')
})
