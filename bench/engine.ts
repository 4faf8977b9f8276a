/**
 * How many points a second the engine takes on one core, what a rule costs, and what a group needs:
 * `node bench/engine.ts [rounds]`.
 *
 * N rules × H hosts, each the mean of a host's own series over a minute against a threshold, one point a second per
 * series, in batches of a thousand points as they travel. Decoding from the bus format is included in what is compared
 * with a bound. Only time at work on this thread is counted. Shapes take turns, round by round, each in a process of its
 * own (they would share a heap, and its collector), and of each the best round counts: so what else the machine does
 * decides nothing. `mixed` is a set with the other operators.
 */
import { execFileSync } from 'node:child_process'
import { Decoder, encode } from '../src/bus/codec.ts'
import { Engine } from '../src/cep/engine.ts'
import { loadRules } from '../src/cep/language/load.ts'
import type { Envelope, LogEntry } from '../src/model/message.ts'
import { emptyMetrics } from '../src/model/metric.ts'

const pointsPerMessage = 1000
const source = 'bench-1'
const stepMs = 1000

type Shape = (rule: number) => string

const mean: Shape = (rule) => `avg(bench.m${rule}.{host}) over 1m > 90`
const mixedShapes: readonly ((m: number) => string)[] = [
  (m) => `avg(bench.m${m}.{host}) over 1m > 50 for 30s, until < 40, keep 1m`,
  (m) => `max(bench.m${m}.{host}) over 5m > 99.9`,
  (m) => `stddev(bench.m${m}.{host}) over 1m > 40`,
  (m) => `bench.m${m}.{host} > 99.9 for 6 of 10`,
  (m) => `no bench.m${m}.{host} for 1m`,
  (m) => `avg(sum(bench.m${m}.*)) over 1m > 1000000`,
  (m) => `bench.m${m}.{host} > 3 * avg(bench.m${m}.{host}) over 5m`,
  (m) => `unusual(bench.m${m}.{host}, vs=1m) > 50`,
]
const mixed: Shape = (rule) => (mixedShapes[rule % mixedShapes.length] as (m: number) => string)(rule)

/** Time that this thread was at work, so that a busy machine does not show. */
function busyMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** The metrics messages of one second; the same arrays of names each time, as a decoder gives. */
function secondOf(names: readonly (readonly string[])[], second: number): Envelope[] {
  return names.map((part, p) => {
    const values = Float64Array.from(part, (_, i) => ((i * 7919 + second * 104_729 + p * 31) % 1000) / 10)
    const message = { ...emptyMetrics(source, second * stepMs, stepMs), gauges: { names: part, values } }
    return { kind: 'metrics', key: `metrics.${source}`, id: `${source}:${second}:${p}`, message } as Envelope
  })
}

function partsOf(rules: number, hosts: number): string[][] {
  const names = Array.from({ length: rules * hosts }, (_, i) => `bench.m${Math.floor(i / hosts)}.host${i % hosts}`)
  const parts: string[][] = []
  for (let i = 0; i < names.length; i += pointsPerMessage) parts.push(names.slice(i, i + pointsPerMessage))
  return parts
}

/** One engine with its traffic, which goes on where it was. */
class Load {
  readonly #engine: Engine
  readonly #decoder = new Decoder()
  readonly #parts: string[][]
  readonly #points: number
  #second = 0
  #offset = 0

  /** `fed` of the rules get points; the others are only there. */
  constructor(rules: number, hosts: number, shape: Shape, fed = rules) {
    const head = (i: number) => `  r${i}:\n    every: 1s\n    at most: 20000 groups\n    warn: "${shape(i)}"`
    const text = ['rules:', ...Array.from({ length: rules }, (_, i) => head(i))].join('\n')
    const loaded = loadRules([{ path: 'bench.yaml', text }])
    if (loaded.problems.length > 0) throw new Error(loaded.problems[0]?.message)
    this.#engine = new Engine({ defaultStepMs: stepMs, rules: loaded })
    this.#parts = partsOf(fed, hosts)
    this.#points = fed * hosts
  }

