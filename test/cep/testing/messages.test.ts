import { describe, expect, it } from 'vitest'
import type { SeriesKind } from '../../../src/cep/language/load.ts'
import { parseGiven } from '../../../src/cep/testing/given.ts'
import { type GivenSeries, TestLog } from '../../../src/cep/testing/messages.ts'

const series = (name: string, kind: SeriesKind, text: string): GivenSeries => {
  const parsed = parseGiven(text)
  if (!parsed.ok) throw new Error(parsed.error.message)
  return { name, kind, segments: parsed.value, convert: ({ value }) => value }
}

describe('the log of a test', () => {
  it('ends each step with the marker of its one source, and then the clock passes', () => {
    const log = new TestLog({ stepMs: 10_000, series: [series('a', 'gauge', '1')], events: [] })
    expect(log.step().map(({ kind }) => kind)).toEqual(['metrics', 'markers', 'clock'])
    const [metrics, marker, clock] = log.step()
    expect(metrics?.message).toMatchObject({ bucketMs: 20_000, stepMs: 10_000, gauges: { names: ['a'] } })
    expect(marker?.message).toMatchObject({ bucketMs: 20_000, intervalMs: 10_000, latenessMs: 0, startedMs: 0 })
    expect(clock?.message).toMatchObject({ nowMs: 20_000 })
    expect([metrics?.offset, marker?.offset, clock?.offset]).toEqual([3, 4, 5])
  })

  it('carries only what there is in the step, each kind in its column', () => {
    const all = [
      series('count', 'count', '[3, _]'),
      series('gauge', 'gauge', '[4, _]'),
      series('octets', 'counter', '5'),
      series('timer', 'timer', '[2x100ms, 7]'),
      series('set', 'set', '[2, _]'),
    ]
    const log = new TestLog({ stepMs: 1000, series: all, events: [] })
    expect(log.step()[0]?.message).toMatchObject({
      counters: { names: ['count'], sums: Float64Array.of(3), samples: Float64Array.of(1) },
      gauges: { names: ['gauge', 'octets'], values: Float64Array.of(4, 5) },
      timers: { names: ['timer'], distributions: [{ count: 2, min: 100 }] },
      sets: { names: ['set'], members: [['member1', 'member2']] },
    })
    expect(log.step()[0]?.message).toMatchObject({
      counters: { names: [] },
      gauges: { names: ['octets'] },
      timers: { distributions: [{ count: 1, max: 7 }] },
    })
  })

  it('keeps the array of names while the same series are there', () => {
    const log = new TestLog({
      stepMs: 1000,
      series: [series('a', 'count', '1'), series('b', 'count', '2')],
      events: [],
    })
    const names = () => {
      const [entry] = log.step()
      return entry?.kind === 'metrics' ? entry.message.counters.names : undefined
    }
    expect(names()).toBe(names())
  })

  it('sends results of checks with growing sequence numbers', () => {
    const log = new TestLog({ stepMs: 5000, series: [series('web.a', 'check', '[ok, _, crit]')], events: [] })
    expect(log.step()[0]?.message).toMatchObject({
      results: [{ name: 'web.a', sequence: 1, state: 'ok', stepMs: 5000 }],
    })
    expect(log.step().map(({ kind }) => kind)).toEqual(['markers', 'clock'])
    expect(log.step()[0]?.message).toMatchObject({ results: [{ sequence: 2, state: 'crit', atMs: 15_000 }] })
  })

  it('sends events in the bucket they belong to, in the order of their times', () => {
    const events = [
      { atMs: 20_000, name: 'late', tags: {} },
      { atMs: 13_000, name: 'deploy', tags: { process: 'verifier' } },
      { atMs: 20_001, name: 'next', tags: {} },
    ]
    const log = new TestLog({ stepMs: 10_000, series: [], events })
    expect(log.step().map(({ key }) => key)).toEqual(['markers.test-0', 'clock'])
    const second = log.step()
    expect(second.map(({ key }) => key)).toEqual(['events.deploy', 'events.late', 'markers.test-0', 'clock'])
    expect(second[0]?.message).toMatchObject({
      atMs: 13_000,
      bucketMs: 20_000,
      sequence: 1,
      tags: { process: 'verifier' },
    })
    expect(log.step()[0]?.key).toBe('events.next')
  })
})
