/**
 * How many points a second the engine takes on one core: `node bench/engine.ts`.
 *
 * N rules × H hosts, each the mean of a host's own series over a minute against a threshold, one point a second per
 * series, in batches of a thousand points as they travel. `decoded` starts from the messages, `from bytes` includes
 * decoding them from the bus format. Only time at work on this thread is counted. `mixed` is a set with the other operators.
 */
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

/** `fed` of the rules get points; the others are only there. Gives nanoseconds a point. */
function measure(title: string, rules: number, hosts: number, shape: Shape, seconds: number, fed = rules): number {
  const text = [
    'rules:',
    ...Array.from({ length: rules }, (_, i) => `  r${i}:\n    every: 1s\n    warn: "${shape(i)}"`),
  ]
  const loaded = loadRules([{ path: 'bench.yaml', text: text.join('\n') }])
  if (loaded.problems.length > 0) throw new Error(loaded.problems[0]?.message)
  const engine = new Engine({ defaultStepMs: stepMs, rules: loaded })
  const decoder = new Decoder()
  const parts = partsOf(fed, hosts)
  let offset = 0
  let [decodeMs, engineMs, points, fired] = [0, 0, 0, 0]
  const warmSeconds = 90
  for (let second = 1; second <= warmSeconds + seconds; second++) {
    const bytes = secondOf(parts, second).map(encode)
    const beganMs = busyMs()
    const messages = bytes
      .map((body) => decoder.decode(body))
      .map((decoded) => {
        if (!decoded.ok) throw new Error('the bench made a bad message')
        return decoded.value
      })
    const decodedMs = busyMs()
    const marker = { source, name: 'bench', startedMs: 0, bucketMs: second * stepMs, intervalMs: stepMs, latenessMs: 0 }
    const envelopes = [
      ...messages,
      { kind: 'markers', message: marker },
      { kind: 'clock', message: { process: 'bench', nowMs: second * stepMs } },
    ]
    for (const envelope of envelopes) {
      const entry = { ...envelope, key: envelope.kind, id: `b:${offset}`, offset: offset++ } as unknown as LogEntry
      fired += engine.step(entry).length
    }
    const doneMs = busyMs()
    if (second <= warmSeconds) continue
    decodeMs += decodedMs - beganMs
    engineMs += doneMs - decodedMs
    points += fed * hosts
  }
  const perSecond = (ms: number) => (points / ms / 1000).toFixed(2).padStart(6)
  const nanos = ((engineMs + decodeMs) * 1e6) / points
  console.log(
    `${title.padEnd(18)} ${perSecond(engineMs)} M points/s decoded, ${perSecond(engineMs + decodeMs)} M from bytes, ${nanos.toFixed(0)} ns a point, ${fired} transitions`,
  )
  return nanos
}

const base = measure('50 × 200', 50, 200, mean, 200)
measure('500 × 20', 500, 20, mean, 200)
measure('2,000 × 5', 2000, 5, mean, 200)
measure('5,000 × 2', 5000, 2, mean, 200)
const many = measure('50 of 5,000 × 200', 5000, 200, mean, 200, 50)
measure('mixed 48 × 200', 48, 200, mixed, 200)
console.log(`the same 50 rules among 5,000 cost ${(many / base).toFixed(2)} × what they cost alone`)
