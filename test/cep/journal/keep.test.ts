import fs from 'node:fs'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { JournalKeeper, journalDir } from '../../../src/cep/journal/keep.ts'
import { journalEntries } from '../../../src/cep/journal/read.ts'
import { ManualClock } from '../../../src/runtime/clock.ts'
import type { Config } from '../../../src/runtime/config.ts'
import { Stats } from '../../../src/runtime/stats.ts'
import { temporaryFolder } from '../../support/recording.ts'
import { until } from '../../support/until.ts'
import { configFor, openWorld, type World } from '../../support/world.ts'

let world: World
let folder: ReturnType<typeof temporaryFolder>
let clock: ManualClock
beforeEach(async () => {
  clock = new ManualClock(1_700_000_000_000)
  world = await openWorld(clock)
  folder = temporaryFolder()
})
afterEach(async () => {
  await world.end()
  folder.remove()
})

const configIn = (data: string, journal: Config['cep']['journal'] = { retention: 1e12, bytesMax: 1e9 }) =>
  configFor((config) => Object.assign(config, { data, cep: { ...config.cep, journal } }))

async function keep(data: string, stats = new Stats()): Promise<JournalKeeper> {
  const keeper = new JournalKeeper(world.context, stats)
  await keeper.configure(configIn(data))
  return keeper
}

async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await world.bus.publish('clock', { process: 'a', nowMs: clock.now() + i })
    if (i % 50 === 0) await turn()
  }
}

const kept = (data: string) => Array.fromAsync(journalEntries(journalDir(data)))

it('keeps what the engine reads, from the first entry of the log', async () => {
  await publish(10)
  const keeper = await keep(folder.path)
  await publish(10)
  await until(() => world.entries.length === 20)
  await keeper.stop()
  expect(await kept(folder.path)).toEqual(world.entries)
})

it('goes on after a kill at any moment with what it has not written, from the log, without gaps or doubles', async () => {
  const keeper = await keep(folder.path)
  await publish(500)
  await clock.advanceBy(7000)
  await until(async () => (await kept(folder.path)).length > 0)
  await publish(500)
  const killed = temporaryFolder()
  fs.cpSync(journalDir(folder.path), journalDir(killed.path), { recursive: true })
  fs.rmSync(path.join(journalDir(killed.path), 'lock'), { force: true })
  const before = (await kept(killed.path)).length
  expect(before).toBeLessThan(1000)
  const next = await keep(killed.path)
  await publish(100)
  await until(() => world.entries.length === 1100)
  await next.stop()
  await keeper.stop()
  expect(await kept(killed.path)).toEqual(world.entries)
  killed.remove()
})

it('a second engine on the same folder waits, and takes over where the first one ended', async () => {
  const first = await keep(folder.path)
  await publish(100)
  const second = await keep(folder.path)
  expect(await until(() => second.problem)).toContain('is in use by this process')
  await first.stop()
  await publish(100)
  await clock.advanceBy(6000)
  await until(() => second.problem === undefined)
  await until(() => world.entries.length === 200)
  await second.stop()
  expect(await kept(folder.path)).toEqual(world.entries)
})

it('a log that took the place of the one before is kept behind it', async () => {
  const stats = new Stats()
  const first = await keep(folder.path)
  await publish(10)
  await until(() => world.entries.length === 10)
  await first.stop()
  // Another world's log, which counts from 0: the journal goes on with it.
  const other = await openWorld(clock)
  const keeper = new JournalKeeper(other.context, stats)
  await keeper.configure(configIn(folder.path))
  await other.bus.publish('clock', { process: 'b', nowMs: clock.now() + 1000 })
  await until(() => other.entries.length === 1)
  await keeper.stop()
  await other.end()
  const all = await kept(folder.path)
  expect(all.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
})

it('is not kept where the configuration says so, and begins when that is changed', async () => {
  const keeper = new JournalKeeper(world.context, new Stats())
  await keeper.configure(configIn(folder.path, false))
  await publish(10)
  expect(fs.existsSync(journalDir(folder.path))).toBe(false)
  await keeper.configure(configIn(folder.path))
  await until(() => world.entries.length === 10)
  await until(() => fs.existsSync(journalDir(folder.path)))
  await keeper.configure(configIn(folder.path, false))
  expect(await kept(folder.path)).toHaveLength(10)
})

it('a folder that cannot be used is told, and tried again', async () => {
  fs.writeFileSync(path.join(folder.path, 'journal'), 'a file')
  const keeper = await keep(folder.path)
  expect(await until(() => keeper.problem)).toContain('the journal is not kept: EEXIST')
  fs.rmSync(path.join(folder.path, 'journal'))
  await publish(5)
  await clock.advanceBy(6000)
  await until(() => keeper.problem === undefined)
  await until(() => world.entries.length === 5)
  await keeper.stop()
  expect(await kept(folder.path)).toEqual(world.entries)
})
