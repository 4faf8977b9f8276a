import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { renewMs, Sender } from '../../src/graphite/send.ts'
import { keepMs, Spool } from '../../src/graphite/spool.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/until.ts'

/** A TCP server that reads lines as carbon does, and can be made to fail. */
class Listener {
  readonly lines: string[] = []
  readonly sockets = new Set<net.Socket>()
  connections = 0
  reading = true
  readonly #server: net.Server

  constructor() {
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#take(socket))
  }

  async listen(port: number): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  /** Dies: connections are reset, the port is closed. */
  async die(): Promise<void> {
    for (const socket of this.sockets) socket.resetAndDestroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #take(socket: net.Socket): void {
    this.connections++
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (data) => this.lines.push(...data.toString().trim().split('\n')))
    socket.on('end', () => socket.end())
    if (this.reading) socket.resume()
  }
}

let dir: string
let port: number
let clock: ManualClock
let stats: Stats
let spool: Spool
let sender: Sender
let logged: string[]
let carbon: Listener

beforeEach(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-send-'))
  port = await freePort()
  clock = new ManualClock(1_000_000)
  stats = new Stats()
  logged = []
  spool = new Spool({ dir, bytesMax: 1024 ** 2, stats, onDisk: () => {} })
  const log = createLog({ format: 'text', write: (line) => logged.push(line) })
  sender = new Sender({ carbon: { host: '127.0.0.1', port }, spool, clock, log, stats })
  carbon = new Listener()
})

afterEach(async () => {
  const stopped = sender.stop()
  const ticking = setInterval(() => clock.advanceBy(1000), 5)
  await stopped
  clearInterval(ticking)
  await carbon.die()
  fs.rmSync(dir, { recursive: true })
})

const say = async (text: string) => {
  await spool.append({ text: `${text}\n`, lines: 1 })
  sender.wake()
}

/** Lets the clock run while real sockets do their work. */
const during = <T>(condition: () => T, stepMs = 250) =>
  until(async () => {
    const met = condition()
    if (!met) await clock.advanceBy(stepMs)
    return met
  })

test('lines wait for a carbon that is not there yet; that is said once', async () => {
  await say('a 1 1')
  await during(() => sender.problem)
  await clock.advanceBy(60_000)
  await carbon.listen(port)
  await during(() => carbon.lines.length > 0)
  expect(carbon.lines).toEqual(['a 1 1'])
  expect(logged.filter((line) => line.includes('takes no lines'))).toHaveLength(1)
  expect(logged.at(-1)).toContain('takes lines again')
  expect(sender.problem).toBeUndefined()
  expect(stats.get('reconnects_total')).toBe(0)
})

test('when carbon dies, what was sent in the last minute is sent again, then what came since, in order', async () => {
  await carbon.listen(port)
  await say('a 1 1')
  await during(() => carbon.lines.length === 1)
  await carbon.die()
  await say('b 2 2')
  await during(() => sender.problem)
  carbon = await new Listener().listen(port)
  await during(() => carbon.lines.length === 2)
  expect(carbon.lines).toEqual(['a 1 1', 'b 2 2'])
  expect(stats.snapshot()).toMatchObject({
    reconnects_total: 1,
    lines_resent_total: 1,
    lines_dropped_total: 0,
    connected: 1,
  })
})

test('every half minute a new connection takes over; lines are let go a minute after carbon has read them', async () => {
  await carbon.listen(port)
  await say('a 1 1')
  await during(() => carbon.lines.length === 1)
  await clock.advanceBy(renewMs)
  await during(() => carbon.connections === 2 && carbon.sockets.size === 1, 0)
  expect(stats.get('spool_bytes')).toBeGreaterThan(0)
  await clock.advanceBy(keepMs)
  await during(() => stats.get('spool_bytes') === 0)
  expect(stats.snapshot()).toMatchObject({ reconnects_total: 0, lines_resent_total: 0 })
})

test('a carbon that accepts and never reads is not believed: its lines are kept and sent to the next one', async () => {
  carbon.reading = false
  await carbon.listen(port)
  await say('a 1 1')
  await during(() => stats.get('lines_sent_total') === 1)
  await during(() => sender.problem?.includes('carbon takes nothing'), 5000)
  expect(carbon.lines).toEqual([])
  expect(stats.get('spool_bytes')).toBeGreaterThan(0)
  await carbon.die()
  carbon = await new Listener().listen(port)
  await during(() => carbon.lines.length === 1)
})

test('an orderly stop sends what waits and waits until carbon has read it', async () => {
  await carbon.listen(port)
  await during(() => stats.get('connected') === 1)
  for (let i = 0; i < 200; i++) await spool.append({ text: `a ${i} 1\n`, lines: 1 })
  const stopped = sender.stop()
  await during(() => carbon.lines.length === 200)
  await stopped
})

test('a stop does not wait for a carbon that is away', async () => {
  await say('a 1 1')
  await during(() => sender.problem)
  await sender.stop()
  expect(fs.readdirSync(dir)).toHaveLength(1)
})

test('another address gets everything that the spool keeps', async () => {
  await carbon.listen(port)
  await say('a 1 1')
  await during(() => carbon.lines.length === 1)
  const otherPort = await freePort()
  const other = await new Listener().listen(otherPort)
  sender.moveTo({ host: '127.0.0.1', port: otherPort })
  await during(() => other.lines.length === 1)
  await other.die()
})
