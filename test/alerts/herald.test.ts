/** What the leading node says on alerts-log for readers that begin late. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Herald, repeatMs, unsaidMax } from '../../src/alerts/herald.ts'
import { type AlertsState, emptyAlertsState } from '../../src/alerts/state.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Decision } from '../../src/model/decision.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { ManualClock, systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { until } from '../support/until.ts'

const nowMs = 1_760_000_000_000
let dir: string
let bus: Bus
let clock: ManualClock
let stats: Stats
let state: AlertsState
let herald: Herald
let heard: LogEntry[]

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-herald-'))
  stats = new Stats()
  bus = await openMemoryBus({ dir, clock: systemClock, log: silentLog, stats, instance: 'test' })
  heard = []
  bus.readLog('alerts-log', 'first', (entry) => void heard.push(entry))
  clock = new ManualClock(nowMs)
  state = emptyAlertsState()
  state.nowMs = nowMs
  herald = new Herald({ bus, clock, log: silentLog, instance: 'a', host: 'h' }, stats, state)
})
afterEach(async () => {
  await herald.stop()
  await bus.close()
  fs.rmSync(dir, { recursive: true })
})

const decision = (transition: string): Decision => {
  const about = { fingerprint: 'a/b', transition, change: 'raised' as const }
  return { atMs: nowMs, ...about, notify: true, reason: 'raised', receivers: ['ops'] }
}
const said = () => heard.flatMap((entry) => (entry.kind === 'decisions' ? entry.message.decisions : []))

test('only the leader says decisions; a new leader says what the former did not', async () => {
  herald.decided([decision('t1'), decision('t2'), { ...decision('t3'), change: 'duplicate' }])
  clock.advanceTo(nowMs + 1000)
  herald.heard([decision('t1')])
  herald.lead(true)
  clock.advanceTo(nowMs + 2000)
  await until(() => said().length > 0)
  expect(said()).toEqual([decision('t2')])
})

test('silences, maintenance and acknowledgements in force are said again with their own ids before the log forgets them', async () => {
  const given = { by: 'ann', atMs: nowMs, heardMs: nowMs }
  const times = { startsMs: nowMs, endsMs: nowMs + 10 * repeatMs }
  state.handling.silences.set('s1', {
    id: 's1',
    ...given,
    matchers: { rule: 'a' },
    reason: 'x',
    ...times,
    state: 'active',
  })
  state.handling.silences.set('s2', {
    id: 's2',
    ...given,
    matchers: { rule: 'b' },
    reason: 'x',
    ...times,
    state: 'ended',
  })
  const planned = { ...given, reason: 'x', matchers: { rule: 'a' }, atMs: nowMs, startsMs: 0, endsMs: 0 }
  const sunday = { every: 'sunday', at: '02:00', for: '2h', zone: 'UTC' }
  state.handling.maintenances.set('m1', { ...planned, id: 'm1', when: sunday, isPlanned: false, state: 'waiting' })
  state.handling.maintenances.set('m2', { ...planned, id: 'm2', when: sunday, isPlanned: true, state: 'waiting' })
  const acknowledgement = { id: 'c1', ...given, note: '', sticky: false, level: 'crit' as const }
  state.handling.care.set('a/b', { episode: 'e', acknowledgement, notes: [], applied: ['c1'] })
  herald.lead(true)
  state.nowMs = nowMs + repeatMs - 1
  clock.advanceTo(nowMs + 1000)
  state.nowMs = nowMs + repeatMs + 60_000
  clock.advanceTo(nowMs + 2000)
  await until(() => heard.length >= 3)
  expect(heard.map(({ key, message }) => [key, (message as { id: string }).id])).toEqual([
    ['commands.silence', 's1'],
    ['commands.maintain', 'm1'],
    ['commands.acknowledge', 'c1'],
  ])
})

test(`of more than ${unsaidMax} decisions not yet said the oldest go, and are counted`, () => {
  herald.decided(Array.from({ length: unsaidMax + 3 }, (_, i) => decision(`t${i}`)))
  expect(stats.snapshot().decisions_unsaid_total).toBe(3)
})
