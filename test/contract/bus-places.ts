/** The two kinds of place where a bus can be opened, for the contract suite. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { connect } from 'amqplib'
import type { Bus } from '../../src/bus/bus.ts'
import { SegmentLog } from '../../src/bus/memory/segments.ts'
import { openMemoryBus } from '../../src/bus/memory.ts'
import { openRabbitBus, type RabbitBusOptions } from '../../src/bus/rabbitmq.ts'
import type { LogName } from '../../src/model/message.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { Stats } from '../../src/runtime/stats.ts'
import type { Rabbitmq } from '../support/rabbitmq.ts'

export interface OpenBus {
  bus: Bus
  stats: Stats
  /** What was logged, as `level message`. */
  lines: string[]
}

export interface Place {
  /** On memory only one at a time. */
  open(instance?: string): Promise<OpenBus>
  /** Puts bytes on a log as a broken publisher would; no bus is open meanwhile. */
  putBytes(log: LogName, bytes: Buffer): Promise<void>
  /** Prepares logs of tiny segments that are kept for a moment only; before anything is opened. */
  keepBriefly(): Promise<void>
  end(): Promise<void>
}

export function capture(): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = []
  const write = (line: string) => {
    const { level, msg } = JSON.parse(line)
    lines.push(`${level} ${msg}`)
  }
  return { log: createLog({ write }), lines }
}

export async function memoryPlace(): Promise<Place> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-contract-'))
  const open: Bus[] = []
  let retention = {}
  return {
    open: async (instance = 'test') => {
      const stats = new Stats()
      const { log, lines } = capture()
      const bus = await openMemoryBus({ dir, clock: systemClock, log, stats, instance, ...retention })
      open.push(bus)
      return { bus, stats, lines }
    },
    putBytes: async (log, bytes) => {
      const segments = new SegmentLog({
        dir: path.join(dir, log),
        clock: systemClock,
        retentionMs: 3_600_000,
        retentionBytes: 1024 ** 3,
        onDisk: () => {},
      })
      segments.append(bytes)
      segments.close()
    },
    keepBriefly: async () => {
      retention = { retentionBytes: 200_000 }
    },
    end: async () => {
      await Promise.all(open.map((bus) => bus.close()))
      fs.rmSync(dir, { recursive: true })
    },
  }
}

export async function openRabbit(
  url: string | readonly string[],
  options: Partial<RabbitBusOptions> = {},
): Promise<OpenBus> {
  const stats = new Stats()
  const { log, lines } = capture()
  const usual = { url, exchange: 'tocsin', retentionMs: 3_600_000, clock: systemClock, instance: 'test' }
  return { bus: await openRabbitBus({ ...usual, log, stats, ...options }), stats, lines }
}

export async function rabbitPlace(rabbitmq: Rabbitmq): Promise<Place> {
  const url = await rabbitmq.vhost()
  const open: Bus[] = []
  const queueOf = (log: LogName) => `tocsin.${log}`
  const brief = { 'x-queue-type': 'stream', 'x-max-length-bytes': 100_000, 'x-stream-max-segment-size-bytes': 50_000 }
  return {
    open: async (instance = 'test') => {
      const opened = await openRabbit(url, { instance })
      open.push(opened.bus)
      return opened
    },
    putBytes: (log, bytes) => withChannel(url, async (channel) => void channel.sendToQueue(queueOf(log), bytes)),
    keepBriefly: () =>
      withChannel(url, async (channel) => {
        await channel.assertQueue(queueOf('engine-log'), { durable: true, arguments: brief })
      }),
    end: async () => {
      await Promise.all(open.map((bus) => bus.close()))
    },
  }
}

type RawChannel = Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>

/** Does something on the broker behind the bus's back. */
export async function withChannel<T>(url: string, work: (channel: RawChannel) => Promise<T>): Promise<T> {
  const connection = await connect(url)
  try {
    const channel = await connection.createConfirmChannel()
    const result = await work(channel)
    await channel.waitForConfirms()
    return result
  } finally {
    await connection.close()
  }
}
