import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lateOffsetsMax, openWindowsMax } from '../../src/graphite/forward.ts'
import { unitedMembersMax } from '../../src/graphite/window.ts'
import { Log, pointsOf, run } from './log.ts'
import { metrics } from './pipeline.ts'

const hit = { counters: { hits: 1 } }

describe('lines', () => {
  test('one flush of every type is written as etsy’s statsd writes it', async () => {
    const log = new Log()
      .bucket('a', 10_000, { counters: { 'api.hits': 25, 'tagged;host=a': 5 }, timers: { 'api.time': [1, 2, 4.5] } })
      .metrics('a', 20_000, { gauges: { 'api.open': -3.5 }, sets: { 'api.users': ['x', 'y'] } })
      .mark('a', 20_000)
    await expect(`${run().read(log).lines.join('\n')}\n`).toMatchFileSnapshot('golden/flush.txt')
  })

  test('counters add, sets unite and timers merge over sources and buckets; a gauge is its last writer', () => {
    const log = new Log()
    for (const [source, bucketMs, open] of [
      ['a', 1000, 5],
      ['b', 2000, 7],
      ['a', 2000, 6],
    ] as const) {
      log.metrics(source, bucketMs, {
        counters: { hits: 2 },
        gauges: { open },
        timers: { time: [bucketMs] },
        sets: { users: ['x', `${bucketMs}`] },
      })
    }
    const points = run().read(log.mark('b', 10_000).mark('a', 10_000)).points()
    expect(points).toMatchObject({
      'stats_counts.hits': { 10: 6 },
      'stats.hits': { 10: 0.6 },
      'stats.gauges.open': { 10: 6 },
      'stats.timers.time.count': { 10: 3 },
      'stats.timers.time.sum': { 10: 5000 },
      'stats.sets.users.count': { 10: 3 },
    })
  })

  test('columns with Graphite names of their own are written under them, at once, at the time of their bucket', () => {
    const verbatim = {
      ...metrics('graphite-a', 7000, {}),
      untyped: { names: ['cpu;host=a'], values: Float64Array.of(0.5), graphiteNames: ['a.cpu'] },
      gauges: { names: ['aws:elb.x.latency'], values: Float64Array.of(2), graphiteNames: ['aws.elb.x.latency'] },
    }
    const log = new Log().message(verbatim).mark('graphite-a', 2000, { latenessMs: 5000 })
    expect(run().read(log).lines).toEqual(['aws.elb.x.latency 2 7', 'a.cpu 0.5 7'])
  })

  test('a check is a gauge from 0 to 3 that stands for three of its steps', () => {
    const log = new Log().check('checks', 10_000, 'web.verifier', 'crit', 10_000).mark('checks', 10_000)
    for (let bucketMs = 20_000; bucketMs <= 60_000; bucketMs += 10_000) log.bucket('checks', bucketMs, hit)
    expect(run().read(log).points()['stats.gauges.checks.web.verifier']).toEqual({ 10: 2, 20: 2, 30: 2, 40: 2 })
  })

  test('a value that is not a number is no line', () => {
    const log = new Log().bucket('a', 10_000, { counters: { endless: Number.POSITIVE_INFINITY }, gauges: { good: 1 } })
    expect(run().read(log).lines.slice(-2)).toEqual(['stats.gauges.good 1 10', 'statsd.numStats 5 10'])
  })

  test('names that would break a line are cleaned', () => {
    const log = new Log().bucket('a', 10_000, { gauges: { 'a b/c\n(d)': 1 } })
    expect(run().read(log).lines).toContain('stats.gauges.a_b-c_d 1 10')
  })
})

