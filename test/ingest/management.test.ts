/** etsy's commands over a real socket. */
import net from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startManagement } from '../../src/ingest/management.ts'
import type { Listener } from '../../src/ingest/receive.ts'
import { type Forget, forgetEvent } from '../../src/model/forget.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { until } from '../support/until.ts'
import { configFor } from '../support/world.ts'
import { flat, openIntake, type TestIntake } from './setup.ts'

let clock: ManualClock
let opened: TestIntake
let listener: Listener

beforeEach(async () => {
  clock = new ManualClock(1_000_000)
  opened = openIntake({ clock, seriesMax: 5000 })
  const { aggregate, intake, stats } = opened
  const lastPacketMs = () => intake.lastPacketMs
  const address = { host: '127.0.0.1', port: 0 }
  const config = configFor()
  const log = silentLog
  const mayConnect = () => true
  const onCommand = (forget: Forget) => opened.happenings.addEvent(forgetEvent(forget))
  listener = await startManagement({
    address,
    aggregate,
    lastPacketMs,
    config,
    clock,
    log,
    stats,
    mayConnect,
    onCommand,
  })
})

afterEach(() => listener.close())

/** Everything that is answered to commands, sent as written, until the other side ends. */
function ask(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(listener.address.port, '127.0.0.1')
    let answered = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      answered += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answered))
    socket.end(text)
  })
}

test('stats tells uptime, since when nothing came, and bad lines', async () => {
  opened.send('a:1|c', 'b', 'c:x|c')
  await clock.advanceBy(7000)
  expect(await ask('stats\n')).toBe('uptime: 7\nmessages.last_msg_seen: 7\nmessages.bad_lines_seen: 2\nEND\n\n')
})

test('counters, gauges and timers show what is known now, in the form of a JavaScript object', async () => {
  opened.send('plain:2|c', 'api.hits:3|c|@0.5', 'load:0.5|g', 'time:12|ms', 'time:3|ms', 'time:12|ms')
  expect(await ask('counters')).toBe("{ plain: 2,\n  'api.hits': 6 }\nEND\n\n")
  expect(await ask('gauges\n')).toBe('{ load: 0.5 }\nEND\n\n')
  expect(await ask('timers\r\n')).toBe('{ time: [ 3, 12, 12 ] }\nEND\n\n')
  opened.aggregate.take('test', 1000, 1000)
  expect(await ask('counters\ngauges\ntimers\n')).toBe(
    "{ plain: 0,\n  'api.hits': 0 }\nEND\n\n{ load: 0.5 }\nEND\n\n{ time: [] }\nEND\n\n",
  )
})

test('thousands of series are answered whole', async () => {
  opened.send(...Array.from({ length: 3000 }, (_, i) => `n${i}:1|c`))
  const answered = await ask('counters\n')
  expect(answered.match(/n\d+: 1/g)).toHaveLength(3000)
  expect(answered.endsWith(' }\nEND\n\n')).toBe(true)
})

test('the values of a busy timer are shown up to a bound', async () => {
  for (let i = 0; i < 1200; i++) opened.send('time:5|ms')
  expect(await ask('timers\n')).toContain('5, 5, ... 200 more items ]')
})

test('the bus is told of what is to be forgotten, known here or not', async () => {
  opened.send('z:1|c')
  await ask('delcounters z nothing\ndelgauges a.*\n')
  const { events } = opened.happenings.take('ingest-a', 1000)
  expect(events.map(({ name, tags }) => [name, tags.series])).toEqual([
    ['statsd.delcounters', 'z'],
    ['statsd.delcounters', 'nothing'],
    ['statsd.delgauges', 'a.*'],
  ])
})

test('delcounters, delgauges and deltimers forget a series, or a folder of them, of that kind only', async () => {
  opened.send('a.b:1|c', 'a.c:1|c', 'ab:1|c', 'a.b:1|g', 'a.b:1|ms', 'z:1|c')
  expect(await ask('delcounters z nothing a.*\n')).toBe(
    'deleted: z\nmetric nothing not found\ndeleted: a.b\ndeleted: a.c\nEND\n\n',
  )
  expect(await ask('delgauges a.b\n')).toBe('deleted: a.b\nEND\n\n')
  expect(await ask('deltimers x.*\n')).toBe('metric x.* not found\nEND\n\n')
  opened.send('a.b:+5|g')
  expect(flat(opened.aggregate.take('test', 1000, 1000))).toEqual({ 'c ab': [1, 1], 'g a.b': 5, 't a.b': [1, '1×1'] })
})

test('health is told and set, config is shown, help lists the commands, others are errors, quit ends', async () => {
  expect(await ask('health\nhealth down\nhealth\nhealth sideways\nhealth UP\n')).toBe(
    'health: up\nhealth: down\nhealth: down\nhealth: down\nhealth: up\n',
  )
  expect(await ask('config\n')).toContain('statsd > udp: 127.0.0.1:0\n')
  expect(await ask('config\n')).toContain('flushInterval: 1000\n')
  expect(await ask('help\n')).toContain('delgauges, health, config, quit\n\n')
  expect(await ask('toString\ndel\n\n')).toBe('ERROR\nERROR\nERROR\n')
  expect(await ask('quit\nstats\n')).toBe('')
})

test('a command without end is not waited for, and one who hangs up hurts nobody', async () => {
  expect(await ask('x'.repeat(100_000))).toBe('')
  const socket = net.connect(listener.address.port, '127.0.0.1').on('error', () => {})
  socket.write('counters\ncounters\n')
  socket.resetAndDestroy()
  await until(() => socket.destroyed)
  expect(await ask('health\n')).toBe('health: up\n')
})
