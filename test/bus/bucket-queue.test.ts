/** The bucket queue on a memory bus that can be made slow or unwilling at its door. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BucketQueue, type BucketQueueOptions } from '../../src/bus/bucket-queue.ts'
import { type Bus, BusError } from '../../src/bus/bus.ts'
import { Source } from '../../src/bus/source.ts'
import { emptyMetrics, type MetricsMessage } from '../../src/model/metric.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { until } from '../support/until.ts'
import { counterTotal, markers, metrics, openWorld, type World } from '../support/world.ts'

let world: World
let clock: ManualClock
let door: Door

/** Stands before the bus: `shut` makes publishing wait, `refusing` makes it fail. */
interface Door {
  shut?: Promise<void> | undefined
  refusing?: boolean
}

beforeEach(async () => {
  clock = new ManualClock(1_000_000)
  world = await openWorld(clock)
  door = {}
})

afterEach(() => world.end())

function open(options: Partial<BucketQueueOptions> = {}): { queue: BucketQueue; stats: Stats } {
  const publish: Bus['publish'] = async (key, message, hops) => {
    await door.shut
    if (door.refusing) throw new BusError('the disk is full')
    await world.bus.publish(key, message, hops)
  }
  const bus: Bus = Object.create(world.bus, { publish: { value: publish } })
  const stats = new Stats()
  const source = new Source(bus, { name: 'test', startedMs: clock.now(), intervalMs: 1000 })
  return { queue: new BucketQueue({ source, clock, log: world.context.log, stats, ...options }), stats }
}

function bucket(bucketMs: number, value = 1): { metrics: MetricsMessage[] } {
  const counters = { names: ['a'], sums: Float64Array.of(value), samples: Float64Array.of(1) }
  return { metrics: [{ ...emptyMetrics('test', bucketMs, 1000), counters }] }
}

/** Lets the manual clock run in steps until the condition holds. */
function inTime(condition: () => unknown): Promise<unknown> {
  return until(async () => {
    await clock.advanceBy(500)
    return condition()
  })
}

test('buckets go out in order, each before its marker, with the moment of the flush', async () => {
  const { queue } = open()
  for (const bucketMs of [1000, 2000, 3000]) queue.push(bucketMs, bucket(bucketMs), { packetMs: 7 })
  await until(() => markers(world.entries).length === 3)
  expect(world.entries.map(({ kind, message }) => `${kind} ${'bucketMs' in message ? message.bucketMs : ''}`)).toEqual([
    'metrics 1000',
    'markers 1000',
    'metrics 2000',
    'markers 2000',
    'metrics 3000',
    'markers 3000',
  ])
  expect(world.entries[0]?.hops).toEqual({ packetMs: 7, flushMs: 1_000_000 })
})

test('a slow bus is waited for, bucket by bucket, and the queue says when it is full', async () => {
  const { queue, stats } = open({ bucketsMax: 3 })
  const gate = Promise.withResolvers<void>()
  door.shut = gate.promise
  queue.push(1000, bucket(1000))
  queue.push(2000, bucket(2000))
  expect(queue.isFull).toBe(false)
  queue.push(3000, bucket(3000))
  expect([queue.isFull, stats.get('buckets_waiting')]).toEqual([true, 3])
  gate.resolve()
  await until(() => markers(world.entries).at(-1)?.bucketMs === 3000)
  await until(() => stats.get('buckets_waiting') === 0)
  expect(queue.isFull).toBe(false)
})

test('many points fill the queue like many buckets', async () => {
  const gate = Promise.withResolvers<void>()
  door.shut = gate.promise
  const { queue } = open({ pointsMax: 2 })
  queue.push(1000, bucket(1000))
  expect(queue.isFull).toBe(false)
  queue.push(2000, bucket(2000))
  expect(queue.isFull).toBe(true)
  gate.resolve()
  await until(() => markers(world.entries).length === 2)
})

test('a bucket that the bus refuses is tried again until it is taken; said once, and once when it is over', async () => {
  const { queue, stats } = open()
  door.refusing = true
  queue.push(1000, bucket(1000, 5))
  queue.push(2000, bucket(2000, 6))
  await inTime(() => stats.get('bus_refusals_total') >= 3)
  expect(queue.problem).toContain('the disk is full')
  expect(world.logged).toHaveLength(1)
  expect(world.entries).toEqual([])
  door.refusing = false
  await inTime(() => markers(world.entries).length === 2)
  expect(counterTotal(world.entries, 'a')).toBe(11)
  await until(() => queue.problem === undefined)
})

test('a bucket that is refused for minutes is given up, said and counted, and the next has its turn', async () => {
  const { queue, stats } = open()
  door.refusing = true
  queue.push(1000, bucket(1000))
  queue.push(2000, bucket(2000, 7))
  await inTime(() => stats.get('buckets_lost_total') === 1)
  expect(world.logged.at(-1)).toBe('the bucket of 1970-01-01T00:00:01.000Z is given up: the disk is full')
  door.refusing = false
  await inTime(() => markers(world.entries).at(-1)?.bucketMs === 2000)
  expect(counterTotal(world.entries, 'a')).toBe(7)
})

test('the end hands over what waits and then says bye', async () => {
  const { queue } = open()
  queue.push(1000, bucket(1000))
  queue.push(2000, bucket(2000))
  await queue.end(2000)
  await until(() => markers(world.entries).at(-1)?.bye)
  expect(metrics(world.entries)).toHaveLength(2)
  expect(markers(world.entries).filter(({ bye }) => bye)).toHaveLength(1)
})

test('the end does not wait for ever: what the bus did not take is counted and said', async () => {
  const { queue, stats } = open()
  door.refusing = true
  queue.push(1000, bucket(1000))
  queue.push(2000, bucket(2000))
  let hasEnded = false
  void queue.end(2000).then(() => {
    hasEnded = true
  })
  await inTime(() => hasEnded)
  expect(stats.get('buckets_lost_total')).toBe(2)
  expect(world.logged.at(-1)).toContain('stopped with 2 buckets that the bus did not take')
})

test('a bucket that can never be published is given up at once, said and counted, and the next has its turn', async () => {
  const { queue, stats } = open()
  const unspeakable = bucket(1000)
  unspeakable.metrics[0] = {
    ...(unspeakable.metrics[0] as MetricsMessage),
    gauges: { names: ['a\nb'], values: Float64Array.of(1) },
  }
  queue.push(1000, unspeakable)
  queue.push(2000, bucket(2000))
  await until(() => markers(world.entries).length === 1)
  expect(markers(world.entries)[0]?.bucketMs).toBe(2000)
  expect([stats.get('buckets_lost_total'), queue.problem]).toEqual([1, undefined])
})

test('tells which buckets the bus has taken, once it has, and never of one that is given up', async () => {
  const taken: number[] = []
  const { queue, stats } = open({ onTaken: (bucketMs) => taken.push(bucketMs) })
  queue.push(1_001_000, bucket(1_001_000))
  await until(() => taken.length === 1)
  door.refusing = true
  queue.push(1_002_000, bucket(1_002_000))
  await inTime(() => stats.get('buckets_lost_total') === 1)
  door.refusing = false
  queue.push(1_003_000, bucket(1_003_000))
  await inTime(() => taken.length === 2)
  expect(taken).toEqual([1_001_000, 1_003_000])
})
