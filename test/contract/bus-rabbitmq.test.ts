/** What goes wrong between us and a broker, and that nothing is lost, doubled or turned round by it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bus, BusError, type Offset } from '../../src/bus/bus.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { freePort } from '../support/ports.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { type OpenBus, openRabbit, withChannel } from './bus-places.ts'

const rules = (hash: string, text = '') => ({ hash, files: text === '' ? [] : [{ path: 'a.yaml', text }] })
const hashes = (entries: readonly LogEntry[]) => entries.flatMap((e) => (e.kind === 'rules' ? [e.message.hash] : []))
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

describe.skipIf(!rabbitmqInstalled())('the bus on RabbitMQ', () => {
  let rabbitmq: Rabbitmq
  let url: string
  let buses: Bus[]
  let proxies: TcpProxy[]

  beforeAll(async () => {
    rabbitmq = await startRabbitmq()
  })
  afterAll(() => rabbitmq?.end())
  beforeEach(async () => {
    url = await rabbitmq.vhost()
    buses = []
    proxies = []
  })
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.close()))
    await Promise.all(proxies.map((proxy) => proxy.close()))
  })

  const open = async (options: Parameters<typeof openRabbit>[1] = {}): Promise<OpenBus> => {
    const opened = await openRabbit(url, options)
    buses.push(opened.bus)
    return opened
  }
  /** Opens a bus behind a proxy, so that its connections can be broken. */
  const openBehindProxy = async (options: Parameters<typeof openRabbit>[1] = {}) => {
    const proxy = await startTcpProxy(rabbitmq.host, rabbitmq.port)
    proxies.push(proxy)
    const behind = new URL(url)
    behind.port = String(proxy.port)
    return { proxy, ...(await open({ url: behind.href, ...options })) }
  }
  const collect = (bus: Bus, from: Offset = 'first') => {
    const entries: LogEntry[] = []
    const lost: [number, number][] = []
    const reader = bus.readLog('engine-log', from, (entry) => void entries.push(entry), {
      lost: (wanted, first) => lost.push([wanted, first]),
    })
    return { entries, lost, reader }
  }
  const publish = (bus: Bus, list: readonly string[]) =>
    Promise.all(list.map((hash) => bus.publish('rules', rules(hash))))
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
      const { proxy, bus, stats } = await openBehindProxy()
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
      const { bus } = await open()
      const { entries, reader } = collect(bus)
      const load = publishOn(bus)
      await until(() => entries.length > 200)
      await rabbitmq.closeConnections(url)
      const before = entries.length
      await until(() => entries.length > before + 200)
      const confirmed = await load.stop()
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(confirmed.length))
    })

    it('also when the broker is killed and started again', async () => {
      const { bus, lines } = await open()
      const { entries, lost, reader } = collect(bus)
      const load = publishOn(bus)
      await until(() => entries.length > 500)
      await rabbitmq.kill()
      const confirmedBefore = load.confirmed.length
      await rabbitmq.restart()
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
      const { proxy, bus } = await openBehindProxy()
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
      withChannel(url, async (channel) => {
        for (const id of ids) {
          const envelope = { kind: 'rules', key: 'rules', id: `p:${id}`, message: rules(id) }
          const json = Buffer.from(JSON.stringify(envelope))
          const head = Buffer.from([0x54, 1, 0x4a, 0, 0, 0, 0, 0])
          head.writeUInt32LE(json.length, 4)
          channel.publish('tocsin', 'rules', Buffer.concat([head, json]), { messageId: `p:${id}` })
        }
      })

    it('is handled once', async () => {
      const { bus, stats } = await open()
      const { entries, reader } = collect(bus)
      await reader.caughtUp()
      await publishRaw(['1', '2', '3', '2', '3', '4'])
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(['1', '2', '3', '4'])
      expect(stats.get('duplicates_total')).toBe(2)
    })

    it('is handled once also by a reader that begins between the two', async () => {
      const { bus } = await open()
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
      const { bus } = await open()
      const { entries, lost, reader } = collect(bus)
      await publish(bus, upTo(10))
      await reader.caughtUp()
      await rabbitmq.deleteQueue(url, 'tocsin.engine-log')
      await until(() => lost.length > 0)
      await publish(bus, upTo(5, 10))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(15))
      expect(lost.length).toBe(1)
    })

    it('what is published when nobody has noticed yet is not lost', async () => {
      const { bus, stats } = await open()
      await publish(bus, upTo(5))
      await rabbitmq.deleteQueue(url, 'tocsin.engine-log')
      await publish(bus, upTo(5, 5))
      const { entries, reader } = collect(bus)
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(5, 5))
      expect(stats.get('returned_total')).toBeGreaterThan(0)
    })

    it('the exchange is made again as well, and nothing is lost', async () => {
      const { bus } = await open()
      const { entries, reader } = collect(bus)
      await publish(bus, upTo(5))
      const vhost = new URL(url).pathname.slice(1)
      await rabbitmq.manage('DELETE', `/exchanges/${vhost}/tocsin`)
      await publish(bus, upTo(5, 5))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(10))
    })

    it('another log that has grown as long meanwhile is not mistaken for it', async () => {
      const { proxy, bus } = await openBehindProxy()
      const { entries, lost, reader } = collect(bus)
      await publish(bus, upTo(3))
      await reader.caughtUp()
      proxy.refuse()
      await rabbitmq.deleteQueue(url, 'tocsin.engine-log')
      const other = await open({ instance: 'other' })
      await publish(other.bus, upTo(50, 100))
      proxy.allow()
      await reader.caughtUp()
      expect(hashes(entries)).toEqual([...upTo(3), ...upTo(50, 100)])
      expect(lost.length).toBe(1)
    })
  })

  describe('when the broker is not there or does not want us', () => {
    it('says that it cannot be reached, once, keeps trying, and says when it works', async () => {
      const proxy = await startTcpProxy(rabbitmq.host, rabbitmq.port)
      proxies.push(proxy)
      proxy.refuse()
      const behind = new URL(url)
      behind.port = String(proxy.port)
      const { bus, lines } = await open({ url: behind.href })
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
      const nowhere = new URL(url)
      nowhere.port = String(await freePort())
      const { bus } = await open({ url: nowhere.href })
      expect(bus.problem).toMatch(/^not yet connected to RabbitMQ at 127\.0\.0\.1:\d+$/)
      await until(() => bus.problem?.includes('cannot be reached (connection refused)'))
    })

    it('names the user, never the password, and connects when the user is let in', async () => {
      const vhost = new URL(url).pathname.slice(1)
      const stranger = new URL(url)
      stranger.username = `stranger-${vhost}`
      stranger.password = 'pass-word-7'
      const { bus, lines } = await open({ url: stranger.href })
      await until(() => bus.problem?.includes('refuses'))
      expect(bus.problem).toMatch(/^RabbitMQ at .* refuses the user "stranger-test-\d+" or its password; trying again/)
      await rabbitmq.manage('PUT', `/users/stranger-${vhost}`, { password: 'pass-word-7', tags: '' })
      await until(() => bus.problem?.includes('virtual host'))
      expect(bus.problem).toMatch(/^RabbitMQ at .* has no virtual host "test-\d+" for the user "stranger-test-\d+"/)
      const everything = { configure: '.*', write: '.*', read: '.*' }
      await rabbitmq.manage('PUT', `/permissions/${vhost}/stranger-${vhost}`, everything)
      await publish(bus, ['0'])
      await until(() => bus.problem === undefined)
      expect(lines.length).toBe(3)
      expect(lines.join()).not.toContain('pass-word-7')
    })

    it('says what the user is not allowed to do, and goes on when it is', async () => {
      const vhost = new URL(url).pathname.slice(1)
      await rabbitmq.manage('PUT', `/permissions/${vhost}/guest`, { configure: '^$', write: '.*', read: '.*' })
      const { bus } = await open()
      const published = publish(bus, ['0'])
      await until(() => bus.problem?.startsWith('RabbitMQ refuses publishing: ACCESS_REFUSED'))
      await rabbitmq.manage('PUT', `/permissions/${vhost}/guest`, { configure: '.*', write: '.*', read: '.*' })
      await published
      await until(() => bus.problem === undefined)
    })

    it('says when the broker takes nothing, short of memory; what is published waits, reading and locks go on', async () => {
      const { bus } = await open()
      const text = 'x'.repeat(1000)
      await Promise.all(upTo(2000).map((hash) => bus.publish('rules', rules(hash, text))))
      const lock = await bus.lock('cep')
      let lost = false
      void lock.lost.then(() => {
        lost = true
      })
      const second = await open({ instance: 'second' })
      let read = 0
      const { promise: gate, resolve: letGo } = Promise.withResolvers<void>()
      const reader = second.bus.readLog('engine-log', 'first', async () => {
        if (++read === 10) await gate
      })
      await until(() => read === 10)
      await rabbitmq.control('set_vm_memory_high_watermark', 'absolute', '1')
      try {
        const waiting = publish(bus, upTo(5, 2000))
        await until(() => bus.problem?.match(/^RabbitMQ at .* takes nothing now \(low on memory\)$/))
        letGo()
        await until(() => read === 2000)
        await new Promise((resolve) => setTimeout(resolve, 4000)) // Longer than the lease of a lock.
        expect(lost).toBe(false)
        await rabbitmq.control('set_vm_memory_high_watermark', 'absolute', '1GB')
        await waiting
      } finally {
        await rabbitmq.control('set_vm_memory_high_watermark', 'absolute', '1GB')
      }
      await reader.caughtUp()
      expect([read, bus.problem]).toEqual([2005, undefined])
    })

    it('keeps no clock and no status for later', async () => {
      const { proxy, bus, stats } = await openBehindProxy()
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
      const { proxy, bus } = await openBehindProxy()
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
      const { proxy, bus, stats } = await openBehindProxy({ limits })
      const { entries, reader } = collect(bus)
      await publish(bus, ['0'])
      await reader.caughtUp()
      proxy.refuse()
      await until(() => bus.problem !== undefined)
      const sent = upTo(16, 1).map((hash) => bus.publish('rules', rules(hash)))
      await expect(sent.at(-1)).rejects.toThrow('too many publishes wait already')
      expect(stats.get('unconfirmed_messages')).toBe(10)
      expect(stats.get('publishes_waiting')).toBe(5)
      expect(stats.get('publish_waits_total')).toBe(5)
      expect(stats.get('publishes_refused_total')).toBe(1)
      proxy.allow()
      await Promise.all(sent.slice(0, -1))
      await reader.caughtUp()
      expect(hashes(entries)).toEqual(upTo(16))
    })

    it('is bounded in bytes', async () => {
      const limits = { unconfirmedBytesMax: 50_000 }
      const { proxy, bus, stats } = await openBehindProxy({ limits })
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

  describe('a lock', () => {
    it('passes on within moments when its holder is killed', async () => {
      const holder = startHolder(url)
      await once(holder.stdout, 'data')
      const { bus } = await open({ instance: 'second' })
      const waiting = bus.lock('cep')
      holder.kill('SIGKILL')
      await once(holder, 'exit')
      const lock = await waiting
      await lock.release()
    })

    it('is taken for lost by a holder that is cut off before another gets it', async () => {
      const { proxy, bus } = await openBehindProxy({ instance: 'first' })
      const first = await bus.lock('cep')
      const second = await open({ instance: 'second' })
      const order: string[] = []
      void first.lost.then(() => order.push('the first has lost it'))
      const waiting = second.bus.lock('cep').then(() => order.push('the second has it'))
      proxy.freeze()
      await Promise.all([first.lost, waiting])
      expect(order).toEqual(['the first has lost it', 'the second has it'])
      proxy.thaw()
    })

    it('is lost when the connection goes, and can be had again', async () => {
      const { proxy, bus } = await openBehindProxy()
      const lock = await bus.lock('cep')
      proxy.cut()
      await lock.lost
      await (await bus.lock('cep')).release()
    })

    it('is lost when its queue is deleted, and has one holder again', async () => {
      const { bus } = await open({ instance: 'first' })
      const lock = await bus.lock('cep')
      const second = await open({ instance: 'second' })
      const waiting = second.bus.lock('cep')
      await rabbitmq.deleteQueue(url, 'tocsin.lock.cep')
      await lock.lost
      await (await waiting).release()
    })

    it('stays with its holder for as long as both live', async () => {
      const { bus } = await open({ instance: 'first' })
      const lock = await bus.lock('cep')
      const second = await open({ instance: 'second' })
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
      await new Promise((resolve) => setTimeout(resolve, 6500))
      expect([lost, passed]).toEqual([false, false])
      await lock.release()
      await until(() => passed)
    })
  })

  describe('a foreign exchange', () => {
    const send = (exchange: string, key: string, lines: readonly string[]) =>
      withChannel(url, async (channel) => {
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
      const { bus } = await open()
      const { got } = await read(bus, 'stats')
      await send('stats', 'any.key', ['web1.load 0.5 1700000000', 'web1.load 0.7 1700000010'])
      await until(() => got.length === 2)
      expect(got).toEqual(['any.key web1.load 0.5 1700000000', 'any.key web1.load 0.7 1700000010'])
    })

    it('is taken as it is when it exists', async () => {
      await withChannel(url, (channel) => channel.assertExchange('old', 'fanout', { durable: false }))
      const { bus } = await open()
      const { got } = await read(bus, 'old')
      await send('old', '', ['a 1 2'])
      await until(() => got.length === 1)
    })

    it('keeps what comes while nobody reads', async () => {
      const { bus } = await open()
      const { reader } = await read(bus, 'stats')
      await reader.stop()
      await send('stats', 'k', ['a 1 2'])
      const { got } = await read(bus, 'stats')
      await until(() => got.length === 1)
    })

    it('is offered a refused message once more; then it is set aside and counted, and the rest goes on', async () => {
      const { bus, stats } = await open()
      const { got } = await read(bus, 'stats')
      await send('stats', 'k', ['a 1 2', 'bad line', 'b 1 2'])
      await until(() => stats.get('foreign_set_aside_total') === 1)
      await until(() => got.length === 4)
      expect(got.filter((line) => line === 'k bad line').length).toBe(2)
      expect(got).toContain('k b 1 2')
      const aside = await withChannel(url, (channel) => until(() => channel.get('tocsin.set-aside', { noAck: true })))
      expect(aside.content.toString()).toBe('bad line')
    })

    it('is read on after the connection broke', async () => {
      const { proxy, bus } = await openBehindProxy()
      const { got } = await read(bus, 'stats')
      await send('stats', 'k', ['a 1 2'])
      await until(() => got.length === 1)
      proxy.cut()
      await send('stats', 'k', ['b 1 2'])
      await until(() => got.includes('k b 1 2'))
    })
  })

  it('hears status again after the connection broke', async () => {
    const { proxy, bus } = await openBehindProxy()
    const heard: string[] = []
    const reader = bus.onStatus(({ part }) => void heard.push(part))
    await reader.caughtUp()
    proxy.cut()
    const second = await open({ instance: 'second' })
    await until(async () => {
      const status = { instance: 'a', host: 'h', pid: 1, startedMs: 1, atMs: 1, ready: true, counters: {} }
      await second.bus.publish('status.cep.a', { part: 'cep', ...status })
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
