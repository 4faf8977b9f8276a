/** Whoever changes what is saved raises the version, so that no program reads a snapshot that means something else. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { loadRules } from '../../src/cep/language/load.ts'
import { type Snapshot, snapshotVersion } from '../../src/cep/snapshot.ts'
import { recordedTest, run } from './determinism/log.ts'

/** By version, the shape of what is saved for the rules below. */
const shapes: Readonly<Record<number, string>> = { 5: '73e5d3f74d7cef57' }

const text = `
metrics:
  - {match: "cnt.**", kind: count}
  - {match: "gau.**", kind: gauge}
  - {match: "ctr.**", kind: counter}
  - {match: "tim.**", kind: timer, unit: ms}
rules:
  counts: {crit: "sum(cnt.{g}.*) over 1m > 1 for 2 of 4"}
  sets: {crit: "avg(gau.{g}.{h}) over 1m > 1 for 1m, until < 0, keep 1m"}
  timers: {crit: "p90(tim.{g}.*) over 5m > 1ms and stddev(gau.{g}.*) over 1m >= 0"}
  rates: {crit: "rate(ctr.{g}.*) over 1m > 1/s"}
  quorum: {crit: "at least 1 {h} with gau.{g}.{h} > 0", hide when: "rule:counts[g={g}] is firing"}
  pooled: {crit: "max(abs(gau.{g}.{h})) over 1m by g > 0"}
  past: {crit: "gau.{g}.{h} 1m ago > 0 or unusual(gau.{g}.{h}, vs=2m, floor=1) > 1 or forecast(gau.{g}.{h}, from=1m, ahead=1m) > 1"}
  checks: {crit: "check:chk.{g} is not ok for 3 in a row"}
  events: {crit: "event:dep[g={g}] then event:back[g={g}] within 1m, keep 1m"}
  several: {crit: "distinct(event:dep[g={g}], \\"v\\") over 1m > 3 or count(event:dep[g={g}]) over 1m > 3"}
tests:
  - name: something of everything
    given:
      cnt.a.x: 1 for 3m, nothing
      gau.a.x: 1 for 5m, 2
      gau.a.y: 3
      ctr.a.x: 0 to 1000 for 10m
      tim.a.x: 10x5ms
      check:chk.a: ok for 1m, crit
      events:
        - 1m: event:dep[g=a, v=1]
        - 2m: event:back[g=a]
        - 9m59s: event:dep[g=a, v=2]
    run: 10m
    expect:
      counts: {}
      sets: {}
      timers: {}
      rates: {}
      quorum: {}
      pooled: {}
      past: {}
      checks: {}
      events: {}
      several: {}
`

/** Names and types, without values. */
function shapeOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return typeof value
  const all = (values: Iterable<unknown>) => [...new Set([...values].map(shapeOf))].sort().join('|')
  if (ArrayBuffer.isView(value)) return value.constructor.name
  if (Array.isArray(value)) return `[${all(value)}]`
  if (value instanceof Map) return `Map(${all(value.keys())} → ${all(value.values())})`
  if (value instanceof Set) return `Set(${all(value)})`
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${shapeOf(field)}`)
  return `{${fields.sort().join(', ')}}`
}

test('what is saved has the shape that belongs to the version; another shape needs another version', () => {
  const loaded = loadRules([{ path: 'all.yaml', text }])
  expect(loaded.problems.map(({ message }) => message)).toEqual([])
  const recorded = recordedTest(loaded.tests[0] as (typeof loaded.tests)[0], loaded, text)
  if (!recorded) throw new Error('the test is wrong')
  const engine = new Engine(recorded.options)
  run(engine, recorded.entries)
  // The next bucket is open.
  for (const entry of recorded.entries.slice(-5))
    if (entry.kind !== 'clock' && entry.kind !== 'markers') engine.step(entry)
  const minutes = [{ ms: 1, offset: 1 }]
  const snapshot: Snapshot = { offset: 1, id: 'a:1', engine: engine.save(), minutes, waiting: [] }
  const shape = createHash('sha256').update(shapeOf(snapshot)).digest('hex').slice(0, 16)
  const help = `what a snapshot holds has changed: raise snapshotVersion and note ${shape} for it`
  expect(shapes[snapshotVersion], help).toBe(shape)
})
