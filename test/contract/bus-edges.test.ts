/** What the port promises (src/bus/bus.ts), on both adapters: lost offsets, unreadable messages, locks, refusals. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { BusError, type Lock } from '../../src/bus/bus.ts'
import { until } from '../support/until.ts'
import { collect, hashes, onBothBuses, publish, rules, upTo } from './bus-suite.ts'

onBothBuses('the bus', (the) => {
  describe('an offset that has left the log', () => {
    it('is told, and reading starts at the first message there is', async () => {
      await the.keepBriefly()
      const text = 'x'.repeat(10_000)
      const first = collect(the.bus)
      await first.reader.caughtUp() // It has begun.
      for (let i = 0; i < 60; i++) await the.bus.publish('rules', rules(String(i), text))
      await first.reader.caughtUp()
      const wanted = first.entries[0]?.offset as number
      const { entries, lost, reader } = await until(
        async () => {
          const again = collect(the.bus, wanted)
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
      await publish(the.bus, upTo(5))
      const { entries, lost, reader } = collect(the.bus, 1_000_000)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(5))
      expect(lost).toEqual([[1_000_000, expect.any(Number)]])
    })

    it('is not told where reading starts right behind the last message', async () => {
      await publish(the.bus, upTo(3))
      const all = collect(the.bus)
      await all.reader.caughtUp()
      const { entries, lost, reader } = collect(the.bus, (all.entries.at(-1)?.offset as number) + 1)
      await reader.caughtUp()
      await publish(the.bus, ['3'])
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['3'])
      expect(lost).toEqual([])
    })
  })

  describe('a message that cannot be read', () => {
    it('is counted, told and skipped; nothing else is lost', async () => {
      await publish(the.bus, ['0'])
      await the.bus.close()
      await the.place.putBytes('engine-log', Buffer.from('what is this?'))
      await the.place.putBytes('engine-log', Buffer.from([0x54, 9, 0x4a, 0, 0, 0, 0, 0]))
      await the.reopen('later')
      await publish(the.bus, ['1'])
      const { entries, bad, lost, reader } = collect(the.bus)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['0', '1'])
      expect(bad.map(([problem]) => problem)).toEqual([
        'not a Tocsin message',
        'codec version 9; this program reads 2 and 1',
      ])
      expect(lost).toEqual([])
      expect(the.stats.get('bad_messages_total')).toBe(2)
    })
  })

  describe('a lock', () => {
    it('has one holder at a time and passes on when it is released', async () => {
      const first = await the.bus.lock('cep')
      let second: Lock | undefined
      const waiting = the.bus.lock('cep').then((lock) => {
        second = lock
      })
      const other = await the.bus.lock('alerts') // Another role is another lock.
      expect(second).toBeUndefined()
      expect(first.isHeld()).toBe(true)
      let lost = false
      void first.lost.then(() => {
        lost = true
      })
      await first.release()
      await waiting
      expect(lost).toBe(true)
      expect(first.isHeld()).toBe(false)
      expect(second?.isHeld()).toBe(true)
      await Promise.all([second?.release(), other.release()])
      await (await the.bus.lock('cep')).release()
    })

    it('is never held by two, whoever wants it', async () => {
      let holders = 0
      let most = 0
      await Promise.all(
        upTo(8).map(async () => {
          const lock = await the.bus.lock('cep')
          most = Math.max(most, ++holders)
          await turn()
          holders--
          await lock.release()
        }),
      )
      expect(most).toBe(1)
    })

    it('is no longer waited for when the signal is aborted', async () => {
      const held = await the.bus.lock('cep')
      const abort = new AbortController()
      const waiting = the.bus.lock('cep', abort.signal)
      abort.abort()
      await expect(waiting).rejects.toThrow(BusError)
      await expect(the.bus.lock('cep', AbortSignal.abort())).rejects.toThrow('gave up waiting for the lock cep')
      await held.release()
      const again = await the.bus.lock('cep')
      await again.release()
    })

    it('is let go when the bus is closed, and waiting for one ends', async () => {
      const held = await the.bus.lock('cep')
      const waiting = the.bus.lock('cep')
      const given = expect(waiting).rejects.toThrow(BusError)
      await the.bus.close()
      await held.lost
      await given
    })
  })

  describe('what it refuses', () => {
    it('is a key that is not ours, or too long, and a message that is too large', async () => {
      await expect(the.bus.publish('gossip.a' as 'clock', { process: 'a', nowMs: 1 })).rejects.toThrow(
        'no such routing key',
      )
      const long = `commands.${'x'.repeat(250)}` as const
      const command = { id: '1', kind: 'x', by: 'me', atMs: 1, arguments: {} }
      await expect(the.bus.publish(long, command)).rejects.toThrow('a routing key of 259 bytes')
      await expect(the.bus.publish('rules', rules('a', 'x'.repeat(17 * 1024 ** 2)))).rejects.toThrow('a message of 17')
      const { entries, reader } = collect(the.bus)
      await reader.caughtUp()
      expect(entries).toEqual([])
    })

    it('is everything once it is closed', async () => {
      await the.bus.close()
      await expect(the.bus.publish('rules', rules('a'))).rejects.toThrow('the bus is closed')
      expect(() => collect(the.bus)).toThrow('the bus is closed')
      await expect(the.bus.lock('cep')).rejects.toThrow(BusError)
      await the.bus.close() // Twice does no harm.
    })
  })
})
