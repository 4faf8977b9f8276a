import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { step } from '../../src/alerts/decide.ts'
import { Outbox, retryFirstMs, retryMaxMs, triesMax } from '../../src/alerts/outbox.ts'
import { seededRandom } from '../../src/alerts/random.ts'
import type { Delivery, Receiver } from '../../src/alerts/receivers/receiver.ts'
import { emptyAlertsState, noChanges } from '../../src/alerts/state.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import type { Receipt } from '../../src/model/delivery.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { ManualClock, systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'
import { oncallOnly } from './scenario.ts'

const startMs = 1_760_000_000_000
const giveUpMs = 4 * 3_600_000
let dir = ''
let bus: Bus
let clock: ManualClock
let stats: Stats
let outbox: Outbox
let receipts: Receipt[]
let state = emptyAlertsState()
let answers: (() => Delivery | Promise<Delivery>)[]
let tries: { key: string; atMs: number }[]

/** A receiver that answers as the test says; the last answer stands. */
const receiver: Receiver = {
  send: async ({ key }) => {
    tries.push({ key, atMs: clock.now() })
    const answer = answers.length > 1 ? answers.shift() : answers[0]
    return answer?.() ?? { outcome: 'delivered', detail: '' }
  },
  close: () => {},
}

const failed = (): Delivery => ({ outcome: 'failed', detail: 'HTTP 500', unreachable: false })
const delivered = (): Delivery => ({ outcome: 'delivered', detail: '' })

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-outbox-'))
  clock = new ManualClock(startMs)
  stats = new Stats()
  bus = await openMemoryBus({ dir, clock: systemClock, log: silentLog, stats: new Stats(), instance: 'test' })
  state = emptyAlertsState()
  receipts = []
  tries = []
  answers = [delivered]
  const random = seededRandom('test')
  outbox = new Outbox({ bus, clock, log: silentLog, stats, instance: 'test', random, state })
  outbox.configure(new Map([['oncall', { receiver, timeoutMs: 30_000, giveUpMs }]]))
  outbox.lead({ isHeld: () => true })
  bus.readLog('alerts-log', 'first', (entry: LogEntry) => {
    step(state, entry, oncallOnly, noChanges())
    if (entry.kind === 'receipts') {
      outbox.settled(entry.message)
      receipts.push(entry.message)
    }
    outbox.pump()
  })
})

afterEach(async () => {
  await bus.close()
  fs.rmSync(dir, { recursive: true, force: true })
})

const say = (given: Parameters<typeof transition>[2] = {}) =>
  bus.publish('transitions.any', transition('crit', startMs, given))

/** Moves the clock along until so many receipts are on the log. */
async function advanceUntil(count: number, stepMs: number): Promise<void> {
  await until(async () => {
    if (receipts.length >= count) return true
    await clock.advanceBy(stepMs)
    return false
  })
}

describe('retries', () => {
  test('pauses double up to five minutes, and after the time to give up it is a dead letter', async () => {
    answers = [failed]
    await say()
    await until(
      async () => {
        await clock.advanceBy(10_000)
        return receipts.at(-1)?.outcome === 'dead'
      },
      { everyMs: 0, timeoutMs: 25_000 },
    )
    const last = receipts.at(-1) as Receipt
    expect(last.detail).toBe('given up after 4h: HTTP 500')
    expect(last.atMs - startMs).toBeGreaterThanOrEqual(giveUpMs)
    expect(last.atMs - startMs).toBeLessThan(giveUpMs + 2 * retryMaxMs)
    for (const { attempt, atMs, retryMs = 0 } of receipts.slice(0, -1)) {
      const wholeMs = Math.min(retryMaxMs, retryFirstMs * 2 ** (attempt - 1))
      expect(retryMs - atMs).toBeGreaterThanOrEqual(wholeMs / 2)
      expect(retryMs - atMs).toBeLessThanOrEqual(wholeMs + 1)
    }
    expect(stats.get('dead_total')).toBe(1)
    expect(stats.get('failed_total')).toBe(receipts.length)
  })

  test('pauses are spread, and the same seed spreads them alike', () => {
    const row = (seed: string) => Array.from({ length: 100 }, seededRandom(seed))
    expect(row('a')).toEqual(row('a'))
    expect(row('a')).not.toEqual(row('b'))
    expect(row('a').every((value) => value >= 0 && value < 1)).toBe(true)
    expect(new Set(row('a').map((value) => Math.floor(value * 4))).size).toBe(4)
  })

  test('a receiver that asks for a longer pause gets it, up to an hour', async () => {
    answers = [
      () => ({ ...failed(), retryAfterMs: 90_000 }) as Delivery,
      () => ({ ...failed(), retryAfterMs: 9e9 }) as Delivery,
    ]
    await say()
    await advanceUntil(2, 1_000)
    expect((receipts[0]?.retryMs ?? 0) - (receipts[0]?.atMs ?? 0)).toBe(90_000)
    expect((receipts[1]?.retryMs ?? 0) - (receipts[1]?.atMs ?? 0)).toBe(3_600_000)
  })

  test('an exception of a receiver is a failed try like any other', async () => {
    answers = [
      () => {
        throw new Error('a bug')
      },
      delivered,
    ]
    await say()
    await advanceUntil(2, 1_000)
    expect(receipts.map(({ outcome, detail }) => `${outcome} ${detail}`)).toEqual(['failed a bug', 'delivered '])
  })
})

