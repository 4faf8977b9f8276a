/**
 * The published protocols, one row a case: what a packet becomes. statsd as etsy's `docs/metric_types.md` tells it,
 * DogStatsD as its datagram page does (v1.0 to v1.6), Librato's and InfluxDB's ways with tags as their pages do.
 */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { TagStyle } from '../../src/ingest/name.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { flat, openIntake, type TestIntake } from './setup.ts'

const nowSeconds = 1_700_000_000
let clock: ManualClock

beforeEach(() => {
  clock = new ManualClock(nowSeconds * 1000)
})

function taken(packet: string, tags: TagStyle = 'dogstatsd'): [Record<string, unknown>, TestIntake] {
  const opened = openIntake({ clock, tags })
  opened.send(packet)
  return [flat(opened.aggregate.take('test', 1000, 1000)), opened]
}

const bad = ({ stats }: TestIntake) =>
  Object.entries(stats.snapshot())
    .filter(([name]) => name.startsWith('bad_lines'))
    .reduce((sum, [, count]) => sum + count, 0)

describe('statsd', () => {
  const rows: [packet: string, becomes: Record<string, unknown>, badLines?: number][] = [
    ['gorets:1|c', { 'c gorets': [1, 1] }],
    ['gorets:1|c|@0.1', { 'c gorets': [10, 1] }],
    ['glork:320|ms', { 't glork': [1, '320×1'] }],
    ['glork:320|ms|@0.1', { 't glork': [10, '320×1'] }],
    ['gaugor:333|g', { 'g gaugor': 333 }],
    ['gaugor:333|g\ngaugor:-10|g\ngaugor:+4|g', { 'g gaugor': 327 }],
    ['uniques:765|s\nuniques:765|s\nuniques:8|s', { 's uniques': ['765', '8'] }],
    [
      'gorets:1|c\nglork:320|ms\ngaugor:333|g\nuniques:765|s',
      { 'c gorets': [1, 1], 't glork': [1, '320×1'], 'g gaugor': 333, 's uniques': ['765'] },
    ],
    ['gorets:1|c\n', { 'c gorets': [1, 1] }],
    ['gorets:1e2|c\ngorets:1.5E-1|c', { 'c gorets': [100.15, 2] }],
    ['glork:320|ms:10|ms', { 't glork': [2, '10×1', '320×1'] }],
    ['gorets:1|c:2|c|@0.5:3|c', { 'c gorets': [8, 3] }],
    ['mixed:1|c:20|ms:3|g:a|s', { 'c mixed': [1, 1], 't mixed': [1, '20×1'], 'g mixed': 3, 's mixed': ['a'] }],
    ['mixed:1|c:x|c:3|c', { 'c mixed': [4, 2] }, 1],
    ['mixed:1|c:20|ms|#zone:b', { 'c mixed;zone=b': [1, 1], 't mixed;zone=b': [1, '20×1'] }],
    ['a/b c:1|c', { 'c a-b_c': [1, 1] }],
    ['users;zone=b;app=x:1|c', { 'c users;app=x;zone=b': [1, 1] }],
    ['users;zone:1|c', { 'c userszone': [1, 1] }],
  ]
  test.each(rows)('%j', (packet, becomes, badLines = 0) => {
    const [figures, opened] = taken(packet)
    expect(figures).toEqual(becomes)
    expect(bad(opened)).toBe(badLines)
  })
})

