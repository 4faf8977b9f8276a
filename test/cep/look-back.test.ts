/** Edited rules: they see the log's past again, keep their alerts, and publish nothing from before. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { type History, lookBack } from '../../src/cep/look-back.ts'
import { Traffic } from '../../src/cep/traffic.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { recordedTest, restarted } from './determinism/log.ts'
import { levelOf, ruleFile } from './reference/generate.ts'

/** An engine with a log that can be read again; times are in seconds. */
class World {
  readonly log: LogEntry[] = []
  readonly told: string[] = []
  engine: Engine
  at = 0

  constructor(rules: string) {
    this.engine = new Engine({ defaultStepMs: 1000, rules: loadRules([{ path: 'rules.yaml', text: rules }]) })
  }

  send(kind: string, message: unknown): LogEntry {
    const offset = this.log.length
    const entry = { kind, key: kind, id: `w:${offset}`, offset, message } as unknown as LogEntry
    this.log.push(entry)
    for (const { rule, groupKey, from, to, bucketMs } of this.engine.step(entry)) {
      this.told.push(`${rule}/${groupKey} ${from} → ${to} at ${bucketMs / 1000}`)
    }
    return entry
  }

  /** Seconds pass in which hosts send these counts. */
  seconds(count: number, counts: Record<string, number>): void {
    for (let i = 0; i < count; i++) {
      this.at++
      const names = Object.keys(counts).map((host) => `hits.${host}`)
      const sums = Float64Array.from(Object.values(counts))
      const message = emptyMetrics('a-0', this.at * 1000, 1000)
      this.send('metrics', { ...message, counters: { names, sums, samples: sums } })
      const id = { source: 'a-0', name: 'a', startedMs: 0, intervalMs: 1000, latenessMs: 0 }
      this.send('markers', { ...id, bucketMs: this.at * 1000 })
    }
  }

  async edit(rules: string, history: History = () => this.past()): Promise<void> {
    const { offset } = this.send('rules', { hash: rules, files: [{ path: 'rules.yaml', text: rules }] })
    await lookBack(this.engine, history, offset)
  }

  async *past(from = 0): AsyncGenerator<LogEntry> {
    yield* this.log.slice(from)
  }

  take(): string[] {
    return this.told.splice(0)
  }
}

const busy = (sentence: string) => `
metrics: [{match: "hits.*", kind: count}]
rules:
  busy: {crit: "${sentence}"}
`

describe('an edited rule', () => {
  test('has its windows at once', async () => {
    const world = new World(busy('sum(hits.{host}) over 60s > 1000'))
    world.seconds(100, { a: 5 })
    await world.edit(busy('sum(hits.{host}) over 60s > 299'))
    expect(world.take()).toEqual([])
    world.seconds(1, { a: 5 })
    expect(world.take()).toEqual(['busy/a ok → crit at 101'])
  })

  test('keeps its alert, and says in one transition where its groups stand now', async () => {
    const world = new World(busy('sum(hits.{host}) over 10s > 40'))
    world.seconds(30, { a: 5, b: 50, c: 1 })
    expect(world.take()).toEqual(['busy/b ok → crit at 5', 'busy/a ok → crit at 9'])
    await world.edit(busy('sum(hits.{host}) over 20s > 400'))
    world.seconds(5, { a: 5, b: 50, c: 1 })
    expect(world.take()).toEqual(['busy/a crit → ok at 31'])
  })

  test('keeps an alert that stands between its lines, whatever the past says', async () => {
    const world = new World(busy('sum(hits.{host}) over 10s > 40, until < 5'))
    world.seconds(20, { a: 5 })
    world.seconds(20, { a: 2 })
    expect(world.take()).toEqual(['busy/a ok → crit at 9'])
    await world.edit(busy('sum(hits.{host}) over 10s > 30, until < 5'))
    world.seconds(20, { a: 2 })
    expect(world.take()).toEqual([])
    world.seconds(10, { a: 0 })
    expect(world.take()).toEqual(['busy/a crit → ok at 68'])
  })

  test('does not raise what the past would have raised and that no longer holds', async () => {
    const world = new World(busy('sum(hits.{host}) over 10s > 1000'))
    world.seconds(20, { a: 50 })
    world.seconds(20, { a: 2 })
    await world.edit(busy('sum(hits.{host}) over 10s > 400, until < 5'))
    world.seconds(20, { a: 2 })
    expect(world.take()).toEqual([])
  })

  test('goes on with what was pending', async () => {
    const world = new World(busy('sum(hits.{host}) over 10s > 1000'))
    world.seconds(50, { a: 50 })
    await world.edit(busy('sum(hits.{host}) over 10s > 400 for 45s'))
    world.seconds(4, { a: 50 })
    expect(world.take()).toEqual(['busy/a ok → crit at 53'])
  })

  test('fills its windows from new data where the log does not reach back', async () => {
    const world = new World(busy('sum(hits.{host}) over 60s > 1000'))
    world.seconds(100, { a: 5 })
    await world.edit(busy('sum(hits.{host}) over 60s > 150'), () => world.past(160))
    world.seconds(8, { a: 5 })
    expect(world.take()).toEqual([])
    world.seconds(10, { a: 5 })
    expect(world.take()).toEqual(['busy/a ok → crit at 111'])
  })

  test('remembers what it has seen again across a restart', async () => {
    const world = new World(busy('sum(hits.{host}) over 60s > 1000'))
    world.seconds(100, { a: 5 })
    await world.edit(busy('sum(hits.{host}) over 60s > 299'))
    world.engine = restarted(world.engine, { defaultStepMs: 1000 })
    world.seconds(1, { a: 5 })
    expect(world.take()).toEqual(['busy/a ok → crit at 101'])
  })
})

