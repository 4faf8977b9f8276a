/**
 * What users of monitoring complain about most, and that it does not happen here: one test for each, on the real engine
 * and the real decisions, or where it happens elsewhere in its cheapest form. The full tests stand beside their parts.
 */
import { describe, expect, test } from 'vitest'
import { plainMail, renderMail } from '../../src/alerts/receivers/mail.ts'
import type { Routing } from '../../src/alerts/route.ts'
import { Engine, type EngineOptions } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { viewRules } from '../../src/dashboards/rule-views.ts'
import { Aggregate } from '../../src/ingest/aggregate.ts'
import { Line, parseLine } from '../../src/ingest/parse.ts'
import type { Envelope, LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'
import { oncallOnly, Play, played, startMs, untoldOf, warnToOps } from '../alerts/scenario.ts'
import { notificationOf } from '../support/notifications.ts'
import { transition } from '../support/transitions.ts'

/** An engine and the decisions behind it; times are in seconds. */
class Pipeline {
  engine: Engine
  readonly play: Play
  readonly transitions: Transition[] = []
  readonly #options: EngineOptions
  #offset = 0

  constructor(rules: string, routing: Routing = oncallOnly) {
    const loaded = loadRules([{ path: 'rules.yaml', text: rules }])
    expect(loaded.problems).toEqual([])
    this.#options = { defaultStepMs: 1000, rules: loaded }
    this.engine = new Engine(this.#options)
    this.play = new Play(routing)
  }

  /** One second: what each source says, its marker, and the clock. */
  second(at: number, said: Readonly<Record<string, Readonly<Record<string, number>>>>): void {
    for (const [source, values] of Object.entries(said)) {
      const names = Object.keys(values)
      const gauges = { names, values: Float64Array.from(Object.values(values)) }
      this.#say('metrics', { ...emptyMetrics(`${source}-0`, startMs + at * 1000, 1000), gauges })
      const id = { source: `${source}-0`, name: source, startedMs: 0 }
      this.#say('markers', { ...id, bucketMs: startMs + at * 1000, intervalMs: 1000, latenessMs: 0 })
    }
    this.#say('clock', { process: 'c', nowMs: startMs + at * 1000 })
    this.play.tick(at * 1000)
  }

  rules(text: string): void {
    this.#say('rules', { hash: text, files: [{ path: 'rules.yaml', text }] })
  }

  /** Another process goes on from what this one has kept. */
  restart(): void {
    const restored = Engine.restored(this.#options, structuredClone(this.engine.save()))
    if (!restored.ok) throw new Error(restored.error)
    this.engine = restored.value
  }

  #say<K extends Envelope['kind']>(kind: K, message: Extract<Envelope, { kind: K }>['message']): void {
    const offset = this.#offset++
    const entry = { kind, key: kind, id: `p:${offset}`, offset, message } as unknown as LogEntry
    for (const told of this.engine.step(entry)) {
      this.transitions.push(told)
      this.play.transition(told, told.bucketMs - startMs)
    }
  }
}

const high = 'rules: {high: {crit: "x.{host} > 5"}}'

describe('complaints', () => {
  test('duplicate pages in HA pairs: two engines say the same, it is told once', () => {
    const play = new Play(oncallOnly)
    play.tick(0)
    for (const _engine of ['leader', 'standby']) play.transition(transition('crit', startMs), 0)
    for (const _engine of ['leader', 'standby']) play.transition(transition('ok', startMs + 5000), 5000)
    expect(play.told).toEqual(['0s firing oncall: verifier', '5s resolved oncall: verifier'])
  })

  test('alerts and resolves lost on restart: the end goes to who got the page before it', () => {
    const play = played({ given: '1s crit a\n3s restart\n9s ok a', told: '' })
    expect(play.told).toEqual(['1s firing oncall: a', '9s resolved oncall: a'])
  })

  test('pages black-holed by a template error or a too long payload: plain words, shortened, are sent', () => {
    const page = notificationOf([transition('crit', startMs, { say: 'x'.repeat(1_000_000) })])
    expect(renderMail(page, { consoleUrl: 'http://c', sendMs: startMs, timeZone: 'UTC' }).text.length).toBeLessThan(
      10_000,
    )
    expect(plainMail(page, 'the template failed').text).toContain('the template failed')
  })

  test('no retry or fallback when the channel is down: another receiver is told, and of the end too', () => {
    const given = '0s ops fallback=oncall\n1s warn a\n9s ok a'
    expect(played({ routing: warnToOps, given, told: '' }).told).toEqual([
      '1s firing ops: a',
      '1s firing oncall: a',
      '9s resolved oncall: a',
    ])
  })

  test('no acknowledge: who has it in hand is not reminded; worse breaks it', () => {
    const play = played({ given: '1s warn a remind=3s\n2s ack a\n20s crit a', told: '', until: '21s' })
    expect(play.told).toEqual(['1s firing oncall: a', '20s firing oncall: a'])
  })

  test('flapping without a separate clear line: a level has one, and what flaps all the same is told of once', () => {
    const pipeline = new Pipeline('rules: {high: {crit: "x.{host} > 5, until < 2"}}')
    for (const [i, value] of [9, 4, 6, 4, 9, 3, 1].entries()) pipeline.second(i + 1, { a: { 'x.h': value } })
    expect(pipeline.transitions.map(({ to }) => to)).toEqual(['crit', 'ok'])
    const routing = { ...oncallOnly, flapping: { episodes: 3, within: 60_000, calm: 10_000 } }
    const given = Array.from({ length: 20 }, (_, i) => `${i + 1}s ${i % 2 ? 'ok' : 'crit'} a`).join('\n')
    const { told } = played({ routing, given, told: '', until: '60s' })
    expect(told.slice(4)).toEqual(['5s flapping firing oncall: a', '30s calm resolved oncall: a'])
  })

  test('pending timers lost on restart: the hold goes on where it was', () => {
    const pipeline = new Pipeline('rules: {high: {crit: "x.{host} > 5 for 8s"}}')
    for (let at = 1; at <= 5; at++) pipeline.second(at, { a: { 'x.h': 9 } })
    pipeline.restart()
    for (let at = 6; at <= 10; at++) pipeline.second(at, { a: { 'x.h': 9 } })
    expect(pipeline.play.told).toEqual(['8s firing oncall: h'])
  })

  test('missing data that "resolves": no data is no end', () => {
    const pipeline = new Pipeline(high)
    pipeline.second(1, { a: { 'x.h': 9 } })
    for (let at = 2; at <= 700; at++) pipeline.second(at, { a: { other: 1 } })
    expect(pipeline.transitions.map(({ to }) => to)).not.toContain('ok')
    expect(pipeline.play.told).toEqual(['1s firing oncall: h'])
  })

  test('absence that cannot say which host: it is told of by its name', () => {
    const pipeline = new Pipeline('rules: {quiet: {crit: "no beat.{host} for 8s"}}')
    for (let at = 1; at <= 30; at++) pipeline.second(at, { a: { 'beat.web1': 1, ...(at < 5 && { 'beat.web2': 1 }) } })
    expect(pipeline.transitions.map(({ group, to }) => [group, to])).toEqual([
      [[{ name: 'host', value: 'web2' }], 'crit'],
    ])
  })

  test('first error of a new series invisible: it counts from nothing', () => {
    const pipeline = new Pipeline(high)
    for (let at = 1; at <= 100; at++) pipeline.second(at, { a: { 'x.old': 1 } })
    pipeline.second(101, { a: { 'x.old': 1, 'x.new': 9 } })
    expect(pipeline.play.told).toEqual(['101s firing oncall: new'])
  })

  test('a storm of no-data alerts when the pipeline itself breaks: one page names the dead source', () => {
    const hosts = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`beat.web${i}`, 1]))
    const pipeline = new Pipeline('rules: {quiet: {crit: "no beat.{host} for 8s"}}')
    for (let at = 1; at <= 20; at++) pipeline.second(at, { a: hosts, b: { other: 1 } })
    for (let at = 21; at <= 90; at++) pipeline.second(at, { b: { other: 1 } })
    expect(new Set(pipeline.transitions.filter(({ blind }) => !blind).map(({ rule }) => rule))).toEqual(
      new Set(['source_dead']),
    )
    expect(pipeline.play.told).toHaveLength(1)
  })

  test('windows that close only when the next event comes: time closes them', () => {
    const pipeline = new Pipeline('rules: {few: {crit: "no x.{host} for 5s"}}')
    pipeline.second(1, { a: { 'x.h': 1 } })
    for (let at = 2; at <= 8; at++) pipeline.second(at, { a: {} })
    expect(pipeline.play.told).toEqual(['6s firing oncall: h'])
  })

  test('an edited rule that resets state and pages again: it begins at the level of its groups', () => {
    const pipeline = new Pipeline(high)
    for (let at = 1; at <= 5; at++) pipeline.second(at, { a: { 'x.h': 9 } })
    pipeline.rules(high.replace('> 5', '> 6'))
    for (let at = 6; at <= 20; at++) pipeline.second(at, { a: { 'x.h': 9 } })
    expect(pipeline.play.told).toEqual(['1s firing oncall: h'])
    pipeline.rules('rules: {}')
    expect(pipeline.play.told.at(-1)).toContain('forgotten oncall: h')
  })

  test('rules that can never fire and look like health: one without any series is shown as empty, not as ok', () => {
    const pipeline = new Pipeline('rules: {typo: {crit: "htpp.{host} > 5"}}')
    for (let at = 1; at <= 5; at++) pipeline.second(at, { a: { 'http.web1': 9 } })
    const [rule] = pipeline.engine.status().rules
    expect(rule).toMatchObject({ name: 'typo', groupCount: 0 })
    expect(rule && viewRules({ ...engineStatus(), rules: [rule], heardMs: 0, lastBucketMs: 0 }, 0)[0]?.state).toBe(
      'empty',
    )
    expect(loadRules([{ path: 'r.yaml', text: 'rules: {x: {crit: "3 of 2 x.{h} > 5"}}' }]).problems).not.toEqual([])
  })

  test('a second, worse alert waiting minutes behind a group: worse waits for nobody', () => {
    const given = `${['a', 'b', 'c', 'd', 'e'].map((group) => `1s warn ${group}`).join('\n')}\n3s crit f`
    expect(played({ given, told: '' }).told.at(-1)).toBe('3s firing oncall: d e f')
  })

  test('forgotten silences: they end, what they hid is told, and before that somebody is warned', () => {
    const routing = { ...oncallOnly, silences: { warnBefore: 10_000 } }
    const play = played({ routing, given: '1s silence s1 for=30s rule=*\n5s crit a', told: '', until: '40s' })
    expect(play.told).toEqual(['21s notice oncall: a', '31s firing oncall: a'])
    expect(untoldOf(play)[0]).toContain('silenced by silence s1 (ann')
  })

  test('a monitor that stops and looks green: its groups are blind and its death is told', () => {
    const pipeline = new Pipeline(high)
    for (let at = 1; at <= 5; at++) pipeline.second(at, { a: { 'x.h': 1 }, b: { other: 1 } })
    for (let at = 6; at <= 20; at++) pipeline.second(at, { b: { other: 1 } })
    const rule = pipeline.engine.status().rules.find(({ name }) => name === 'high')
    expect(rule?.groups[0]).toMatchObject({ key: 'h', blind: true })
    expect(pipeline.play.told).toEqual([expect.stringContaining('firing oncall: a')])
  })

  test('one outage, thirty pages: four leave, and one end for what was gathered', () => {
    const groups = Array.from({ length: 30 }, (_, i) => `g${i}`)
    const given = [...groups.map((group) => `1s crit ${group}`), ...groups.map((group) => `20s ok ${group}`)].join('\n')
    const { told } = played({ given, told: '', until: '40s' })
    expect(told).toHaveLength(8)
    expect(told[3]).toMatch(/^11s firing oncall: g3 g4 .* g29$/)
  })

  test('high cardinality that kills the daemon during the outage: new series are refused, known ones go on', () => {
    const aggregate = new Aggregate({ seriesMax: 100 })
    const add = (text: string) => {
      const bytes = Buffer.from(text)
      const line = new Line()
      return parseLine(bytes, 0, bytes.length, line) ? aggregate.add(bytes, line, 0) : undefined
    }
    add('known:1|c')
    for (let i = 0; i < 10_000; i++) add(`user.${i}:1|c`)
    expect(aggregate.seriesCount).toBeLessThanOrEqual(100)
    add('known:1|c')
    const names = aggregate.take('a-0', 1000, 1000).flatMap(({ counters }) => counters.names)
    expect(names).toContain('known')
  })
})

function engineStatus() {
  return { leader: true, rulesHash: '', sources: [], rules: [] }
}
