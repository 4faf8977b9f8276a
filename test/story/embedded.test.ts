/** The embedded default, as a user runs it: one process, `tocsin up`, signals, files that change. */
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../support/ports.ts'
import { type SmtpServer, startSmtp } from '../support/smtp.ts'
import { folderWith, runTocsin, startTocsin, type TocsinProcess, untilReady } from '../support/tocsin.ts'
import { type StatsdTraffic, startTraffic } from '../support/traffic.ts'
import { until } from '../support/until.ts'

const rule = (name: string, threshold: number) => `
metrics: [{match: "shop.*.http.*", kind: count}]
rules:
  ${name}:
    every: 1s
    crit: sum(shop.{process}.http.5*) over 2s >= ${threshold}
    say: "{process} fails"
`

let smtp: SmtpServer
let folder: ReturnType<typeof folderWith>
let statsdPort: number
let consolePort: number
let running: TocsinProcess | undefined
let traffic: StatsdTraffic | undefined

beforeEach(async () => {
  smtp = await startSmtp()
  statsdPort = await freePort()
  consolePort = await freePort()
  folder = folderWith({
    'rules/shop.yaml': rule('shop_fails', 3),
    'checks/none.yaml': 'checks: {}\n',
    'tocsin.yaml': `
ingest: {statsd: {udp: 127.0.0.1:${statsdPort}, tcp: 127.0.0.1:${statsdPort}}, graphite: {tcp: false}}
alerts:
  receivers: {oncall: {email: {to: oncall@example.org, smtp: "smtp://127.0.0.1:${smtp.port}"}}}
  route: {receiver: oncall}
dashboards: {listen: 127.0.0.1:${consolePort}, files: []}
`,
  })
})

afterEach(async () => {
  traffic?.stop()
  traffic = undefined
  await running?.end('SIGKILL')
  running = undefined
  await smtp.close()
  folder.remove()
})

async function up(): Promise<TocsinProcess> {
  running = startTocsin(['up', '--config', `${folder.path}/tocsin.yaml`])
  await untilReady(consolePort, [running])
  return running
}

async function subjects(count: number): Promise<string[]> {
  return (await smtp.received(count, 20_000)).map(({ mail }) => mail.subject ?? '')
}

