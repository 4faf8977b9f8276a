/** The engine's process killed at random moments of an incident: what is on alerts-log is what one engine would have said. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Engine } from '../../src/cep/engine.ts'
import type { LogEntry, LogName } from '../../src/model/message.ts'
import type { Transition } from '../../src/model/transition.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

const seconds = 1200
const kills = 5
const rules = `
metrics:
  - {match: "api.*.time", kind: timer, unit: ms}
  - {match: "api.**", kind: count}
rules:
  spike: {every: 1s, warn: "sum(api.{p}.bad) over 30s >= 60", crit: "sum(api.{p}.bad) over 30s >= 100 for 20s, keep 5s"}
  slow: {every: 1s, warn: "p90(api.{p}.time) over 20s > 500ms for 3 of 5"}
  silent: {every: 1s, crit: "no api.{p}.ok for 15s"}
  bad_deploy: {every: 1s, crit: "event:deploy[p={p}] then rate(api.{p}.bad) over 10s > 5/s within 1m, keep 20s"}
`

let dir = ''
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

/** Lives until the process has passed a second of its own, and is killed then; or until it is done. */
function life(killedAfter: number): Promise<string> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'child.ts'), dir, String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    const last = [...output.matchAll(/^at (\d+)$/gm)].at(-1)
    if (Number(last?.[1] ?? 0) >= killedAfter) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.once('close', () => resolve(output)))
}

async function readAll(name: LogName): Promise<LogEntry[]> {
  const options = { clock: systemClock, log: silentLog, stats: new Stats(), instance: 'reader' }
  const bus = await openMemoryBus({ ...options, dir: path.join(dir, 'log') })
  const entries: LogEntry[] = []
  const reader = bus.readLog(name, 'first', (entry) => void entries.push(entry))
  await reader.caughtUp()
  await reader.stop()
  await bus.close()
  return entries
}

test(`killed at ${kills} random moments it loses no transition, tells none twice and none anew; timers and windows go on`, async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-cep-kill-'))
  fs.mkdirSync(path.join(dir, 'rules'))
  fs.writeFileSync(path.join(dir, 'rules', 'all.yaml'), rules)
  fs.writeFileSync(path.join(dir, 'tocsin.yaml'), 'cep: {journal: false}\n')
  const moments = Array.from({ length: kills }, (_, i) => Math.ceil(((i + Math.random()) * seconds) / (kills + 1)))
  const lives: string[] = []
  for (const moment of [...moments, Number.POSITIVE_INFINITY]) lives.push(await life(moment))
  expect(lives.at(-1)).toContain('done')
  const told = (await readAll('alerts-log')).filter(({ kind }) => kind === 'transitions')
  const engine = new Engine({ defaultStepMs: 1000 })
  const computed = (await readAll('engine-log')).flatMap((entry) => engine.step(entry))
  const text = (transitions: readonly Transition[]) => transitions.map((one) => JSON.stringify(one)).sort()
  expect(computed.length, `killed at ${moments}`).toBeGreaterThan(50)
  expect(text(told.map(({ message }) => message as Transition)), `killed at ${moments}`).toEqual(text(computed))
  expect(lives.filter((output) => output.includes('goes on from its snapshot')).length).toBeGreaterThan(0)
}, 120_000)