  /** Nanoseconds a point. */
  run(seconds: number): number {
    let busy = 0
    for (const end = this.#second + seconds; this.#second < end; ) {
      const second = ++this.#second
      const bytes = secondOf(this.#parts, second).map(encode)
      const beganMs = busyMs()
      this.#step(
        bytes.map((body) => decoded(this.#decoder, body)),
        second,
      )
      busy += busyMs() - beganMs
    }
    return (busy * 1e6) / (seconds * this.#points)
  }

  #step(messages: readonly Envelope[], second: number): void {
    const bucketMs = second * stepMs
    const marker = { source, name: 'bench', startedMs: 0, bucketMs, intervalMs: stepMs, latenessMs: 0 }
    const clock = { kind: 'clock', message: { process: 'bench', nowMs: bucketMs } }
    for (const envelope of [...messages, { kind: 'markers', message: marker }, clock]) {
      const offset = this.#offset++
      this.#engine.step({ ...envelope, key: envelope.kind, id: `b:${offset}`, offset } as unknown as LogEntry)
    }
  }
}

function decoded(decoder: Decoder, body: Buffer): Envelope {
  const read = decoder.decode(body)
  if (!read.ok) throw new Error('the bench made a bad message')
  return read.value
}

/** Bytes that one group of a rule needs, of all its own: the heap after, less the heap before, by groups. */
function bytesPerGroup(condition: string, seconds: number): number {
  const collect = globalThis.gc as () => void
  const used = () => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const groups = 2000
  const beforeBytes = used()
  const load = new Load(1, groups, () => condition)
  load.run(seconds)
  const bytes = (used() - beforeBytes) / groups
  load.run(1)
  return bytes
}

/** Bounds of rule-language.md §18 for their windows; beside it each group has its series, its state and 60 values. */
const memory: readonly [title: string, condition: string, boundBytes: number][] = [
  ['avg over 6m', 'avg(bench.m0.{host}) over 6m > 90', 16 * 360 + 24],
  ['max over 6m', 'max(bench.m0.{host}) over 6m > 99', 16 * 360],
  ['stddev over 6m', 'stddev(bench.m0.{host}) over 6m > 90', 48 * 360],
  ['for 1h', 'bench.m0.{host} > 99 for 1h', (2 * 3600) / 8],
  ['unusual, vs=6m', 'unusual(bench.m0.{host}, vs=6m) > 50', 16 * 360],
  ['unusual, season=1h', 'unusual(bench.m0.{host}, season=1h) > 50', 32 * 3600],
  ['forecast from 6m', 'forecast(bench.m0.{host}, from=6m, ahead=1m) > 900', 80 * 360],
]

/** What one process of its own measures and prints. */
const measures: Readonly<Record<string, () => number>> = {
  '50 × 200': () => nanosOf(50, 200, mean),
  '50 of 5,000 × 200': () => nanosOf(5000, 200, mean, 50),
  '500 × 20': () => nanosOf(500, 20, mean),
  '2,000 × 5': () => nanosOf(2000, 5, mean),
  '5,000 × 2': () => nanosOf(5000, 2, mean),
  'mixed 48 × 200': () => nanosOf(48, 200, mixed),
  'unusual, vs=6m': () => nanosOf(10, 100, (m) => `unusual(bench.m${m}.{host}, vs=6m) > 50`, 10, 400),
  'unusual, season=1m': () => nanosOf(10, 100, (m) => `unusual(bench.m${m}.{host}, season=1m) > 50`, 10, 400),
}

function nanosOf(rules: number, hosts: number, shape: Shape, fed = rules, warmSeconds = 90): number {
  const load = new Load(rules, hosts, shape, fed)
  load.run(warmSeconds)
  return Math.min(...Array.from({ length: 4 }, () => load.run(50)))
}

function inOwnProcess(title: string): number {
  const args = ['--expose-gc', import.meta.filename, '--measure', title]
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
}

function compare(rounds: number): void {
  const best = new Map<string, number>()
  for (let round = 0; round < rounds; round++) {
    for (const title of Object.keys(measures)) {
      best.set(title, Math.min(best.get(title) ?? Number.POSITIVE_INFINITY, inOwnProcess(title)))
    }
  }
  for (const [title, nanos] of best) {
    console.log(
      `${title.padEnd(20)} ${(1000 / nanos).toFixed(2)} M points/s from bytes, ${nanos.toFixed(0)} ns a point`,
    )
  }
  const of = (title: string) => best.get(title) as number
  const [base, wide] = [of('50 × 200'), of('5,000 × 2')]
  const among = of('50 of 5,000 × 200') / base
  console.log(`50 × 200 from bytes: ${(1000 / base).toFixed(2)} M points/s, must be ≥ 2: ${verdict(base <= 500)}`)
  console.log(`5,000 loaded, 50 touched / 50 = ${among.toFixed(2)}x, must be ≤ 1.2: ${verdict(among <= 1.2)}`)
  const tickUs = ((wide * 2) / 1000).toFixed(1)
  console.log(`5,000 × 2 / 50 × 200 = ${(wide / base).toFixed(2)}x; a fed rule of two groups costs ${tickUs} µs a tick`)
  for (const title of ['unusual, vs=6m', 'unusual, season=1m']) {
    console.log(`${title}: ${(of(title) / 1000).toFixed(2)} µs a point, must be ≤ 5: ${verdict(of(title) <= 5000)}`)
  }
}

function tellMemory(): void {
  const own = inOwnProcess('bench.m0.{host} > 99')
  console.log(`a group without a window: ${own.toFixed(0)} bytes`)
  for (const [title, condition, boundBytes] of memory) {
    const bytes = inOwnProcess(condition) - own
    const more = bytes.toFixed(0).padStart(7)
    console.log(`${title.padEnd(20)} ${more} bytes a group more, bound ${boundBytes}: ${verdict(bytes <= boundBytes)}`)
  }
}

function verdict(holds: boolean): string {
  return holds ? 'holds' : 'DOES NOT HOLD'
}

const [first, title = ''] = process.argv.slice(2)
if (first === '--measure') console.log(measures[title]?.() ?? bytesPerGroup(title, 400))
else {
  compare(Number(first ?? 3))
  tellMemory()
}
