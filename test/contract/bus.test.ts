/** What the port promises (src/bus/bus.ts), on both adapters. */
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bus, BusError, type Lock, type Offset } from '../../src/bus/bus.ts'
import { Source } from '../../src/bus/source.ts'
import type { LogEntry, LogName } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import type { Status } from '../../src/model/status.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { until } from '../support/until.ts'
import { memoryPlace, type OpenBus, type Place, rabbitPlace } from './bus-places.ts'

let rabbitmq: Rabbitmq

const adapters = [
  { name: 'memory', skip: false, start: async () => {}, end: async () => {}, place: () => memoryPlace() },
  {
    name: 'RabbitMQ',
    skip: !rabbitmqInstalled(),
    start: async () => {
      rabbitmq = await startRabbitmq()
    },
    end: async () => rabbitmq?.end(),
    place: () => rabbitPlace(rabbitmq),
  },
]

const rules = (hash: string, text = '') => ({ hash, files: text === '' ? [] : [{ path: 'a.yaml', text }] })
const gauge = (source: string, bucketMs: number, value: number) => ({
  ...emptyMetrics(source, bucketMs, 1000),
  gauges: { names: ['load'], values: Float64Array.of(value) },
})
const hashes = (entries: readonly LogEntry[]) => entries.flatMap((e) => (e.kind === 'rules' ? [e.message.hash] : []))
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

