/** One probe against real servers that answer, refuse, hang, dawdle, lie and hang up. */
import { once } from 'node:events'
import http, { type RequestListener } from 'node:http'
import net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { HttpCheck } from '../../src/checks/check-file.ts'
import { bodyBytesMax, type ProbeResult, probeHttp } from '../../src/checks/http.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { rememberSecret } from '../../src/runtime/secrets.ts'
import { freePort } from '../support/ports.ts'

const servers = new Set<net.Server>()
const sockets = new Set<net.Socket>()

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))))
  servers.clear()
  sockets.clear()
})

async function listen(server: net.Server): Promise<string> {
  servers.add(server)
  server.on('connection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/__heartbeat__`
}

const serveHttp = (handle: RequestListener) => listen(http.createServer(handle))
const serveTcp = (handle: (socket: net.Socket) => void) => listen(net.createServer(handle))

function probe(url: string, change: Partial<HttpCheck> = {}, stop?: AbortSignal): Promise<ProbeResult> {
  const check: HttpCheck = {
    name: 'web.test',
    url,
    method: 'GET',
    headers: {},
    followRedirects: false,
    expect: {},
    intervalMs: 10_000,
    whileFailingMs: 2_000,
    timeoutMs: 2_000,
    ...change,
  }
  return probeHttp(check, systemClock, stop)
}

describe('an answer', () => {
  test('as expected is ok', async () => {
    const url = await serveHttp((_request, response) => response.end('ok'))
    const { state, output, durationMs } = await probe(url, { expect: { statuses: [200], body: 'ok' } })
    expect([state, output]).toEqual(['ok', expect.stringMatching(/^status 200 in \d+ ms$/)])
    expect(durationMs).toBeLessThan(2_000)
  })

  test('with another status is crit, and shows what came', async () => {
    const url = await serveHttp((_request, response) => response.writeHead(500).end('bad:\n  database'))
    expect(await probe(url)).toMatchObject({ state: 'crit', output: 'expected status 2xx, got 500: "bad: database"' })
    expect(await probe(url, { expect: { statuses: [200, 204] } })).toMatchObject({
      output: 'expected status 200 or 204, got 500: "bad: database"',
    })
    expect(await probe(url, { expect: { statuses: [500] } })).toMatchObject({ state: 'ok' })
  })

  test('with another body is crit', async () => {
    const url = await serveHttp((_request, response) => response.end('starting'))
    expect(await probe(url, { expect: { body: 'ok' } })).toMatchObject({
      state: 'crit',
      output: 'status 200, but expected a body with "ok", got "starting"',
    })
    expect(await probe(url, { expect: { body: '/^START/i' } })).toMatchObject({ state: 'ok' })
  })

  test('with a huge body is read to a bound and no further', async () => {
    let sent = 0
    const url = await serveHttp((_request, response) => {
      const chunk = Buffer.alloc(65_536, 'x')
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length
        sent += chunk.length
      }
      response.on('drain', more)
      more()
    })
    const { state, output } = await probe(url, { expect: { body: 'ok' } })
    expect(state).toBe('crit')
    expect(output).toContain('in the first 256 KiB')
    expect(output.length).toBeLessThan(300)
    expect(sent).toBeLessThan(bodyBytesMax * 100)
  })

  test('that redirects is taken as it is, or followed where that is asked for', async () => {
    const url = await serveHttp((request, response) => {
      if (request.url === '/there') response.end('arrived')
      else response.writeHead(302, { location: '/there' }).end()
    })
    expect(await probe(url)).toMatchObject({ state: 'crit', output: 'expected status 2xx, got 302 to /there' })
    expect(await probe(url, { followRedirects: true, expect: { body: 'arrived' } })).toMatchObject({ state: 'ok' })
  })

  test('that redirects elsewhere does not carry our headers there', async () => {
    let seen: http.IncomingHttpHeaders | undefined
    const elsewhere = await serveHttp((request, response) => {
      seen = request.headers
      response.end('ok')
    })
    const url = await serveHttp((_request, response) => response.writeHead(302, { location: elsewhere }).end())
    const { state } = await probe(url, { followRedirects: true, headers: { Authorization: 'Bearer token' } })
    expect(state).toBe('ok')
    expect(seen?.authorization).toBeUndefined()
  })

  test('that redirects for ever is crit', async () => {
    const url = await serveHttp((_request, response) => response.writeHead(302, { location: '/again' }).end())
    expect(await probe(url, { followRedirects: true })).toMatchObject({ state: 'crit' })
  })

  test('that redirects to nonsense is not mistaken for ours', async () => {
    const url = await serveHttp((_request, response) => response.writeHead(302, { location: 'http://[' }).end())
    expect(await probe(url, { followRedirects: true })).toMatchObject({ state: 'crit' })
  })
})