describe('the end of the tries', () => {
  const refused = (): Delivery => ({ outcome: 'refused', detail: 'HTTP 404' })
  const configured = (fallbacks: Record<string, string>, standing?: string) => {
    const names = ['oncall', 'ops', 'boss']
    const channel = (name: string) => {
      const fallback = fallbacks[name]
      return { receiver, timeoutMs: 30_000, giveUpMs, ...(fallback !== undefined && { fallback }) }
    }
    outbox.configure(new Map(names.map((name) => [name, channel(name)])), standing)
  }
  const told = () =>
    receipts.map(({ receiver: name, outcome, fallback = '' }) => `${name} ${outcome} ${fallback}`.trim())

  test('a refusal is not tried again: the fallback is told at once', async () => {
    configured({ oncall: 'ops' })
    answers = [refused, delivered]
    await say()
    await until(() => receipts.length === 2)
    expect(told()).toEqual(['oncall dead ops', 'ops delivered'])
    expect([stats.get('refused_total'), stats.get('fallback_total'), stats.get('dead_total')]).toEqual([1, 1, 0])
  })

  test('the fallback of all is told where a receiver names none; nobody is asked twice', async () => {
    configured({}, 'ops')
    answers = [refused]
    await say()
    await until(() => receipts.length === 2)
    expect(told()).toEqual(['oncall dead ops', 'ops dead'])
    expect(stats.get('dead_total')).toBe(1)
    expect(receipts.at(-1)?.title).toBe('crit: http_5xx_spike, verifier')
  })

  test('what waits for a receiver that is gone is told to the fallback', async () => {
    outbox.configure(new Map([['ops', { receiver, timeoutMs: 30_000, giveUpMs }]]), 'ops')
    await say()
    await until(() => receipts.length === 2)
    expect(told()).toEqual(['oncall dead ops', 'ops delivered'])
  })

  test('the end of a page that nobody took need not arrive and is no dead letter', async () => {
    answers = [refused, delivered]
    outbox.lead(undefined)
    await say()
    await bus.publish('transitions.any', transition('ok', startMs + 1_000))
    await until(() => state.notifications.size === 2)
    outbox.lead({ isHeld: () => true })
    await until(() => receipts.length === 2)
    expect(receipts.map(({ isMoot = false }) => isMoot)).toEqual([false, true])
    expect(stats.get('dead_total')).toBe(1)
  })

  test('a receiver may give up sooner than the others', async () => {
    outbox.configure(new Map([['oncall', { receiver, timeoutMs: 30_000, giveUpMs: 60_000 }]]))
    answers = [failed]
    await say()
    await until(
      async () => {
        await clock.advanceBy(1_000)
        return receipts.at(-1)?.outcome === 'dead'
      },
      { everyMs: 0 },
    )
    expect(receipts.at(-1)?.detail).toBe('given up after 1m: HTTP 500')
  })

  test('what was taken with a complaint is delivered, and the status tells of the complaint until it is gone', async () => {
    answers = [() => ({ ...delivered(), complaint: 'not taken for cid@example.org' }) as Delivery, delivered]
    await say()
    await until(() => outbox.problem)
    expect(outbox.problem).toBe('oncall took notifications, but: not taken for cid@example.org')
    await say({ rule: 'other' })
    await until(() => outbox.problem === undefined)
    expect(receipts.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
  })
})

describe('a lane', () => {
  test(`has at most ${triesMax} tries under way`, async () => {
    const { promise, resolve } = Promise.withResolvers<Delivery>()
    answers = [() => promise]
    for (let i = 0; i < 10; i++) await say({ rule: `rule${i}` })
    await until(() => tries.length === triesMax)
    await new Promise((settled) => setImmediate(settled))
    expect(tries).toHaveLength(triesMax)
    resolve(delivered())
    await until(() => receipts.length === 10)
    expect(outbox.isIdle).toBe(true)
  })

  test('with nothing to lead, nothing is sent; with the lead, what waits is', async () => {
    outbox.lead(undefined)
    await say()
    await until(() => state.notifications.size === 1)
    expect(tries).toHaveLength(0)
    outbox.lead({ isHeld: () => true })
    await until(() => receipts.length === 1)
  })

  test('what another leader claimed without a receipt is sent again with the same key', async () => {
    outbox.lead(undefined)
    await say()
    await until(() => state.notifications.size === 1)
    const [key = ''] = state.notifications.keys()
    await bus.publish('claims', { key, receiver: 'oncall', attempt: 1, by: 'another', atMs: startMs })
    await until(() => state.notifications.get(key)?.state === 'claimed')
    outbox.lead({ isHeld: () => true })
    await until(() => receipts.length === 1)
    expect(tries.map((one) => one.key)).toEqual([key])
    expect(receipts).toMatchObject([{ attempt: 2, outcome: 'delivered' }])
  })
})