describe('DogStatsD metrics', () => {
  const rows: [packet: string, becomes: Record<string, unknown>][] = [
    ['page.views:1|c', { 'c page.views': [1, 1] }],
    ['fuel.level:0.5|g', { 'g fuel.level': 0.5 }],
    ['song.length:240|h|@0.5', { 't song.length': [2, '240×1'] }],
    ['users.uniques:1234|s', { 's users.uniques': ['1234'] }],
    ['users.online:1|c|#country:china', { 'c users.online;country=china': [1, 1] }],
    ['users.online:1|c|@0.5|#country:china', { 'c users.online;country=china': [2, 1] }],
    ['users.online:1|c|#country:china|@0.5', { 'c users.online;country=china': [2, 1] }],
    ['page.views:1:2:32|d', { 't page.views': [3, '1×1', '2×1', '32×1'] }],
    ['song.length:240:234|h|@0.5', { 't song.length': [4, '234×1', '240×1'] }],
    ['hits:1:2:3|c|#a:b', { 'c hits;a=b': [6, 3] }],
    ['level:1:+2:-4|g', { 'g level': -1 }],
    ['ids:a:b|s', { 's ids': ['a:b'] }],
    ['page.views:1|g|#env:dev|c:83c0a99c0a54c0c187f461c7980e9b57', { 'g page.views;env=dev': 1 }],
    ['page.views:1|g|#env:dev|c:ci-83c0a99c0a54', { 'g page.views;env=dev': 1 }],
    ['page.views:1|c|c:in-4026531840', { 'c page.views': [1, 1] }],
    ['page.views:1|c|#env:dev|e:it-false,cn-nginx,pu-75a2b6d5', { 'c page.views;env=dev': [1, 1] }],
    ['page.views:1|c|#env:dev|card:low', { 'c page.views;env=dev': [1, 1] }],
    ['x:1|c|#shell', { 'c x;shell=true': [1, 1] }],
    ['x:1|c|#b:2,a:1\nx:1|c|#a:1,b:2', { 'c x;a=1;b=2': [2, 2] }],
    ['x:1|c|#url:http://host:80/a b', { 'c x;url=http://host:80/a_b': [1, 1] }],
    ['x:1|c|#a:1,a:2', { 'c x;a=2': [1, 1] }],
    ['x:1|c|#', { 'c x': [1, 1] }],
    ['x:1|c|#a:;b', { 'c x;a=b': [1, 1] }],
  ]
  test.each(rows)('%j', (packet, becomes) => {
    const [figures, opened] = taken(packet)
    expect(figures).toEqual(becomes)
    expect(bad(opened)).toBe(0)
  })

  test('packed values count together or, when one of them is bad, not at all', () => {
    const [figures, { logged }] = taken('time:1:x:3|ms')
    expect(figures).toEqual({})
    expect(logged).toEqual([
      'bad line from 10.0.0.7, column 8: expected a number after ":", got "x:3": "time:1:x:3|ms"',
    ])
  })
})

describe('tag styles on request', () => {
  const rows: [style: TagStyle, packet: string, series: string][] = [
    ['influxdb', 'users.current,service=payroll,region=us-west:1|c', 'users.current;region=us-west;service=payroll'],
    ['influxdb', 'users.current,service=payroll:1|c|#region:west', 'users.current;region=west;service=payroll'],
    ['influxdb', 'users.current:1|c', 'users.current'],
    ['librato', 'users.current#service=payroll,region=us-west:1|c', 'users.current;region=us-west;service=payroll'],
    ['librato', 'users.current#beta:1|c', 'users.current;beta=true'],
    ['dogstatsd', 'users.current,service=payroll:1|c', 'users.currentservicepayroll'],
    ['dogstatsd', 'users.current#service=payroll:1|c', 'users.currentservicepayroll'],
  ]
  test.each(rows)('%s: %s', (style, packet, series) => {
    expect(Object.keys(taken(packet, style)[0])).toEqual([`c ${series}`])
  })
})

