/** The beat of flushes on a manual clock, before a bus that can be held up. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BucketQueue } from '../../src/bus/bucket-queue.ts'
import type { Bus } from '../../src/bus/bus.ts'
import { Source } from '../../src/bus/source.ts'
import { type Flushing, startFlushing } from '../../src/ingest/flush.ts'
import type { StatsdIntake } from '../../src/ingest/statsd.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { until } from '../support/until.ts'
import { counterTotal, markers, metrics, openWorld, type World } from '../support/world.ts'
import { openIntake, sender } from './setup.ts'

let world: World
let clock: ManualClock
let stats: Stats
let intake: StatsdIntake
let flushing: Flushing
/** What publishing waits for. */
let held: Promise<void> | undefined

beforeEach(async () => {
  clock = new ManualClock(100_500)
  world = await openWorld(clock)
  stats = new Stats()
  held = undefined
  const { log } = world.context
  const publish: Bus['publish'] = async (key, message, hops) => {
    await held
    await world.bus.publish(key, message, hops)
  }
  const bus: Bus = Object.create(world.bus, { publish: { value: publish } })
  const source = new Source(bus, { name: 'test', startedMs: 0, intervalMs: 1000 })
  const queue = new BucketQueue({ source, clock, log, stats, bucketsMax: 2 })
  const { aggregate, intake: opened } = openIntake({ clock, stats, log })
  intake = opened
  flushing = startFlushing({
    queue,
    intervalMs: 1000,
    clock,
    log,
    stats,
    take: (bucketMs) => ({ metrics: aggregate.take(source.id, bucketMs, 1000) }),
  })
})

afterEach(() => world.end())

const send = (text: string) => intake.take(Buffer.from(text), sender)
const buckets = () => metrics(world.entries).map(({ bucketMs, counters }) => [bucketMs, counters.sums[0]])

test('what comes before a second ends belongs to the bucket of that end, the rest to the next', async () => {
  send('a:1|c')
  await clock.advanceTo(100_999)
  send('a:2|c')
  await clock.advanceTo(101_000)
  send('a:4|c')
  await clock.advanceTo(102_000)
  await until(() => markers(world.entries).length === 2)
  expect(buckets()).toEqual([
    [101_000, 3],
    [102_000, 4],
  ])
})

test('what comes while a bucket is being published is in the next one', async () => {
  const gate = Promise.withResolvers<void>()
  held = gate.promise
  send('a:1|c')
  await clock.advanceTo(101_000)
  send('a:2|c')
  gate.resolve()
  await clock.advanceTo(102_000)
  await until(() => markers(world.entries).length === 2)
  expect(buckets()).toEqual([
    [101_000, 1],
    [102_000, 2],
  ])
})

test('while the bus is too far behind, intervals are merged: counted, said, and no sum is lost', async () => {
  const gate = Promise.withResolvers<void>()
  held = gate.promise
  for (let second = 101; second <= 110; second++) {
    send('a:1|c')
    await clock.advanceTo(second * 1000)
  }
  expect(stats.get('buckets_merged_total')).toBe(8)
  expect(world.logged).toEqual(['the bus is too far behind: intervals are merged until it catches up'])
  gate.resolve()
  await until(() => markers(world.entries).length === 2)
  await clock.advanceTo(111_000)
  await until(() => markers(world.entries).length === 3)
  expect(counterTotal(world.entries, 'a')).toBe(10)
  expect(buckets().at(-1)).toEqual([111_000, 8])
})

test('stopping flushes the partial interval and says bye', async () => {
  send('a:1|c')
  await clock.advanceTo(101_300)
  send('a:2|c')
  await flushing.stop()
  await until(() => markers(world.entries).at(-1)?.bye)
  expect(buckets()).toEqual([
    [101_000, 1],
    [102_000, 2],
  ])
})

test('stopping while intervals are merged still hands over everything', async () => {
  const gate = Promise.withResolvers<void>()
  held = gate.promise
  for (let second = 101; second <= 105; second++) {
    send('a:1|c')
    await clock.advanceTo(second * 1000)
  }
  const stopped = flushing.stop()
  gate.resolve()
  await stopped
  await until(() => markers(world.entries).at(-1)?.bye)
  expect(counterTotal(world.entries, 'a')).toBe(5)
})
