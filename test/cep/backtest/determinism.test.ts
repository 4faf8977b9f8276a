/** The promise of the whole tool: what is replayed from the journal is what the live run said, bit for bit. */
import dgram from 'node:dgram'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMemoryBus } from '../../../src/bus/memory.ts'
import { replay } from '../../../src/cep/backtest/replay.ts'
import { openRecording } from '../../../src/cep/journal/recording.ts'
import { loadRules } from '../../../src/cep/language/load.ts'
import { runParts } from '../../../src/cli/up.ts'
import type { Transition } from '../../../src/model/transition.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { loadConfig } from '../../../src/runtime/config.ts'
import { silentLog } from '../../../src/runtime/log.ts'
import { Stats } from '../../../src/runtime/stats.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryFolder } from '../../support/recording.ts'
import { until } from '../../support/until.ts'

const rules = `
metrics:
  - {match: "web.*.hits.*", kind: count}
  - {match: "web.*.time", kind: timer, unit: ms}
rules:
  errors:
    every: 1s
    let:
      bad: sum(web.{host}.hits.5*) over 2s
      all: sum(web.{host}.hits.*) over 2s
    warn: bad / all > 20% for 1s
    crit: bad / all > 60% for 2s, until bad / all < 20%, keep 1s
    say: "{host}: {bad / all} of {all}"
  slow:
    every: 1s
    crit: p90(web.{host}.time) over 2s > 100ms
    hide when: rule:errors[host={host}] is crit
    settle: 1s
`

const folder = temporaryFolder()
let live: Transition[]

beforeAll(async () => {
  const port = await freePort()
  fs.mkdirSync(path.join(folder.path, 'rules'))
  fs.writeFileSync(path.join(folder.path, 'rules/web.yaml'), rules)
  fs.writeFileSync(
    path.join(folder.path, 'tocsin.yaml'),
    `ingest: {statsd: {udp: 127.0.0.1:${port}, tcp: false}, graphite: {tcp: false}}\nchecks: []\n`,
  )
  const config = loadConfig(path.join(folder.path, 'tocsin.yaml'), {})
  if (!config.ok) throw new Error('the configuration is wrong')
  const running = await runParts(['cep', 'ingest'], config.value, {
    clock: systemClock,
    log: silentLog,
    environment: {},
  })
  const socket = dgram.createSocket('udp4')
  let isBroken = false
  const traffic = setInterval(() => {
    for (const host of ['a', 'b']) {
      const bad = isBroken && host === 'a'
      const lines = [`web.${host}.hits.${bad ? 503 : 200}:1|c`, `web.${host}.time:${bad ? 250 : 20}|ms`]
      socket.send(lines.join('\n'), port, '127.0.0.1')
    }
  }, 20)
  const transitions = async () => (await read('live')).filter(({ rule }) => rule === 'errors')
  await until(async () => (await journalled()) > 20)
  isBroken = true
  await until(async () => (await transitions()).some(({ to }) => to === 'crit'), { everyMs: 200 })
  isBroken = false
  await until(async () => (await transitions()).some(({ to }) => to === 'ok'), { everyMs: 200 })
  clearInterval(traffic)
  socket.close()
  await running.stop()
  live = await read('after')
}, 40_000)
afterAll(() => folder.remove())

/** Entries on the log so far; the journal follows within seconds. */
async function journalled(): Promise<number> {
  const dir = path.join(folder.path, 'var/log/engine-log')
  return fs.readdirSync(dir).reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).size, 0) / 100
}

/** What was published, from a copy of the log, since a log has one owner at a time. */
async function read(name: string): Promise<Transition[]> {
  const copy = path.join(folder.path, `copy-${name}`)
  fs.rmSync(copy, { recursive: true, force: true })
  fs.cpSync(path.join(folder.path, 'var/log'), copy, { recursive: true })
  fs.rmSync(path.join(copy, 'lock'), { force: true })
  const options = { dir: copy, clock: systemClock, log: silentLog, stats: new Stats(), instance: 'reader' }
  const bus = await openMemoryBus(options)
  const found: Transition[] = []
  const reader = bus.readLog('alerts-log', 'first', ({ kind, message }) => {
    if (kind === 'transitions') found.push(message)
  })
  await reader.caughtUp()
  await bus.close()
  return found
}

async function replayed(range: { fromMs?: number } = {}): Promise<Transition[]> {
  const found: Transition[] = []
  const loaded = loadRules([{ path: 'rules/web.yaml', text: rules }])
  const onTransition = (transition: Transition) => found.push(transition)
  await replay(openRecording(path.join(folder.path, 'var')), [loaded], { ...range, onTransition })
  return found
}

it('a backtest over the journal of a live run gives its transitions, ids, values and words, bit for bit', async () => {
  expect(live.filter(({ rule }) => rule === 'errors').map(({ to }) => to)).toEqual(
    expect.arrayContaining(['warn', 'crit', 'ok']),
  )
  expect(await replayed()).toEqual(live)
})

it('a second backtest gives the same again', async () => {
  expect(JSON.stringify(await replayed())).toBe(JSON.stringify(await replayed()))
})
