/**
 * Hour: an hour of the example service as engine-log has it, with faults in it, made from a seed: the same entries each
 * time. Two ingest daemons see the traffic of five processes, one probes them, one passes CloudWatch on three minutes late,
 * one tells of the pipeline itself, and a clock runs.
 *
 *      5 m  a third of verifier's requests fail, for 3 minutes
 *     12 m  browserid takes twenty times as long, for 2 minutes
 *     20 m  dbwriter answers nobody, for 6 minutes; its heartbeat fails
 *     30 m  keysigner's heartbeat fails for a minute while it serves
 *     35 m  the second ingest daemon is killed; after 3 minutes another one takes its place
 *     42 m  the load balancer answers 5xx and has lost most of its instances, for 8 minutes
 *     50 m  somebody sends lines that are none, for a minute
 *     52 m  the rules come again with other words, and one rule with another number
 *     55 m  verifier fails again, and is retired
 */
import path from 'node:path'
import type { RuleFile } from '../../../src/cep/language/load.ts'
import { readRuleFiles } from '../../../src/cep/rule-files.ts'
import type { CheckResult } from '../../../src/model/check.ts'
import { DistributionBuilder } from '../../../src/model/distribution.ts'
import type { Envelope, LogEntry } from '../../../src/model/message.ts'
import { emptyMetrics, type MetricsMessage } from '../../../src/model/metric.ts'
import type { Transition } from '../../../src/model/transition.ts'

export const hourStartMs = 1_760_000_400_000
export const hourSeconds = 3600

const root = path.resolve(import.meta.dirname, '../../..')
const processes = ['browserid', 'dbwriter', 'keysigner', 'router', 'verifier']
const perSecond = [40, 12, 6, 60, 25]

/** Lehmer's generator: the same numbers everywhere. */
export class Chance {
  #x: number

  constructor(seed: number) {
    this.#x = seed
  }

  /** From 0 up to but without `below`. */
  below(below: number): number {
    this.#x = (this.#x * 48271) % 2147483647
    return this.#x % below
  }
}

export function shippedRules(): RuleFile[] {
  return [...readRuleFiles([path.join(root, 'rules')], (file) => path.relative(root, file)).files]
}

/** The hour's log. */
export function hour(files: readonly RuleFile[] = shippedRules()): LogEntry[] {
  const log = new Writer()
  log.send('cep', 'rules', { hash: 'first', files })
  const world = new World(log)
  for (let at = 1; at <= hourSeconds; at++) {
    world.second(at)
    if (at === 52 * 60) log.send('cep', 'rules', { hash: 'second', files: files.map(reworded) })
  }
  return log.entries
}

/** Other words for one rule, another number for a second. */
function reworded({ path: name, text }: RuleFile): RuleFile {
  return {
    path: name,
    text: text.replace('of requests fail', 'of all requests fail').replace('p90 > 1.5s', 'p90 > 1.4s'),
  }
}

class Writer {
  readonly entries: LogEntry[] = []
  readonly #sequences = new Map<string, number>()

  send<K extends Envelope['kind']>(by: string, kind: K, message: Extract<Envelope, { kind: K }>['message']): void {
    const sequence = (this.#sequences.get(by) ?? 0) + 1
    this.#sequences.set(by, sequence)
    const offset = this.entries.length
    this.entries.push({ kind, key: `${kind}.${by}`, id: `${by}:${sequence}`, message, offset } as unknown as LogEntry)
  }
}

const responseNames = processes.flatMap((name) => [`browserid.${name}.response.200`, `browserid.${name}.response.503`])
const timerNames = processes.map((name) => `browserid.${name}.response_time`)
const gaugeNames = processes.map((name) => `browserid.${name}.connections`)
const balancerNames = ['requestcount', 'httpcode_backend_2xx', 'httpcode_backend_5xx'].map(
  (name) => `aws:elb.web.${name}`,
)
const selfNames = [
  'tocsin.ingest.bad_lines_total.value',
  'tocsin.ingest.kernel_drops_total',
  'tocsin.alerts.failed_total',
]

/** The same array for the same names, as a decoder gives. */
function same(names: readonly string[]): readonly string[] {
  const key = names.join()
  const known = arrays.get(key) ?? names
  arrays.set(key, known)
  return known
}

const arrays = new Map<string, readonly string[]>()

class World {
  readonly #log: Writer
  readonly #chance = new Chance(20_240)
  #checks = 0

  constructor(log: Writer) {
    this.#log = log
  }

  second(at: number): void {
    const minute = at / 60
    this.#ingest('ingest-web1-a', at)
    if (minute <= 35) this.#ingest('ingest-web2-a', at)
    if (minute > 38) this.#ingest('ingest-web2-b', at)
    this.#probe(at)
    if (at % 60 === 0) this.#balancer(at)
    if (at % 10 === 0) this.#self(at)
    if (at === 57 * 60) this.#retire(at)
    this.#log.send('cep', 'clock', { process: 'cep', nowMs: hourStartMs + at * 1000 })
  }

