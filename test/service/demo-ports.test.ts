import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { expect, test } from 'vitest'
import { formatTaken, type NeededPort, neededPorts, takenPorts } from '../../service/demo-ports.ts'
import { loadConfig } from '../../src/runtime/config.ts'

const demo = loadConfig(path.resolve('demo.yaml'), {})

test('the demo’s configuration is right, and its mails go nowhere but to the mailbox', () => {
  expect(demo).toMatchObject({ ok: true })
  if (!demo.ok) return
  expect(Object.values(demo.value.alerts.receivers)).toMatchObject([{ email: { smtp: 'smtp://127.0.0.1:10025' } }])
  expect(demo.value.dashboards.mailbox).toBe('http://127.0.0.1:10081/mails')
})

test('the console may ask for the mailbox: its port is none of those that fetch refuses', async () => {
  const refused = await fetch(demo.ok ? (demo.value.dashboards.mailbox as string) : '').catch((error: Error) => error)
  expect(refused instanceof Error && (refused.cause as Error).message).not.toBe('bad port')
})

test('the demo needs Tocsin’s default ports and those from 10000 on', () => {
  const ports = demo.ok ? neededPorts(demo.value, 10_000) : []
  expect(ports.map(({ port, protocol }) => `${port}/${protocol}`)).toEqual([
    '8125/udp',
    '8125/tcp',
    '2013/tcp',
    '8989/tcp',
    '10000/tcp',
    '10001/tcp',
    '10002/tcp',
    '10003/tcp',
    '10004/tcp',
    '10005/tcp',
    '10006/tcp',
    '10025/tcp',
    '10081/tcp',
    '10090/tcp',
  ])
})

test('a taken port is named with what needs it, how to find the program and what else to do', async () => {
  const tcp = net.createServer().listen(0, '127.0.0.1')
  const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
  const cure = 'change it'
  const ports: NeededPort[] = [
    { host: '127.0.0.1', port: (tcp.address() as net.AddressInfo).port, protocol: 'tcp', what: 'the console', cure },
    { host: '127.0.0.1', port: udp.address().port, protocol: 'udp', what: 'statsd', cure },
    { host: '127.0.0.1', port: 0, protocol: 'udp', what: 'nothing', cure },
  ]
  const taken = await takenPorts(ports)
  tcp.close()
  udp.close()
  expect(taken).toEqual(ports.slice(0, 2))
  expect(formatTaken(taken)).toContain(`Port ${ports[0]?.port} (tcp, 127.0.0.1) is taken; the console needs it.`)
  expect(formatTaken(taken)).toContain(`ss -lunp 'sport = :${ports[1]?.port}'`)
})
