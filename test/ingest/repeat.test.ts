import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { expect, test } from 'vitest'
import { type IngestPart, startIngest } from '../../src/ingest/index.ts'
import { inDatagrams, openRepeater } from '../../src/ingest/repeat.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { until } from '../support/until.ts'
import { configFor, counterTotal, openWorld, recordingLog } from '../support/world.ts'

async function listen(): Promise<{ socket: dgram.Socket; packets: string[]; port: number }> {
  const socket = dgram.createSocket('udp4')
  const packets: string[] = []
  socket.on('message', (packet) => packets.push(String(packet)))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, packets, port: socket.address().port }
}

test('every packet goes on as it came, bad lines and all, and is taken here too', async () => {
  const old = await listen()
  const world = await openWorld()
  const part: IngestPart = await startIngest(
    configFor((config) => {
      config.ingest.statsd.repeat = { host: '127.0.0.1', port: old.port }
    }),
    world.context,
  )
  const { statsdUdp, statsdTcp } = part.addresses as Required<IngestPart['addresses']>
  const sender = dgram.createSocket('udp4')
  sender.send('a:1|c\nnot a line\r\n', statsdUdp.port, statsdUdp.host)
  await until(() => old.packets.length === 1)
  const stream = net.connect(statsdTcp.port, statsdTcp.host)
  stream.end('a:2|c\na:3|c')
  await until(() => old.packets.length === 3)
  expect(old.packets).toEqual(['a:1|c\nnot a line\r\n', 'a:2|c\n', 'a:3|c'])
  await until(() => counterTotal(world.entries, 'a') === 6)
  await until(() => world.statuses.some(({ counters }) => counters.packets_repeated_total === 3))
  sender.close()
  await part.stop()
  await world.end()
  old.socket.close()
})

test('a daemon that cannot be reached is said once and counted, and nothing is thrown', async () => {
  const logged: string[] = []
  const stats = new Stats()
  const repeater = openRepeater({ host: 'no-such-host.invalid', port: 9 }, recordingLog(logged), stats)
  for (let i = 0; i < 3; i++) repeater.packet(Buffer.from('a:1|c'))
  await until(() => stats.get('repeat_errors_total') === 3)
  expect(logged).toHaveLength(1)
  expect(logged[0]).toMatch(/^ingest\.statsd\.repeat: no-such-host\.invalid:9 does not take packets: /)
  await repeater.close()
})

test('lines of a stream are cut into datagrams between lines; all of them are there, in order', () => {
  const lines = Array.from({ length: 500 }, (_, i) => `${'x'.repeat(i % 200)}:${i}|c\n`)
  const text = `${lines.join('')}${'y'.repeat(5000)}:1|c\nlast:1|c`
  const pieces = inDatagrams(Buffer.from(text)).map(String)
  expect(pieces.join('')).toBe(text)
  for (const piece of pieces.slice(0, -1)) expect(piece.endsWith('\n')).toBe(true)
  expect(pieces.filter((piece) => piece.length > 1432)).toHaveLength(1)
  expect(inDatagrams(Buffer.alloc(0))).toEqual([])
})
