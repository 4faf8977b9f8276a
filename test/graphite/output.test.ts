import { describe, expect, test } from 'vitest'
import { Log, type RunOptions, run } from './log.ts'

type Wishes = NonNullable<RunOptions['statsd']>

const everything = { counters: { hits: 20 }, gauges: { open: 3 }, timers: { time: [1, 2, 30] }, sets: { users: ['x'] } }
const one = () => new Log().bucket('a', 10_000, everything)
/** Two flushes; in the second only another counter comes. */
const two = () => one().bucket('a', 20_000, { counters: { other: 1 } })
const names = (log: Log, statsd: Wishes) => Object.keys(run({ statsd }).read(log).points())
const inSecond = (statsd: Wishes, log = two()) =>
  Object.entries(run({ statsd }).read(log).points()).flatMap(([name, at]) => (20 in at ? [name] : []))

describe('names', () => {
  test('of the new namespace have a prefix for each kind, and the suffix stands before the tags', () => {
    const log = new Log().bucket('a', 10_000, { ...everything, counters: { 'hits;host=a': 20 } })
    const found = names(log, {
      legacyNamespace: false,
      globalPrefix: 'acme',
      prefixGauge: 'levels',
      globalSuffix: 'eu',
    })
    expect(found).toEqual(
      expect.arrayContaining([
        'acme.counters.statsd.packets_received.rate.eu',
        'acme.counters.hits.rate.eu;host=a',
        'acme.counters.hits.count.eu;host=a',
        'acme.timers.time.mean_90.eu',
        'acme.levels.open.eu',
        'acme.sets.users.count.eu',
        'acme.statsd.numStats.eu',
      ]),
    )
  })

  test('an empty prefix leaves no dot behind', () => {
    const found = names(one(), { legacyNamespace: false, globalPrefix: '', prefixCounter: '', prefixTimer: '' })
    expect(found).toEqual(expect.arrayContaining(['hits.rate', 'time.mean', 'gauges.open', 'statsd.numStats']))
  })

  test('prefixes of kinds mean nothing in the legacy namespace, the suffix and prefixStats do', () => {
    const found = names(one(), { prefixCounter: 'c', globalPrefix: 'g', globalSuffix: 'eu', prefixStats: 'daemon' })
    expect(found).toEqual(
      expect.arrayContaining(['stats.hits.eu', 'stats_counts.daemon.bad_lines_seen.eu', 'daemon.numStats.eu']),
    )
    expect(found.filter((name) => /^(c|g)\.|statsd/.test(name))).toEqual([])
  })

  test('flush_counts: false writes rates alone', () => {
    expect(names(one(), { flush_counts: false })).not.toContain('stats_counts.hits')
    expect(names(one(), { flush_counts: false, legacyNamespace: false })).toContain('stats.counters.hits.rate')
  })

  test('what ingest daemons count of themselves adds up and stays with the other counters', () => {
    const own = { counters: { 'statsd.packets_received': 5, 'statsd.metrics_received': 7 } }
    const log = new Log().metrics('a', 10_000, own).metrics('b', 10_000, own).mark('a', 10_000).mark('b', 10_000)
    expect(run().read(log).points()).toMatchObject({
      'stats_counts.statsd.packets_received': { 10: 10 },
      'stats_counts.statsd.metrics_received': { 10: 14 },
      'stats_counts.statsd.bad_lines_seen': { 10: 0 },
      'statsd.numStats': { 10: 3 },
    })
  })
})

describe('idle series', () => {
  const idle = ['stats.hits', 'stats.timers.time.count', 'stats.sets.users.count', 'stats.gauges.open']

  test('deleteIdleStats ends every kind with its last flush, but never the daemon’s own counters', () => {
    const second = inSecond({ deleteIdleStats: true })
    for (const name of idle) expect(second).not.toContain(name)
    expect(second).toEqual(expect.arrayContaining(['stats.other', 'stats.statsd.packets_received']))
    const forgetful = run({ statsd: { deleteIdleStats: true } }).read(two())
    expect(forgetful.forwarder.idle.size).toBe(0)
  })

  test('what is said of one kind overrides it', () => {
    const [hits, time, users, open] = idle as [string, string, string, string]
    const kept = inSecond({ deleteIdleStats: true, deleteTimers: false, deleteSets: false })
    expect(kept).toEqual(expect.arrayContaining([time, users]))
    expect(kept).not.toContain(hits)
    const gone = inSecond({ deleteCounters: true, deleteGauges: true })
    expect(gone).not.toContain(hits)
    expect(gone).not.toContain(open)
    expect(gone).toContain(time)
  })

  test('a gauge is deleted gaugesMaxTTL flushes after it came', () => {
    const log = one()
    for (const atMs of [20_000, 30_000, 40_000]) log.bucket('a', atMs, { counters: { other: 1 } })
    const points = run({ statsd: { deleteGauges: true, gaugesMaxTTL: 3 } })
      .read(log)
      .points()
    expect(points['stats.gauges.open']).toEqual({ 10: 3, 20: 3, 30: 3 })
  })

  test('a check stands for its own time, whatever is said of gauges', () => {
    const log = new Log().check('checks', 10_000, 'web', 'crit', 10_000).mark('checks', 10_000)
    for (let bucketMs = 20_000; bucketMs <= 60_000; bucketMs += 10_000)
      log.bucket('checks', bucketMs, { counters: { other: 1 } })
    const points = run({ statsd: { deleteIdleStats: true } })
      .read(log)
      .points()
    expect(points['stats.gauges.checks.web']).toEqual({ 10: 2, 20: 2, 30: 2, 40: 2 })
  })
})
