import { expect, test } from 'vitest'
import { ManualClock } from '../../src/runtime/clock.ts'
import { selfMetrics, startSelf } from '../../src/self/index.ts'
import { configFor, markers, openWorld } from '../support/world.ts'

test('totals travel as what they grew by, everything else as a gauge, labels at the end of the name', () => {
  const before = new Map<string, number>()
  const say = (lines: number, bad: number, series: number) =>
    selfMetrics(
      'tocsin-a-1',
      1000,
      new Map([['ingest', { lines_total: lines, 'bad_lines_total{reason="no type"}': bad, series }]]),
      before,
    )
  say(10, 1, 5)
  const second = say(25, 1, 7)
  expect(second.counters.names).toEqual(['tocsin.ingest.lines_total', 'tocsin.ingest.bad_lines_total.no_type'])
  expect([...second.counters.sums]).toEqual([15, 0])
  expect(second.gauges.names).toEqual(['tocsin.ingest.series'])
  expect([...second.gauges.values]).toEqual([7])
})

test('nobody but rules on these series waits for a process: its markers have a lateness', async () => {
  const clock = new ManualClock(100_000)
  const world = await openWorld(clock)
  const part = await startSelf(configFor(), world.context)
  await clock.advanceBy(3000)
  await part.stop()
  await world.end()
  expect(markers(world.entries).map(({ bucketMs, latenessMs }) => [bucketMs, latenessMs])).toEqual([
    [100_000, 1000],
    [101_000, 1000],
    [102_000, 1000],
    [102_000, 1000],
  ])
})
