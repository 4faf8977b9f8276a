/** A broker that is not there, does not want us or is short of memory: said once, tried on, and kept within bounds. */
import { describe, expect, it } from 'vitest'
import { BusError } from '../../src/bus/bus.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/until.ts'
import { collect, hashes, onRabbitmq, publish, rules, upTo } from './bus-suite.ts'

onRabbitmq('the bus on RabbitMQ', (the) => {
  describe('when the broker is not there or does not want us', () => {
    it('says that it cannot be reached, once, keeps trying, and says when it works', async () => {
      const { proxy, behind } = await the.proxy()
      proxy.refuse()
      const { bus, lines } = await the.open({ url: behind })
      const { entries, reader } = collect(bus)
      const published = publish(bus, ['0'])
      await until(() => proxy.accepted > 8, { what: 'several attempts' })
      expect(bus.problem).toMatch(
        /^RabbitMQ at 127\.0\.0\.1:\d+ cannot be reached \(connection reset\); trying again, what is published waits$/,
      )
      expect(lines).toEqual([`warn ${bus.problem}`])
      proxy.allow()
      await published
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['0'])
      expect(bus.problem).toBeUndefined()
      expect(lines.slice(1)).toEqual(['info RabbitMQ works again'])
    })

    it('opens at once with nothing listening, and says so', async () => {
      const nowhere = new URL(the.url)
      nowhere.port = String(await freePort())
      const { bus } = await the.open({ url: nowhere.href })
      expect(bus.problem).toMatch(/^not yet connected to RabbitMQ at 127\.0\.0\.1:\d+$/)
      await until(() => bus.problem?.includes('cannot be reached (connection refused)'))
    })

    it('names the user, never the password, and connects when the user is let in', async () => {
      const vhost = new URL(the.url).pathname.slice(1)
      const stranger = new URL(the.url)
      stranger.username = `stranger-${vhost}`
      stranger.password = 'pass-word-7'
      const { bus, lines } = await the.open({ url: stranger.href })
      await until(() => bus.problem?.includes('refuses'))
      expect(bus.problem).toMatch(/^RabbitMQ at .* refuses the user "stranger-test-\d+" or its password; trying again/)
      await the.rabbitmq.manage('PUT', `/users/stranger-${vhost}`, { password: 'pass-word-7', tags: '' })
      await until(() => bus.problem?.includes('virtual host'))
      expect(bus.problem).toMatch(/^RabbitMQ at .* has no virtual host "test-\d+" for the user "stranger-test-\d+"/)
      const everything = { configure: '.*', write: '.*', read: '.*' }
      await the.rabbitmq.manage('PUT', `/permissions/${vhost}/stranger-${vhost}`, everything)
      await publish(bus, ['0'])
      await until(() => bus.problem === undefined)
      expect(lines.length).toBe(3)
      expect(lines.join()).not.toContain('pass-word-7')
    })

    it('says what the user is not allowed to do, and goes on when it is', async () => {
      const vhost = new URL(the.url).pathname.slice(1)
      await the.rabbitmq.manage('PUT', `/permissions/${vhost}/guest`, { configure: '^$', write: '.*', read: '.*' })
      const { bus } = await the.open()
      const published = publish(bus, ['0'])
      await until(() => bus.problem?.startsWith('RabbitMQ refuses publishing: ACCESS_REFUSED'))
      await the.rabbitmq.manage('PUT', `/permissions/${vhost}/guest`, { configure: '.*', write: '.*', read: '.*' })
      await published
      await until(() => bus.problem === undefined)
    })

    it('says when the broker takes nothing, short of memory; what is published waits, reading and locks go on', async () => {
      const { bus } = await the.open()
      const text = 'x'.repeat(1000)
      await publish(bus, upTo(2000), text)
      const lock = await bus.lock('cep')
      let lost = false
      void lock.lost.then(() => {
        lost = true
      })
      const second = await the.open({ instance: 'second' })
      let read = 0
      const { promise: gate, resolve: letGo } = Promise.withResolvers<void>()
      const reader = second.bus.readLog('engine-log', 'first', async () => {
        if (++read === 10) await gate
      })
      await until(() => read === 10)
      await the.rabbitmq.control('set_vm_memory_high_watermark', 'absolute', '1')
      try {
        const waiting = publish(bus, upTo(5, 2000))
        await until(() => bus.problem?.match(/^RabbitMQ at .* takes nothing now \(low on memory\)$/))
        letGo()
        await until(() => read === 2000)
        await new Promise((resolve) => setTimeout(resolve, 4000)) // Longer than the lease of a lock.
        expect(lost).toBe(false)
        await the.rabbitmq.control('set_vm_memory_high_watermark', 'absolute', '1GB')
        await waiting
      } finally {
        await the.rabbitmq.control('set_vm_memory_high_watermark', 'absolute', '1GB')
      }
      await reader.caughtUp()
      expect([read, bus.problem]).toEqual([2005, undefined])
    })

    it('keeps no clock and no status for later', async () => {
      const { proxy, bus, stats } = await the.openBehindProxy()
      await publish(bus, ['0'])
      proxy.refuse()
      await until(() => bus.problem !== undefined)
      await expect(bus.publish('clock', { process: 'a', nowMs: 1 })).rejects.toThrow(BusError)
      expect(stats.get('live_dropped_total')).toBe(1)
      proxy.allow()
      const { entries, reader } = collect(bus)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['0'])
    })

    it('closes within seconds all the same, and refuses what it could not hand over', async () => {
      const { proxy, bus } = await the.openBehindProxy()
      collect(bus)
      await publish(bus, ['0'])
      proxy.freeze()
      const refused = expect(bus.publish('rules', rules('1'))).rejects.toThrow('closed before the broker confirmed')
      const beganMs = performance.now()
      await bus.close()
      await refused
      expect(performance.now() - beganMs).toBeLessThan(15_000)
      proxy.thaw()
    })
  })

  describe('what is kept while the broker is away', () => {
    it('is bounded: beyond the bound a publish waits, beyond that it is refused; all is counted and comes in order', async () => {
      const limits = { unconfirmedMax: 10, waitingMax: 5 }
      const { proxy, bus, stats } = await the.openBehindProxy({ limits })
      const { entries, reader } = collect(bus)
      await publish(bus, ['0'])
      await reader.caughtUp()
      await until(() => stats.get('unconfirmed_messages') === 0)
      proxy.refuse()
      await until(() => bus.problem !== undefined)
      const sent = upTo(16, 1).map((hash) => bus.publish('rules', rules(hash)))
      await expect(sent.at(-1)).rejects.toThrow('too many publishes wait already')
      expect(stats.get('unconfirmed_messages')).toBe(10)
      expect(stats.get('publishes_waiting')).toBe(5)
      expect(stats.get('publish_waits_total')).toBe(5)
      expect(stats.get('publishes_refused_total')).toBe(1)
      const caughtUp = reader.caughtUp() // Waits behind them all and is not refused.
      proxy.allow()
      await Promise.all(sent.slice(0, -1))
      await caughtUp
      expect(hashes(entries)).toEqual(upTo(16))
    })

    it('is bounded in bytes', async () => {
      const limits = { unconfirmedBytesMax: 50_000 }
      const { proxy, bus, stats } = await the.openBehindProxy({ limits })
      await publish(bus, ['0'])
      proxy.refuse()
      await until(() => bus.problem !== undefined)
      const sent = upTo(8).map((hash) => bus.publish('rules', rules(hash, 'x'.repeat(10_000))))
      expect(stats.get('unconfirmed_messages')).toBe(4)
      expect(stats.get('unconfirmed_bytes')).toBeLessThanOrEqual(50_000)
      expect(stats.get('publishes_waiting')).toBe(4)
      proxy.allow()
      await Promise.all(sent)
      expect(stats.get('unconfirmed_bytes')).toBe(0)
    })
  })
})
