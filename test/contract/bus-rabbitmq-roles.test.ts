/** Locks between processes, foreign exchanges and status, on a broker and connections that fail. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { until } from '../support/until.ts'
import { withChannel } from './bus-places.ts'
import { onRabbitmq, status } from './bus-suite.ts'

onRabbitmq('the bus on RabbitMQ', (the) => {
  describe('a lock', () => {
    it('passes on within moments when its holder is killed', async () => {
      const holder = startHolder(the.url)
      await once(holder.stdout, 'data')
      const { bus } = await the.open({ instance: 'second' })
      const waiting = bus.lock('cep')
      holder.kill('SIGKILL')
      await once(holder, 'exit')
      const lock = await waiting
      await lock.release()
    })

    it('is taken for lost by a holder that is cut off before another gets it', async () => {
      const { proxy, bus } = await the.openBehindProxy({ instance: 'first' })
      const first = await bus.lock('cep')
      const second = await the.open({ instance: 'second' })
      const order: string[] = []
      void first.lost.then(() => order.push('the first has lost it'))
      const waiting = second.bus.lock('cep').then(() => order.push('the second has it'))
      expect(first.isHeld()).toBe(true)
      proxy.freeze()
      await Promise.all([first.lost, waiting])
      expect(first.isHeld()).toBe(false)
      expect(order).toEqual(['the first has lost it', 'the second has it'])
      proxy.thaw()
    })

    it('is lost when the connection goes, and can be had again', async () => {
      const { proxy, bus } = await the.openBehindProxy()
      const lock = await bus.lock('cep')
      proxy.cut()
      await lock.lost
      await (await bus.lock('cep')).release()
    })

    it('is lost when its queue is deleted, and has one holder again', async () => {
      const { bus } = await the.open({ instance: 'first' })
      const lock = await bus.lock('cep')
      const second = await the.open({ instance: 'second' })
      const waiting = second.bus.lock('cep')
      await the.rabbitmq.deleteQueue(the.url, 'tocsin.lock.cep')
      await lock.lost
      await (await waiting).release()
    })

    it('stays with its holder for as long as both live', async () => {
      const { bus } = await the.open({ instance: 'first' })
      const lock = await bus.lock('cep')
      const second = await the.open({ instance: 'second' })
      let passed = false
      void second.bus.lock('cep').then(
        () => {
          passed = true
        },
        () => {},
      )
      let lost = false
      void lock.lost.then(() => {
        lost = true
      })
      // Longer than a lease and longer than the waiting one needs to put a token.
      await new Promise((resolve) => setTimeout(resolve, 4500))
      expect([lost, passed]).toEqual([false, false])
      await lock.release()
      await until(() => passed)
    })
  })

  describe('a foreign exchange', () => {
    const send = (exchange: string, key: string, lines: readonly string[]) =>
      withChannel(the.url, async (channel) => {
        for (const line of lines) channel.publish(exchange, key, Buffer.from(line))
      })
    const read = async (bus: Bus, exchange: string) => {
      const got: string[] = []
      const reader = await bus.readForeign(exchange, async (body, key) => {
        got.push(`${key} ${body}`)
        if (String(body).startsWith('bad')) throw new Error('cannot read this')
      })
      await reader.caughtUp()
      return { got, reader }
    }

    it('is made when it is missing, and what is published to it is handed on with its key', async () => {
      const { bus } = await the.open()
      const { got } = await read(bus, 'stats')
      await send('stats', 'any.key', ['web1.load 0.5 1700000000', 'web1.load 0.7 1700000010'])
      await until(() => got.length === 2)
      expect(got).toEqual(['any.key web1.load 0.5 1700000000', 'any.key web1.load 0.7 1700000010'])
    })

    it('is taken as it is when it exists', async () => {
      await withChannel(the.url, (channel) => channel.assertExchange('old', 'fanout', { durable: false }))
      const { bus } = await the.open()
      const { got } = await read(bus, 'old')
      await send('old', '', ['a 1 2'])
      await until(() => got.length === 1)
    })

    it('keeps what comes while nobody reads', async () => {
      const { bus } = await the.open()
      const { reader } = await read(bus, 'stats')
      await reader.stop()
      await send('stats', 'k', ['a 1 2'])
      const { got } = await read(bus, 'stats')
      await until(() => got.length === 1)
    })

    it('is offered a refused message once more; then it is set aside and counted, and the rest goes on', async () => {
      const { bus, stats } = await the.open()
      const { got } = await read(bus, 'stats')
      await send('stats', 'k', ['a 1 2', 'bad line', 'b 1 2'])
      await until(() => stats.get('foreign_set_aside_total') === 1)
      await until(() => got.length === 4)
      expect(got.filter((line) => line === 'k bad line').length).toBe(2)
      expect(got).toContain('k b 1 2')
      const aside = await withChannel(the.url, (channel) =>
        until(() => channel.get('tocsin.set-aside', { noAck: true })),
      )
      expect(aside.content.toString()).toBe('bad line')
    })

    it('is read on after the connection broke', async () => {
      const { proxy, bus } = await the.openBehindProxy()
      const { got } = await read(bus, 'stats')
      await send('stats', 'k', ['a 1 2'])
      await until(() => got.length === 1)
      proxy.cut()
      await send('stats', 'k', ['b 1 2'])
      await until(() => got.includes('k b 1 2'))
    })
  })

  it('hears status again after the connection broke', async () => {
    const { proxy, bus } = await the.openBehindProxy()
    const heard: string[] = []
    const reader = bus.onStatus(({ part }) => void heard.push(part))
    await reader.caughtUp()
    proxy.cut()
    const second = await the.open({ instance: 'second' })
    await until(async () => {
      await second.bus.publish('status.cep.a', status('cep'))
      return heard.length > 0
    })
  })
})

/** A process of its own that takes the lock and says so. */
function startHolder(url: string) {
  const src = (file: string) => JSON.stringify(path.resolve('src', file))
  const script = `
    import { openRabbitBus } from ${src('bus/rabbitmq.ts')}
    import { systemClock as clock } from ${src('runtime/clock.ts')}
    import { silentLog as log } from ${src('runtime/log.ts')}
    import { Stats } from ${src('runtime/stats.ts')}
    const options = { exchange: 'tocsin', retentionMs: 3600000, clock, log, stats: new Stats(), instance: 'holder' }
    const bus = await openRabbitBus({ url: ${JSON.stringify(url)}, ...options })
    await bus.lock('cep')
    console.log('held')
  `
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
}
