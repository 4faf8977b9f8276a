import { expect, test } from 'vitest'
import { selfMetrics } from '../../src/self/index.ts'

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
