/** What is the memory bus's own; what it shares with RabbitMQ is in test/contract/bus.test.ts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from '../../src/bus/bus.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { ManualClock, systemClock } from '../../src/runtime/clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'

let dir: string
let buses: Bus[]
let lines: string[]

beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-memory-'))
  buses = []
  lines = []
})

afterEach(async () => {
  await Promise.all(buses.map((bus) => bus.close()))
  fs.rmSync(dir, { recursive: true, force: true })
})

async function openBus(clock = systemClock, stats = new Stats()): Promise<Bus> {
  const log = createLog({ write: (line) => lines.push(JSON.parse(line).msg) })
  const bus = await openMemoryBus({ dir, clock, log, stats, instance: 'test' })
  buses.push(bus)
  return bus
}

const rules = (hash: string) => ({ hash, files: [] })

describe('one process at a time', () => {
  it('has the directory: a second bus of the same process is refused', async () => {
    await openBus()
    await expect(openBus()).rejects.toThrow(`in use by this process (pid ${process.pid})`)
  })

  it('has the directory: another process is refused and told who has it', async () => {
    const script = `
      import { openMemoryBus } from '${path.resolve('src/bus/memory.ts')}'
      import { systemClock } from '${path.resolve('src/runtime/clock.ts')}'
      import { silentLog } from '${path.resolve('src/runtime/log.ts')}'
      import { Stats } from '${path.resolve('src/runtime/stats.ts')}'
      await openMemoryBus({ dir: ${JSON.stringify(dir)}, clock: systemClock, log: silentLog, stats: new Stats(), instance: 'other' })
      console.log('open')
    `
    const other = spawn(process.execPath, ['--input-type=module', '-e', script])
    try {
      await once(other.stdout, 'data')
      await expect(openBus()).rejects.toThrow(`in use by another process (pid ${other.pid})`)
    } finally {
      other.kill('SIGKILL')
      await once(other, 'exit')
    }
    // Killed, it left its lock behind.
    expect(fs.existsSync(path.join(dir, 'lock'))).toBe(true)
    await openBus()
  })

  it('takes over a lock whose pid belongs to another process by now', async () => {
    fs.writeFileSync(path.join(dir, 'lock'), `1 some-boot-before\n`)
    await openBus()
  })

  it('takes over a lock that is empty or unreadable', async () => {
    fs.writeFileSync(path.join(dir, 'lock'), '')
    await openBus()
  })

  it('lets go of the directory when it is closed', async () => {
    await (await openBus()).close()
    await openBus()
  })
})

describe('a directory that cannot be used', () => {
  it('is a clear error at start', async () => {
    fs.rmSync(dir, { recursive: true })
    fs.writeFileSync(dir, 'a file')
    await expect(openBus()).rejects.toThrow(/^the log directory cannot be used: .*tocsin-memory-/)
  })
})

describe.skipIf(!fs.existsSync('/dev/full'))('on a full disk', () => {
  it('says what is wrong, goes on delivering, and says when it works again', async () => {
    const clock = new ManualClock(1_000_000)
    const stats = new Stats()
    const bus = await openBus(clock, stats)
    // /dev/full takes nothing; a link to it stands where the first segment belongs.
    const segment = path.join(dir, 'engine-log', '0000000000000000.log')
    fs.symlinkSync('/dev/full', segment)
    const read: string[] = []
    const reader = bus.readLog('engine-log', 'first', (entry) => void read.push(entry.id))
    for (let i = 0; i < 3; i++) await bus.publish('rules', rules(String(i)))
    await reader.caughtUp()
    expect(read).toEqual(['test:1', 'test:2', 'test:3'])
    expect(bus.problem).toMatch(/cannot be written \(ENOSPC.*going on in memory/)
    expect(lines).toEqual([bus.problem])
    expect(stats.get('disk_errors_total')).toBe(1)
    fs.rmSync(segment, { force: true })
    await clock.advanceBy(1000)
    expect(bus.problem).toBeUndefined()
    expect(lines[1]).toBe('the log is written to disk again')
  })
})

describe('reading', () => {
  it('lets sockets and timers have their turn while a long log is replayed', async () => {
    const bus = await openBus()
    for (let i = 0; i < 20_000; i++) void bus.publish('rules', rules(String(i)))
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const reader = bus.readLog('engine-log', 'first', () => {})
    await reader.caughtUp()
    clearInterval(timer)
    expect(turns).toBeGreaterThan(3)
  })

  it('never misses a message that is published in the turn in which the reader finishes', async () => {
    const bus = await openBus()
    const read: string[] = []
    bus.readLog('engine-log', 'first', (entry) => void read.push(entry.id))
    for (let i = 1; i <= 50; i++) {
      await bus.publish('rules', rules(String(i)))
      // Each time a few more microtasks later, so that every moment of the reader's end is met.
      for (let turn = 0; turn < i; turn++) await Promise.resolve()
    }
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    expect(read.length).toBe(50)
  })
})
