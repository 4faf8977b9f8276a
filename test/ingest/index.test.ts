/** Ingest as a whole: real sockets, the memory bus. */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readKernelDrops } from '../../src/ingest/drops.ts'
import { type IngestPart, startIngest } from '../../src/ingest/index.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { type HostPort, hostPort } from '../../src/runtime/config.ts'
import { until } from '../support/until.ts'
import { configFor, counterTotal, markers, metrics, openWorld, type World } from '../support/world.ts'

let world: World
let part: IngestPart | undefined

beforeEach(async () => {
  world = await openWorld()
})

afterEach(async () => {
  await part?.stop()
  part = undefined
  await world.end()
})

async function start(change?: Parameters<typeof configFor>[0]): Promise<Required<IngestPart['addresses']>> {
  part = await startIngest(configFor(change), world.context)
  return part.addresses as Required<IngestPart['addresses']>
}

async function sendUdp(to: HostPort, packet: string | Buffer): Promise<void> {
  const socket = dgram.createSocket(net.isIPv6(to.host) ? 'udp6' : 'udp4')
  await new Promise<void>((resolve, reject) =>
    socket.send(packet, to.port, to.host, (error) => (error ? reject(error) : resolve())),
  )
  socket.close()
}

async function sendTcp(to: HostPort, text: string | Buffer): Promise<void> {
  const socket = net.connect(to.port, to.host)
  await once(socket, 'connect')
  socket.end(text)
  await once(socket, 'close')
}

function sourceOf(entry: LogEntry): string {
  return 'source' in entry.message ? entry.message.source : ''
}

async function counted(name: string, total: number): Promise<void> {
  await until(() => counterTotal(world.entries, name) === total, { what: `${name} adds up to ${total}` })
}

test('a counter over UDP becomes a bucket on the bus, and then a marker for the same bucket', async () => {
  const { statsdUdp } = await start()
  const sentMs = Date.now()
  await sendUdp(statsdUdp, 'api.hits:3|c')
  const message = await until(() => metrics(world.entries)[0])
  expect(message.counters.names).toEqual(['api.hits'])
  expect([...message.counters.sums]).toEqual([3])
  expect(message.bucketMs % 1000).toBe(0)
  const marker = await until(() =>
    markers(world.entries, 'ingest').find(({ bucketMs }) => bucketMs === message.bucketMs),
  )
  expect(marker).toMatchObject({ source: message.source, name: 'ingest-test-host', intervalMs: 1000, latenessMs: 0 })
  const ours = world.entries.filter((entry) => sourceOf(entry) === marker.source)
  const data = ours.findIndex((entry) => entry.kind === 'metrics')
  expect(data).toBeLessThan(
    ours.findIndex((entry) => entry.kind === 'markers' && entry.message.bucketMs === message.bucketMs),
  )
  expect(ours[data]?.hops?.packetMs).toBeGreaterThanOrEqual(sentMs)
  expect(ours[data]?.hops?.flushMs).toBeGreaterThanOrEqual(message.bucketMs)
})

test('counters, gauges, timers and sets in one packet arrive as typed aggregates', async () => {
  const { statsdUdp } = await start()
  await sendUdp(
    statsdUdp,
    'a:1|c|@0.5\na:1|c\nload:0.5|g\nload:+0.25|g\ntime:12|ms\ntime:30|h\nuser:ann|s\nuser:bob|s\nuser:ann|s\n',
  )
  const message = await until(() => metrics(world.entries)[0])
  expect([message.counters.names, [...message.counters.sums], [...message.counters.samples]]).toEqual([['a'], [3], [2]])
  expect([message.gauges.names, [...message.gauges.values]]).toEqual([['load'], [0.75]])
  expect(message.timers.names).toEqual(['time'])
  expect(message.timers.distributions[0]).toMatchObject({ count: 2, sum: 42, min: 12, max: 30, exact: true })
  expect([message.sets.names, message.sets.members]).toEqual([['user'], [['ann', 'bob']]])
})

