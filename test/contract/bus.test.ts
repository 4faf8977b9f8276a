/** What the port promises (src/bus/bus.ts), on both adapters: order, offsets, logs, closing. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Decoder } from '../../src/bus/codec.ts'
import { Source } from '../../src/bus/source.ts'
import { until } from '../support/until.ts'
import { collect, gauge, hashes, onBothBuses, publish, rules, status, upTo } from './bus-suite.ts'

onBothBuses('the bus', (the) => {
  describe('reading a log', () => {
    it('gives each message once, in the order of publishing, with growing offsets', async () => {
      const { entries, reader } = collect(the.bus)
      await publish(the.bus, upTo(500))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(500))
      for (let i = 1; i < entries.length; i++) {
        expect(entries[i]?.offset).toBeGreaterThan(entries[i - 1]?.offset as number)
      }
    })

    it('gives key, id, kind, message and hops as they were published', async () => {
      const { entries, reader } = collect(the.bus)
      await the.bus.publish('metrics.web1', gauge('web1', 2000, 0.5), { packetMs: 1, flushMs: 2 })
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

    it('gives the bytes beside each message, which read back as the same message', async () => {
      const seen: unknown[] = []
      const decoder = new Decoder()
      const reader = the.bus.readLog('engine-log', 'first', ({ offset, ...entry }, bytes) => {
        const decoded = decoder.decode(bytes)
        seen.push([entry, decoded.ok && decoded.value])
      })
      await the.bus.publish('metrics.web1', gauge('web1', 2000, 0.5), { flushMs: 2 })
      await publish(the.bus, upTo(2))
      await reader.caughtUp()
      expect(seen).toHaveLength(3)
      for (const [entry, decoded] of seen as [unknown, unknown][]) expect(decoded).toEqual(entry)
    })

    it('begins at the oldest message, behind the newest, or at an offset', async () => {
      await publish(the.bus, upTo(10))
      const all = collect(the.bus, 'first')
      await all.reader.caughtUp()
      const seventh = collect(the.bus, all.entries[7]?.offset)
      const next = collect(the.bus, 'next')
      await next.reader.caughtUp()
      await publish(the.bus, upTo(2, 10))
      await Promise.all([all, seventh, next].map(({ reader }) => reader.caughtUp()))
      expect(hashes(all.entries)).toEqual(upTo(12))
      expect(hashes(seventh.entries)).toEqual(upTo(5, 7))
      expect(hashes(next.entries)).toEqual(upTo(2, 10))
      expect([...all.lost, ...seventh.lost, ...next.lost]).toEqual([])
    })

    it('goes on where it stopped after everything was closed and opened again', async () => {
      await publish(the.bus, upTo(10))
      const before = collect(the.bus)
      await before.reader.caughtUp()
      const last = before.entries.at(-1)?.offset as number
      await the.reopen('later')
      await publish(the.bus, upTo(5, 10))
      const { entries, lost, reader } = collect(the.bus, last + 1)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(5, 10))
      expect(lost).toEqual([])
    })

    it('handles one message at a time, however slow the handler', async () => {
      let running = 0
      let most = 0
      const read: string[] = []
      const reader = the.bus.readLog('engine-log', 'first', async (entry) => {
        most = Math.max(most, ++running)
        await turn()
        read.push(...hashes([entry]))
        running--
      })
      await publish(the.bus, upTo(50))
      await reader.caughtUp()
      expect(read).toEqual(upTo(50))
      expect(most).toBe(1)
    })

    it('lets a handler publish and wait for it', async () => {
      const read: string[] = []
      const reader = the.bus.readLog('engine-log', 'first', async (entry) => {
        const [hash] = hashes([entry]) as [string]
        read.push(hash)
        if (Number(hash) < 5) await the.bus.publish('rules', rules(String(Number(hash) + 1)))
      })
      await the.bus.publish('rules', rules('0'))
      await until(() => read.length === 6)
      await reader.caughtUp()
      expect(read).toEqual(upTo(6))
    })

    it('is done with everything that was there when `caughtUp` was called', async () => {
      let done = 0
      const reader = the.bus.readLog('engine-log', 'first', async () => {
        await turn()
        done++
      })
      await publish(the.bus, upTo(30))
      await reader.caughtUp()
      expect(done).toBe(30)
      await reader.caughtUp() // also when there is nothing new
    })

    it('is over when `stop` has resolved: the running handler has finished, no other begins', async () => {
      let begun = 0
      let finished = 0
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const reader = the.bus.readLog('engine-log', 'first', async () => {
        begun++
        await gate
        finished++
      })
      await publish(the.bus, upTo(10))
      await until(() => begun === 1)
      const stopped = reader.stop()
      const waiting = reader.caughtUp()
      open()
      await stopped
      await waiting // It does not hang.
      expect([begun, finished]).toEqual([1, 1])
      await publish(the.bus, upTo(3))
      await collect(the.bus).reader.caughtUp()
      expect(begun).toBe(1)
    })

    it('may be done by several readers, each at its own pace', async () => {
      const one = collect(the.bus)
      const other = collect(the.bus)
      const alerts = collect(the.bus, 'first', 'alerts-log')
      await publish(the.bus, upTo(20))
      await Promise.all([one, other, alerts].map(({ reader }) => reader.caughtUp()))
      expect(hashes(one.entries)).toEqual(upTo(20))
      expect(hashes(other.entries)).toEqual(upTo(20))
      expect(alerts.entries).toEqual([])
    })
  })

  describe('what lies where', () => {
    it('puts the clock on both logs and status on none', async () => {
      const engine = collect(the.bus, 'first', 'engine-log')
      const alerts = collect(the.bus, 'first', 'alerts-log')
      await engine.reader.caughtUp() // Connected by now: the clock is not kept for a broker that is not there yet.
      await the.bus.publish('clock', { process: 'a', nowMs: 5 })
      await the.bus.publish('status.cep.a', status('cep'))
      await Promise.all([engine.reader.caughtUp(), alerts.reader.caughtUp()])
      expect(engine.entries.map(({ kind }) => kind)).toEqual(['clock'])
      expect(alerts.entries.map(({ kind }) => kind)).toEqual(['clock'])
    })

    it('lets everyone hear status live, and nobody what was before', async () => {
      await publish(the.bus, ['0']) // Connected by now, as above.
      const heard: string[] = []
      const hear = () => the.bus.onStatus((message) => void heard.push(message.part))
      const one = hear()
      await one.caughtUp()
      await the.bus.publish('status.cep.a', status('cep'))
      await one.caughtUp()
      expect(heard).toEqual(['cep'])
      const other = hear()
      await other.caughtUp()
      await the.bus.publish('status.alerts.a', status('alerts'))
      await Promise.all([one.caughtUp(), other.caughtUp()])
      expect(heard).toEqual(['cep', 'alerts', 'alerts'])
      await one.stop()
      await the.bus.publish('status.cep.a', status('ingest'))
      await other.caughtUp()
      expect(heard).toEqual(['cep', 'alerts', 'alerts', 'ingest'])
    })

    it('carries keys with dots behind their kind', async () => {
      const { entries, reader } = collect(the.bus)
      const event = { source: 'a', sequence: 1, atMs: 1, bucketMs: 1, name: 'backup.started', tags: {} }
      await the.bus.publish('events.backup.started', event)
      await reader.caughtUp()
      expect(entries[0]?.message).toEqual(event)
    })
  })

  describe('a source', () => {
    it('never sends a marker ahead of the data of its bucket', async () => {
      const { entries, reader } = collect(the.bus)
      const source = new Source(the.bus, { name: 'web1', startedMs: 0, intervalMs: 1000 })
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

  it('has handed over everything when it is closed', async () => {
    const published = publish(the.bus, upTo(200))
    await the.bus.close()
    await published
    await the.reopen('later')
    const { entries, reader } = collect(the.bus)
    await reader.caughtUp()
    expect(hashes(entries)).toEqual(upTo(200))
  })
})
