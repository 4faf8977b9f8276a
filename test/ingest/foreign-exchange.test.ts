/** Graphite lines that foreign programs publish to an exchange of a real RabbitMQ. */
import { connect } from 'amqplib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRabbitBus } from '../../src/bus/rabbitmq.ts'
import { startIngest } from '../../src/ingest/index.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { until } from '../support/until.ts'
import { configFor, markers, metrics, recordingLog } from '../support/world.ts'

let rabbitmq: Rabbitmq

describe.skipIf(!rabbitmqInstalled())('with RabbitMQ', () => {
  beforeAll(async () => {
    rabbitmq = await startRabbitmq()
  })

  afterAll(() => rabbitmq?.end())

  test('lines on a foreign exchange become untyped points with their own time, and bad ones hurt no others', async () => {
    const url = await rabbitmq.vhost()
    const foreign = await connect(url)
    const channel = await foreign.createConfirmChannel()
    await channel.assertExchange('stats', 'topic', { durable: true })
    const logged: string[] = []
    const log = recordingLog(logged)
    const bus = await openRabbitBus({
      url,
      exchange: 'tocsin',
      retentionMs: 3_600_000,
      clock: systemClock,
      log,
      stats: new Stats(),
      instance: 'test-1',
    })
    const entries: LogEntry[] = []
    const reader = bus.readLog('engine-log', 'first', (entry) => void entries.push(entry))
    const config = configFor((change) => {
      change.bus.graphiteLines = ['stats']
      change.ingest.graphite.tcp = false
    })
    const part = await startIngest(config, { bus, clock: systemClock, log, instance: 'test-1', host: 'test' })
    // The queue is bound in the background; until then the exchange has nowhere to put a message.
    const names = await until(
      async () => {
        const nowSeconds = Math.floor(systemClock.now() / 1000)
        const lines = `load.web.web1 0.5 ${nowSeconds - 1}\nnot a line at all\nusers.web.web1 7 ${nowSeconds - 1}`
        channel.publish('stats', 'load.web.web1', Buffer.from(lines))
        await channel.waitForConfirms()
        const seen = metrics(entries, 'graphite-lines').flatMap(({ untyped }) => untyped.names)
        return seen.length >= 2 && new Set(seen)
      },
      { everyMs: 200, timeoutMs: 20_000 },
    )
    expect([...names]).toEqual(['load.web.web1', 'users.web.web1'])
    expect(logged.some((line) => line.includes('bad line from exchange stats, column'))).toBe(true)
    // A marker follows its bucket's data, which may be the first of all.
    await until(() => markers(entries, 'graphite-lines').length > 0)
    await part.stop()
    await until(() => markers(entries, 'graphite-lines').at(-1)?.bye)
    await reader.stop()
    await bus.close()
    await foreign.close()
  })
})
