/**
 * The production road with everything real: a statsd client over UDP, six processes on RabbitMQ, a mail server, carbon and
 * graphite-web, and Chromium.
 */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasChromium, openBrowser, openPage } from '../support/browser.ts'
import { type Graphite, graphiteInstalled, startGraphite } from '../support/graphite.ts'
import { freePort } from '../support/ports.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { type SmtpServer, startSmtp } from '../support/smtp.ts'
import { folderWith, startTocsin, type TocsinProcess, untilReady } from '../support/tocsin.ts'
import { type StatsdTraffic, startTraffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'

const everythingIsHere = process.env.CI === 'true' || (rabbitmqInstalled() && graphiteInstalled() && hasChromium)
const healthy = ['shop.checkout.http.200:5|c', 'shop.checkout.time:12|ms', 'shop.queue:3|g']
const failing = [
  'shop.checkout.http.200:5|c',
  'shop.checkout.http.503:5|c',
  'shop.checkout.time:12|ms',
  'shop.queue:3|g',
]

const rules = `
metrics: [{match: "shop.*.http.*", kind: count}]
rules:
  checkout_5xx:
    every: 1s
    let: {bad: "sum(shop.{process}.http.5*) over 5s", all: "sum(shop.{process}.http.*) over 5s"}
    crit: bad / all > 5% and bad >= 3
    say: "{process}: {bad / all} of requests fail"
    runbook: https://example.org/runbooks/checkout
`

describe.runIf(everythingIsHere)('one process a part, on RabbitMQ', () => {
  let rabbit: Rabbitmq
  let graphite: Graphite
  let smtp: SmtpServer
  let browser: Browser
  let traffic: StatsdTraffic
  let folder: ReturnType<typeof folderWith>
  let consolePort: number
  const processes = new Map<string, TocsinProcess>()

  beforeAll(async () => {
    ;[rabbit, graphite, smtp, browser] = await Promise.all([
      startRabbitmq(),
      startGraphite(),
      startSmtp(),
      openBrowser(),
    ])
    const statsdPort = await freePort()
    consolePort = await freePort()
    folder = folderWith({
      'rules/shop.yaml': rules,
      'tocsin.yaml': `
bus: "${(await rabbit.vhost()).replace('guest:guest', 'guest:${RABBITMQ_PASSWORD}')}"
ingest: {statsd: {udp: 127.0.0.1:${statsdPort}, tcp: false}, graphite: {tcp: false}}
graphite: {carbon: 127.0.0.1:${graphite.carbon.port}, render: ${graphite.render}, flushInterval: 2s}
checks: []
alerts:
  receivers: {oncall: {email: {to: oncall@example.org, smtp: "smtp://127.0.0.1:${smtp.port}"}}}
  route: {receiver: oncall}
dashboards: {listen: 127.0.0.1:${consolePort}, files: []}
`,
    })
    for (const part of ['alerts', 'cep', 'graphite', 'dashboards', 'ingest']) {
      processes.set(
        part,
        startTocsin(['run', part, '--config', `${folder.path}/tocsin.yaml`], { RABBITMQ_PASSWORD: 'guest' }),
      )
    }
    await untilReady(consolePort, [...processes.values()])
    traffic = startTraffic(statsdPort, healthy)
  })

  afterAll(async () => {
    traffic?.stop()
    await Promise.all([...processes.values()].map((process) => process.end('SIGKILL')))
    await Promise.all([browser?.close(), smtp?.close(), graphite?.end(), rabbit?.stop()])
    folder?.remove()
  })

  test('a 5xx spike becomes a mail, a line in Graphite and an alert on the open page, and so does its end', async () => {
    const { page, problems } = await openPage(browser, `http://127.0.0.1:${consolePort}/`)
    await page.getByText('checkout_5xx').first().waitFor({ state: 'hidden' })

    traffic.say(failing)
    const [firing] = await smtp.received(1, 20_000)
    expect(firing?.mail.subject).toMatch(/^CRIT checkout: [\d.]+% of requests fail · checkout_5xx$/)
    expect(firing?.mail.text).toMatch(/checkout: [\d.]+% of requests fail/)
    expect(firing?.mail.text).toContain('https://example.org/runbooks/checkout')
    expect(firing?.mail.html).toContain('checkout_5xx')
    await page
      .getByText(/checkout: [\d.]+% of requests fail/)
      .first()
      .waitFor({ timeout: 5000 })

    traffic.say(healthy)
    const mails = await smtp.received(2, 20_000)
    expect(mails[1]?.mail.subject).toMatch(/^OK .*checkout/)
    expect(mails[1]?.mail.inReplyTo).toBe(firing?.mail.messageId)
    expect(problems).toEqual([])
  })

  test('what was counted is in Graphite, to the last one', async () => {
    traffic.say(['shop.done:1|c'])
    await until(() => (traffic.sent.get('shop.done') ?? 0) > 40, { what: 'some traffic' })
    traffic.say(healthy)
    const sent = traffic.sent.get('shop.done')
    const total = async () => {
      const points = await graphite.points('stats_counts.shop.done', 0, Math.ceil(Date.now() / 1000) + 60)
      return [...points.values()].reduce((sum, value) => sum + value, 0)
    }
    await until(async () => (await total()) === sent, { timeoutMs: 20_000, what: `a sum of ${sent} in Graphite` })
  })

  test('a killed engine is replaced by its standby in the middle of an incident; nothing is told twice', async () => {
    const standby = startTocsin(['run', 'cep', '--config', `${folder.path}/tocsin.yaml`], {
      RABBITMQ_PASSWORD: 'guest',
    })
    const told = smtp.mails.length
    try {
      await until(() => standby.output().includes('ready'), { what: 'the standby to be ready' })
      traffic.say(failing)
      await smtp.received(told + 1, 20_000)
      await processes.get('cep')?.end('SIGKILL')
      processes.set('cep', standby)
      traffic.say(healthy)
      const mails = await smtp.received(told + 2, 30_000)
      expect(mails.slice(told).map(({ mail }) => mail.subject?.split(' ')[0])).toEqual(['CRIT', 'OK'])
    } catch (error) {
      await standby.end('SIGKILL')
      throw error
    }
  })

  test('SIGTERM ends each process in order, with exit status 0 and no secret in what it printed', async () => {
    for (const part of ['ingest', 'cep', 'graphite', 'alerts', 'dashboards']) {
      const process = processes.get(part) as TocsinProcess
      expect(await process.end(), `${part}\n${process.output()}`).toBe(0)
      expect(process.output()).not.toMatch(/guest:guest/)
      processes.delete(part)
    }
  })
})
