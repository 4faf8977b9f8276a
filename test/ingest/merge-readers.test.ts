/**
 * What several daemons on several hosts got is, to every reader of the bus, exactly what one daemon would have got: rules,
 * Graphite and graphs are the same. A relative gauge is of the daemon that got it, so none is in here.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Decoder, encode } from '../../src/bus/codec.ts'
import { Engine } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { queryTarget } from '../../src/dashboards/query.ts'
import { SeriesStore } from '../../src/dashboards/series-store.ts'
import { parseTarget } from '../../src/dashboards/target.ts'
import type { Envelope, LogEntry } from '../../src/model/message.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { Log, run } from '../graphite/log.ts'
import { openIntake } from './setup.ts'

const seconds = 22
const folds = ['last', 'avg', 'min', 'max', 'sum', 'count', 'change', 'stddev', 'p90']

/** A line that comes so many ms after the one before, to one of three daemons. */
interface Sent {
  line: string
  afterMs: number
  to: number
}

/** Daemons that share what is sent, each flushing every second; their messages as one log, decoded from bytes. */
function logOf(sent: readonly Sent[], daemons: number): LogEntry[] {
  const clock = new ManualClock(1_000_000)
  const intakes = Array.from({ length: daemons }, () => openIntake({ clock }))
  const decoders = intakes.map(() => new Decoder())
  const log: LogEntry[] = []
  const put = (kind: string, message: unknown, decoder = new Decoder()) => {
    const offset = log.length
    const decoded = decoder.decode(
      encode({ kind, key: `${kind}.x`, id: `t:${offset}`, message } as unknown as Envelope),
    )
    if (decoded.ok) log.push({ ...decoded.value, offset } as LogEntry)
  }
  let bucketMs = 1_000_000
  const flush = () => {
    intakes.forEach(({ aggregate, intake }, i) => {
      const source = `ingest-host${i}-0`
      intake.takeFirstPacketMs()
      for (const message of aggregate.take(source, bucketMs, 1000)) put('metrics', message, decoders[i])
    })
    intakes.forEach((_, i) => {
      const name = `ingest-host${i}`
      put('markers', { source: `${name}-0`, name, startedMs: 0, bucketMs, intervalMs: 1000, latenessMs: 0 })
    })
    bucketMs += 1000
  }
  // Every daemon is known before anything is sent.
  flush()
  for (const { line, afterMs, to } of sent) {
    clock.frame += afterMs
    while (clock.now() > bucketMs) flush()
    intakes[to % daemons]?.send(line)
  }
  while (bucketMs <= 1_000_000 + seconds * 1000) flush()
  return log
}

const rules = (every: string) =>
  [
    ...folds.flatMap((fold) => ['g', 't'].map((kind) => ({ fold, kind }))),
    ...['sum', 'rate', 'avg', 'max', 'p90'].flatMap((fold) => ['c', 's'].map((kind) => ({ fold, kind }))),
  ]
    .map(({ fold, kind }) => `  ${fold}_${kind}${every}: {every: ${every}, crit: "${fold}(${kind}.{x}) over 10s > 3"}`)
    .join('\n')

function judged(log: readonly LogEntry[]) {
  const text = `rules:\n${rules('1s')}\n${rules('5s')}`
  const loaded = loadRules([{ path: 'rules.yaml', text }])
  expect(loaded.problems).toEqual([])
  const engine = new Engine({ defaultStepMs: 1000, rules: loaded })
  const values: unknown[] = []
  for (const entry of log) {
    const told = engine.step(entry)
    values.push(...told.map(({ id, values: shown, series, reason }) => ({ id, shown, series, reason })))
  }
  // Built-in rules are about the daemons themselves.
  const own = engine.status().rules.filter(({ file }) => file === 'rules.yaml')
  const status = own.map(({ name, groups }) => [name, groups.map(({ key, value }) => [key, value])])
  return { values, status }
}

function written(log: readonly LogEntry[]) {
  const reading = new Log()
  reading.entries.push(...log)
  return run({ flushMs: 5000 }).read(reading).points()
}

function drawn(log: readonly LogEntry[]) {
  const store = new SeriesStore({ seriesMax: 1000, stats: new Stats(), now: () => 2_000_000 })
  for (const entry of log) {
    if (entry.kind === 'metrics') store.addMetrics(entry.message)
    if (entry.kind === 'markers') store.mark(entry.message)
  }
  return ['sum(c.{x})', 'avg(g.{x})', 'max(g.{x})', 'p90(t.{x})', 'avg(t.{x})', 'sum(s.{x})'].map((text) => {
    const target = parseTarget(text)
    if (!target.ok) throw new Error(target.error)
    const { lines } = queryTarget(store, target.value, 1_000_000, 1_030_000)
    return lines.map(({ name, values }) => [name, values]).sort()
  })
}

test('several daemons are to rules, to Graphite and to graphs what one would be', () => {
  const name = fc.constantFrom('a', 'b')
  const line = fc.oneof(
    fc.tuple(name, fc.integer({ min: -9, max: 9 })).map(([n, v]) => `c.${n}:${v}|c`),
    fc.tuple(name, fc.integer({ min: 0, max: 9 })).map(([n, v]) => `g.${n}:${v}|g`),
    fc.tuple(name, fc.nat(9)).map(([n, v]) => `t.${n}:${v}|ms`),
    fc.tuple(name, fc.nat(4)).map(([n, v]) => `s.${n}:m${v}|s`),
  )
  const sent = fc.record({ line, afterMs: fc.integer({ min: 1, max: 700 }), to: fc.nat(2) })
  fc.assert(
    fc.property(fc.array(sent, { minLength: 5, maxLength: 60 }), (all) => {
      const [one, three] = [logOf(all, 1), logOf(all, 3)]
      expect(written(three)).toEqual(written(one))
      expect(drawn(three)).toEqual(drawn(one))
      expect(judged(three)).toEqual(judged(one))
    }),
    { numRuns: 30 },
  )
})