describe('DogStatsD events', () => {
  const rows: [packet: string, event: object][] = [
    [
      '_e{21,36}:An exception occurred|Cannot parse CSV file from 10.0.0.17|t:warning|#err_type:bad_file',
      {
        name: 'An_exception_occurred',
        text: 'An exception occurred: Cannot parse CSV file from 10.0.0.17',
        tags: { alert_type: 'warning', err_type: 'bad_file' },
        atMs: nowSeconds * 1000,
      },
    ],
    [
      '_e{5,4}:title|a\\nb|p:low|h:web1|k:key|s:puppet|d:1699999000|c:83c0|e:it-false|card:low|#beta',
      {
        name: 'title',
        text: 'title: a\nb',
        tags: { aggregation_key: 'key', beta: 'true', host: 'web1', priority: 'low', source_type: 'puppet' },
        atMs: 1_699_999_000_000,
      },
    ],
    ['_e{7,0}:Größe|', { name: 'Gre', text: 'Größe', tags: {} }],
    ['_e{6,3}:a..b c|x|y', { name: 'a.b_c', text: 'a..b c: x|y' }],
  ]
  test.each(rows)('%s', (packet, event) => {
    const [figures, opened] = taken(packet)
    expect([figures, bad(opened)]).toEqual([{}, 0])
    expect(opened.happenings.take('test', 1000).events).toMatchObject([event])
  })

  test.each([
    ['_e{5,4:title|text', 'column 1: expected _e{bytes of title,bytes of text}:'],
    ['_e{9,4}:title|text', 'column 18: expected "|" at the end of the title'],
    ['_e{5,9}:title|text', 'column 19: expected the whole text'],
    ['_e{5,3}:title|text', 'column 18: expected the whole text'],
    ['_e{2,4}:%%|text', 'column 9: expected a title with letters or digits'],
    ['_e{5,4}:title|text|x:y', 'column 19: expected sections'],
  ])('%s is bad', (packet, problem) => {
    const [, { logged, stats }] = taken(packet)
    expect(logged.join()).toContain(problem)
    expect(stats.get('bad_lines_total{reason="event"}')).toBe(1)
  })
})

describe('DogStatsD service checks', () => {
  const rows: [packet: string, result: object][] = [
    [
      '_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s',
      { name: 'Redis_connection;env=dev', state: 'crit', output: 'Redis connection timed out after 10s' },
    ],
    ['_sc|db.up|0', { name: 'db.up', state: 'ok', output: 'ok', atMs: nowSeconds * 1000 }],
    [
      '_sc|db.up|1|d:1699999000|h:web1|m:slow | m:very',
      { name: 'db.up;host=web1', state: 'warn', output: 'slow | m:very' },
    ],
    ['_sc|db.up|3|c:ci-83c0', { name: 'db.up', state: 'unknown' }],
  ]
  test.each(rows)('%s', (packet, result) => {
    const [figures, opened] = taken(packet)
    expect([figures, bad(opened)]).toEqual([{}, 0])
    expect(opened.happenings.take('test', 1000).checks).toMatchObject([result])
  })

  test.each([
    ['_sc||0', 'column 5: expected a name with letters or digits'],
    ['_sc|db|4', 'column 8: expected a status from 0 to 3'],
    ['_sc|db|constructor', 'column 8: expected a status from 0 to 3'],
    ['_sc|db', 'expected a status from 0 to 3'],
    ['_sc|db|0|x', 'column 9: expected sections'],
  ])('%s is bad', (packet, problem) => {
    const [, { logged, stats }] = taken(packet)
    expect(logged.join()).toContain(problem)
    expect(stats.get('bad_lines_total{reason="service_check"}')).toBe(1)
  })
})

test('a name that only looks like an event is a metric', () => {
  expect(taken('_events:1|c\n_scale:2|c\n_e:1|c')[0]).toEqual({
    'c _events': [1, 1],
    'c _scale': [2, 1],
    'c _e': [1, 1],
  })
})

describe('bounds', () => {
  test('events and check results beyond what one interval holds are refused and counted', () => {
    const { send, happenings, stats } = openIntake({ clock })
    for (let i = 0; i < 1002; i++) send('_e{1,1}:a|b')
    for (let i = 0; i < 10_003; i++) send('_sc|a|0')
    const { events, checks } = happenings.take('test', 1000)
    expect([events.length, checks.length]).toEqual([1000, 10_000])
    expect([stats.get('events_refused_total'), stats.get('check_results_refused_total')]).toEqual([2, 3])
  })

  test('a tag list that is too long makes a bad line', () => {
    const [figures, { stats }] = taken(`a:1|c|#${'x'.repeat(2049)}`)
    expect(figures).toEqual({})
    expect(stats.get('bad_lines_total{reason="tags"}')).toBe(1)
  })
})

