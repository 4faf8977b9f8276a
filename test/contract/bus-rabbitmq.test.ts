/** Connections that break, brokers that die, queues that are deleted: nothing is lost, doubled or turned round by it. */
import { describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { until } from '../support/until.ts'
import { withChannel } from './bus-places.ts'
import { collect, hashes, onRabbitmq, publish, rules, upTo } from './bus-suite.ts'

onRabbitmq('the bus on RabbitMQ', (the) => {
  /** Publishes numbers in order, up to 500 under way at a time, until told to stop; resolves with those confirmed. */
  const publishOn = (bus: Bus) => {
    let stopping = false
    const confirmed: string[] = []
    const running = (async () => {
      const sent = new Set<Promise<unknown>>()
      for (let i = 0; !stopping; i++) {
        const one = bus.publish('rules', rules(String(i))).then(() => {
          confirmed.push(String(i))
          sent.delete(one)
        })
        sent.add(one)
        if (sent.size >= 500) await Promise.race(sent)
      }
      await Promise.all(sent)
      return confirmed
    })()
    return {
      confirmed,
      stop: () => {
        stopping = true
        return running
      },
    }
  }

  describe('when connections break under load', () => {
    it('loses nothing, doubles nothing and keeps the order', async () => {
      const { proxy, bus, stats } = await the.openBehindProxy()
      const { entries, lost, reader } = collect(bus)
      const load = publishOn(bus)
      for (let cut = 0; cut < 5; cut++) {
        const before = entries.length
        await until(() => entries.length > before + 200)
        proxy.cut()
      }
      const confirmed = await load.stop()
      await reader.caughtUp()
      expect(confirmed.length).toBeGreaterThan(1000)
      expect(hashes(entries)).toEqual(upTo(confirmed.length))
      expect(lost).toEqual([])
      expect(stats.get('republished_total')).toBeGreaterThan(0)
    })

    it('also when an operator closes them', async () => {
      const { bus } = await the.open()
      const { entries, reader } = collect(bus)
      const load = publishOn(bus)
      await until(() => entries.length > 200)
      await the.rabbitmq.closeConnections(the.url)
      const before = entries.length
      await until(() => entries.length > before + 200)
      const confirmed = await load.stop()
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(confirmed.length))
    })

    it('also when the broker is killed and started again', async () => {
      const { bus, lines } = await the.open()
      const { entries, lost, reader } = collect(bus)
      const load = publishOn(bus)
      await until(() => entries.length > 500)
      await the.rabbitmq.kill()
      const confirmedBefore = load.confirmed.length
      await the.rabbitmq.restart()
      await until(() => load.confirmed.length > confirmedBefore)
      const confirmed = await load.stop()
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(confirmed.length))
      expect(lost).toEqual([])
      const again = collect(bus)
      await again.reader.caughtUp()
      expect(hashes(again.entries)).toEqual(upTo(confirmed.length))
      expect(bus.problem).toBeUndefined()
      expect(lines.filter((line) => line.startsWith('warn')).length).toBe(1)
      expect(lines.at(-1)).toBe('info RabbitMQ works again')
    })

    it('`caughtUp` waits until the connection is back and everything was handled', async () => {
      const { proxy, bus } = await the.openBehindProxy()
      const { entries, reader } = collect(bus)
      await publish(bus, upTo(10))
      await reader.caughtUp()
      proxy.refuse()
      void publish(bus, upTo(10, 10))
      let caughtUp = false
      const waiting = reader.caughtUp().then(() => {
        caughtUp = true
      })
      await until(() => bus.problem !== undefined)
      expect(caughtUp).toBe(false)
      proxy.allow()
      await waiting
      expect(hashes(entries)).toEqual(upTo(20))
    })
  })

  describe('a message that is on the log twice', () => {
    const publishRaw = (ids: readonly string[]) =>
      withChannel(the.url, async (channel) => {
        for (const id of ids) {
          const envelope = { kind: 'rules', key: 'rules', id: `p:${id}`, message: rules(id) }
          const json = Buffer.from(JSON.stringify(envelope))
          const head = Buffer.from([0x54, 1, 0x4a, 0, 0, 0, 0, 0])
          head.writeUInt32LE(json.length, 4)
          channel.publish('tocsin', 'rules', Buffer.concat([head, json]), { messageId: `p:${id}` })
        }
      })

    it('is handled once', async () => {
      const { bus, stats } = await the.open()
      const { entries, reader } = collect(bus)
      await reader.caughtUp()
      await publishRaw(['1', '2', '3', '2', '3', '4'])
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['1', '2', '3', '4'])
      expect(stats.get('duplicates_total')).toBe(2)
    })

    it('is handled once also by a reader that begins between the two', async () => {
      const { bus } = await the.open()
      const { entries, reader } = collect(bus)
      await reader.caughtUp()
      await publishRaw(['1', '2', '3', '2', '3', '4'])
      await reader.caughtUp()
      const behindThree = (entries.find(({ id }) => id === 'p:3')?.offset as number) + 1
      const later = collect(bus, behindThree)
      await later.reader.caughtUp()
      expect(hashes(later.entries)).toEqual(['4'])
    })
  })

  describe('when a log is deleted under its readers', () => {
    it('it is made again, the loss is told, and reading goes on', async () => {
      const { bus } = await the.open()
      const { entries, lost, reader } = collect(bus)
      await publish(bus, upTo(10))
      await reader.caughtUp()
      await the.rabbitmq.deleteQueue(the.url, 'tocsin.engine-log')
      await until(() => lost.length > 0)
      await publish(bus, upTo(5, 10))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(15))
      expect(lost.length).toBe(1)
    })

    it('what is published when nobody has noticed yet is not lost', async () => {
      const { bus, stats } = await the.open()
      await publish(bus, upTo(5))
      await the.rabbitmq.deleteQueue(the.url, 'tocsin.engine-log')
      await publish(bus, upTo(5, 5))
      const { entries, reader } = collect(bus)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(5, 5))
      expect(stats.get('returned_total')).toBeGreaterThan(0)
    })

    it('the exchange is made again as well, and nothing is lost', async () => {
      const { bus } = await the.open()
      const { entries, reader } = collect(bus)
      await publish(bus, upTo(5))
      const vhost = new URL(the.url).pathname.slice(1)
      await the.rabbitmq.manage('DELETE', `/exchanges/${vhost}/tocsin`)
      await publish(bus, upTo(5, 5))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(10))
    })

    it('another log that has grown as long meanwhile is not mistaken for it', async () => {
      const { proxy, bus } = await the.openBehindProxy()
      const { entries, lost, reader } = collect(bus)
      await publish(bus, upTo(3))
      await reader.caughtUp()
      proxy.refuse()
      await the.rabbitmq.deleteQueue(the.url, 'tocsin.engine-log')
      const other = await the.open({ instance: 'other' })
      await publish(other.bus, upTo(50, 100))
      proxy.allow()
      await reader.caughtUp()
      expect(hashes(entries)).toEqual([...upTo(3), ...upTo(50, 100)])
      expect(lost.length).toBe(1)
    })
  })
})
