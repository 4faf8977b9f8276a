/** Worker threads on one port: to everybody else the daemon is what it is with one. */
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Aggregate } from '../../src/ingest/aggregate.ts'
import { BadLines } from '../../src/ingest/bad-lines.ts'
import { type IngestPart, startIngest } from '../../src/ingest/index.ts'
import { Senders } from '../../src/ingest/senders.ts'
import { WorkerPool } from '../../src/ingest/workers/pool.ts'
import type { Config, HostPort } from '../../src/runtime/config.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { until } from '../support/until.ts'
import { configFor, counterTotal, markers, metrics, openWorld, type World } from '../support/world.ts'
import { flat, openIntake } from './setup.ts'

let world: World
let part: IngestPart | undefined
const sockets: dgram.Socket[] = []

beforeEach(async () => {
  world = await openWorld()
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close()
  await part?.stop()
  part = undefined
  await world.end()
})

async function start(change: (ingest: Config['ingest']) => void = () => {}): Promise<IngestPart['addresses']> {
  part = await startIngest(
    configFor(({ ingest }) => {
      ingest.workers = 2
      ingest.flushInterval = 200
      change(ingest)
    }),
    world.context,
  )
  return part.addresses
}

/** Sockets with ports of their own, so that the kernel spreads what they send over all workers. */
async function openSenders(count: number, host = '127.0.0.1'): Promise<(to: HostPort, text: string) => Promise<void>> {
  const all = Array.from({ length: count }, () => dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4'))
  for (const socket of all) {
    socket.bind(0, host)
    await once(socket, 'listening')
  }
  sockets.push(...all)
  let next = 0
  return (to, text) =>
    new Promise((resolve, reject) => {
      const socket = all[next++ % all.length] as dgram.Socket
      socket.send(text, to.port, to.host, (error) => (error ? reject(error) : resolve()))
    })
}

function counter(name: string): number {
  return world.statuses.findLast(({ part: of }) => of === 'ingest')?.counters[name] ?? 0
}

async function ask({ host, port }: HostPort, command: string): Promise<string> {
  const socket = net.connect(port, host)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.end(`${command}\n`)
  await once(socket, 'close')
  return answer
}

describe('two workers', () => {
  test('are one source with one marker a bucket and one value of a series, whoever got it', async () => {
    const { statsdUdp, statsdTcp } = (await start()) as Required<IngestPart['addresses']>
    const send = await openSenders(16)
    for (let i = 0; i < 320; i++) await send(statsdUdp, `hits:1|c\ntime:${i % 7}|ms\nuser:u${i % 5}|s`)
    net.connect(statsdTcp.port, statsdTcp.host).end('hits:80|c\ntime:9|ms\nuser:tcp|s\n')
    await until(() => counterTotal(world.entries, 'hits') === 400, { what: 'all are counted' })
    const all = metrics(world.entries, 'ingest')
    for (const { counters } of all) expect(counters.names).toEqual([...new Set(counters.names)])
    expect(new Set(all.map(({ source }) => source)).size).toBe(1)
    expect(all.flatMap(({ timers }) => timers.distributions.map(({ count }) => count)).reduce((a, b) => a + b)).toBe(
      321,
    )
    expect(new Set(all.flatMap(({ sets }) => sets.members.flat()))).toEqual(
      new Set(['u0', 'u1', 'u2', 'u3', 'u4', 'tcp']),
    )
    const marked = markers(world.entries, 'ingest').map(({ bucketMs }) => bucketMs)
    expect(marked).toEqual([...new Set(marked)])
    await until(() => counter('packets_total') === 321 && counter('lines_total') === 963)
    expect(counter('workers')).toBe(2)
    expect(counter('series')).toBe(3)
  })

  test('take levels and signed changes of a gauge in the order in which they came', async () => {
    const { statsdUdp, statsdTcp } = (await start()) as Required<IngestPart['addresses']>
    const send = await openSenders(8)
    const tcp = net.connect(statsdTcp.port, statsdTcp.host)
    tcp.write('level:1000|g\n')
    const seen = () => metrics(world.entries).flatMap(({ gauges }) => [...gauges.values])
    await until(() => seen().at(-1) === 1000)
    for (let i = 0; i < 40; i++) await send(statsdUdp, `level:${i % 2 ? '-1' : '+3'}|g`)
    tcp.end('level:+5|g\n')
    await until(() => seen().at(-1) === 1045, { what: '1000 + 20 × 3 − 20 × 1 + 5' })
  })

  test('answer etsy’s commands with what all of them know, also in the middle of an interval', async () => {
    const { statsdUdp, management } = (await start((ingest) => {
      ingest.flushInterval = 60_000
      ingest.statsd.management = { host: '127.0.0.1', port: 0 }
    })) as Required<IngestPart['addresses']>
    const send = await openSenders(8)
    for (let i = 0; i < 40; i++) await send(statsdUdp, 'hits:1|c\nlevel:+1|g\ngone:1|c')
    await until(async () => (await ask(management, 'counters')).includes('hits: 40'))
    expect(await ask(management, 'gauges')).toBe('{ level: 40 }\nEND\n\n')
    expect(await ask(management, 'delcounters gone')).toBe('deleted: gone\nEND\n\n')
    expect(await ask(management, 'counters')).toBe('{ hits: 40 }\nEND\n\n')
    await send(statsdUdp, 'gone:2|c')
    await until(async () => (await ask(management, 'counters')).includes('gone: 2'))
  })

  test('count and show bad lines, and senders, as one', async () => {
    const { statsdUdp } = (await start()) as Required<IngestPart['addresses']>
    const send = await openSenders(8)
    for (let i = 0; i < 40; i++) await send(statsdUdp, 'good:1|c\nbad:x|c')
    await until(() => counter('bad_lines_total{reason="value"}') === 40)
    expect(world.logged.filter((line) => line.includes('bad line'))).toEqual([
      'bad line from 127.0.0.1, column 5: expected a number after ":", got "x": "bad:x|c"',
    ])
    expect(counter('sender_packets_total{sender="127.0.0.1"}')).toBe(40)
    expect(counter('sender_lines_total{sender="127.0.0.1"}')).toBe(80)
    expect(counter('sender_bad_lines_total{sender="127.0.0.1",reason="value"}')).toBe(40)
  })

  test('share one limit of lines a second for each sender', async () => {
    const { statsdUdp } = (await start((ingest) => {
      ingest.perSourceLinesMax = 10
    })) as Required<IngestPart['addresses']>
    const send = await openSenders(8)
    const fromMs = Date.now()
    for (let i = 0; i < 100; i++) await send(statsdUdp, 'hits:1|c')
    await until(() => counterTotal(world.entries, 'hits') + counter('lines_limited_total') === 100)
    const seconds = Math.floor(Date.now() / 1000) - Math.floor(fromMs / 1000) + 1
    expect(counterTotal(world.entries, 'hits')).toBeGreaterThan(0)
    expect(counterTotal(world.entries, 'hits')).toBeLessThanOrEqual(10 * seconds)
  })

  test('refuse networks that may not send, and series for which there is no room among those of all', async () => {
    const { statsdUdp } = (await start((ingest) => {
      ingest.allow = ['127.0.0.1']
      ingest.seriesMax = 10
    })) as Required<IngestPart['addresses']>
    const [send, sendStrange] = [await openSenders(8), await openSenders(4, '127.0.0.2')]
    for (let i = 0; i < 40; i++) await send(statsdUdp, `series${i}:1|c`)
    for (let i = 0; i < 8; i++) await sendStrange(statsdUdp, 'strange:1|c')
    await until(() => counter('packets_refused_total') === 8)
    await until(() => counter('series_refused_total') === 30)
    expect(counter('series')).toBe(10)
    expect(world.logged.join('\n')).toMatch(/no room for new series "series\d+".*ingest\.seriesMax/)
    expect(world.logged).toContain('127.0.0.2 is in no network of ingest.allow')
  })

  test('hand over what is not theirs: lines with a time, events, check results, and packets to be repeated', async () => {
    const old = dgram.createSocket('udp4')
    let repeated = 0
    old.on('message', () => repeated++)
    old.bind(0, '127.0.0.1')
    await once(old, 'listening')
    sockets.push(old)
    const { statsdUdp } = (await start((ingest) => {
      ingest.statsd.repeat = { host: '127.0.0.1', port: old.address().port }
      ingest.statsd.lateness = 100
    })) as Required<IngestPart['addresses']>
    const send = await openSenders(8)
    const seconds = Math.floor(Date.now() / 1000)
    for (let i = 0; i < 8; i++) {
      await send(statsdUdp, `timed:1:2|c|@0.5|#a:b|T${seconds}\n_e{6,5}:deploy|it is\n_sc|disk${i}|2`)
    }
    await until(() => counterTotal(world.entries, 'timed;a=b') === 48, { what: '8 × (1 + 2) / 0.5' })
    const kinds = () => world.entries.map(({ kind }) => kind)
    await until(() => kinds().filter((kind) => kind === 'events').length === 8)
    const results = () => world.entries.flatMap((entry) => (entry.kind === 'checks' ? entry.message.results : []))
    await until(() => results().length === 8)
    await until(() => repeated === 8)
    await until(() => counter('packets_repeated_total') === 8)
  })

  test('say which address is taken when the port is', async () => {
    const other = dgram.createSocket('udp4')
    other.bind(0, '127.0.0.1')
    await once(other, 'listening')
    sockets.push(other)
    const { port } = other.address()
    const starting = start((ingest) => {
      ingest.statsd.udp = { host: '127.0.0.1', port }
    })
    await expect(starting).rejects.toThrow(`ingest.statsd.udp: cannot listen on 127.0.0.1:${port}: the port is in use`)
  })

  test('flush the last interval when they are stopped', async () => {
    const { statsdUdp } = (await start((ingest) => {
      ingest.flushInterval = 60_000
    })) as Required<IngestPart['addresses']>
    const send = await openSenders(8)
    for (let i = 0; i < 40; i++) await send(statsdUdp, 'hits:1|c')
    await part?.stop()
    part = undefined
    await until(() => counterTotal(world.entries, 'hits') === 40)
    expect(markers(world.entries, 'ingest').at(-1)).toMatchObject({ bye: true })
  })
})

test('a worker that dies is started again, counted and said, and nothing else stops', async () => {
  const stats = new Stats()
  const config = configFor(({ ingest }) => {
    ingest.workers = 2
  })
  const senders = new Senders({ stats })
  const badLines = new BadLines(world.context.clock, world.context.log, stats, senders)
  const aggregate = new Aggregate({ seriesMax: 100 })
  const pool = new WorkerPool({ config, context: world.context, stats, badLines, senders, rooms: undefined, aggregate })
  const { intake, happenings } = openIntake({ aggregate: pool.own })
  const listener = await pool.listen({ host: '127.0.0.1', port: 0 }, { intake, happenings })
  const send = await openSenders(16)
  const seen = async () => {
    await pool.pull()
    return flat(aggregate.take('test', 1000, 1000))['c hits'] as [number, number] | undefined
  }
  for (let i = 0; i < 16; i++) await send(listener.address, 'hits:1|c')
  await until(async () => (await seen())?.[0])
  pool.workers[0]?.kill('as a test')
  await until(() => pool.problem !== undefined, { what: 'its absence is a problem' })
  await pool.pull()
  await until(() => pool.problem === undefined, { what: 'it is up again' })
  expect(stats.get('worker_deaths_total')).toBe(1)
  expect(world.logged.join('\n')).toContain('worker 1 of 2 died')
  await seen()
  let counted = 0
  for (let i = 0; i < 32; i++) await send(listener.address, 'hits:1|c')
  const all = async () => {
    counted += (await seen())?.[0] ?? 0
    return counted === 32
  }
  await until(all, { what: 'the new one takes its share' })
  await listener.close()
})
