import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noChanges } from '../../src/alerts/state.ts'
import { decisionsMax, openStore, type Store, schemaVersion, setAside } from '../../src/alerts/store.ts'
import { everything, Play, warnToOps } from './scenario.ts'

let file = ''

beforeEach(() => {
  file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-store-')), 'alerts.sqlite')
})

afterEach(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }))

function opened(historyMs?: number): Store {
  const result = openStore(file, historyMs)
  if (!result.ok) throw new Error(result.error)
  return result.value
}

describe('the saved state', () => {
  test('a new database is empty and has no offset', () => {
    const store = opened()
    expect(store.load().offset).toBeUndefined()
    expect(store.load().state.book.firing.size).toBe(0)
    store.close()
  })

  test('whatever happened, what is read back is what was saved, also when it was saved in steps', () => {
    const event = fc.record({
      level: fc.constantFrom('ok', 'warn', 'crit', 'nodata', 'forgotten'),
      group: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      save: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 40 }), (events) => {
        for (const suffix of ['', '-wal', '-shm']) fs.rmSync(file + suffix, { force: true })
        const store = opened()
        const play = new Play(warnToOps)
        for (const [i, { level, group, save }] of events.entries()) {
          play.tick(i * 1000)
          play.row([level, group], i * 1000)
          if (save) store.save(play.state, play.takeChanges(), i + 1)
        }
        store.save(play.state, play.takeChanges(), events.length)
        store.close()
        const again = opened()
        const loaded = again.load()
        again.close()
        expect(loaded.offset).toBe(events.length)
        expect(loaded.state.book.firing).toEqual(play.state.book.firing)
        expect(loaded.state.book.history).toEqual(play.state.book.history)
        expect(loaded.state.told).toEqual(play.state.told)
        expect(loaded.state.bursts).toEqual(play.state.bursts)
        expect([...loaded.state.notifications]).toEqual([...play.state.notifications])
        expect(loaded.state.nowMs).toBe(play.state.nowMs)
      }),
      { numRuns: 25 },
    )
  })

  test('only what changed is written, and the offset with it', () => {
    const store = opened()
    const play = new Play(warnToOps)
    play.row(['crit', 'a'], 1000)
    play.row(['crit', 'b'], 1000)
    store.save(play.state, { ...noChanges(), fingerprints: new Set(['http_5xx_spike/a']) }, 7)
    expect([...store.load().state.book.firing.keys()]).toEqual(['http_5xx_spike/a'])
    expect(store.load().offset).toBe(7)
    store.close()
  })

  test('a save is all or nothing', () => {
    const store = opened()
    const play = new Play(warnToOps)
    play.row(['crit', 'a'], 1000)
    const unreadable = { ...everything(play.state), decisions: [{ ...play.decisions[0], atMs: 'x' } as never] }
    expect(() => store.save(play.state, unreadable, 7)).toThrow()
    expect(store.load()).toMatchObject({ offset: undefined })
    expect(store.load().state.book.firing.size).toBe(0)
    store.save(play.state, everything(play.state), 8)
    expect(store.load().offset).toBe(8)
    store.close()
  })

  test('what ended and what was decided longer ago than it is to be kept is let go; what fires stays', () => {
    const store = opened(60_000)
    const play = new Play(warnToOps)
    play.row(['crit', 'old'], 1000)
    play.row(['ok', 'old'], 2000)
    play.row(['crit', 'still'], 3000)
    store.save(play.state, play.takeChanges(), 1)
    expect(store.decisions(100, 'http_5xx_spike/old').length).toBeGreaterThan(0)
    play.tick(90_000)
    play.row(['crit', 'new'], 90_000)
    play.row(['ok', 'new'], 91_000)
    store.save(play.state, play.takeChanges(), 2)
    expect(store.decisions(100, 'http_5xx_spike/old')).toEqual([])
    expect(store.decisions(100, 'http_5xx_spike/new').length).toBeGreaterThan(0)
    const { book } = store.load().state
    expect([...book.firing.keys()]).toEqual(['http_5xx_spike/still'])
    expect(book.history.map(({ groupKey }) => groupKey)).toEqual(['new'])
    store.close()
  })

  test(`the last ${decisionsMax} decisions are kept with their reasons, and can be asked for one alert`, () => {
    const store = opened()
    const play = new Play(warnToOps)
    play.row(['crit', 'a', 'hidden'], 1000)
    const [decision] = play.decisions
    const many = Array.from({ length: decisionsMax + 5 }, (_, i) => ({ ...decision, atMs: i }) as never)
    store.save(play.state, { ...noChanges(), decisions: many }, 1)
    const kept = store.decisions(decisionsMax * 2, 'http_5xx_spike/a')
    expect(kept).toHaveLength(decisionsMax)
    expect(kept[0]).toMatchObject({
      atMs: decisionsMax + 4,
      notify: false,
      reason: 'hidden: another alert explains it',
    })
    expect(store.decisions(10, 'another/alert')).toEqual([])
    store.close()
  })
})

describe('a database that cannot be used', () => {
  test('bytes that are no database are refused with the reason', () => {
    fs.writeFileSync(file, 'this is not a database, whatever its name says '.repeat(100))
    expect(openStore(file)).toMatchObject({ ok: false, error: expect.stringContaining('not a database') })
  })

  test('a damaged database is refused', () => {
    const store = opened()
    const play = new Play(warnToOps)
    for (let i = 0; i < 300; i++) play.row(['crit', `g${i}`], i)
    store.save(play.state, everything(play.state), 1)
    store.close()
    const bytes = fs.readFileSync(file)
    bytes.fill(0xff, 8192, bytes.length - 4096)
    fs.writeFileSync(file, bytes)
    expect(openStore(file).ok).toBe(false)
  })

  test('another schema is refused, because the log can rebuild it', () => {
    opened().close()
    const database = new DatabaseSync(file)
    database.exec(`PRAGMA user_version = ${schemaVersion + 1}`)
    database.close()
    expect(openStore(file)).toMatchObject({
      ok: false,
      error: `it has schema ${schemaVersion + 1}, not ${schemaVersion}`,
    })
  })

  test('set aside, it keeps its bytes under another name', () => {
    fs.writeFileSync(file, 'bytes')
    const aside = setAside(file, 1234)
    expect(fs.readFileSync(aside, 'utf8')).toBe('bytes')
    expect(fs.existsSync(file)).toBe(false)
  })
})