describe('idle series', () => {
  const everything = { counters: { hits: 5 }, gauges: { open: 3 }, timers: { time: [8] }, sets: { users: ['x'] } }

  test('counters, sets and timer counts go on at 0, gauges at their last value', () => {
    const points = run()
      .read(new Log().bucket('a', 10_000, everything).bucket('a', 20_000, { counters: { other: 1 } }))
      .points()
    expect(points).toMatchObject({
      'stats.hits': { 20: 0 },
      'stats_counts.hits': { 20: 0 },
      'stats.gauges.open': { 20: 3 },
      'stats.timers.time.count': { 20: 0 },
      'stats.timers.time.count_ps': { 20: 0 },
      'stats.sets.users.count': { 20: 0 },
      'statsd.numStats': { 10: 7, 20: 8 },
    })
    expect(points['stats.timers.time.mean']).toEqual({ 10: 8 })
  })

  test('they go on while only the clock is heard', () => {
    const log = new Log().bucket('a', 10_000, everything).mark('a', 10_000, { bye: true }).clock(10_000, 26_000)
    expect(run().read(log).points()['stats.gauges.open']).toEqual({ 10: 3, 20: 3 })
  })

  test('forgotten on command they end, with what came of them before; what comes later counts', () => {
    const some = { counters: { 'a.x': 1, 'a.y': 1, ab: 1 }, gauges: { 'a.x': 3 }, timers: { 'a.x': [8] } }
    const log = new Log()
      .bucket('a', 10_000, some)
      .bucket('a', 12_000, some)
      .metrics('a', 15_000, { counters: { 'a.y': 7 } })
      .forget({ kind: 'counters', series: 'a.*' }, 15_000)
      .forget({ kind: 'gauges', series: 'a.x' }, 15_000)
      .mark('a', 15_000)
      .bucket('a', 20_000, {})
    const points = run()
      .read(log.bucket('a', 30_000, hit))
      .points()
    expect(points['stats_counts.a.x']).toEqual({ 10: 1 })
    expect(points['stats_counts.a.y']).toEqual({ 10: 1, 20: 7, 30: 0 })
    expect(points['stats_counts.ab']).toEqual({ 10: 1, 20: 1, 30: 0 })
    expect(points['stats.gauges.a.x']).toEqual({ 10: 3 })
    expect(points['stats.timers.a.x.count']).toEqual({ 10: 1, 20: 1, 30: 0 })
  })

  test('a check is not forgotten with the gauges', () => {
    const log = new Log().check('a', 10_000, 'web', 'crit', 60_000).mark('a', 10_000)
    const points = run()
      .read(log.forget({ kind: 'gauges', series: 'checks.*' }, 15_000).bucket('a', 20_000, hit))
      .points()
    expect(points['stats.gauges.checks.web']).toEqual({ 10: 2, 20: 2 })
  })

  test('after a day they are forgotten', () => {
    const dayMs = 24 * 3_600_000
    const log = new Log().bucket('a', 10_000, everything)
    for (const atMs of [20_000, dayMs + 10_000, dayMs + 20_000]) log.bucket('a', atMs, { sets: { other: ['1'] } })
    const later = run().read(log)
    expect(later.points()['stats.gauges.open']).toEqual({ 10: 3, 20: 3, [dayMs / 1000 + 10]: 3 })
    expect(later.forwarder.idle.size).toBe(1)
  })

  test('beyond the bound a new series is written while it has data, is not repeated, and is counted', () => {
    const log = new Log()
      .bucket('a', 10_000, { counters: { one: 1, two: 1 } })
      .bucket('a', 20_000, { counters: { three: 1 } })
    const full = run({ seriesMax: 2 }).read(log.bucket('a', 30_000, { counters: { one: 1 } }))
    expect(full.points()['stats_counts.three']).toEqual({ 20: 1 })
    expect(full.points()['stats_counts.two']).toEqual({ 10: 1, 20: 0, 30: 0 })
    expect(full.stats.get('idle_series_refused_total')).toBe(1)
  })
})

