import { afterEach, beforeEach, expect, test } from 'vitest'
import { browserid } from '../../service/browserid.ts'
import { dbwriter } from '../../service/dbwriter.ts'
import { keysigner } from '../../service/keysigner.ts'
import { proxy } from '../../service/proxy.ts'
import { router, wsapiCalls } from '../../service/router.ts'
import { staticPages } from '../../service/static.ts'
import { verifier } from '../../service/verifier.ts'
import { until } from '../support/until.ts'
import { type RunningService, type StatsdSink, startService, startStatsdSink } from './support.ts'

let statsd: StatsdSink
let service: RunningService

beforeEach(async () => {
  statsd = await startStatsdSink()
  service = await startService([router, browserid, dbwriter, keysigner, verifier, staticPages, proxy], statsd.port)
})

afterEach(async () => {
  await service.close()
  await statsd.close()
})

const names = () => new Set(statsd.lines.map((line) => line.replace(/:.*/s, '')))
const arrived = (line: RegExp) =>
  until(() => statsd.lines.some((candidate) => line.test(candidate)), { what: String(line) })

test('a request is a counter of its status and a timer in milliseconds', async () => {
  await service.ask('static', '/')
  await service.ask('static', '/favicon.ico')
  await arrived(/^browserid\.static\.response\.200:1\|c$/)
  await arrived(/^browserid\.static\.response\.404:1\|c$/)
  await arrived(/^browserid\.static\.response_time:\d+(\.\d)?\|ms$/)
})

test('the router counts each wsapi call by its name, and the process behind it counts the request too', async () => {
  for (const [call, [method]] of Object.entries(wsapiCalls)) {
    await service.ask(
      'router',
      `/wsapi/${call}?email=a%40example.org`,
      method === 'post' ? { email: 'a', pubkey: 'b', pass: 'c' } : undefined,
    )
    await arrived(new RegExp(`^browserid\\.router\\.wsapi\\.${call}:1\\|c$`))
  }
  for (const name of ['router', 'browserid', 'dbwriter', 'keysigner']) {
    await arrived(new RegExp(`^browserid\\.${name}\\.response\\.200:1\\|c$`))
  }
})

test('a call that does not exist is a 404 and becomes no metric of its own', async () => {
  expect((await service.ask('router', '/wsapi/made_up_4711')).status).toBe(404)
  await arrived(/^browserid\.router\.response\.404:1\|c$/)
  expect([...names()].filter((name) => name.includes('wsapi'))).toEqual([])
})

test('queries are timed, failed ones counted', async () => {
  await service.ask('router', '/wsapi/list_emails')
  await arrived(/^browserid\.browserid\.query_time:\d+(\.\d)?\|ms$/)
  await service.break('dbwriter', { kind: 'dependency' })
  expect((await service.ask('router', '/wsapi/logout', {})).status).toBe(503)
  await arrived(/^browserid\.dbwriter\.failed_query:1\|c$/)
})

test('heartbeats and breaking are not requests of users', async () => {
  await service.ask('proxy', '/__heartbeat__')
  await service.break('proxy', { kind: 'heal' })
  await service.ask('proxy', '/.well-known/browserid')
  await arrived(/^browserid\.proxy\.response\.200:1\|c$/)
  expect(statsd.lines.filter((line) => line.includes('response.'))).toHaveLength(1)
})

test('a statsd that is not there costs no request', async () => {
  await statsd.close()
  expect((await service.ask('static', '/')).status).toBe(200)
  expect((await service.ask('static', '/')).status).toBe(200)
  statsd = await startStatsdSink()
})