test('lines over TCP count however the stream is cut, the last one also without a newline', async () => {
  const { statsdTcp } = await start()
  const socket = net.connect(statsdTcp.port, statsdTcp.host)
  await once(socket, 'connect')
  socket.setNoDelay(true)
  for (const piece of ['tcp.hi', 'ts:1|c\ntcp.hits', ':2|', 'c\r\n\ntcp.hits:4|c']) {
    await new Promise((resolve) => socket.write(piece, resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await counted('tcp.hits', 7)
})

test.each([1, 2])('on [::] IPv6 and IPv4 come in, over UDP and TCP, with %i workers', async (workers) => {
  const loaded = hostPort.parse('[::]:0')
  const { statsdUdp, statsdTcp, graphiteUdp } = await start((config) => {
    config.ingest.workers = workers
    Object.assign(config.ingest.statsd, { udp: loaded, tcp: loaded })
    config.ingest.graphite.udp = loaded
  })
  expect(statsdUdp.host).toBe('::')
  for (const host of ['::1', '127.0.0.1']) {
    await sendUdp({ ...statsdUdp, host }, 'six:1|c')
    await sendTcp({ ...statsdTcp, host }, 'six:2|c\n')
    await sendUdp({ ...graphiteUdp, host }, 'six.graphite 1')
  }
  await counted('six', 6)
  const senders = ['::1', '::ffff:127.0.0.1'].map((sender) => `sender_packets_total{sender="${sender}"}`)
  await until(() => world.statuses.some(({ counters }) => senders.every((name) => counters[name] === 3)))
  expect(await readKernelDrops(statsdUdp)).toBe(0)
})

test('what the kernel grants as a receive buffer is shown, with a warning when it is less than was asked for', async () => {
  await start()
  const granted = await until(() => world.statuses.findLast(({ counters }) => counters.receive_buffer_kib)?.counters)
  const kib = granted.receive_buffer_kib ?? 0
  const warning = `ingest.statsd.udp: the kernel grants a receive buffer of ${kib} KiB where 8192 KiB were asked for`
  expect(world.logged.includes(warning)).toBe(kib < 8192)
})

test('a TCP line without end is dropped to its newline, counted once, and the lines after it count', async () => {
  const { statsdTcp } = await start()
  await sendTcp(statsdTcp, `${'x'.repeat(200_000)}:1|c\nafter:1|c\n`)
  await counted('after', 1)
  await until(() => world.statuses.some(({ counters }) => counters['bad_lines_total{reason="length"}'] === 1))
  expect(world.logged.some((line) => line.includes('longer than 8192 bytes'))).toBe(true)
})

test('a marker is sent every second, also when nothing arrives', async () => {
  await start()
  const seen = await until(() => {
    const buckets = markers(world.entries, 'ingest').map(({ bucketMs }) => bucketMs)
    return buckets.length >= 3 && buckets
  })
  expect(seen.map((bucketMs) => bucketMs - (seen[0] as number))).toEqual(seen.map((_, i) => i * 1000))
  expect(metrics(world.entries)).toEqual([])
})

test('stopping flushes what has arrived since the last second and says bye', async () => {
  const { statsdUdp } = await start()
  await sendUdp(statsdUdp, 'last.words:1|c')
  await until(() => world.statuses.length > 0)
  await sendUdp(statsdUdp, 'last.words:2|c')
  await new Promise((resolve) => setTimeout(resolve, 20))
  await part?.stop()
  part = undefined
  await counted('last.words', 3)
  await until(() => markers(world.entries, 'ingest').at(-1)?.bye)
  await until(() => markers(world.entries, 'graphite-lines').at(-1)?.bye)
})

test('a bad line is counted by reason and shown with sender and column, and its neighbours in the packet count', async () => {
  const { statsdUdp } = await start()
  await sendUdp(statsdUdp, 'good:1|c\napi.hits:|c\nno-colon\ngood:1|c')
  await counted('good', 2)
  await until(() => world.statuses.some(({ counters }) => counters['bad_lines_total{reason="value"}'] === 1))
  expect(world.statuses.at(-1)?.counters).toMatchObject({
    lines_total: 4,
    packets_total: 1,
    series: 1,
    'bad_lines_total{reason="colon"}': 1,
  })
  expect(world.logged).toContain(
    'bad line from 127.0.0.1, column 10: expected a number after ":", got "|": "api.hits:|c"',
  )
})

test('a flood of bad lines is one line in the log', async () => {
  const { statsdUdp } = await start()
  await sendUdp(statsdUdp, Array.from({ length: 500 }, (_, i) => `bad${i}`).join('\n'))
  await until(() => world.statuses.some(({ counters }) => counters['bad_lines_total{reason="colon"}'] === 500))
  expect(world.logged.filter((line) => line.includes('bad line'))).toHaveLength(1)
})

test('no bytes stop the sockets', async () => {
  const { statsdUdp, statsdTcp, graphiteTcp } = await start()
  const packets = fc.sample(fc.uint8Array({ minLength: 1, maxLength: 300 }), 300).map((bytes) => Buffer.from(bytes))
  for (const packet of packets) await sendUdp(statsdUdp, packet)
  await sendTcp(statsdTcp, Buffer.concat(packets))
  await sendTcp(graphiteTcp, Buffer.concat(packets))
  await sendUdp(statsdUdp, 'still.there:1|c')
  await sendTcp(statsdTcp, 'still.there:2|c')
  await sendTcp(graphiteTcp, 'still.there 3 N')
  await counted('still.there', 3)
  await until(() =>
    metrics(world.entries, 'graphite-lines').some(({ untyped }) => untyped.names.includes('still.there')),
  )
})

test('beyond seriesMax known series go on, new ones are refused, counted and named in the log', async () => {
  const { statsdUdp } = await start((config) => {
    config.ingest.seriesMax = 2
  })
  await sendUdp(statsdUdp, 'a:1|c\nb:1|c\nc:1|c\nd:1|c\na:1|c')
  await counted('a', 2)
  expect(counterTotal(world.entries, 'c')).toBe(0)
  await until(() => world.statuses.some(({ counters }) => counters.series_refused_total === 2 && counters.series === 2))
  expect(world.logged.some((line) => line.includes('"c"') && line.includes('ingest.seriesMax'))).toBe(true)
})

test('a port in use is refused with the key of the configuration, and nothing stays open', async () => {
  const { statsdTcp, statsdUdp } = await start()
  const free = { host: '127.0.0.1', port: 0 }
  const second = (udp: HostPort, tcp: HostPort) =>
    startIngest(
      configFor((config) => {
        Object.assign(config.ingest.statsd, { udp, tcp })
      }),
      world.context,
    )
  await expect(second(statsdUdp, free)).rejects.toThrow(
    `ingest.statsd.udp: cannot listen on 127.0.0.1:${statsdUdp.port}: the port is in use`,
  )
  await expect(second(free, statsdTcp)).rejects.toThrow('ingest.statsd.tcp: cannot listen on')
})

test('statsd sockets that are switched off are not opened, and there is no Graphite source without a way in', async () => {
  const addresses = await start((config) => {
    Object.assign(config.ingest.statsd, { udp: false, tcp: false })
    config.ingest.graphite.tcp = false
  })
  expect(addresses).toEqual({})
  await until(() => markers(world.entries, 'ingest').length > 0)
  expect(markers(world.entries, 'graphite-lines')).toEqual([])
})

test('Graphite lines keep their own time, their name for Graphite, and mark buckets their lateness behind', async () => {
  const { graphiteTcp } = await start()
  const nowSeconds = Math.floor(Date.now() / 1000)
  await sendTcp(graphiteTcp, `load;rack=b;dc=west 1.5 ${nowSeconds - 2}\nplain 7 -1\nplain 9 N`)
  const seen = await until(() => {
    const points = metrics(world.entries, 'graphite-lines')
    return points.length >= 2 && points
  })
  const [tagged, plain] = seen.map(({ bucketMs, untyped }) => ({ ...untyped, values: [...untyped.values], bucketMs }))
  expect(tagged).toEqual({
    bucketMs: (nowSeconds - 2) * 1000,
    names: ['load;dc=west;rack=b'],
    graphiteNames: ['load;rack=b;dc=west'],
    values: [1.5],
  })
  expect(plain).toMatchObject({ names: ['plain'], values: [9] })
  const marker = await until(() => markers(world.entries, 'graphite-lines').at(-1))
  expect(marker.latenessMs).toBe(5000)
  expect(marker.bucketMs).toBeLessThanOrEqual(Date.now() - 4000)
})

test('Graphite lines come over UDP too, several a packet, with and without a last newline', async () => {
  const { graphiteUdp } = await start((config) => {
    config.ingest.graphite.tcp = false
    config.ingest.graphite.udp = { host: '127.0.0.1', port: 0 }
  })
  await sendUdp(graphiteUdp, 'udp.a;z=1;b=2 1 N\nudp.b 2 -1')
  await sendUdp(graphiteUdp, 'udp.c 3 N\n')
  await until(() => {
    const names = metrics(world.entries, 'graphite-lines').flatMap(({ untyped }) => untyped.names)
    return names.length >= 3 && names.includes('udp.a;b=2;z=1') && names.includes('udp.c')
  })
})

test('outside ingest.allow neither packets nor connections are taken', async () => {
  const { statsdUdp, statsdTcp } = await start((config) => {
    config.ingest.allow = ['10.0.0.0/8']
  })
  await sendUdp(statsdUdp, 'a:1|c')
  await sendTcp(statsdTcp, 'a:1|c').catch(() => {})
  await until(() => (world.statuses.at(-1)?.counters.packets_refused_total ?? 0) >= 2)
  expect(metrics(world.entries)).toEqual([])
})

test('a late or malformed Graphite line is set aside, counted and shown', async () => {
  const { graphiteTcp } = await start()
  const nowSeconds = Math.floor(Date.now() / 1000)
  await sendTcp(
    graphiteTcp,
    `old 1 ${nowSeconds - 60}\nahead 1 ${nowSeconds + 600}\nno.value\nfine 1 ${nowSeconds}\nquiet nan -1\n`,
  )
  await until(() => world.statuses.some(({ counters }) => counters.late_points_total === 1))
  const counters = world.statuses.at(-1)?.counters
  expect(counters).toMatchObject({
    late_points_total: 1,
    future_points_total: 1,
    'bad_lines_total{reason="graphite_fields"}': 1,
    graphite_nan_total: 1,
    graphite_lines_total: 5,
  })
  await until(() => metrics(world.entries, 'graphite-lines').some(({ untyped }) => untyped.names.includes('fine')))
  expect(world.logged.some((line) => /old 1 \d+: 1m.* late, ingest.graphite.lateness is 5s/.test(line))).toBe(true)
  expect(world.logged.some((line) => line.includes('column 9: expected a name, a value and a timestamp'))).toBe(true)
})

test('DogStatsD events and service checks are on the bus as events and check results, in the bucket they came in', async () => {
  const { statsdUdp } = await start()
  await sendUdp(statsdUdp, '_e{6,4}:Deploy|v1.2|#process:verifier\n_sc|Redis connection|2|#env:dev|m:timed out')
  const event = await until(() => world.entries.find((entry) => entry.kind === 'events'))
  expect(event.key).toBe('events.Deploy')
  expect(event.message).toMatchObject({
    name: 'Deploy',
    tags: { process: 'verifier' },
    text: 'Deploy: v1.2',
    sequence: 1,
  })
  const checks = await until(() => world.entries.find((entry) => entry.kind === 'checks'))
  expect(checks.message).toMatchObject({
    results: [{ name: 'Redis_connection;env=dev', state: 'crit', output: 'timed out', stepMs: 60_000, sequence: 1 }],
  })
  const marker = await until(() =>
    markers(world.entries, 'ingest').find(({ bucketMs }) => bucketMs === event.message.bucketMs),
  )
  expect(marker.source).toBe(event.message.source)
})

test('lines with a time of their own are a source of their own, which begins with the first and lags by the lateness', async () => {
  const { statsdUdp } = await start((config) => {
    config.ingest.statsd.lateness = 1000
  })
  await until(() => markers(world.entries, 'ingest').length > 0)
  expect(markers(world.entries, 'ingest-timed')).toEqual([])
  const seconds = Math.floor(Date.now() / 1000)
  await sendUdp(statsdUdp, `page.views:15|c|#env:dev|T${seconds}\npage.views:1|c|#env:dev|T${seconds}\nnow:1|c`)
  const message = await until(() => metrics(world.entries, 'ingest-timed')[0])
  expect(message.bucketMs).toBe(seconds * 1000)
  expect([message.counters.names, [...message.counters.sums]]).toEqual([['page.views;env=dev'], [16]])
  const marker = await until(() =>
    markers(world.entries, 'ingest-timed').find(({ bucketMs }) => bucketMs >= seconds * 1000),
  )
  expect(marker).toMatchObject({ name: 'ingest-timed-test-host', latenessMs: 1000 })
  await part?.stop()
  part = undefined
  await until(() => markers(world.entries, 'ingest-timed').at(-1)?.bye)
})

test('the part is up within milliseconds', async () => {
  const beganMs = performance.now()
  await start()
  expect(performance.now() - beganMs).toBeLessThan(250)
})