describe('when a window goes out', () => {
  test('as soon as every live source has marked its end, without the clock', () => {
    const log = new Log().bucket('a', 5000, hit).bucket('b', 5000, hit).mark('a', 10_000)
    const waiting = run().read(log)
    expect(waiting.lines).toEqual([])
    expect(waiting.read(log.mark('b', 10_000)).points()['stats_counts.hits']).toEqual({ 10: 2 })
  })

  test('a source is waited for until five seconds of clock messages after its last marker, and then no more', () => {
    const log = new Log().clock(1000, 8000).bucket('a', 8000, hit).bucket('b', 8000, hit)
    for (let nowMs = 9000; nowMs <= 40_000; nowMs += 1000) log.clock(nowMs).bucket('a', nowMs, {})
    const marks = log.entries.map(({ kind, message }) => (kind === 'clock' ? message.nowMs : 0))
    const watched = run()
    const wentOutAt = log.entries.flatMap((_, i) => {
      const before = watched.lines.length
      watched.read(log, i + 1)
      return watched.lines.length > before ? [Math.max(...marks.slice(0, i + 1))] : []
    })
    expect(wentOutAt).toEqual([13_000, 20_000, 30_000, 40_000])
  })

  test('neither a source that said bye nor one with a successor is waited for', () => {
    const log = new Log().bucket('a', 5000, hit).bucket('b', 5000, hit).bucket('c-1', 5000, hit)
    log.mark('b', 5000, { bye: true }).mark('c-2', 10_000, { name: 'c-1', startedMs: 2 }).mark('a', 10_000)
    expect(run().read(log).points()['stats_counts.hits']).toEqual({ 10: 3 })
  })

  test('sources with lateness are not waited for', () => {
    const log = new Log()
      .bucket('a', 5000, hit)
      .mark('cloudwatch', -175_000, { latenessMs: 180_000, intervalMs: 60_000 })
    expect(run().read(log.mark('a', 10_000)).points()['stats_counts.hits']).toEqual({ 10: 1 })
  })

  test('after the broker was away, what sources kept meanwhile stands where it belongs', () => {
    const log = new Log().clock(1000, 5000).bucket('a', 5000, hit).bucket('b', 5000, hit)
    // Nothing is delivered for a minute; then the clock jumps and the sources hand over, one after the other.
    log.clock(65_000)
    for (let bucketMs = 6000; bucketMs <= 65_000; bucketMs += 1000) log.bucket('a', bucketMs, hit)
    log.clock(66_000)
    for (let bucketMs = 6000; bucketMs <= 66_000; bucketMs += 1000) log.bucket('b', bucketMs, hit)
    const after = run().read(log.mark('a', 70_000).mark('b', 70_000))
    expect(after.points()['stats_counts.hits']).toEqual({ 10: 12, 20: 20, 30: 20, 40: 20, 50: 20, 60: 20, 70: 11 })
    expect(after.stats.get('late_batches_total')).toBe(0)
  })

  test('a stretch in which everything was off is not written', () => {
    const log = new Log()
      .clock(1000)
      .bucket('a', 10_000, { gauges: { open: 1 } })
      .clock(3_600_000)
      .bucket('a', 3_600_000, {})
    expect(run().read(log).points()['stats.gauges.open']).toEqual({ 10: 1, 3600: 1 })
  })

  test('what comes for a window already written goes into the oldest open one and is counted', () => {
    const log = new Log()
      .bucket('a', 10_000, hit)
      .metrics('b', 9000, hit)
      .mark('b', 9000)
      .bucket('a', 20_000, {})
      .mark('b', 20_000)
    const late = run().read(log)
    expect(late.points()['stats_counts.hits']).toEqual({ 10: 1, 20: 1 })
    expect(late.stats.get('late_batches_total')).toBe(1)
  })

  test('a source that holds up too many windows without any clock is given up on', () => {
    const log = new Log().bucket('a', 1000, hit).bucket('dead', 1000, hit)
    for (let i = 1; i <= openWindowsMax + 2; i++) log.bucket('a', i * 10_000, hit)
    const written = Object.keys(run().read(log).points()['stats_counts.hits'] ?? {})
    expect(written).toHaveLength(openWindowsMax + 2)
  })

  test('a bucket far ahead of the clock is counted and left out', () => {
    const log = new Log().clock(10_000).bucket('a', 10_000, hit).bucket('wrong', 3_600_000, hit)
    const ahead = run().read(log)
    expect(ahead.stats.get('future_batches_total')).toBe(1)
    expect(ahead.points()['stats_counts.hits']).toEqual({ 10: 1 })
  })
})

describe('bounds', () => {
  test('a set of very many members is written as the bound, and what was left out is counted', () => {
    const members = Array.from({ length: unitedMembersMax }, (_, i) => `${i}`)
    const log = new Log()
      .metrics('a', 5000, { sets: { users: members } })
      .metrics('b', 5000, { sets: { users: ['7', 'x', 'y'] } })
    const full = run().read(log.mark('b', 10_000).mark('a', 10_000))
    expect(full.points()['stats.sets.users.count']).toEqual({ 10: unitedMembersMax })
    expect(full.stats.get('set_members_left_out_total')).toBe(2)
  })

  test('late batches beyond the bound are written but not remembered for a restart, and counted', () => {
    const log = new Log().bucket('a', 10_000, hit)
    for (let i = 0; i < lateOffsetsMax + 3; i++) log.metrics('late', 1000, { counters: { [`late.${i}`]: 1 } })
    const many = run().read(log.mark('late', 1000))
    expect(many.stats.get('late_offsets_refused_total')).toBe(3)
    expect(many.forwarder.position.lateOffsets).toHaveLength(lateOffsetsMax)
  })
})

