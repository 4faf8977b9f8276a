import fs from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Part } from '../../src/bus/part.ts'
import { type Graphite, graphiteInstalled, startGraphite } from '../support/graphite.ts'
import { until } from '../support/until.ts'
import { metrics, openPipeline, type Pipeline } from './pipeline.ts'

describe.skipIf(!graphiteInstalled())('with a real carbon and graphite-web', () => {
  let graphite: Graphite
  let pipeline: Pipeline
  let forwarder: Part

  beforeAll(async () => {
    graphite = await startGraphite()
  })

  beforeEach(async () => {
    pipeline = await openPipeline(graphite.carbon)
    forwarder = await pipeline.startForwarder()
  })

  afterEach(async () => {
    await forwarder.stop()
    await pipeline.close()
  })

  afterAll(() => graphite?.end())

  /** Reads a value back as soon as graphite-web has it. */
  const read = (target: string, atMs: number) =>
    until(
      async () => {
        const value = (await graphite.points(target, atMs / 1000, atMs / 1000)).get(atMs / 1000)
        return value === undefined ? undefined : { value }
      },
      { what: `${target} at ${atMs / 1000}`, everyMs: 50 },
    ).then(({ value }) => value)

  test('ten buckets of a second from two sources are one point of ten seconds, for every type', async () => {
    const endMs = Math.floor(Date.now() / 10_000) * 10_000 - 60_000
    for (let bucketMs = endMs - 9000; bucketMs <= endMs; bucketMs += 1000) {
      for (const source of ['ingest-a', 'ingest-b']) {
        await pipeline.publish(source, bucketMs, {
          counters: { 'api.hits': 3 },
          gauges: { 'api.connections': source === 'ingest-a' ? bucketMs - endMs + 9001 : 0 },
          timers: { 'api.time': [1, 2, 4] },
          sets: { 'api.users': [source, 'both', String(bucketMs)] },
        })
      }
    }
    expect(await read('stats.api.hits', endMs)).toBe(6)
    expect(await read('stats_counts.api.hits', endMs)).toBe(60)
    expect(await read('stats.gauges.api.connections', endMs)).toBe(0)
    expect(await read('stats.sets.api.users.count', endMs)).toBe(13)
    expect(await read('stats.timers.api.time.count', endMs)).toBe(60)
    expect(await read('stats.timers.api.time.sum', endMs)).toBe(140)
    expect(await read('stats.timers.api.time.upper_90', endMs)).toBe(4)
    expect(await read('stats.timers.api.time.mean', endMs)).toBeCloseTo(7 / 3, 12)
    expect(await read('statsd.numStats', endMs)).toBe(7)
  })

  test('a carbon that is killed and comes back has every point, also what it had not written to disk', async () => {
    const startMs = Math.floor(Date.now() / 10_000) * 10_000 - 300_000
    const window = (i: number) => startMs + i * 10_000
    const publish = (i: number) => pipeline.publish('ingest-a', window(i), { counters: { 'restart.hits': i } })
    const sent = () => pipeline.status()?.counters.lines_waiting === 0
    for (let i = 1; i <= 5; i++) await publish(i)
    await until(sent)
    await graphite.killCarbon()
    for (let i = 6; i <= 10; i++) await publish(i)
    await until(() => pipeline.status()?.problem?.includes('takes no lines'))
    await graphite.startCarbon()
    for (let i = 11; i <= 15; i++) await publish(i)
    expect(await read('stats_counts.restart.hits', window(15))).toBe(15)
    const points = await graphite.points('stats_counts.restart.hits', window(1) / 1000, window(15) / 1000)
    const written = [...points].filter(([atS]) => atS % 10 === 0)
    expect(written).toEqual(Array.from({ length: 15 }, (_, i) => [window(i + 1) / 1000, i + 1]))
    await until(() => pipeline.status()?.problem === undefined)
    expect(pipeline.status()?.counters).toMatchObject({ lines_dropped_total: 0, reconnects_total: 1, connected: 1 })
  })

  test('a forwarder that is stopped and started again in the middle of a window loses nothing of it', async () => {
    const endMs = Math.floor(Date.now() / 10_000) * 10_000 - 60_000
    await pipeline.publish('ingest-a', endMs - 5000, { counters: { 'again.hits': 2 }, gauges: { 'again.open': 9 } })
    await forwarder.stop()
    expect(await read('stats_counts.again.hits', endMs)).toBe(2)
    await pipeline.publish('ingest-a', endMs - 4000, { counters: { 'again.hits': 3 } })
    forwarder = await pipeline.startForwarder()
    await pipeline.publish('ingest-a', endMs, {})
    await until(async () => (await read('stats_counts.again.hits', endMs)) === 5)
    await forwarder.stop()
    forwarder = await pipeline.startForwarder()
    await pipeline.publish('ingest-a', endMs + 10_000, { counters: { 'again.hits': 1 } })
    expect(await read('stats.gauges.again.open', endMs + 10_000)).toBe(9)
  })

  test('what happened while no forwarder ran is written when one runs again', async () => {
    const endMs = Math.floor(Date.now() / 10_000) * 10_000 - 120_000
    await forwarder.stop()
    for (let i = 0; i <= 3; i++) await pipeline.publish('ingest-a', endMs + i * 10_000, { counters: { 'off.hits': i } })
    forwarder = await pipeline.startForwarder()
    for (let i = 0; i <= 3; i++) expect(await read('stats_counts.off.hits', endMs + i * 10_000)).toBe(i)
  })

  test('carbon hanging for a while loses nothing', async () => {
    const endMs = Math.floor(Date.now() / 10_000) * 10_000 - 60_000
    await pipeline.publish('ingest-a', endMs, { counters: { 'hang.hits': 1 } })
    expect(await read('stats_counts.hang.hits', endMs)).toBe(1)
    graphite.freezeCarbon()
    await pipeline.publish('ingest-a', endMs + 10_000, { counters: { 'hang.hits': 2 } })
    graphite.thawCarbon()
    expect(await read('stats_counts.hang.hits', endMs + 10_000)).toBe(2)
  })

  test('a log that was made anew is read from its beginning', async () => {
    const endMs = Math.floor(Date.now() / 10_000) * 10_000 - 60_000
    await forwarder.stop()
    const where = path.join(pipeline.dir, 'graphite')
    const position = { firstOffset: 5000, nextOffset: 5000, writtenMs: endMs - 600_000, lateOffsets: [] }
    fs.writeFileSync(path.join(where, 'position.json'), JSON.stringify(position))
    fs.writeFileSync(path.join(where, 'idle.jsonl'), '{"offset":5000}')
    const untyped = { names: ['anew'], values: Float64Array.of(4), graphiteNames: ['anew.verbatim'] }
    await pipeline.bus.publish('metrics.graphite-a', { ...metrics('graphite-a', endMs, {}), untyped })
    forwarder = await pipeline.startForwarder()
    await pipeline.publish('ingest-a', endMs, { counters: { 'anew.hits': 1 } })
    expect(await read('anew.verbatim', endMs)).toBe(4)
    expect(await read('stats_counts.anew.hits', endMs)).toBe(1)
  })
})
