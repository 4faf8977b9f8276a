/** A rule in which nothing can change is passed over, and nobody can tell. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { TestLog } from '../../src/cep/testing/messages.ts'
import { prepare } from '../../src/cep/testing/prepare.ts'
import type { Envelope, LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'
import { ruleFile } from './reference/generate.ts'

/** Two engines on one log: in one every rule runs in every bucket, since somebody watches. */
class Both {
  readonly resting: Engine
  readonly running: Engine
  readonly told: Transition[] = []
  readonly toldRunning: Transition[] = []
  #offset = 0

  constructor(rules: string, defaultStepMs = 1000) {
    const options = { defaultStepMs, rules: loadRules([{ path: 'rules.yaml', text: rules }]) }
    expect(options.rules.problems).toEqual([])
    this.resting = new Engine(options)
    this.running = new Engine({ ...options, watch: { closed: () => {} } })
  }

  apply(entry: LogEntry): void {
    this.told.push(...this.resting.step(entry))
    this.toldRunning.push(...this.running.step(entry))
  }

  send<K extends Envelope['kind']>(kind: K, message: Extract<Envelope, { kind: K }>['message']): void {
    const offset = this.#offset++
    this.apply({ kind, key: kind, id: `b:${offset}`, offset, message } as unknown as LogEntry)
  }

  gauges(at: number, values: Record<string, number>): void {
    const gauges = { names: Object.keys(values), values: Float64Array.from(Object.values(values)) }
    this.send('metrics', { ...emptyMetrics('a-0', at * 1000, 1000), gauges })
  }

  mark(at: number, more: { bye?: true } = {}): void {
    const id = { source: 'a-0', name: 'a', startedMs: 0 }
    this.send('markers', { ...id, bucketMs: at * 1000, intervalMs: 1000, latenessMs: 0, ...more })
  }

  expectSame(): void {
    expect(this.told).toEqual(this.toldRunning)
    expect(this.resting.status()).toEqual(this.running.status())
  }
}

const many = `rules:
  calm: {every: 1s, crit: "avg(x.{host}) over 10s > 5 for 3s", forget: 30m}
  rests: {every: 1s, crit: "avg(y.{host}) over 10s > 5 for 3s", forget: 30m}
  child: {every: 1s, crit: "any {host} with rule:rests is firing"}`

describe('a rule that nothing feeds', () => {
  test('rests once its windows are empty, and runs again when it is fed', () => {
    const both = new Both(many)
    for (let at = 1; at <= 900; at++) {
      both.gauges(at, { 'x.h': 1, ...((at < 20 || at > 800) && { 'y.h': 9 }) })
      both.mark(at)
      if (at === 700) expect(both.resting.rulesResting).toBeGreaterThanOrEqual(2)
    }
    expect(both.told.map(({ rule, to, bucketMs }) => `${rule} ${to} at ${bucketMs / 1000}`)).toContain(
      'rests crit at 3',
    )
    both.expectSame()
  })

  test('is told to be without data, and forgotten, at the bucket in which it would have been', () => {
    const both = new Both(many)
    for (let at = 1; at <= 2000; at++) {
      both.gauges(at, { 'x.h': 1, ...(at < 4 && { 'y.h': 1 }) })
      both.mark(at)
    }
    const told = both.told
      .filter(({ rule }) => rule === 'rests')
      .map(({ to, bucketMs }) => `${to} at ${bucketMs / 1000}`)
    expect(told).toEqual(['nodata at 303'])
    expect(both.resting.status().rules.find(({ name }) => name === 'rests')?.groupCount).toBe(0)
    both.expectSame()
  })

  test('refuses what comes too late, and remembers its values as if it had run', () => {
    const both = new Both(many)
    for (let at = 1; at <= 400; at++) {
      both.gauges(at, { 'x.h': 1, ...((at < 20 || at > 350) && { 'y.h': 9 }) })
      both.mark(at)
      if (at === 200) both.gauges(150, { 'y.h': 9 })
    }
    expect(both.resting.counters().latePoints).toBe(1)
    both.expectSame()
  })

  test('hears of its sources: with its only one gone it is blind', () => {
    const both = new Both(many)
    for (let at = 1; at <= 600; at++) {
      if (at < 20) both.gauges(at, { 'x.h': 9, 'y.h': 9 })
      if (at < 500) both.mark(at, at === 499 ? { bye: true } : {})
      both.send('clock', { process: 'c', nowMs: at * 1000 })
    }
    expect(both.resting.status().rules.find(({ name }) => name === 'rests')?.groups[0]?.blind).toBe(true)
    both.expectSame()
  })
})

it('tells of rules made up at random what one tells that runs every rule in every bucket', () => {
  fc.assert(
    fc.property(ruleFile, (text) => {
      const loaded = loadRules([{ path: 'made-up.yaml', text }])
      const [written] = loaded.problems.length > 0 ? [] : loaded.tests
      const prepared = written && prepare(written, loaded, text)
      if (!prepared?.ok) return
      const both = new Both(text, 10_000)
      const log = new TestLog(prepared.value)
      for (let i = 0; i < 100; i++) for (const entry of log.step()) both.apply(entry)
      both.expectSame()
    }),
    { numRuns: 40 },
  )
})
