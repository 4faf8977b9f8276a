/** The part around the engine, over the memory bus and a clock that stands still until told. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Source } from '../../src/bus/source.ts'
import { Engine } from '../../src/cep/engine.ts'
import { type CepPart, startCep } from '../../src/cep/index.ts'
import type { Hops, LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Status } from '../../src/model/status.ts'
import type { Transition } from '../../src/model/transition.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { createLog, type Log, silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

const startMs = 1_700_000_000_000

const spike = `
metrics:
  - {match: "api.**", kind: count}
rules:
  spike:
    every: 1s
    crit: sum(api.{process}.bad) over 3s >= 5 for 2s
    say: "{process} fails"
`

describe('the cep part', () => {
  let dir: string
  let clock: ManualClock
  let bus: Bus
  let config: Config
  let lines: string[]
  let log: Log
  const parts: CepPart[] = []

  const newWorld = async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-cep-'))
    fs.mkdirSync(path.join(dir, 'rules'))
    clock = new ManualClock(startMs)
    lines = []
    log = createLog({ format: 'text', write: (line) => void lines.push(line) })
    bus = await openBus()
    const loaded = loadConfig(path.join(dir, 'tocsin.yaml'), {}, true)
    if (!loaded.ok) throw new Error('no configuration')
    config = loaded.value
  }

  const endWorld = async () => {
    await Promise.all(parts.splice(0).map((part) => part.stop()))
    await bus.close()
    fs.rmSync(dir, { recursive: true })
  }

  beforeEach(newWorld)
  afterEach(endWorld)

  const openBus = (instance = 'a') =>
    openMemoryBus({ dir: path.join(dir, 'log'), clock, log: silentLog, stats: new Stats(), instance })

  const writeRules = (text: string, name = 'rules.yaml') => fs.writeFileSync(path.join(dir, 'rules', name), text)

  const start = async (instance = 'a') => {
    const part = await startCep(config, { bus, clock, log: log.child('cep'), instance, host: 'web1' })
    parts.push(part)
    return part
  }

  const stop = async () => {
    for (const part of parts.splice(0)) await part.stop()
  }

  const newSource = (name = 'ingest-web1') => new Source(bus, { name, startedMs: clock.now(), intervalMs: 1000 })

  /** One second passes and the source flushes what it counted in it. */
  const second = async (source: Source | undefined, counts: Record<string, number>, hops?: Hops) => {
    await clock.advanceBy(1000)
    if (!source) return
    const bucketMs = clock.now()
    const names = Object.keys(counts)
    const counters = { names, sums: Float64Array.from(Object.values(counts)), samples: new Float64Array(names.length) }
    await source.flush(bucketMs, { metrics: [{ ...emptyMetrics(source.id, bucketMs, 1000), counters }] }, hops)
  }

  const seconds = async (count: number, source: Source | undefined, counts: Record<string, number>) => {
    for (let i = 0; i < count; i++) await second(source, counts)
  }

  const told = async (): Promise<LogEntry[]> => {
    const entries: LogEntry[] = []
    const reader = bus.readLog(
      'alerts-log',
      'first',
      (entry) => void (entry.kind === 'transitions' && entries.push(entry)),
    )
    await reader.caughtUp()
    await reader.stop()
    return entries
  }

  /** `rule/group to second`, seconds since the test began. */
  const story = async () =>
    (await told()).map(({ message }) => {
      const { rule, groupKey, to, blind, bucketMs } = message as Transition
      return `${rule}/${groupKey} ${to}${blind ? ' blind' : ''} ${(bucketMs - startMs) / 1000}`
    })

  const idsTold = async () => (await told()).map(({ message }) => (message as Transition).id).sort()

  /** What an engine makes of the same log, from its beginning to its end. */
  const idsOfOneEngine = async () => {
    const engine = new Engine({ defaultStepMs: 1000 })
    const ids: string[] = []
    const reader = bus.readLog(
      'engine-log',
      'first',
      (entry) => void ids.push(...engine.step(entry).map(({ id }) => id)),
    )
    await reader.caughtUp()
    await reader.stop()
    return ids.sort()
  }

  const lastStatus = async (instance?: string) => {
    let last: Status | undefined
    const reader = bus.onStatus((status) => {
      if (status.part === 'cep' && (instance ?? status.instance) === status.instance) last = status
    })
    await clock.advanceBy(1000)
    await reader.stop()
    return last as Status
  }

  it('publishes a transition when the bucket that decides it has closed, with the hops of its data', async () => {
    writeRules(spike)
    await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await second(source, { 'api.web.bad': 9 }, { packetMs: startMs + 5100, flushMs: startMs + 6002 })
    await second(source, { 'api.web.bad': 9 }, { packetMs: startMs + 6100, flushMs: startMs + 7003 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
    const [entry] = await told()
    expect(entry).toMatchObject({
      key: 'transitions.spike',
      message: { say: 'web fails', from: 'ok' },
      hops: { packetMs: startMs + 6100, flushMs: startMs + 7003, ruleMs: expect.any(Number) },
    })
  })

  it('sends the clock once a second, on the second', async () => {
    await start()
    const ticks: number[] = []
    const reader = bus.readLog(
      'engine-log',
      'first',
      (entry) => void (entry.kind === 'clock' && ticks.push(entry.message.nowMs - startMs)),
    )
    await clock.advanceBy(3000)
    await reader.caughtUp()
    await reader.stop()
    expect(ticks).toEqual([1000, 2000, 3000])
  })

  it('neither loses nor repeats anything when it is started again in the middle of an incident', async () => {
    writeRules(spike)
    await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0, 'api.db.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9, 'api.db.bad': 0 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
    await stop()
    // While no engine runs: the first recovers, another breaks.
    await seconds(4, source, { 'api.web.bad': 0, 'api.db.bad': 9 })
    expect(await story()).toEqual(['spike/web crit 7'])
    await start('b')
    await second(source, { 'api.web.bad': 0, 'api.db.bad': 9 })
    const whole = ['spike/web crit 7', 'spike/db crit 10', 'spike/web ok 11']
    await expect.poll(story).toEqual(whole)
    await stop()
    await start('c')
    await seconds(2, source, { 'api.web.bad': 0, 'api.db.bad': 9 })
    expect(await story()).toEqual(whole)
  })

  it('also after the whole process has died and the log was read from disk', async () => {
    writeRules(spike)
    await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
    await stop()
    await bus.close()
    bus = await openBus('b')
    await start('b')
    const again = newSource()
    await seconds(6, again, { 'api.web.bad': 0 })
    await expect.poll(story).toEqual(['spike/web crit 7', 'spike/web ok 11'])
  })

  it('lets a second engine stand by, which goes on where the first one stopped', async () => {
    writeRules(spike)
    const first = await start('a')
    await start('b')
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
    await first.stop()
    parts.shift()
    await seconds(4, source, { 'api.web.bad': 0 })
    await expect.poll(story).toEqual(['spike/web crit 7', 'spike/web ok 11'])
  })

  it('while standing by, is of one mind with the engine that leads', async () => {
    writeRules(spike)
    await start('a')
    await start('b')
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await seconds(70, source, { 'api.web.bad': 0 })
    const both = [await lastStatus('a'), await lastStatus('b')]
    expect(both.map(({ counters }) => counters.transitions_total)).toEqual([2, 2])
    expect(both.map(({ counters }) => counters.disagreements_total ?? 0)).toEqual([0, 0])
  })

  it('while standing by, reports that the engine that leads tells something else', async () => {
    writeRules(spike)
    const lock = await bus.lock('cep')
    await start('b')
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await seconds(70, source, { 'api.web.bad': 0 })
    const { problem, counters } = await lastStatus('b')
    // It computed the rise and the end of a spike; whoever leads said nothing.
    expect(counters.disagreements_total).toBe(2)
    expect(problem).toMatch(
      /^two engines disagree: this engine computed .*spike.*web.*, the one that leads did not tell it$/,
    )
    await lock.release()
  })

  it('keeps the running rules when the new files are wrong, and says where', async () => {
    writeRules(spike)
    const part = await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    writeRules(spike.replace('for 2s', 'for ever'))
    await expect(part.reload?.(config)).rejects.toThrow(/rules\/rules\.yaml:7:/)
    await seconds(3, source, { 'api.web.bad': 9 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
    const { engine, problem } = await lastStatus()
    expect(engine?.rulesProblem).toContain('the former rules keep running')
    expect(problem).toContain('rule files are wrong')
    writeRules(spike)
    await part.reload?.(config)
    expect((await lastStatus()).engine?.rulesProblem).toBeUndefined()
  })

  it('keeps the running rules when the new ones may need more memory than they may have', async () => {
    writeRules(spike)
    const part = await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    writeRules(`${spike}    at most: 9000000 processes\n`)
    await expect(part.reload?.(config)).rejects.toThrow(/rules\.yaml:9:14 {2}error\[memory\]: .* × 9000000 groups/)
    await seconds(3, source, { 'api.web.bad': 9 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
    config = { ...config, cep: { ...config.cep, memoryMax: 1e12 } }
    await part.reload?.(config)
    expect((await lastStatus()).engine?.rulesProblem).toBeUndefined()
  })

  it('starts without rules when its files are wrong, says so once, and takes them when they are mended', async () => {
    writeRules('rules:\n  spike:\n    crit: sum(\n')
    const part = await start()
    expect(lines.filter((line) => line.includes('no rules are running'))).toHaveLength(1)
    writeRules(spike)
    await part.reload?.(config)
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await expect.poll(story).toEqual(['spike/web crit 7'])
  })

  it('keeps the state of rules that a changed file leaves as they were', async () => {
    writeRules(spike)
    const part = await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    writeRules('rules:\n  other:\n    every: 1s\n    warn: sum(api.{process}.other) over 3s > 5\n', 'other.yaml')
    await part.reload?.(config)
    await seconds(3, source, { 'api.web.bad': 9, 'api.web.other': 9 })
    await expect.poll(story).toEqual(['spike/web crit 7', 'other/web warn 9'])
  })

  it('puts rules on the log only when they differ from those that are there', async () => {
    writeRules(spike)
    const part = await start()
    await part.reload?.(config)
    await stop()
    await start('b')
    const published: LogEntry[] = []
    const reader = bus.readLog('engine-log', 'first', (entry) => void (entry.kind === 'rules' && published.push(entry)))
    await reader.caughtUp()
    await reader.stop()
    expect(published).toHaveLength(1)
    expect(published[0]?.message).toMatchObject({ files: [{ path: 'rules/rules.yaml', text: spike }] })
  })

  it('waits for a source that is late, as long as it lives', async () => {
    writeRules(spike)
    await start()
    const [quick, slow] = [newSource('ingest-web1'), newSource('ingest-web2')]
    await seconds(2, quick, {})
    await slow.flush(clock.now(), {})
    const lateBucketMs = clock.now() + 1000
    await seconds(2, quick, { 'api.web.bad': 3 })
    expect(await story()).toEqual([])
    const late = { ...emptyMetrics(slow.id, lateBucketMs, 1000) }
    const counters = { names: ['api.web.bad'], sums: Float64Array.of(9), samples: Float64Array.of(1) }
    await slow.flush(lateBucketMs, { metrics: [{ ...late, counters }] })
    await slow.flush(lateBucketMs + 1000, {})
    await expect.poll(story).toEqual(['spike/web crit 4'])
  })

  it('calls groups blind whose source is dead, and names the source', async () => {
    writeRules(spike)
    await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await seconds(12, undefined, {})
    const all = await story()
    expect(all[0]).toBe('spike/web crit 7')
    expect(all.some((line) => line.startsWith('spike/web crit blind'))).toBe(true)
    expect(all.some((line) => line.startsWith('source_dead/'))).toBe(true)
  })

  it('publishes exactly what one uninterrupted engine would, however often it is stopped and started', async () => {
    const plan = fc.array(
      fc.record({ web: fc.boolean(), db: fc.boolean(), engine: fc.constantFrom('on', 'on', 'on', 'off') }),
      {
        minLength: 5,
        maxLength: 25,
      },
    )
    await fc.assert(
      fc.asyncProperty(plan, async (steps) => {
        await endWorld()
        await newWorld()
        writeRules(spike)
        await start()
        const source = newSource()
        await seconds(3, source, { 'api.web.bad': 0, 'api.db.bad': 0 })
        for (const { web, db, engine } of steps) {
          if (engine === 'off') await stop()
          else if (parts.length === 0) await start(`at-${clock.now()}`)
          await second(source, { 'api.web.bad': web ? 9 : 0, 'api.db.bad': db ? 9 : 0 })
        }
        if (parts.length === 0) await start('last')
        await stop()
        expect(await idsTold()).toEqual(await idsOfOneEngine())
      }),
      { numRuns: 25 },
    )
  })

  it('finishes what was published before it was stopped', async () => {
    writeRules(spike)
    await start()
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await second(source, { 'api.web.bad': 9 })
    await second(source, { 'api.web.bad': 9 })
    await stop()
    expect(await story()).toEqual(['spike/web crit 7'])
  })

  it('gives its transitions to whoever composes them further', async () => {
    writeRules(spike)
    const part = await start()
    const seen: string[] = []
    part.stream.rule('spike').subscribe((transitions) => void seen.push(...transitions.map(({ to }) => to)))
    part.stream.rule('other').subscribe(() => void seen.push('other'))
    const source = newSource()
    await seconds(5, source, { 'api.web.bad': 0 })
    await seconds(3, source, { 'api.web.bad': 9 })
    await expect.poll(() => seen).toEqual(['crit'])
  })

  it('tells of its rules and sources once a second', async () => {
    writeRules(spike)
    await start()
    await seconds(3, newSource(), { 'api.web.bad': 0 })
    const status = await lastStatus()
    expect(status).toMatchObject({ part: 'cep', ready: true, engine: { leader: true } })
    expect(status.engine?.rules.map(({ name }) => name)).toContain('spike')
    expect(status.engine?.rulesHash).toMatch(/^[0-9a-f]{16}$/)
  })

  it('says when clock messages do not come back', async () => {
    const deaf: Pick<Bus, 'publish'> = {
      publish: async (key, message, hops) => void (key !== 'clock' && (await bus.publish(key, message, hops))),
    }
    const part = await startCep(config, {
      bus: bind(bus, deaf),
      clock,
      log: log.child('cep'),
      instance: 'a',
      host: 'web1',
    })
    parts.push(part)
    await clock.advanceBy(10_000)
    expect(lines.filter((line) => line.includes('clock messages do not come back'))).toHaveLength(1)
  })
})

/** The methods of `bus`, but publish of `other`. */
function bind(bus: Bus, other: Pick<Bus, 'publish'>): Bus {
  return {
    publish: (key, message, hops) => other.publish(key, message, hops),
    readLog: (name, from, handle, options) => bus.readLog(name, from, handle, options),
    onStatus: (handle) => bus.onStatus(handle),
    lock: (role, signal) => bus.lock(role, signal),
    readForeign: (exchange, handle) => bus.readForeign(exchange, handle),
    problem: undefined,
    close: () => bus.close(),
  }
}
