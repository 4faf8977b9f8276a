import { describe, expect, test } from 'vitest'
import { queryTarget } from '../../src/dashboards/query.ts'
import { SeriesStore, slotsMax } from '../../src/dashboards/series-store.ts'
import { parseTarget } from '../../src/dashboards/target.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { type Bucket, metrics } from '../support/console-feed.ts'

/** A store fed by the source `ingest-a`; times are seconds after a round beginning. */
class Fed {
  readonly stats = new Stats()
  nowSeconds = 100_000
  readonly store: SeriesStore

  constructor(seriesMax = 1000, historyBytesMax?: number) {
    const bytes = historyBytesMax === undefined ? {} : { historyBytesMax }
    this.store = new SeriesStore({ seriesMax, stats: this.stats, now: () => this.nowSeconds * 1000, ...bytes })
  }

  at(seconds: number, bucket: Bucket): void {
    this.store.addMetrics(metrics('ingest-a-1', seconds * 1000, bucket))
    this.mark(seconds)
  }

  mark(seconds: number): void {
    const bare = { source: 'ingest-a-1', name: 'ingest-a', startedMs: 0, intervalMs: 1000, latenessMs: 0 }
    this.store.mark({ ...bare, bucketMs: seconds * 1000 })
  }

  ask(
    text: string,
    from = 0,
    until = 1_000_000,
  ): { [name: string]: readonly (number | null)[]; '': readonly (number | null)[] } {
    const target = parseTarget(text)
    if (!target.ok) throw new Error(target.error)
    const { lines } = queryTarget(this.store, target.value, from * 1000, until * 1000)
    return Object.fromEntries(lines.map(({ name, values }) => [name, values])) as ReturnType<Fed['ask']>
  }
}

describe('ten-second slots', () => {
  test('ten buckets of a second pool to the figure of one flush of ten seconds', () => {
    const fed = new Fed()
    for (let second = 1; second <= 10; second++) fed.at(second, { counters: { 'web.a.hits': 2 } })
    expect(fed.ask('sum(web.{host}.hits)')).toEqual({ a: [20] })
    expect(fed.ask('rate(web.{host}.hits)')).toEqual({ a: [2] })
  })

  test('the newest slot is still filling: a rate counts its seconds so far, a sum of counters waits', () => {
    const fed = new Fed()
    for (let second = 11; second <= 14; second++) fed.at(second, { counters: { hits: 3 } })
    expect(fed.ask('rate(metric:hits)')).toEqual({ '': [3] })
    expect(fed.ask('sum(metric:hits)')).toEqual({ '': [null] })
  })

  test('an absent counter is 0 while its source lives, and unknown when nobody was listening', () => {
    const fed = new Fed()
    fed.at(10, { counters: { hits: 5 } })
    fed.mark(20)
    fed.store.mark({
      source: 'other-1',
      name: 'other',
      startedMs: 0,
      bucketMs: 30_000,
      intervalMs: 1000,
      latenessMs: 0,
    })
    expect(fed.ask('sum(metric:hits)')).toEqual({ '': [5, 0, null] })
  })

  test('a counter that reports each minute is 0 only where a minute ends, and its rate is over the minute', () => {
    const fed = new Fed()
    fed.at(60, { counters: { 'aws:elb.prod.requestcount': 120 }, stepMs: 60_000 })
    for (let seconds = 70; seconds <= 120; seconds += 10) fed.mark(seconds)
    expect(fed.ask('sum(aws:elb.{name}.requestcount)')).toEqual({ prod: [120, null, null, null, null, null, 0] })
    expect(fed.ask('rate(aws:elb.{name}.requestcount)', 0, 60)).toEqual({ prod: [2] })
  })

  test('an absent gauge keeps its last value while its source lives, also from before the range', () => {
    const fed = new Fed()
    fed.at(10, { gauges: { 'pool.free': 7 } })
    fed.mark(20)
    fed.mark(30)
    expect(fed.ask('avg(pool.free)')).toEqual({ '': [7, 7, 7] })
    expect(fed.ask('avg(pool.free)', 25)).toEqual({ '': [7] })
  })

  test('a star lumps, a hole keeps apart, and timers pool their samples', () => {
    const fed = new Fed()
    fed.at(10, { timers: { 'a.x.time': [10, 20, 30, 40], 'a.y.time': [1000], 'b.x.time': [5] } })
    expect(fed.ask('p50({app}.*.time)')).toEqual({ a: [30], b: [5] })
    expect(fed.ask('max({app}.*.time)')).toEqual({ a: [1000], b: [5] })
    expect(fed.ask('avg({app}.*.time)')).toEqual({ a: [220], b: [5] })
    expect(fed.ask('rate({app}.*.time)')).toEqual({ a: [0.5], b: [0.1] })
  })

  test('percentiles are the same after a slot has been closed and packed', () => {
    const fed = new Fed()
    const samples = Array.from({ length: 400 }, (_, i) => i + 1)
    fed.at(10, { timers: { 'a.time': samples } })
    const open = fed.ask('p90(a.time)', 0, 10)
    fed.mark(60)
    expect(fed.store.slots[0]?.isOpen).toBe(false)
    expect(fed.ask('p90(a.time)', 0, 10)).toEqual(open)
    expect(open).toEqual({ '': [360] })
  })

  test('sets count distinct members over the slot, not per second', () => {
    const fed = new Fed()
    fed.at(9, { sets: { 'a.users': ['ann', 'bob'] } })
    fed.at(10, { sets: { 'a.users': ['bob', 'eve'] } })
    expect(fed.ask('sum(a.users)')).toEqual({ '': [3] })
  })

  test('tags are matched like segments, and checks by their prefix', () => {
    const fed = new Fed()
    fed.at(10, { counters: { 'requests;process=a;status=503': 1, 'requests;process=b;status=200': 2 } })
    const result = { name: 'web.a', sequence: 1, atMs: 9000, output: '', durationMs: 1, stepMs: 10_000 }
    fed.store.addChecks({ source: 'checks-a-1', bucketMs: 10_000, results: [{ ...result, state: 'crit' }] })
    expect(fed.ask('sum(metric:requests[process={process}, status=5*])')).toEqual({ a: [1] })
    expect(fed.ask('max(check:web.{process})')).toEqual({ a: [2] })
    expect(fed.ask('max(web.{process})')).toEqual({})
  })
})

