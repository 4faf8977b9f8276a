/**
 * Sources on RabbitMQ under trouble, and a cluster of three nodes of which one is killed: data stays before its marker,
 * nothing is lost, nothing comes twice.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { Source } from '../../src/bus/source.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmqCluster } from '../support/rabbitmq.ts'
import { until } from '../support/until.ts'
import { openRabbit } from './bus-places.ts'
import { collect, gauge, onRabbitmq } from './bus-suite.ts'

const batches = 3

/** A source that flushes bucket after bucket, up to 50 under way at a time, until told to stop; resolves with how many. */
function flushOn(bus: Bus) {
  const source = new Source(bus, { name: 'web1', startedMs: 0, intervalMs: 1000 })
  let stopping = false
  const running = (async () => {
    const sent = new Set<Promise<unknown>>()
    let bucket = 0
    while (!stopping) {
      const bucketMs = ++bucket * 1000
      const metrics = Array.from({ length: batches }, (_, i) => gauge(source.id, bucketMs, i))
      const one: Promise<unknown> = source.flush(bucketMs, { metrics }).then(() => sent.delete(one))
      sent.add(one)
      if (sent.size >= 50) await Promise.race(sent)
    }
    await Promise.all(sent)
    return bucket
  })()
  return {
    stop: () => {
      stopping = true
      return running
    },
  }
}

/** What a reader saw of each bucket, in order: its batches, then its marker. */
function shapeOf(entries: readonly LogEntry[]): string[] {
  return entries.flatMap(({ kind, message }) => {
    if (kind === 'metrics') return [`${message.bucketMs / 1000}: ${message.gauges.values[0]}`]
    return kind === 'markers' ? [`${message.bucketMs / 1000}: marker`] : []
  })
}

function wholeShape(buckets: number): string[] {
  return Array.from({ length: buckets }, (_, i) => [
    ...Array.from({ length: batches }, (__, batch) => `${i + 1}: ${batch}`),
    `${i + 1}: marker`,
  ]).flat()
}

onRabbitmq('a source on RabbitMQ', (the) => {
  it('keeps its markers behind their data when the connection breaks again and again', async () => {
    const { proxy, bus } = await the.openBehindProxy()
    const { entries, reader } = collect(bus)
    const load = flushOn(bus)
    for (let cut = 0; cut < 5; cut++) {
      const before = entries.length
      await until(() => entries.length > before + 100)
      proxy.cut()
    }
    const buckets = await load.stop()
    await reader.caughtUp()
    expect(shapeOf(entries)).toEqual(wholeShape(buckets))
  })

  it('and when the broker is killed and started again', async () => {
    const { bus } = await the.open()
    const { entries, reader } = collect(bus)
    const load = flushOn(bus)
    await until(() => entries.length > 300)
    await the.rabbitmq.kill()
    await the.rabbitmq.restart()
    const before = entries.length
    await until(() => entries.length > before + 100)
    const buckets = await load.stop()
    await reader.caughtUp()
    expect(shapeOf(entries)).toEqual(wholeShape(buckets))
  })
})

describe.skipIf(!rabbitmqInstalled())('a cluster of three nodes', () => {
  let nodes: Rabbitmq[]
  const open: Bus[] = []
  beforeAll(async () => {
    nodes = await startRabbitmqCluster(3)
  }, 120_000)
  afterAll(() => nodes?.[0]?.end())
  afterEach(async () => {
    await Promise.all(open.splice(0).map((bus) => bus.close()))
  })

  /** Opens a bus that turns to the nodes in the given order. */
  const openAt = async (order: readonly number[], vhost: string, instance: string) => {
    const url = order.map((at) => `amqp://guest:guest@127.0.0.1:${nodes[at]?.port}/${vhost}`)
    const opened = await openRabbit(url, { instance })
    open.push(opened.bus)
    return opened
  }
  const vhost = async () => new URL(await (nodes[0] as Rabbitmq).vhost()).pathname.slice(1)

  it('loses nothing, doubles nothing and keeps markers behind their data when a node is killed', async () => {
    const where = await vhost()
    const publisher = await openAt([1, 2, 0], where, 'publisher')
    const near = await openAt([1, 0, 2], where, 'near')
    const far = await openAt([2, 0, 1], where, 'far')
    const readers = [collect(near.bus), collect(far.bus)]
    const load = flushOn(publisher.bus)
    await until(() => readers.every(({ entries }) => entries.length > 300), { timeoutMs: 30_000 })
    await nodes[1]?.kill()
    const before = readers.map(({ entries }) => entries.length)
    await until(() => readers.every(({ entries }, i) => entries.length > (before[i] as number) + 300), {
      timeoutMs: 40_000,
    })
    const buckets = await load.stop()
    for (const { entries, lost, reader } of readers) {
      await reader.caughtUp()
      expect(shapeOf(entries)).toEqual(wholeShape(buckets))
      expect(lost).toEqual([])
    }
    expect(publisher.lines.at(-1)).toBe('info RabbitMQ works again')
    await nodes[1]?.restart()
  }, 90_000)

  it('passes a lock on when the node of its holder is killed, and has one holder at a time', async () => {
    const where = await vhost()
    const first = await openAt([2, 0, 1], where, 'first')
    const second = await openAt([0, 1, 2], where, 'second')
    const lock = await first.bus.lock('cep')
    const order: string[] = []
    const lost = lock.lost.then(() => order.push('lost'))
    const waiting = second.bus.lock('cep').then((next) => {
      order.push('passed on')
      return next
    })
    await nodes[2]?.kill()
    const next = await waiting
    await lost
    expect(order).toEqual(['lost', 'passed on'])
    await next.release()
    await nodes[2]?.restart()
  }, 90_000)
})
