/** The ground on which the contract suites stand: a place per test, buses in it, and how to publish and collect. */
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest'
import type { Bus, Offset, Reader } from '../../src/bus/bus.ts'
import type { LogEntry, LogName } from '../../src/model/message.ts'
import { emptyMetrics } from '../../src/model/metric.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { memoryPlace, type OpenBus, openRabbit, type Place, rabbitPlace } from './bus-places.ts'

export const rules = (hash: string, text = '') => ({ hash, files: text === '' ? [] : [{ path: 'a.yaml', text }] })
export const gauge = (source: string, bucketMs: number, value: number) => ({
  ...emptyMetrics(source, bucketMs, 1000),
  gauges: { names: ['load'], values: Float64Array.of(value) },
})
export const status = (part: string) => ({
  ...{ part, instance: 'a', host: 'h', pid: 1, startedMs: 1, atMs: 1, ready: true, counters: {} },
})

/** `upTo(3, 5)` → 5, 6, 7, as texts. */
export const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))
export const hashes = (entries: readonly LogEntry[]) =>
  entries.flatMap((entry) => (entry.kind === 'rules' ? [entry.message.hash] : []))

export const publish = (bus: Bus, list: readonly string[], text?: string) =>
  Promise.all(list.map((hash) => bus.publish('rules', rules(hash, text))))

export interface Collected {
  entries: LogEntry[]
  lost: [number, number][]
  bad: [string, number][]
  reader: Reader
}

/** Reads on and keeps what has come so far. */
export function collect(bus: Bus, from: Offset = 'first', log: LogName = 'engine-log'): Collected {
  const entries: LogEntry[] = []
  const lost: [number, number][] = []
  const bad: [string, number][] = []
  const reader = bus.readLog(log, from, (entry) => void entries.push(entry), {
    lost: (wanted, first) => lost.push([wanted, first]),
    bad: (problem, offset) => bad.push([problem, offset]),
  })
  return { entries, lost, bad, reader }
}

/** What a test on both adapters has. */
export interface Ground extends OpenBus {
  place: Place
  /** Closes the bus and opens another in the same place. */
  reopen(instance: string): Promise<void>
  /** Begins in a new place whose log is kept briefly. */
  keepBriefly(): Promise<void>
}

/** Runs the same tests on memory and on a RabbitMQ of their own; `the` is new for each test. */
export function onBothBuses(title: string, tests: (the: Ground) => void): void {
  describe(`${title}, on memory`, () => ground(memoryPlace, tests))
  describe.skipIf(!rabbitmqInstalled())(`${title}, on RabbitMQ`, () => {
    let rabbitmq: Rabbitmq
    beforeAll(async () => {
      rabbitmq = await startRabbitmq()
    })
    afterAll(() => rabbitmq?.end())
    ground(() => rabbitPlace(rabbitmq), tests)
  })
}

function ground(makePlace: () => Promise<Place>, tests: (the: Ground) => void): void {
  const reopen = async (instance: string) => {
    await the.bus.close()
    Object.assign(the, await the.place.open(instance))
  }
  const keepBriefly = async () => {
    await the.place.end()
    the.place = await makePlace()
    await the.place.keepBriefly()
    await reopen('brief')
  }
  const the = { reopen, keepBriefly } as Ground
  beforeEach(async () => {
    the.place = await makePlace()
    Object.assign(the, await the.place.open())
  })
  afterEach(() => the.place.end())
  tests(the)
}

type RabbitOptions = Parameters<typeof openRabbit>[1]

/** What a test on RabbitMQ alone has. */
export interface RabbitGround {
  rabbitmq: Rabbitmq
  /** Of a vhost that is new for each test. */
  url: string
  open(options?: RabbitOptions): Promise<OpenBus>
  /** Opens a bus behind a proxy, so that its connections can be broken. */
  openBehindProxy(options?: RabbitOptions): Promise<OpenBus & { proxy: TcpProxy }>
  /** A proxy before the broker, and the URL that goes through it. */
  proxy(): Promise<{ proxy: TcpProxy; behind: string }>
}

export function onRabbitmq(title: string, tests: (the: RabbitGround) => void): void {
  describe.skipIf(!rabbitmqInstalled())(title, () => {
    let buses: Bus[] = []
    let proxies: TcpProxy[] = []
    const open = async (options: RabbitOptions = {}) => {
      const opened = await openRabbit(the.url, options)
      buses.push(opened.bus)
      return opened
    }
    const proxy = async () => {
      const made = await startTcpProxy(the.rabbitmq.host, the.rabbitmq.port)
      proxies.push(made)
      const behind = new URL(the.url)
      behind.port = String(made.port)
      return { proxy: made, behind: behind.href }
    }
    const openBehindProxy = async (options: RabbitOptions = {}) => {
      const made = await proxy()
      return { proxy: made.proxy, ...(await open({ url: made.behind, ...options })) }
    }
    const the = { open, proxy, openBehindProxy } as RabbitGround
    beforeAll(async () => {
      the.rabbitmq = await startRabbitmq()
    })
    afterAll(() => the.rabbitmq?.end())
    beforeEach(async () => {
      the.url = await the.rabbitmq.vhost()
      buses = []
      proxies = []
    })
    afterEach(async () => {
      await Promise.all(buses.map((bus) => bus.close()))
      await Promise.all(proxies.map((made) => made.close()))
    })
    tests(the)
  })
}