describe.each(adapters)('the bus on $name', { skip: false }, ({ skip, start, end, place: makePlace }) => {
  let place: Place
  let opened: OpenBus
  let bus: Bus

  beforeAll(async () => {
    if (!skip) await start()
  })
  afterAll(end)
  beforeEach(async (context) => {
    if (skip) return context.skip('RabbitMQ is not installed')
    place = await makePlace()
    opened = await place.open()
    bus = opened.bus
  })
  afterEach(async () => {
    if (!skip) await place.end()
  })

  /** Reads on and returns what has come so far. */
  const collect = (from: Offset = 'first', log: LogName = 'engine-log') => {
    const entries: LogEntry[] = []
    const lost: [number, number][] = []
    const bad: [string, number][] = []
    const reader = bus.readLog(log, from, (entry) => void entries.push(entry), {
      lost: (wanted, first) => lost.push([wanted, first]),
      bad: (problem, offset) => bad.push([problem, offset]),
    })
    return { entries, lost, bad, reader }
  }
  const publishAll = (list: readonly string[]) => Promise.all(list.map((hash) => bus.publish('rules', rules(hash))))
  const reopen = async (instance?: string) => {
    await bus.close()
    opened = await place.open(instance)
    bus = opened.bus
  }

  describe('reading a log', () => {
    it('gives each message once, in the order of publishing, with growing offsets', async () => {
      const { entries, reader } = collect()
      await publishAll(upTo(500))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(500))
      for (let i = 1; i < entries.length; i++) {
        expect(entries[i]?.offset).toBeGreaterThan(entries[i - 1]?.offset as number)
      }
    })

    it('gives key, id, kind, message and hops as they were published', async () => {
      const { entries, reader } = collect()
      await bus.publish('metrics.web1', gauge('web1', 2000, 0.5), { packetMs: 1, flushMs: 2 })
      await reader.caughtUp()
      expect(entries).toEqual([
        {
          kind: 'metrics',
          key: 'metrics.web1',
          id: 'test:1',
          message: gauge('web1', 2000, 0.5),
          hops: { packetMs: 1, flushMs: 2 },
          offset: expect.any(Number),
        },
      ])
    })

    it('begins at the oldest message, behind the newest, or at an offset', async () => {
      await publishAll(upTo(10))
      const all = collect('first')
      await all.reader.caughtUp()
      const seventh = collect(all.entries[7]?.offset)
      const next = collect('next')
      await next.reader.caughtUp()
      await publishAll(upTo(2, 10))
      await Promise.all([all, seventh, next].map(({ reader }) => reader.caughtUp()))
      expect(hashes(all.entries)).toEqual(upTo(12))
      expect(hashes(seventh.entries)).toEqual(upTo(5, 7))
      expect(hashes(next.entries)).toEqual(upTo(2, 10))
      expect([...all.lost, ...seventh.lost, ...next.lost]).toEqual([])
    })

    it('goes on where it stopped after everything was closed and opened again', async () => {
      await publishAll(upTo(10))
      const before = collect()
      await before.reader.caughtUp()
      const last = before.entries.at(-1)?.offset as number
      await reopen('later')
      await publishAll(upTo(5, 10))
      const { entries, lost, reader } = collect(last + 1)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(5, 10))
      expect(lost).toEqual([])
    })

    it('handles one message at a time, however slow the handler', async () => {
      let running = 0
      let most = 0
      const read: string[] = []
      const reader = bus.readLog('engine-log', 'first', async (entry) => {
        most = Math.max(most, ++running)
        await turn()
        read.push(...hashes([entry]))
        running--
      })
      await publishAll(upTo(50))
      await reader.caughtUp()
      expect(read).toEqual(upTo(50))
      expect(most).toBe(1)
    })

    it('lets a handler publish and wait for it', async () => {
      const read: string[] = []
      const reader = bus.readLog('engine-log', 'first', async (entry) => {
        const [hash] = hashes([entry]) as [string]
        read.push(hash)
        if (Number(hash) < 5) await bus.publish('rules', rules(String(Number(hash) + 1)))
      })
      await bus.publish('rules', rules('0'))
      await until(() => read.length === 6)
      await reader.caughtUp()
      expect(read).toEqual(upTo(6))
    })

    it('is done with everything that was there when `caughtUp` was called', async () => {
      let done = 0
      const reader = bus.readLog('engine-log', 'first', async () => {
        await turn()
        done++
      })
      await publishAll(upTo(30))
      await reader.caughtUp()
      expect(done).toBe(30)
      await reader.caughtUp() // also when there is nothing new
    })

    it('is over when `stop` has resolved: the running handler has finished, no other begins', async () => {
      let begun = 0
      let finished = 0
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const reader = bus.readLog('engine-log', 'first', async () => {
        begun++
        await gate
        finished++
      })
      await publishAll(upTo(10))
      await until(() => begun === 1)
      const stopped = reader.stop()
      const waiting = reader.caughtUp()
      open()
      await stopped
      await waiting // It does not hang.
      expect([begun, finished]).toEqual([1, 1])
      await publishAll(upTo(3))
      await collect().reader.caughtUp()
      expect(begun).toBe(1)
    })

    it('may be done by several readers, each at its own pace', async () => {
      const one = collect()
      const other = collect()
      const alerts = collect('first', 'alerts-log')
      await publishAll(upTo(20))
      await Promise.all([one, other, alerts].map(({ reader }) => reader.caughtUp()))
      expect(hashes(one.entries)).toEqual(upTo(20))
      expect(hashes(other.entries)).toEqual(upTo(20))
      expect(alerts.entries).toEqual([])
    })
  })

  describe('what lies where', () => {
    it('puts the clock on both logs and status on none', async () => {
      const engine = collect('first', 'engine-log')
      const alerts = collect('first', 'alerts-log')
      await engine.reader.caughtUp() // Connected by now: the clock is not kept for a broker that is not there yet.
      await bus.publish('clock', { process: 'a', nowMs: 5 })
      await bus.publish('status.cep.a', status('cep'))
      await Promise.all([engine.reader.caughtUp(), alerts.reader.caughtUp()])
      expect(engine.entries.map(({ kind }) => kind)).toEqual(['clock'])
      expect(alerts.entries.map(({ kind }) => kind)).toEqual(['clock'])
    })

    it('lets everyone hear status live, and nobody what was before', async () => {
      await publishAll(['0']) // Connected by now, as above.
      const heard: string[] = []
      const hear = () => bus.onStatus((message) => void heard.push(message.part))
      const one = hear()
      await one.caughtUp()
      await bus.publish('status.cep.a', status('cep'))
      await one.caughtUp()
      expect(heard).toEqual(['cep'])
      const other = hear()
      await other.caughtUp()
      await bus.publish('status.alerts.a', status('alerts'))
      await Promise.all([one.caughtUp(), other.caughtUp()])
      expect(heard).toEqual(['cep', 'alerts', 'alerts'])
      await one.stop()
      await bus.publish('status.cep.a', status('ingest'))
      await other.caughtUp()
      expect(heard).toEqual(['cep', 'alerts', 'alerts', 'ingest'])
    })

    it('carries keys with dots behind their kind', async () => {
      const { entries, reader } = collect()
      const event = { source: 'a', sequence: 1, atMs: 1, bucketMs: 1, name: 'backup.started', tags: {} }
      await bus.publish('events.backup.started', event)
      await reader.caughtUp()
      expect(entries[0]?.message).toEqual(event)
    })
  })

  describe('a source', () => {
    it('never sends a marker ahead of the data of its bucket', async () => {
      const { entries, reader } = collect()
      const source = new Source(bus, { name: 'web1', startedMs: 0, intervalMs: 1000 })
      for (let bucket = 1; bucket <= 20; bucket++) {
        const batches = [0, 1, 2].map((batch) => gauge(source.id, bucket * 1000, batch))
        void source.flush(bucket * 1000, { metrics: batches })
      }
      await source.bye(21_000)
      await reader.caughtUp()
      const seen: Record<number, number> = {}
      for (const entry of entries) {
        if (entry.kind === 'metrics') seen[entry.message.bucketMs] = (seen[entry.message.bucketMs] ?? 0) + 1
        if (entry.kind === 'markers' && !entry.message.bye) expect(seen[entry.message.bucketMs]).toBe(3)
      }
      expect(entries.at(-1)).toMatchObject({ kind: 'markers', message: { bucketMs: 21_000, bye: true } })
    })
  })

  describe('an offset that has left the log', () => {
    it('is told, and reading starts at the first message there is', async () => {
      await bus.close()
      await place.end()
      place = await makePlace()
      await place.keepBriefly()
      await reopen('brief')
      const text = 'x'.repeat(10_000)
      const first = collect()
      await first.reader.caughtUp() // It has begun.
      for (let i = 0; i < 60; i++) await bus.publish('rules', rules(String(i), text))
      await first.reader.caughtUp()
      const wanted = first.entries[0]?.offset as number
      const { entries, lost, reader } = await until(
        async () => {
          const again = collect(wanted)
          await again.reader.caughtUp()
          return again.lost.length > 0 && again
        },
        { timeoutMs: 20_000, everyMs: 200, what: 'the first offset to expire' },
      )
      const start = Number(hashes(entries)[0])
      expect(start).toBeGreaterThan(0)
      expect(hashes(entries)).toEqual(upTo(60 - start, start))
      expect(lost).toEqual([[wanted, expect.any(Number)]])
      expect(lost[0]?.[1]).toBeGreaterThan(wanted)
      await reader.stop()
    })

    it('is told when the log is another one that has not come so far', async () => {
      await publishAll(upTo(5))
      const { entries, lost, reader } = collect(1_000_000)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(5))
      expect(lost).toEqual([[1_000_000, expect.any(Number)]])
    })

    it('is not told where reading starts right behind the last message', async () => {
      await publishAll(upTo(3))
      const all = collect()
      await all.reader.caughtUp()
      const { entries, lost, reader } = collect((all.entries.at(-1)?.offset as number) + 1)
      await reader.caughtUp()
      await publishAll(['3'])
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['3'])
      expect(lost).toEqual([])
    })
  })

  describe('a message that cannot be read', () => {
    it('is counted, told and skipped; nothing else is lost', async () => {
      await publishAll(['0'])
      await bus.close()
      await place.putBytes('engine-log', Buffer.from('what is this?'))
      await place.putBytes('engine-log', Buffer.from([0x54, 9, 0x4a, 0, 0, 0, 0, 0]))
      await reopen('later')
      await publishAll(['1'])
      const { entries, bad, lost, reader } = collect()
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['0', '1'])
      expect(bad.map(([problem]) => problem)).toEqual(['not a Tocsin message', 'codec version 9; this program reads 1'])
      expect(lost).toEqual([])
      expect(opened.stats.get('bad_messages_total')).toBe(2)
    })
  })

  describe('a lock', () => {
    it('has one holder at a time and passes on when it is released', async () => {
      const first = await bus.lock('cep')
      let second: Lock | undefined
      const waiting = bus.lock('cep').then((lock) => {
        second = lock
      })
      const other = await bus.lock('alerts') // Another role is another lock.
      expect(second).toBeUndefined()
      let lost = false
      void first.lost.then(() => {
        lost = true
      })
      await first.release()
      await waiting
      expect(lost).toBe(true)
      await Promise.all([second?.release(), other.release()])
      await (await bus.lock('cep')).release()
    })

    it('is never held by two, whoever wants it', async () => {
      let holders = 0
      let most = 0
      await Promise.all(
        upTo(8).map(async () => {
          const lock = await bus.lock('cep')
          most = Math.max(most, ++holders)
          await turn()
          holders--
          await lock.release()
        }),
      )
      expect(most).toBe(1)
    })

    it('is no longer waited for when the signal is aborted', async () => {
      const held = await bus.lock('cep')
      const abort = new AbortController()
      const waiting = bus.lock('cep', abort.signal)
      abort.abort()
      await expect(waiting).rejects.toThrow(BusError)
      await expect(bus.lock('cep', AbortSignal.abort())).rejects.toThrow('gave up waiting for the lock cep')
      await held.release()
      const again = await bus.lock('cep')
      await again.release()
    })

    it('is let go when the bus is closed, and waiting for one ends', async () => {
      const held = await bus.lock('cep')
      const waiting = bus.lock('cep')
      const given = expect(waiting).rejects.toThrow(BusError)
      await bus.close()
      await held.lost
      await given
    })
  })

  describe('what it refuses', () => {
    it('is a key that is not ours, or too long, and a message that is too large', async () => {
      await expect(bus.publish('gossip.a' as 'clock', { process: 'a', nowMs: 1 })).rejects.toThrow(
        'no such routing key',
      )
      const long = `commands.${'x'.repeat(250)}` as const
      const command = { id: '1', kind: 'x', by: 'me', atMs: 1, arguments: {} }
      await expect(bus.publish(long, command)).rejects.toThrow('a routing key of 259 bytes')
      await expect(bus.publish('rules', rules('a', 'x'.repeat(17 * 1024 ** 2)))).rejects.toThrow('a message of 17')
      const { entries, reader } = collect()
      await reader.caughtUp()
      expect(entries).toEqual([])
    })

    it('is everything once it is closed', async () => {
      await bus.close()
      await expect(bus.publish('rules', rules('a'))).rejects.toThrow('the bus is closed')
      expect(() => collect()).toThrow('the bus is closed')
      await expect(bus.lock('cep')).rejects.toThrow(BusError)
      await bus.close() // Twice does no harm.
    })
  })

  it('has handed over everything when it is closed', async () => {
    const published = publishAll(upTo(200))
    await bus.close()
    await published
    await reopen('later')
    const { entries, reader } = collect()
    await reader.caughtUp()
    expect(hashes(entries)).toEqual(upTo(200))
  })
})

function status(part: string): Status {
  return { part, instance: 'a', host: 'h', pid: 1, startedMs: 1, atMs: 1, ready: true, counters: {} }
}
