/** Arbitrary envelopes of every kind, for property tests. */
import fc from 'fast-check'
import type { Envelope, Kind } from '../../src/model/message.ts'

/** Any well-formed Unicode but a line break. */
const name = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.toWellFormed().replaceAll('\n', ' '))
const text = fc.string({ unit: 'binary', maxLength: 20 }).map((any) => any.toWellFormed())
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
const any = fc.double().map((value) => value + 0)
const milliseconds = fc.integer({ min: 0, max: 4e12 })
const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/)
const tags = fc.dictionary(word, text, { maxKeys: 3 })

const floats = (length: number) =>
  fc.array(any, { minLength: length, maxLength: length }).map((all) => new Float64Array(all))
const names = fc.uniqueArray(name, { maxLength: 6 })

function withGraphite<T extends { names: readonly string[] }>(column: fc.Arbitrary<T>) {
  return column.chain((made) =>
    fc
      .option(fc.array(name, { minLength: made.names.length, maxLength: made.names.length }), { nil: undefined })
      .map((graphiteNames) => ({ ...made, ...(graphiteNames && { graphiteNames }) })),
  )
}

const counters = withGraphite(
  names.chain((all) => fc.record({ names: fc.constant(all), sums: floats(all.length), samples: floats(all.length) })),
)
const values = withGraphite(names.chain((all) => fc.record({ names: fc.constant(all), values: floats(all.length) })))

/** Gauges with or without the moments at which they were written. */
const gauges = fc
  .tuple(values, fc.boolean())
  .chain(([column, haveOffsets]) =>
    haveOffsets
      ? floats(column.names.length).map((offsetsMs) => ({ ...column, offsetsMs }))
      : fc.constant({ ...column }),
  )

const distribution = fc.integer({ min: 0, max: 5 }).chain((size) =>
  fc.record({
    count: any,
    sum: any,
    sumSquares: any,
    min: any,
    max: any,
    exact: fc.boolean(),
    values: floats(size),
    counts: floats(size),
  }),
)

const several = <T>(one: fc.Arbitrary<T>, size: number) => fc.array(one, { minLength: size, maxLength: size })

const metrics = fc.record({
  source: word,
  bucketMs: milliseconds,
  stepMs: milliseconds,
  counters,
  gauges,
  timers: names.chain((all) =>
    fc.record({ names: fc.constant(all), distributions: several(distribution, all.length) }),
  ),
  sets: names.chain((all) =>
    fc.record({
      names: fc.constant(all),
      members: several(fc.array(text, { maxLength: 4 }), all.length),
      overflowed: several(fc.boolean(), all.length),
    }),
  ),
  untyped: values,
})

const level = fc.constantFrom('ok', 'warn', 'crit', 'nodata', 'forgotten')
const value = fc.option(finite)
const attempt = { key: text, receiver: text, attempt: fc.nat(), by: text, atMs: milliseconds }

const messages = {
  metrics,
  checks: fc.record({
    source: word,
    bucketMs: milliseconds,
    results: fc.array(
      fc.record({
        name: text,
        sequence: fc.nat(),
        atMs: milliseconds,
        state: fc.constantFrom('ok', 'warn', 'crit', 'unknown'),
        output: text,
        durationMs: finite,
        stepMs: milliseconds,
      }),
      { maxLength: 4 },
    ),
  }),
  events: fc.record(
    { source: word, sequence: fc.nat(), atMs: milliseconds, bucketMs: milliseconds, name: text, tags, text },
    { requiredKeys: ['source', 'sequence', 'atMs', 'bucketMs', 'name', 'tags'] },
  ),
  markers: fc.record(
    {
      source: word,
      name: word,
      startedMs: milliseconds,
      bucketMs: milliseconds,
      intervalMs: milliseconds,
      latenessMs: milliseconds,
      bye: fc.boolean(),
    },
    { requiredKeys: ['source', 'name', 'startedMs', 'bucketMs', 'intervalMs', 'latenessMs'] },
  ),
  clock: fc.record({ process: text, nowMs: milliseconds }),
  rules: fc.record({ hash: text, files: fc.array(fc.record({ path: text, text }), { maxLength: 3 }) }),
  transitions: fc.record(
    {
      id: text,
      rule: text,
      group: fc.array(fc.record({ name: text, value: text }), { maxLength: 3 }),
      groupKey: text,
      bucketMs: milliseconds,
      from: level,
      to: level,
      hidden: fc.boolean(),
      blind: fc.boolean(),
      sinceMs: milliseconds,
      say: text,
      reason: text,
      values: fc.array(fc.record({ name: text, value, text }), { maxLength: 3 }),
      series: fc.record({ stepMs: milliseconds, values: fc.array(value, { maxLength: 5 }) }),
      runbook: text,
      remindMs: milliseconds,
      tags,
    },
    {
      requiredKeys: [
        ...(['id', 'rule', 'group', 'groupKey', 'bucketMs', 'from', 'to', 'hidden', 'blind', 'sinceMs'] as const),
        ...(['say', 'reason', 'values', 'series', 'tags'] as const),
      ],
    },
  ),
  commands: fc.record({ id: text, kind: text, by: text, atMs: milliseconds, arguments: tags }),
  decisions: fc.record({
    by: text,
    decisions: fc.array(
      fc.record({
        atMs: milliseconds,
        fingerprint: text,
        transition: text,
        change: fc.constantFrom('raised', 'ended', 'command'),
        notify: fc.boolean(),
        reason: text,
        receivers: fc.array(text, { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  }),
  claims: fc.record(attempt),
  receipts: fc.record({
    ...attempt,
    outcome: fc.constantFrom('delivered', 'failed', 'dead'),
    detail: text,
    fingerprint: text,
    transition: text,
    kind: fc.constantFrom('firing', 'resolved'),
  }),
  status: fc.record({
    part: word,
    instance: word,
    host: text,
    pid: fc.nat(),
    startedMs: milliseconds,
    atMs: milliseconds,
    ready: fc.boolean(),
    counters: fc.dictionary(word, finite, { maxKeys: 3 }),
  }),
} satisfies { [K in Kind]: fc.Arbitrary<unknown> }

const hops = fc.record({ packetMs: milliseconds, flushMs: milliseconds, ruleMs: milliseconds }, { requiredKeys: [] })

function envelopeOf(kind: Kind): fc.Arbitrary<Envelope> {
  const key = kind === 'clock' || kind === 'rules' || kind === 'claims' || kind === 'receipts' ? kind : `${kind}.a`
  return fc
    .record(
      {
        kind: fc.constant(kind),
        key: fc.constant(key),
        id: fc.nat().map((n) => `p:${n}`),
        message: messages[kind],
        hops,
      },
      { requiredKeys: ['kind', 'key', 'id', 'message'] },
    )
    .map((made) => made as unknown as Envelope)
}

export const envelope: fc.Arbitrary<Envelope> = fc.oneof(
  { weight: 10, arbitrary: envelopeOf('metrics') },
  ...(Object.keys(messages) as Kind[]).map(envelopeOf),
)