describe('tocsin up', () => {
  test('pages within two seconds of the first bad packet and tells the hops of the page', async () => {
    await up()
    traffic = startTraffic(statsdPort, ['shop.checkout.http.200:1|c'])
    const sentMs = performance.now()
    traffic.say(['shop.checkout.http.503:5|c'])
    const [mail] = await smtp.received(1, 10_000)
    expect((mail?.atMs as number) - sentMs).toBeLessThan(2000)
    expect(mail?.mail.text).toMatch(/packet.*flush.*rule.*send/s)
  })

  test('a failing health check pages: three bad results in a row, each seen within a second', async () => {
    let healthy = true
    const service = http.createServer((_request, response) =>
      response.writeHead(healthy ? 200 : 500).end(healthy ? 'ok' : 'bad'),
    )
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    const { port } = service.address() as AddressInfo
    fs.writeFileSync(
      `${folder.path}/checks/none.yaml`,
      `checks:\n  web.checkout: {http: "http://127.0.0.1:${port}/__heartbeat__", interval: 500ms, whileFailing: 500ms}\n`,
    )
    fs.writeFileSync(
      `${folder.path}/rules/shop.yaml`,
      'metrics: [{match: "check:web.*", kind: check}]\nrules:\n  heartbeat_failing:\n    every: 1s\n    crit: check:web.{process} is not ok for 3 in a row\n    say: "{process} is down"\n',
    )
    try {
      const tocsin = await up()
      await until(
        () =>
          fetch(`http://127.0.0.1:${consolePort}/api/rules/heartbeat_failing`).then(async (answer) =>
            (await answer.text()).includes('checkout'),
          ),
        {
          what: 'the first result in the engine',
        },
      )
      healthy = false
      expect(await subjects(1), tocsin.output()).toEqual([expect.stringMatching(/^CRIT .*checkout/)])
      healthy = true
      expect((await subjects(2))[1]).toMatch(/^OK .*checkout/)
    } finally {
      service.close()
      service.closeAllConnections()
    }
  })

  test('an alert survives kill -9: it is told once, and its end is told after the restart', async () => {
    const first = await up()
    traffic = startTraffic(statsdPort, ['shop.checkout.http.503:5|c'])
    expect(await subjects(1)).toHaveLength(1)
    await first.end('SIGKILL')
    await up()
    await until(() => running?.output().includes('ready'))
    traffic.say(['shop.checkout.http.200:1|c'])
    // A mail whose receipt the kill cut off comes again under the same Message-ID, which a mailbox folds.
    const told = () => new Map(smtp.mails.map(({ mail }) => [mail.messageId, mail.subject?.split(' ')[0]]))
    await until(() => [...told().values()].includes('OK'), { timeoutMs: 20_000, what: 'the mail that tells the end' })
    expect([...told().values()]).toEqual(['CRIT', 'OK'])
  })

  test('what arrived just before SIGTERM is still evaluated, paged and kept; exit status 0', async () => {
    const tocsin = await up()
    traffic = startTraffic(statsdPort, ['shop.checkout.http.503:9|c'])
    await until(() => (traffic?.sent.get('shop.checkout.http.503') ?? 0) >= 9)
    expect(await tocsin.end('SIGTERM'), tocsin.output()).toBe(0)
    expect(await subjects(1)).toEqual([expect.stringMatching(/^CRIT .*checkout/)])
    expect(tocsin.output()).toContain('stopped')
  })

  test('changed rules take effect at once; a bad file keeps the running rules and says where it is wrong', async () => {
    const tocsin = await up()
    const file = `${folder.path}/rules/shop.yaml`
    fs.writeFileSync(file, rule('shop_fails', 3).replace('>= 3', '>= 3 fro 2m'))
    await until(() => /shop\.yaml:6:\d+/.test(tocsin.output()), { what: 'the located problem in the log' })
    traffic = startTraffic(statsdPort, ['shop.checkout.http.503:5|c'])
    expect((await subjects(1))[0]).toMatch(/shop_fails/)
    fs.writeFileSync(file, rule('shop_fails', 3) + rule('second_rule', 4).split('rules:\n')[1])
    tocsin.child.kill('SIGHUP')
    expect((await subjects(2))[1]).toMatch(/second_rule/)
  })

  test('a receiver that is down delays nobody, and gets its page when it is back', async () => {
    const hookPort = await freePort()
    const config = `${folder.path}/tocsin.yaml`
    fs.writeFileSync(
      config,
      fs
        .readFileSync(config, 'utf8')
        .replace('receivers: {', `receivers: {hook: {webhook: {url: "http://127.0.0.1:${hookPort}/"}}, `)
        .replace('{receiver: oncall}', '{receiver: oncall, routes: [{match: {rule: second_rule}, receiver: hook}]}'),
    )
    fs.writeFileSync(`${folder.path}/rules/second.yaml`, rule('second_rule', 3).replace(/^metrics.*\n/m, ''))
    await up()
    traffic = startTraffic(statsdPort, ['shop.checkout.http.503:5|c'])
    expect((await subjects(1))[0]).toMatch(/shop_fails/)
    const bodies: string[] = []
    const hook = http.createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        bodies.push(body)
        response.end('ok')
      })
    })
    await new Promise<void>((resolve) => hook.listen(hookPort, '127.0.0.1', resolve))
    await until(() => bodies.length > 0, { timeoutMs: 25_000, what: 'the webhook to be called' })
    expect(bodies[0]).toContain('second_rule')
    hook.close()
    hook.closeAllConnections()
  })
})

describe('what cannot start says so', () => {
  test('a data directory that cannot be written', async () => {
    fs.writeFileSync(`${folder.path}/file`, '')
    fs.appendFileSync(`${folder.path}/tocsin.yaml`, 'data: ./file/var\n')
    const { exitCode, output } = await runTocsin(['up', '--config', `${folder.path}/tocsin.yaml`])
    expect(exitCode).toBe(2)
    expect(output).toMatch(/the data directory .*file\/var cannot be written/)
  })

  test('a port that is taken', async () => {
    const taken = http.createServer()
    await new Promise<void>((resolve) => taken.listen(consolePort, '127.0.0.1', resolve))
    const { exitCode, output } = await runTocsin(['up', '--config', `${folder.path}/tocsin.yaml`])
    taken.close()
    expect(exitCode).toBe(2)
    expect(output).toMatch(new RegExp(`${consolePort}.*dashboards\\.listen|dashboards\\.listen.*${consolePort}`))
  })

  test('a second Tocsin on the same data', async () => {
    await up()
    const otherPorts = fs
      .readFileSync(`${folder.path}/tocsin.yaml`, 'utf8')
      .replaceAll(String(statsdPort), String(await freePort()))
      .replaceAll(String(consolePort), String(await freePort()))
    fs.writeFileSync(`${folder.path}/other.yaml`, otherPorts)
    const { exitCode, output } = await runTocsin(['up', '--config', `${folder.path}/other.yaml`])
    expect(exitCode).toBe(2)
    expect(output).toContain(String(running?.child.pid))
  })
})