test('a new rule has its windows at once; others do not notice', async () => {
  const world = new World(busy('sum(hits.{host}) over 60s > 250'))
  world.seconds(100, { a: 5 })
  expect(world.take()).toEqual(['busy/a ok → crit at 51'])
  await world.edit(`${busy('sum(hits.{host}) over 60s > 250')}  busier: {crit: "rule:busy is crit for 20s"}\n`)
  world.seconds(2, { a: 5 })
  expect(world.take()).toEqual(['busier/a ok → crit at 101'])
})

test('looking back is bounded by work: minutes of too many points are not seen again', () => {
  const traffic = new Traffic()
  for (let minute = 1; minute <= 60; minute++) traffic.note(minute * 60_000, 1000)
  const nowMs = 60 * 60_000
  expect(traffic.reach(nowMs, 600_000, 1e9)).toBe(nowMs - 600_000)
  expect(traffic.reach(nowMs, 600_000, 3000)).toBe(58 * 60_000)
  expect(new Traffic(traffic.points).reach(nowMs, 600_000, 3000)).toBe(58 * 60_000)
})

it('whatever the rules, an edited one then shows what it would have shown had it always run', async () => {
  const options = { numRuns: 60 }
  await fc.assert(
    fc.asyncProperty(ruleFile, levelOf, fc.nat(), async (text, former, point) => {
      const loaded = loadRules([{ path: 'made-up.yaml', text }])
      const formerText = text.replace(/ {4}crit: .*/, `    crit: ${JSON.stringify(former)}`)
      const before = loadRules([{ path: 'made-up.yaml', text: formerText }])
      const [test] = loaded.problems.length + before.problems.length > 0 ? [] : loaded.tests
      const recorded = test && recordedTest(test, loaded, text)
      if (!recorded) return
      const { entries } = recorded
      const at = point % entries.length
      const message = { hash: 'b', files: [{ path: 'made-up.yaml', text }] }
      const change = { kind: 'rules', key: 'rules', id: 'x:1', offset: at, message } as unknown as LogEntry
      const edited = new Engine({ ...recorded.options, rules: before })
      for (const entry of entries.slice(0, at)) edited.step(entry)
      edited.step(change)
      await lookBack(edited, () => pastOf(entries), at)
      const always = new Engine(recorded.options)
      for (const entry of entries.slice(0, at)) always.step(entry)
      for (const entry of entries.slice(at)) {
        edited.step(entry)
        always.step(entry)
      }
      // Groups that only the former rule had stay until they are forgotten.
      const [is, was] = [shown(edited), shown(always)]
      expect(Object.fromEntries(Object.keys(was).map((key) => [key, is[key]]))).toEqual(was)
    }),
    options,
  )
})

async function* pastOf(entries: readonly LogEntry[]): AsyncGenerator<LogEntry> {
  yield* entries
}

/** The compared value of each group. */
function shown(engine: Engine) {
  const rule = engine.status().rules.find(({ name }) => name === 'made_up')
  return Object.fromEntries((rule?.groups ?? []).map(({ key, value }) => [key, value] as const).sort())
}
