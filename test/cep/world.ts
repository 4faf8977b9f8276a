/** An engine with a log of its own; times are in seconds. */
import { expect } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import type { CheckState } from '../../src/model/check.ts'
import type { Envelope, LogEntry } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Transition } from '../../src/model/transition.ts'

export class World {
  readonly engine: Engine
  readonly told: Transition[] = []
  #offset = 0

  constructor(rules: string, options: { defaultStepMs?: number } = {}) {
    const loaded = loadRules([{ path: 'rules.yaml', text: rules }])
    expect(loaded.problems).toEqual([])
    this.engine = new Engine({ defaultStepMs: 1000, rules: loaded, ...options })
  }

  send<K extends Envelope['kind']>(kind: K, message: Extract<Envelope, { kind: K }>['message']): void {
    const offset = this.#offset++
    const entry = { kind, key: kind, id: `w:${offset}`, offset, message } as unknown as LogEntry
    this.told.push(...this.engine.step(entry))
  }

  gauge(source: string, at: number, values: Record<string, number>): void {
    const names = Object.keys(values)
    const gauges = { names, values: Float64Array.from(Object.values(values)) }
    this.send('metrics', { ...emptyMetrics(`${source}-0`, at * 1000, 1000), gauges })
  }

  counts(source: string, at: number, values: Record<string, number>): void {
    const names = Object.keys(values)
    const sums = Float64Array.from(Object.values(values))
    this.send('metrics', { ...emptyMetrics(`${source}-0`, at * 1000, 1000), counters: { names, sums, samples: sums } })
  }

  check(source: string, at: number, name: string, state: CheckState, sequence = at): void {
    const result = { name, sequence, atMs: at * 1000, state, output: '', durationMs: 1, stepMs: 10_000 }
    this.send('checks', { source: `${source}-0`, bucketMs: at * 1000, results: [result] })
  }

  mark(source: string, at: number, more: { bye?: boolean; latenessMs?: number; started?: number } = {}): void {
    const { bye, latenessMs = 0, started = 0 } = more
    const id = { source: `${source}-${started}`, name: source, startedMs: started }
    this.send('markers', { ...id, bucketMs: at * 1000, intervalMs: 1000, latenessMs, ...(bye && { bye }) })
  }

  clock(at: number): void {
    this.send('clock', { process: 'c', nowMs: at * 1000 })
  }

  rules(text: string): void {
    this.send('rules', { hash: text, files: [{ path: 'rules.yaml', text }] })
  }

  /** `rule/group: level at second` of everything told since the last call. */
  take(): string[] {
    return this.told.splice(0).map(({ rule, groupKey, to, hidden, blind, bucketMs }) => {
      return `${rule}/${groupKey}: ${to}${hidden ? ' hidden' : ''}${blind ? ' blind' : ''} at ${bucketMs / 1000}`
    })
  }

  group(rule: string, key: string) {
    return this.engine
      .status()
      .rules.find(({ name }) => name === rule)
      ?.groups.find((group) => group.key === key)
  }
}
