import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Bus, BusError } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { Ledger, ledgerGroupsMax } from '../../src/cep/part-ledger.ts'
import { Publisher, waitingMax } from '../../src/cep/part-publish.ts'
import type { LogEntry } from '../../src/model/message.ts'
import type { Level, Transition } from '../../src/model/transition.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

function transition(groupKey: string, bucketMs: number, to: Level, hidden = false): Transition {
  return {
    id: `r/${groupKey}/${bucketMs}/${to}/${hidden}`,
    rule: 'r',
    group: [{ name: 'process', value: groupKey }],
    groupKey,
    bucketMs,
    from: 'ok',
    to,
    hidden,
    blind: false,
    sinceMs: bucketMs,
    say: '',
    reason: '',
    values: [],
    series: { stepMs: 1000, values: [] },
    tags: {},
  }
}

describe('the ledger of what was told', () => {
  it('knows what is not after the last told, and what says the same again', () => {
    const ledger = new Ledger()
    ledger.note(transition('web1', 10_000, 'crit'))
    expect(ledger.isNews(transition('web1', 9000, 'warn')), 'older').toBe(false)
    expect(ledger.isNews(transition('web1', 10_000, 'crit')), 'the same').toBe(false)
    expect(ledger.isNews(transition('web1', 12_000, 'crit')), 'nothing new').toBe(false)
    expect(ledger.isNews(transition('web1', 12_000, 'ok')), 'a change').toBe(true)
    expect(ledger.isNews(transition('web1', 12_000, 'crit', true)), 'hidden now').toBe(true)
    expect(ledger.isNews(transition('web2', 9000, 'warn')), 'another group').toBe(true)
  })

  it('is bounded, and keeps those in trouble longest', () => {
    const ledger = new Ledger()
    ledger.note(transition('firing', 1000, 'crit'))
    for (let i = 0; i < ledgerGroupsMax + 10; i++) ledger.note(transition(`g${i}`, 1000, 'ok'))
    expect(ledger.size).toBe(ledgerGroupsMax)
    expect(ledger.isNews(transition('firing', 1000, 'crit'))).toBe(false)
  })
})

describe('publishing', () => {
  let dir: string
  let bus: Bus
  const publishers: Publisher[] = []

  beforeEach(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-publish-'))
    bus = await openMemoryBus({ dir, clock: systemClock, log: silentLog, stats: new Stats(), instance: 'a' })
  })

  afterEach(async () => {
    await Promise.all(publishers.splice(0).map((publisher) => publisher.stop()))
    await bus.close()
    fs.rmSync(dir, { recursive: true })
  })

  const publisher = (stats = new Stats(), onto: Bus = bus) => {
    const context = { bus: onto, clock: systemClock, log: silentLog, instance: 'a', host: 'a' }
    const made = new Publisher(context, stats)
    publishers.push(made)
    return made
  }

  const told = async (): Promise<LogEntry[]> => {
    const entries: LogEntry[] = []
    const reader = bus.readLog('alerts-log', 'first', (entry) => void entries.push(entry))
    await reader.caughtUp()
    await reader.stop()
    return entries
  }

  const ids = async () => (await told()).map((entry) => (entry.message as Transition).id)

  it('puts each transition on the log with its hops, once this process leads', async () => {
    const one = publisher()
    one.offer([transition('web1', 1000, 'crit')], () => ({ packetMs: 5, flushMs: 7 }))
    await expect.poll(ids).toEqual(['r/web1/1000/crit/false'])
    const [entry] = await told()
    expect(entry).toMatchObject({ key: 'transitions.r', hops: { packetMs: 5, flushMs: 7, ruleMs: expect.any(Number) } })
  })

  it('does not repeat what an earlier run published, and adds what that run did not get to', async () => {
    const earlier = publisher()
    earlier.offer([transition('web1', 1000, 'crit')], () => ({}))
    await expect.poll(ids).toHaveLength(1)
    await publishers.pop()?.stop()
    const later = publisher()
    later.offer(
      [transition('web1', 1000, 'crit'), transition('web2', 1000, 'crit'), transition('web1', 2000, 'ok')],
      () => ({}),
    )
    await expect.poll(ids).toEqual(['r/web1/1000/crit/false', 'r/web2/1000/crit/false', 'r/web1/2000/ok/false'])
  })

  it('leaves it to the leader while standing by, and goes on where that one stopped', async () => {
    const leader = publisher()
    await expect.poll(() => leader.leads).toBe(true)
    const stats = new Stats()
    const standby = publisher(stats)
    const [first, second] = [transition('web1', 1000, 'crit'), transition('web1', 2000, 'ok')]
    standby.offer([first, second], () => ({}))
    leader.offer([first], () => ({}))
    await expect.poll(ids).toEqual([first.id])
    await expect.poll(() => stats.get('transitions_waiting')).toBe(1)
    expect(standby.leads).toBe(false)
    await leader.stop()
    await expect.poll(ids).toEqual([first.id, second.id])
  })

  it('keeps what the bus refuses and publishes it in order when the bus is back', async () => {
    let refusals = 3
    const shaky: Bus = {
      ...pass(bus),
      publish: (key, message, hops) =>
        key.startsWith('transitions.') && refusals-- > 0
          ? Promise.reject(new Error('no broker'))
          : bus.publish(key, message, hops),
    }
    const one = publisher(new Stats(), shaky)
    one.offer([transition('web1', 1000, 'crit'), transition('web1', 2000, 'ok')], () => ({}))
    await expect.poll(() => one.problem).toContain('no broker')
    await expect.poll(ids).toEqual(['r/web1/1000/crit/false', 'r/web1/2000/ok/false'])
    await expect.poll(() => one.problem).toBeUndefined()
  })

  it('gives up what the bus can never take, and goes on', async () => {
    const picky: Bus = {
      ...pass(bus),
      publish: (key, message, hops) =>
        (message as Transition).groupKey === 'web1'
          ? Promise.reject(new BusError('too large', { isFinal: true }))
          : bus.publish(key, message, hops),
    }
    const stats = new Stats()
    const one = publisher(stats, picky)
    one.offer([transition('web1', 1000, 'crit'), transition('web2', 1000, 'crit')], () => ({}))
    await expect.poll(ids).toEqual(['r/web2/1000/crit/false'])
    await expect.poll(() => stats.get('transitions_dropped_total')).toBe(1)
    expect(stats.get('transitions_waiting')).toBe(0)
  })

  it('bounds what waits while nobody may publish, and counts what goes', async () => {
    const leader = publisher()
    await expect.poll(() => leader.leads).toBe(true)
    const stats = new Stats()
    const standby = publisher(stats)
    const many = Array.from({ length: waitingMax + 5 }, (_, i) => transition(`g${i}`, 1000, 'crit'))
    standby.offer(many, () => ({}))
    expect(stats.get('transitions_waiting')).toBe(waitingMax)
    expect(stats.get('transitions_dropped_total')).toBe(5)
    standby.offer([], () => ({}))
    await leader.stop()
    await standby.stop()
  })
})

/** A bus whose methods keep their `this` when one of them is replaced. */
function pass(bus: Bus): Bus {
  return {
    publish: (key, message, hops) => bus.publish(key, message, hops),
    readLog: (log, from, handle, options) => bus.readLog(log, from, handle, options),
    onStatus: (handle) => bus.onStatus(handle),
    lock: (role, signal) => bus.lock(role, signal),
    readForeign: (exchange, handle) => bus.readForeign(exchange, handle),
    get problem() {
      return bus.problem
    },
    close: () => bus.close(),
  }
}
