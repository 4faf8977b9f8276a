import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { listenTcpLines } from '../../src/ingest/receive.ts'
import { Senders } from '../../src/ingest/senders.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { until } from '../support/until.ts'
import { flat, openIntake } from './setup.ts'

const from = (address: string) => ({ address, port: 1 })

describe('each sender', () => {
  test('has its packets, lines and bad lines by reason counted', () => {
    const { intake, stats } = openIntake()
    intake.take(Buffer.from('a:1|c\na:2|c\na:x|c'), from('10.0.0.1'))
    intake.take(Buffer.from('a:1|c'), from('10.0.0.2'))
    intake.take(Buffer.from('a'), from('10.0.0.1'))
    expect(stats.snapshot()).toMatchObject({
      packets_total: 3,
      lines_total: 5,
      'sender_packets_total{sender="10.0.0.1"}': 2,
      'sender_lines_total{sender="10.0.0.1"}': 4,
      'sender_lines_total{sender="10.0.0.2"}': 1,
      'sender_bad_lines_total{sender="10.0.0.1",reason="value"}': 1,
      'sender_bad_lines_total{sender="10.0.0.1",reason="colon"}': 1,
    })
  })

  test('beyond the bound shares the counters of the others', () => {
    const { intake, stats } = openIntake({ senders: { namedMax: 2, knownMax: 3 } })
    for (let i = 1; i <= 6; i++) intake.take(Buffer.from('a:1|c\nb'), from(`10.0.0.${i}`))
    expect(stats.snapshot()).toMatchObject({
      'sender_packets_total{sender="10.0.0.2"}': 1,
      'sender_packets_total{sender="others"}': 4,
      'sender_bad_lines_total{sender="others",reason="colon"}': 4,
    })
    expect(Object.keys(stats.snapshot()).filter((name) => name.startsWith('sender_packets'))).toHaveLength(3)
  })
})

describe('ingest.allow', () => {
  const allow = ['10.0.0.0/8', '::1']
  test.each([
    ['10.255.0.1', true],
    ['11.0.0.1', false],
    ['::1', true],
    ['::2', false],
    ['::ffff:10.1.2.3', true],
    ['unknown', false],
  ])('%s: %s', (address, isAllowed) => {
    expect(new Senders({ stats: new Stats(), allow }).of(address).isAllowed).toBe(isAllowed)
  })

  test('refuses packets from elsewhere: nothing of them counts but the refusal, shown once a minute', () => {
    const { intake, aggregate, stats, logged } = openIntake({ senders: { allow } })
    intake.take(Buffer.from('a:1|c'), from('11.0.0.1'))
    intake.take(Buffer.from('a:1|c'), from('11.0.0.1'))
    intake.take(Buffer.from('a:5|c'), from('10.0.0.1'))
    expect(flat(aggregate.take('test', 1000, 1000))).toEqual({ 'c a': [5, 1] })
    expect([stats.get('packets_refused_total'), stats.get('packets_total')]).toEqual([2, 1])
    expect(logged).toEqual(['11.0.0.1 is in no network of ingest.allow'])
  })
})

describe('ingest.perSourceLinesMax', () => {
  test('is a limit of each sender in each second; what is over is counted', () => {
    const { intake, senders, aggregate, stats } = openIntake({ senders: { linesMax: 3 } })
    const send = (address: string) => intake.take(Buffer.from(`${address}:1|c\n${address}:1|c`), from(address))
    for (let i = 0; i < 3; i++) send('1')
    send('2')
    expect(flat(aggregate.take('test', 1000, 1000))).toEqual({ 'c 1': [3, 3], 'c 2': [2, 2] })
    expect([stats.get('lines_limited_total'), stats.get('lines_total')]).toEqual([3, 5])
    senders.nextSecond()
    send('1')
    expect(flat(aggregate.take('test', 2000, 1000))).toEqual({ 'c 1': [2, 2] })
  })
})

test('connections beyond the bound are refused and counted; a place that gets free is taken again', async () => {
  const stats = new Stats()
  const lines: string[] = []
  const listener = await listenTcpLines(
    { key: 'test', address: { host: '127.0.0.1', port: 0 }, log: silentLog, stats, connectionsMax: 2 },
    (bytes) => lines.push(String(bytes)),
    () => {},
  )
  const connect = () => net.connect(listener.address.port, '127.0.0.1').on('error', () => {})
  const [first, second] = [connect(), connect()]
  first.write('one\n')
  second.write('two\n')
  await until(() => lines.length === 2)
  const third = connect()
  await until(() => stats.get('tcp_connections_refused_total') === 1 && third.destroyed)
  first.end()
  await until(() => {
    connect().end('four\n')
    return lines.includes('four\n')
  })
  second.destroy()
  await listener.close()
})

test('connections from elsewhere are closed before they say anything', async () => {
  const listener = await listenTcpLines(
    {
      key: 'test',
      address: { host: '127.0.0.1', port: 0 },
      log: silentLog,
      stats: new Stats(),
      mayConnect: () => false,
    },
    () => expect.unreachable('nothing is read'),
    () => {},
  )
  const socket = net.connect(listener.address.port, '127.0.0.1').on('error', () => {})
  socket.write('one\n')
  await until(() => socket.destroyed)
  await listener.close()
})
