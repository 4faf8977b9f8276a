import dgram from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import { expect, test } from 'vitest'
import { dropsOf, readKernelDrops } from '../../src/ingest/drops.ts'
import { until } from '../support/until.ts'

const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  833: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91651 2 0000000000000000 12
  833: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91652 2 0000000000000000 30
  834: 00000000:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91653 2 0000000000000000 7
  835: 00000000000000000000000001000000:1FBD 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91654 2 0000000000000000 5
`

test('drops are those of all sockets at our address and port', () => {
  expect(dropsOf(table, { host: '127.0.0.1', port: 8125 })).toBe(42)
  expect(dropsOf(table, { host: '0.0.0.0', port: 8125 })).toBe(7)
  expect(dropsOf(table, { host: '::1', port: 8125 })).toBe(5)
  expect(dropsOf(table, { host: '127.0.0.1', port: 8126 })).toBeUndefined()
})

test.skipIf(!fs.existsSync('/proc/net/udp'))('packets that the kernel really dropped are seen', async () => {
  const receiver = dgram.createSocket({ type: 'udp4', recvBufferSize: 4096 })
  receiver.bind(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port } = receiver.address()
  const sender = dgram.createSocket('udp4')
  const packet = Buffer.alloc(1400)
  // Nobody reads: a bound socket without a reader keeps what fits and drops the rest.
  const sent = Array.from(
    { length: 200 },
    () => new Promise<void>((done) => sender.send(packet, port, '127.0.0.1', () => done())),
  )
  await Promise.all(sent)
  const drops = await until(() => readKernelDrops({ host: '127.0.0.1', port }), { what: 'drops are reported' })
  expect(drops).toBeGreaterThan(0)
  sender.close()
  receiver.close()
})