describe('duplicates', () => {
  test('a batch that is published again before its marker overwrites itself, other batches of the bucket stay', () => {
    const log = new Log()
      .metrics('a', 5000, hit)
      .metrics('a', 5000, { counters: { other: 1 } })
      .metrics('a', 5000, hit)
    const points = run().read(log.mark('a', 10_000)).points()
    expect(points).toMatchObject({ 'stats_counts.hits': { 10: 1 }, 'stats_counts.other': { 10: 1 } })
  })

  test('a batch that is published again after its marker is dropped and counted', () => {
    const again = run().read(new Log().bucket('a', 5000, hit).bucket('a', 5000, hit).mark('a', 10_000))
    expect(again.points()['stats_counts.hits']).toEqual({ 10: 1 })
    expect(again.stats.get('repeated_batches_total')).toBe(1)
  })

  test('a batch that went out without its marker is not counted again when it is published again', () => {
    const log = new Log().bucket('a', 1000, hit).metrics('b', 8000, hit).mark('a', 10_000).metrics('b', 8000, hit)
    const again = run().read(
      log
        .mark('b', 8000)
        .bucket('a', 20_000, { gauges: { open: 1 } })
        .mark('b', 20_000),
    )
    expect(again.points()['stats_counts.hits']).toEqual({ 10: 2, 20: 0 })
  })
})

describe('restart', () => {
  /** Two sources and a clock, with silences and commands to forget. */
  const logs = fc
    .array(
      fc.record({
        a: fc.option(fc.integer({ min: 1, max: 9 }), { freq: 8 }),
        b: fc.option(fc.integer({ min: 1, max: 9 }), { freq: 3 }),
        clock: fc.boolean(),
        forget: fc.option(fc.constantFrom('counters', 'gauges', 'timers'), { freq: 1 }),
      }),
      { minLength: 5, maxLength: 60 },
    )
    .map((seconds) => {
      const log = new Log()
      seconds.forEach(({ a, b, clock, forget }, i) => {
        const atMs = (i + 1) * 1000
        if (clock) log.clock(atMs)
        if (forget)
          log.forget({ kind: forget, series: { counters: 'hits', gauges: 'open', timers: 'time' }[forget] }, atMs)
        if (a !== null) log.bucket('a', atMs, { counters: { hits: a }, gauges: { open: a }, timers: { time: [a] } })
        if (b !== null) log.bucket('b', atMs, { counters: { hits: b }, gauges: { rare: b } })
      })
      return log
    })

  test('killed at any message and started again from its position, it writes what it would have written', () => {
    fc.assert(
      fc.property(logs, fc.double({ min: 0, max: 1, noNaN: true }), (log, share) => {
        const flushMs = 3000
        const whole = run({ flushMs }).read(log)
        const before = run({ flushMs }).read(log, Math.floor(share * log.entries.length))
        const { position } = before.forwarder
        // The idle memory is as of the beginning here, so everything is read again.
        const after = run({ flushMs, position, from: 0 }).read(log)
        expect(pointsOf([...before.lines, ...after.lines])).toEqual(whole.points())
        for (const line of after.lines) expect(Number(line.split(' ')[2]) * 1000).toBeGreaterThan(position.writtenMs)
      }),
      { numRuns: 1000 },
    )
  })

  test('an orderly stop writes what the open window holds, and after a restart the whole window overwrites it', () => {
    const log = new Log().bucket('a', 10_000, hit).bucket('a', 15_000, hit)
    const before = run().read(log)
    const partial = [...before.forwarder.partial()].flatMap(({ text }) => text.trimEnd().split('\n'))
    expect(pointsOf(partial)['stats_counts.hits']).toEqual({ 20: 1 })
    const { position } = before.forwarder
    const after = run({ position, from: position.firstOffset }).read(log.bucket('a', 20_000, hit))
    expect(after.points()['stats_counts.hits']).toEqual({ 20: 2 })
  })
})