describe('no answer', () => {
  test('a refused connection is crit', async () => {
    const port = await freePort()
    expect(await probe(`http://127.0.0.1:${port}/`)).toMatchObject({
      state: 'crit',
      output: `connection refused by 127.0.0.1:${port}`,
    })
  })

  test('a process that accepts and hangs is crit after the timeout', async () => {
    const url = await serveTcp(() => {})
    const { state, output, durationMs } = await probe(url, { timeoutMs: 300 })
    expect([state, output]).toEqual(['crit', 'no answer within 300ms'])
    expect(durationMs).toBeGreaterThanOrEqual(295)
    expect(durationMs).toBeLessThan(1_500)
  })

  test('a body that never ends is crit after the timeout', async () => {
    const url = await serveHttp((_request, response) => void response.writeHead(200).write('o'))
    expect(await probe(url, { timeoutMs: 300 })).toMatchObject({
      state: 'crit',
      output: 'status 200, but the body was not complete within 300ms',
    })
  })

  test('a slow answer within the timeout is ok', async () => {
    const url = await serveHttp((_request, response) => void setTimeout(() => response.end('ok'), 200))
    const { state, durationMs } = await probe(url)
    expect(state).toBe('ok')
    expect(durationMs).toBeGreaterThanOrEqual(195)
  })

  test('a connection dropped before or in the middle of the answer is crit', async () => {
    const before = await serveTcp((socket) => socket.on('data', () => socket.destroy()))
    expect(await probe(before)).toMatchObject({ state: 'crit', output: 'connection closed before an answer' })
    const middle = await serveHttp((_request, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('o', () => response.destroy())
    })
    expect(await probe(middle)).toMatchObject({
      state: 'crit',
      output: 'connection closed before the answer was complete',
    })
  })

  test('something that does not speak HTTP is crit', async () => {
    const url = await serveTcp((socket) => socket.end('220 mail.example.org ESMTP\r\n'))
    const { state, output } = await probe(url)
    expect(state).toBe('crit')
    expect(output).toMatch(/^the answer is not HTTP: /)
  })

  test('a host that does not exist is crit', async () => {
    const { state, output } = await probe('http://no-such-host.invalid/')
    expect(state).toBe('crit')
    expect(output).toMatch(/no-such-host\.invalid/)
  })
})

test('every probe opens a connection of its own', async () => {
  let connections = 0
  const server = http.createServer((_request, response) => response.end('ok'))
  server.on('connection', () => connections++)
  const url = await listen(server)
  for (let i = 0; i < 3; i++) await probe(url)
  expect(connections).toBe(3)
})

test('method and headers are sent as configured', async () => {
  let seen: http.IncomingMessage | undefined
  const url = await serveHttp((request, response) => {
    seen = request
    response.end()
  })
  expect(await probe(url, { method: 'HEAD', headers: { 'X-Team': 'identity' } })).toMatchObject({ state: 'ok' })
  expect(seen?.method).toBe('HEAD')
  expect(seen?.headers).toMatchObject({ 'x-team': 'identity', 'user-agent': 'tocsin' })
})

test('a secret that a service sends back is struck from the output', async () => {
  rememberSecret('hunter2-hunter2', '${TOKEN}')
  const url = await serveHttp((_request, response) => response.writeHead(401).end('no: hunter2-hunter2'))
  const { output } = await probe(url)
  expect(output).toBe('expected status 2xx, got 401: "no: ${TOKEN}"')
})

test('an aborted probe ends at once', async () => {
  const url = await serveTcp(() => {})
  const stop = new AbortController()
  const probing = probe(url, { timeoutMs: 60_000 }, stop.signal)
  stop.abort()
  expect((await probing).durationMs).toBeLessThan(1_000)
})