describe('a time of its own', () => {
  const line = (offset: number) => `a:1|c|T${nowSeconds + offset}`

  test('puts a counter or gauge into its own bucket, published once, when it is no longer awaited', () => {
    const { send, aggregate, timed } = openIntake({ clock })
    send(line(-2), line(-2), `g:5|g|T${nowSeconds - 2}`, line(0))
    expect(aggregate.take('test', 1000, 1000)).toEqual([])
    expect(timed.flush('test', clock.now(), false)).toEqual([])
    const closed = timed.flush('test', clock.now() + 3000, false)
    expect(closed.map(({ bucketMs }) => bucketMs / 1000 - nowSeconds)).toEqual([-2])
    expect(flat(closed)).toEqual({ 'c a': [2, 2], 'g g': 5 })
    expect(timed.flush('test', clock.now() + 5000, false)).toHaveLength(1)
    expect(timed.flush('test', clock.now() + 6000, true)).toEqual([])
  })

  test('that is late or far in the future is counted, shown and set aside', () => {
    const { send, timed, stats, logged } = openIntake({ clock })
    timed.flush('test', clock.now(), false)
    send(line(-4), line(-5), line(61), line(62))
    expect([stats.get('late_points_total'), stats.get('future_points_total')]).toEqual([1, 1])
    expect(logged[0]).toBe(`set aside from 10.0.0.7: "a" of ${nowSeconds - 5}: 5s late, ingest.statsd.lateness is 5s`)
    expect(timed.flush('test', clock.now(), true)).toHaveLength(2)
  })

  test.each(['a:1|ms|T1700000000', 'a:x|s|T1700000000', 'a:1|c|T', 'a:1|c|Tnow', 'a:1|c|T-5', 'a:1|c|T170000000000'])(
    '%s is bad',
    (packet) => {
      const [, { stats }] = taken(packet)
      expect(stats.get('bad_lines_total{reason="timestamp"}')).toBe(1)
    },
  )

  test('calls the source to life with the first such line, once', () => {
    let begun = 0
    const { send } = openIntake({ clock, onFirst: () => begun++ })
    send('a:1|c')
    expect(begun).toBe(0)
    send(line(0), line(-1000))
    expect(begun).toBe(1)
  })
})

test('any bytes never throw, and every line is taken, set aside or counted as bad', () => {
  const piece = fc.constantFrom(
    'a',
    'b.c',
    ':',
    '|',
    '#',
    '@',
    ',',
    '=',
    ';',
    '1',
    '-2.5',
    '1e3',
    'c',
    'g',
    'ms',
    's',
    'T17',
    'c:',
    '\n',
    '_e{1,1}:',
    '_sc|',
    '0.5',
    '|#x:y',
    ' ',
    'é',
  )
  const packets = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(piece, { maxLength: 40 }).map((all) => Buffer.from(all.join(''))),
  )
  fc.assert(
    fc.property(packets, fc.constantFrom<TagStyle>('dogstatsd', 'influxdb', 'librato'), (packet, tags) => {
      const { intake, aggregate } = openIntake({ clock, tags })
      intake.take(Buffer.from(packet), { address: '10.0.0.7', port: 5 })
      for (const name of Object.keys(flat(aggregate.take('test', 1000, 1000))))
        expect(name).not.toMatch(/[\s\x00-\x1f]$/)
    }),
    { numRuns: 600 },
  )
})

test('what is printed with tags, rates and packed values is taken as it was meant', () => {
  const word = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...'abcXYZ019_-.') })
  const tags = fc.dictionary(word, word, { maxKeys: 4 })
  const values = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(
      word,
      tags,
      values,
      fc.constantFrom(1, 0.5, 0.25),
      fc.boolean(),
      (name, tags, values, rate, isPacked) => {
        const list = Object.entries(tags).map(([key, value]) => `${key}:${value}`)
        const sections = `${rate === 1 ? '' : `|@${rate}`}`
        const tagged = list.length > 0 ? `|#${list.join(',')}` : ''
        const line = isPacked
          ? `${name}:${values.join(':')}|c${sections}${tagged}`
          : `${name}:${values.map((value) => `${value}|c${sections}`).join(':')}${tagged}`
        const series = [
          name,
          ...Object.keys(tags)
            .sort()
            .map((key) => `${key}=${tags[key]}`),
        ].join(';')
        const sum = values.reduce((total, value) => total + value, 0) / rate
        expect(taken(line)[0]).toEqual({ [`c ${series}`]: [sum, values.length] })
      },
    ),
    { numRuns: 300 },
  )
})
