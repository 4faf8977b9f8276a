/**
 * What a snapshot costs: how long the engine stands still (pack), how long compressing takes beside it (seal), bytes, and how
 * long a restart takes to read it, against a restart that replays the same minutes. `node bench/snapshot.ts`
 */
import { Engine } from '../src/cep/engine.ts'
import { openSnapshot, packSnapshot, sealSnapshot } from '../src/cep/snapshot.ts'
import type { LogEntry } from '../src/model/message.ts'
import { emptyMetrics } from '../src/model/metric.ts'

const seconds = 120

function world(rules: number, hosts: number) {
  const text = Array.from(
    { length: rules },
    (_, i) => `  r${i}: {every: 1s, crit: "avg(m${i}.{host}) over 60s > 90 for 30s"}`,
  )
  const files = [
    { path: 'bench.yaml', text: `metrics: [{match: "m*.*", kind: gauge, step: 1s}]\nrules:\n${text.join('\n')}\n` },
  ]
  const names = Array.from({ length: rules * hosts }, (_, i) => `m${Math.floor(i / hosts)}.host${i % hosts}`)
  const entries: LogEntry[] = []
  const send = (kind: string, message: unknown) =>
    entries.push({ kind, key: kind, id: `b:${entries.length}`, offset: entries.length, message } as unknown as LogEntry)
  send('rules', { hash: 'b', files })
  for (let at = 1; at <= seconds; at++) {
    const values = Float64Array.from(names, (_, i) => (i * 7919 + at * 104729) % 101)
    send('metrics', { ...emptyMetrics('a-0', at * 1000, 1000), gauges: { names, values } })
    send('markers', { source: 'a-0', name: 'a', startedMs: 0, bucketMs: at * 1000, intervalMs: 1000, latenessMs: 0 })
  }
  return entries
}

for (const [rules, hosts] of [
  [50, 200],
  [2000, 5],
  [500, 200],
] as const) {
  const entries = world(rules, hosts)
  const engine = new Engine({ defaultStepMs: 1000 })
  const replayFrom = performance.now()
  for (const entry of entries) engine.step(entry)
  const replayMs = performance.now() - replayFrom
  const times: number[] = []
  let packed: Buffer = Buffer.alloc(0)
  for (let i = 0; i < 5; i++) {
    const from = performance.now()
    packed = packSnapshot({ offset: 1, id: 'b:1', engine: engine.save(), minutes: [], waiting: [] })
    times.push(performance.now() - from)
  }
  const sealFrom = performance.now()
  const sealed = await sealSnapshot(packed)
  const sealMs = performance.now() - sealFrom
  const openFrom = performance.now()
  const opened = openSnapshot(sealed)
  if (!opened.ok) throw new Error(opened.error)
  const restored = Engine.restored({ defaultStepMs: 1000 }, opened.value.engine)
  if (!restored.ok) throw new Error(restored.error)
  const openMs = performance.now() - openFrom
  const ms = (value: number) => `${value.toFixed(0)} ms`
  console.log(
    `${rules} rules × ${hosts} groups: pack ${ms(times.sort((a, b) => a - b)[2] as number)}, seal ${ms(sealMs)}, ` +
      `${(packed.length / 1e6).toFixed(1)} MB packed, ${(sealed.length / 1e6).toFixed(2)} MB sealed, restore ${ms(openMs)}; ` +
      `restoring takes ${((openMs / replayMs) * (seconds / 7200)).toFixed(4)} of replaying two hours`,
  )
}