  #ingest(source: string, at: number): void {
    const [counts, timers, seen]: [number[], MetricsMessage['timers']['distributions'][number][], string[]] = [
      [],
      [],
      [],
    ]
    processes.forEach((name, i) => {
      const { served, failing, slowness } = this.#fault(name, at)
      const all = served ? Math.floor(((perSecond[i] as number) * (70 + this.#chance.below(60))) / 200) : 0
      const bad = failing ? Math.ceil(all / 3) : this.#chance.below(400) === 0 ? 1 : 0
      counts.push(all - Math.min(bad, all), Math.min(bad, all))
      if (all > 0) seen.push(timerNames[i] as string)
      if (all > 0) timers.push(this.#times(all, slowness))
    })
    const present = counts.flatMap((count, i) => (count > 0 ? [i] : []))
    const message = this.#message(
      source,
      at,
      1000,
      present.map((i) => responseNames[i] as string),
      present.map((i) => counts[i] as number),
    )
    const gauges = { names: gaugeNames, values: Float64Array.from(gaugeNames, () => this.#chance.below(100) / 7) }
    const offsetsMs = Float64Array.from(gaugeNames, () => this.#chance.below(1000))
    const whole = { ...message, gauges: { ...gauges, offsetsMs }, timers: { names: same(seen), distributions: timers } }
    this.#flush(source, at, 1000, 0, whole)
  }

  #fault(name: string, at: number): { served: boolean; failing: boolean; slowness: number } {
    const minute = at / 60
    const isWithin = (from: number, to: number) => minute > from && minute <= to
    return {
      served: !(name === 'dbwriter' && isWithin(20, 26)),
      failing: name === 'verifier' && (isWithin(5, 8) || isWithin(55, 57)),
      slowness: name === 'browserid' && isWithin(12, 14) ? 20 : 1,
    }
  }

  #times(count: number, slowness: number) {
    const builder = new DistributionBuilder()
    for (let i = 0; i < Math.min(count, 20); i++) builder.add((20 + this.#chance.below(30) * 3) * slowness)
    return builder.build()
  }

  #probe(at: number): void {
    const source = 'checks-mon-a'
    const results: CheckResult[] = []
    processes.forEach((name, i) => {
      if (at % 5 !== i % 5) return
      const minute = at / 60
      const isDown =
        (name === 'dbwriter' && minute > 20 && minute <= 26) || (name === 'keysigner' && minute > 30 && minute <= 31)
      const atMs = hourStartMs + at * 1000 - this.#chance.below(1000)
      const state = isDown ? ('crit' as const) : ('ok' as const)
      results.push({
        name: `web.${name}`,
        sequence: ++this.#checks,
        atMs,
        state,
        output: '',
        durationMs: 5,
        stepMs: 5000,
      })
    })
    if (results.length > 0) this.#log.send(source, 'checks', { source, bucketMs: hourStartMs + at * 1000, results })
    this.#mark(source, at, 1000, 0)
  }

  #balancer(at: number): void {
    const source = 'cloudwatch2graphite-mon-a'
    const minute = at / 60 - 3
    const isBad = minute > 42 && minute <= 50
    const all = 5000 + this.#chance.below(1000)
    const bad = isBad ? Math.floor(all / 10) : this.#chance.below(5)
    const message = this.#message(source, at - 180, 60_000, balancerNames, [all, all - bad, bad])
    const gauges = { names: ['aws:elb.web.healthyhostcount'], values: Float64Array.of(isBad ? 1 : 6) }
    this.#flush(source, at, 60_000, 180_000, { ...message, gauges })
  }

  #self(at: number): void {
    const bad = at > 50 * 60 && at <= 51 * 60 ? 7 : 0
    const lag = { names: ['tocsin.cep.lag_ms'], values: Float64Array.of(this.#chance.below(900)) }
    this.#flush('self-mon-a', at, 10_000, 0, {
      ...this.#message('self-mon-a', at, 10_000, selfNames, [bad, 0, 0]),
      gauges: lag,
    })
  }

  #retire(at: number): void {
    const atMs = hourStartMs + at * 1000
    const tags = { process: 'verifier' }
    this.#log.send('checks-mon-a', 'events', {
      source: 'checks-mon-a',
      sequence: 1,
      atMs,
      bucketMs: atMs + 1000,
      name: 'retired',
      tags,
    })
  }

  #message(
    source: string,
    at: number,
    stepMs: number,
    names: readonly string[],
    sums: readonly number[],
  ): MetricsMessage {
    const counters = { names: same(names), sums: Float64Array.from(sums), samples: Float64Array.from(sums) }
    return { ...emptyMetrics(source, hourStartMs + at * 1000, stepMs), counters }
  }

  #flush(source: string, at: number, intervalMs: number, latenessMs: number, message: MetricsMessage): void {
    this.#log.send(source, 'metrics', message)
    this.#mark(source, at, intervalMs, latenessMs)
  }

  #mark(source: string, at: number, intervalMs: number, latenessMs: number): void {
    const bucketMs = hourStartMs + at * 1000 - latenessMs
    const startedMs = source.endsWith('b') ? hourStartMs + 38 * 60_000 : hourStartMs
    this.#log.send(source, 'markers', {
      source,
      name: source.slice(0, -2),
      startedMs,
      bucketMs,
      intervalMs,
      latenessMs,
    })
  }
}

/** What is paged in the hour with the shipped rules, for people to read. */
export const goldenFile = path.join(root, 'test/fixtures/hour.txt')

/** In the order of buckets, rules and groups: an engine that closes many buckets at once tells them company by company. */
export const sorted = (told: readonly Transition[]) =>
  [...told].sort((a, b) => a.bucketMs - b.bucketMs || (a.id < b.id ? -1 : 1))

/** One line each, such as `05:01 http_5xx_spike/verifier crit: …`. */
export function pagesOf(told: readonly Transition[]): string {
  const lines = sorted(told).map(({ bucketMs, rule, groupKey, to, blind, say }) => {
    const [seconds, two] = [(bucketMs - hourStartMs) / 1000, (of: number) => String(of).padStart(2, '0')]
    const time = `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`
    return `${time} ${rule}/${groupKey} ${to}${blind ? ' blind' : ''}: ${say}\n`
  })
  return lines.join('')
}
