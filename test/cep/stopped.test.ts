/**
 * A rule that fails while it runs is stopped alone and reported as an alert. What fails here is real: a season of thousands
 * of centuries at one value a second is more than an array can be long. Where files are read such rules are refused by the
 * memory budget; the engine itself takes what stands on the log.
 */
import fs from 'node:fs'
import path from 'node:path'
import { serialize } from 'node:v8'
import { afterEach, describe, expect, it } from 'vitest'
import { startAlerts } from '../../src/alerts/index.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import { Engine } from '../../src/cep/engine.ts'
import { startCep } from '../../src/cep/index.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { loadConfig } from '../../src/runtime/config.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { startHook } from '../support/hook.ts'
import { folderWith } from '../support/tocsin.ts'
import { until } from '../support/until.ts'

const startMs = 1_700_000_000_000
const catalogue = 'metrics:\n  - {match: "temp.**", kind: gauge}\n'
const failing = '  failing:\n    every: 1s\n    warn: unusual(temp.{host}, season=999999999w) > 3\n'
const hot = '  hot:\n    every: 1s\n    crit: temp.{host} > 5\n'
const broken = `${catalogue}rules:\n${failing}${hot}`

/** An engine that is told one gauge a second. */
class World {
  readonly told: Transition[] = []
  atMs = startMs
  #offset = 0

  readonly engine = new Engine({ defaultStepMs: 1000 })

  rules(text: string): void {
    this.#send('rules', { hash: String(text.length), files: [{ path: 'rules.yaml', text }] })
  }

  seconds(count: number, value: number): this {
    for (let i = 0; i < count; i++) {
      this.atMs += 1000
      const gauges = { names: ['temp.web1'], values: Float64Array.of(value) }
      this.#send('metrics', { ...emptyMetrics('s-0', this.atMs, 1000), gauges })
      const source = { source: 's-0', name: 's', startedMs: 0 }
      this.#send('markers', { ...source, bucketMs: this.atMs, intervalMs: 1000, latenessMs: 0 })
    }
    return this
  }

  take(): string[] {
    return this.told
      .splice(0)
      .map(({ rule, groupKey, to, bucketMs }) => `${rule}/${groupKey} ${to} ${(bucketMs - startMs) / 1000}`)
  }

  #send<Kind extends LogEntry['kind']>(kind: Kind, message: Extract<LogEntry, { kind: Kind }>['message']): void {
    this.told.push(...this.engine.step({ kind, message, offset: this.#offset++ } as LogEntry))
  }
}

describe('a rule that fails', () => {
  it('is stopped alone and reported at once; the others go on', () => {
    const world = new World()
    world.rules(broken)
    world.seconds(3, 1)
    expect(world.told[0]?.say).toMatch(
      /^rule failing failed and is not evaluated any more; the others go on \(stopped at 2023-11-14 22:13:2\d UTC: Invalid typed array length/,
    )
    expect(world.take()).toEqual(['rule_stopped/failing crit 1'])
    world.seconds(2, 9)
    expect(world.take()).toEqual(['hot/web1 crit 4'])
    expect(world.engine.counters().rulesStopped).toBe(1)
    expect(world.engine.status().rules.find(({ name }) => name === 'failing')?.problem).toContain('stopped at')
  })

  it('begins anew when it is edited, which ends the alert', () => {
    const world = new World()
    world.rules(broken)
    world.seconds(3, 1).take()
    world.rules(broken.replace('999999999w', '1m'))
    world.seconds(3, 1)
    expect(world.take()).toEqual(['rule_stopped/failing ok 4'])
    expect(world.engine.counters().rulesStopped).toBe(0)
  })

  it('when it is removed the alert ends too', () => {
    const world = new World()
    world.rules(broken)
    world.seconds(3, 1).take()
    world.rules(`${catalogue}rules:\n${hot}`)
    world.seconds(3, 1)
    expect(world.take()).toEqual(['rule_stopped/failing ok 4'])
  })

  it('is fed nothing any more: what it keeps does not grow', () => {
    const world = new World()
    world.rules(broken)
    const size = () => serialize(world.engine.save()).length
    world.seconds(100, 1)
    const before = size()
    world.seconds(600, 1)
    expect(size()).toBeLessThan(before * 1.2)
  })
})

describe('in the whole pipeline', () => {
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  it('its page arrives, and those of the other rules', async () => {
    const hook = await startHook()
    const folder = folderWith({
      'rules/broken.yaml': broken,
      'tocsin.yaml': `cep: {memoryMax: 1000000000000TB, journal: false}\nalerts: {receivers: {ops: {webhook: {url: "${hook.url}"}}}, route: {receiver: ops}}\n`,
    })
    const loaded = loadConfig(path.join(folder.path, 'tocsin.yaml'), {})
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
    fs.mkdirSync(loaded.value.data, { recursive: true })
    const clock = new ManualClock(startMs)
    const shared = { clock, log: silentLog, instance: 'a' }
    const bus = await openMemoryBus({ ...shared, dir: path.join(folder.path, 'log'), stats: new Stats() })
    const context = { ...shared, bus, host: 'web1', environment: {} }
    ends.push(hook.close, folder.remove, () => bus.close())
    const alerts = await startAlerts(loaded.value, context)
    ends.push(() => alerts.stop())
    const cep = await startCep(loaded.value, context)
    ends.push(() => cep.stop())
    const source = new Source(bus, { name: 'ingest-web1', startedMs: startMs, intervalMs: 1000 })
    const told = () => hook.posts.map(({ body }) => JSON.parse(body.toString()))
    await until(async () => {
      await clock.advanceBy(1000)
      const gauges = { names: ['temp.web1'], values: Float64Array.of(9) }
      const atMs = clock.now()
      await source.flush(atMs, { metrics: [{ ...emptyMetrics(source.id, atMs, 1000), gauges }] })
      return told().length >= 2
    })
    const texts = told().map((body) => JSON.stringify(body))
    expect(texts.some((text) => text.includes('rule failing failed and is not evaluated any more'))).toBe(true)
    expect(texts.some((text) => text.includes('"hot"'))).toBe(true)
  })
})
