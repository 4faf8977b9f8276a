/** Debian's collectd, configured as people have it, sends to Tocsin over TCP and through RabbitMQ. */
import fs from 'node:fs'
import path from 'node:path'
import { connect } from 'amqplib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRabbitBus } from '../../src/bus/rabbitmq.ts'
import { startIngest } from '../../src/ingest/index.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { type Guarded, type GuardedProcess, guard } from '../support/guard.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { until } from '../support/until.ts'
import { configFor, markers, metrics, recordingLog } from '../support/world.ts'

const program = '/usr/sbin/collectd'
const isInstalled = rabbitmqInstalled() && fs.existsSync(program)
const timeoutMs = 60_000

let rabbitmq: Rabbitmq
let guarded: Guarded

describe.skipIf(!isInstalled)('with collectd and RabbitMQ', () => {
  beforeAll(async () => {
    guarded = guard('collectd')
    rabbitmq = await startRabbitmq()
  })

  afterAll(() => Promise.all([guarded?.end(), rabbitmq?.end()]))

  test('write_graphite and amqp give untyped series with their own times, and markers wait for them', {
    timeout: timeoutMs,
  }, async () => {
    const url = await rabbitmq.vhost()
    const foreign = await connect(url)
    await (await foreign.createChannel()).assertExchange('stats', 'topic', { durable: true })
    const logged: string[] = []
    const common = { clock: systemClock, log: recordingLog(logged), instance: 'test-1' }
    const bus = await openRabbitBus({
      ...{ ...common, url, exchange: 'tocsin', retentionMs: 3_600_000, stats: new Stats() },
    })
    const entries: LogEntry[] = []
    const reader = bus.readLog('engine-log', 'first', (entry) => void entries.push(entry))
    const config = configFor((change) => {
      change.bus.graphiteLines = ['stats']
    })
    const part = await startIngest(config, { ...common, bus, host: 'test' })
    const collectd = startCollectd(part.addresses.graphiteTcp?.port as number, url)

    const points = await until(
      () => {
        if (!collectd.running()) throw new Error(fs.readFileSync(path.join(guarded.dir, 'collectd.out'), 'utf8'))
        const [tcp, amqp] = [pointsOf(entries, 'tcp.'), pointsOf(entries, 'amqp.')]
        const shared = [...tcp.keys()].filter((key) => amqp.has(key) && key.startsWith('web1.load.load.shortterm '))
        return shared.length >= 4 && { tcp, amqp, shared }
      },
      { timeoutMs: timeoutMs - 10_000, everyMs: 100, what: 'four points of one series over both ways' },
    )
    for (const key of points.shared) expect(points.amqp.get(key)).toBe(points.tcp.get(key))
    const names = new Set([...points.tcp.keys()].map((key) => key.split(' ')[0]))
    expect([...names]).toEqual(expect.arrayContaining(['web1.load.load.longterm', 'web1.memory.memory-free']))
    const times = points.shared.map((key) => Number(key.split(' ')[1]))
    for (const atMs of times) expect(atMs % 1000).toBe(0)
    expect(new Set(times).size).toBe(times.length)
    expect(logged.filter((line) => line.includes('bad line'))).toEqual([])
    expect(linesAfterTheirMarker(entries)).toEqual([])
    for (const { latenessMs } of markers(entries, 'graphite-')) expect(latenessMs).toBe(5000)

    await part.stop()
    await reader.stop()
    await bus.close()
    await foreign.close()
  })
})

/** Values by series, without its prefix, and time in epoch ms. */
function pointsOf(entries: readonly LogEntry[], prefix: string): Map<string, number> {
  const points = new Map<string, number>()
  for (const { bucketMs, untyped } of metrics(entries, 'graphite-')) {
    untyped.names.forEach((name, i) => {
      if (name.startsWith(prefix)) points.set(`${name.slice(prefix.length)} ${bucketMs}`, untyped.values[i] as number)
    })
  }
  return points
}

/** What came for a bucket that had been marked, which would be too late for the engine. */
function linesAfterTheirMarker(entries: readonly LogEntry[]): string[] {
  let markedMs = 0
  return entries.flatMap((entry) => {
    if (entry.kind === 'markers' && entry.message.source.startsWith('graphite-')) markedMs = entry.message.bucketMs
    const isLate = entry.kind === 'metrics' && entry.message.source.startsWith('graphite-')
    return isLate && entry.message.bucketMs <= markedMs ? [`${entry.message.bucketMs} after ${markedMs}`] : []
  })
}

/** In the foreground, with nothing of the machine's own configuration. */
function startCollectd(graphitePort: number, url: string): GuardedProcess {
  const { hostname, port, username, password, pathname } = new URL(url)
  const file = path.join(guarded.dir, 'collectd.conf')
  const text = `
    Hostname "web1"
    FQDNLookup false
    BaseDir "${guarded.dir}"
    PIDFile "${guarded.dir}/collectd.pid"
    Interval 1
    LoadPlugin load
    LoadPlugin memory
    LoadPlugin cpu
    LoadPlugin write_graphite
    LoadPlugin amqp
    <Plugin write_graphite>
      <Node "tocsin">
        Host "127.0.0.1"
        Port "${graphitePort}"
        Protocol "tcp"
        Prefix "tcp."
      </Node>
    </Plugin>
    <Plugin amqp>
      <Publish "tocsin">
        Host "${hostname}"
        Port "${port}"
        VHost "${pathname.slice(1)}"
        User "${username}"
        Password "${password}"
        Exchange "stats"
        Format "Graphite"
        GraphitePrefix "amqp."
      </Publish>
    </Plugin>
  `
  fs.writeFileSync(file, text.replaceAll('\n    ', '\n'))
  return guarded.spawn('collectd', program, ['-f', '-C', file])
}
