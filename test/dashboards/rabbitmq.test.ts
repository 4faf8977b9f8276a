/** The console in a process of its own: everything it knows comes over RabbitMQ, also what was said before it started. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRabbitBus } from '../../src/bus/rabbitmq.ts'
import { startDashboards } from '../../src/dashboards/index.ts'
import type { AlertView, TargetView } from '../../src/dashboards/view.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { loadConfig } from '../../src/runtime/config.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { group, ingestSource, metrics, rule, sayAll } from '../support/console-feed.ts'
import { freePort } from '../support/ports.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const runs = rabbitmqInstalled() || process.env.CI === 'true'
let broker: Rabbitmq
beforeAll(async () => {
  if (runs) broker = await startRabbitmq()
})
afterAll(() => broker?.end())

function open(url: string, instance: string) {
  return openRabbitBus({
    ...{ url, exchange: 'tocsin', clock: systemClock, log: silentLog, stats: new Stats(), instance },
    retentionMs: 7_200_000,
  })
}

describe.skipIf(!runs)('on RabbitMQ', () => {
  test('a console that starts late shows the alerts and series of before, then what comes', async () => {
    const url = await broker.vhost()
    const others = await open(url, 'others')
    const source = ingestSource(others)
    const endMs = Math.floor(Date.now() / 10_000) * 10_000
    await source.flush(endMs, { metrics: [metrics(source.id, endMs, { counters: { 'web.a.hits': 50 } })] })
    await others.publish('transitions.a', transition('crit', 1000))

    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-console-'))
    const port = await freePort()
    fs.writeFileSync(path.join(dir, 'tocsin.yaml'), `dashboards: {listen: 127.0.0.1:${port}}\n`)
    const config = loadConfig(path.join(dir, 'tocsin.yaml'), {})
    if (!config.ok) throw new Error(JSON.stringify(config.error))
    const bus = await open(url, 'console')
    const context = { bus, clock: systemClock, log: silentLog, instance: 'host1-console', host: 'host1' }
    const part = await startDashboards(config.value, context)
    const ask = async <T>(address: string): Promise<T> =>
      (await fetch(`http://127.0.0.1:${port}${address}`)).json() as T
    const alerts = async () => (await ask<{ alerts: AlertView[] }>('/api/alerts')).alerts

    await until(async () => (await alerts())[0]?.state === 'firing')
    const series = `/api/series?from=-1m&target=${encodeURIComponent('rate(web.{host}.hits)')}`
    await until(async () => {
      const { targets } = await ask<{ targets: TargetView[] }>(series)
      return targets[0]?.lines[0]?.values.includes(5)
    })
    await sayAll(others, [rule('a', [group('x')])])
    await until(async () => (await ask<{ rules: { state: string }[] }>('/api/rules')).rules[0]?.state === 'ok')
    await others.publish('transitions.a', transition('ok', 2000))
    await until(async () => (await alerts())[0]?.state === 'resolved')
    expect(await alerts()).toHaveLength(1)

    await part.stop()
    await Promise.all([bus.close(), others.close()])
    fs.rmSync(dir, { recursive: true, force: true })
  })
})