describe('bounds', () => {
  test('series over seriesMax are refused and counted; those known go on', () => {
    const fed = new Fed(2)
    fed.at(10, { counters: { 'n.a': 1, 'n.b': 1, 'n.c': 1 } })
    fed.at(10, { counters: { 'n.a': 1 } })
    expect(fed.ask('sum(n.{x})')).toEqual({ a: [2], b: [1] })
    expect(fed.stats.get('points_over_series_max_total')).toBe(1)
  })

  test('a series that has been silent for the whole history gives up its place, and its old values with it', () => {
    const fed = new Fed(1)
    fed.at(10, { counters: { 'n.old': 1 } })
    fed.at(10 + slotsMax * 10, { counters: { 'n.new': 4 } })
    fed.at(20 + slotsMax * 10, { counters: { 'n.new': 5 } })
    const values = Object.values(fed.ask('sum(n.{x})', 30 + 10 * (slotsMax - 2)))
    expect(Object.keys(fed.ask('sum(n.{x})'))).toEqual(['new'])
    expect(values).toEqual([[4, 5]])
    expect(fed.stats.get('points_over_series_max_total')).toBe(0)
  })

  test('two hours are kept and no more', () => {
    const fed = new Fed()
    for (let slot = 1; slot <= slotsMax + 5; slot++) fed.at(slot * 10, { counters: { hits: slot } })
    expect(fed.store.slots).toHaveLength(slotsMax)
    expect(fed.ask('sum(metric:hits)')[''].at(0)).toBe(6)
  })

  test('over historyBytesMax the oldest slots go first, counted', () => {
    const fed = new Fed(1000, 4000)
    const counters = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`n.${i}`, 1]))
    for (let slot = 1; slot <= 20; slot++) fed.at(slot * 10, { counters })
    expect(fed.store.bytes).toBeLessThanOrEqual(4000)
    expect(fed.stats.get('slots_over_bytes_max_total')).toBeGreaterThan(0)
    expect(fed.ask('sum(n.*)')[''].at(-1)).toBe(200)
  })

  test('a bucket from the future or from before the history is refused and counted, and evicts nothing', () => {
    const fed = new Fed()
    fed.nowSeconds = 50_000
    fed.at(50_000, { counters: { hits: 1 } })
    fed.store.addMetrics(metrics('ingest-a-1', 99_000_000, { counters: { hits: 1 } }))
    fed.store.addMetrics(metrics('ingest-a-1', 10_000, { counters: { hits: 1 } }))
    expect(fed.stats.get('points_out_of_range_total')).toBe(2)
    expect(fed.store.slots).toHaveLength(1)
  })

  test('a source that lags behind the first one heard still finds its slot', () => {
    const fed = new Fed()
    fed.at(300, { counters: { fast: 1 } })
    fed.at(120, { counters: { slow: 1 } })
    expect(fed.ask('sum(metric:slow)', 0, 120)).toEqual({ '': [1] })
  })

  test('a long gap leaves empty slots, not wrong times', () => {
    const fed = new Fed()
    fed.at(10, { gauges: { g: 1 } })
    fed.at(90_000, { gauges: { g: 2 } })
    expect(fed.store.slots.at(-1)?.endMs).toBe(90_000_000)
    expect(fed.ask('max(metric:g)')[''].at(-1)).toBe(2)
    expect(fed.store.slots.every(({ endMs }, i, all) => i === 0 || endMs - (all[i - 1]?.endMs ?? 0) === 10_000)).toBe(
      true,
    )
  })
})
