import { beforeEach, describe, expect, test } from 'vitest'
import { BadLines } from '../../src/ingest/bad-lines.ts'
import { GraphiteIntake, type GraphiteOptions } from '../../src/ingest/graphite.ts'
import { Senders } from '../../src/ingest/senders.ts'
import { seriesCount } from '../../src/model/metric.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { recordingLog } from '../support/world.ts'

const nowMs = 1_700_000_000_000
let clock: ManualClock
let stats: Stats
let logged: string[]

beforeEach(() => {
  clock = new ManualClock(nowMs)
  stats = new Stats()
  logged = []
})

function open(seriesMax = 100, more: Partial<GraphiteOptions> = {}): GraphiteIntake {
  const badLines = new BadLines(clock, recordingLog(logged), stats)
  return new GraphiteIntake({ stepMs: 1000, latenessMs: 5000, seriesMax, clock, badLines, stats, ...more })
}

/** Points of a flush as `bucket − now in s: name value`. */
function flush(intake: GraphiteIntake, bucketMs = clock.now()): string[] {
  return intake
    .flush('test', bucketMs)
    .flatMap(({ bucketMs, untyped }) =>
      untyped.names.map((name, i) => `${(bucketMs - nowMs) / 1000}: ${name} ${untyped.values[i]}`),
    )
}

const at = (offsetSeconds: number) => nowMs / 1000 + offsetSeconds
const send = (intake: GraphiteIntake, ...lines: string[]) => intake.take(Buffer.from(lines.join('\n')), '10.0.0.7')

describe('a point', () => {
  test('belongs to the bucket of its own timestamp, whatever order points come in', () => {
    const intake = open()
    send(intake, `a 1 ${at(-1)}`, `b 2 ${at(-3)}`, `a 3 ${at(0)}`, `c 4 ${at(-2.5)}`)
    expect(flush(intake)).toEqual(['-3: b 2', '-2: c 4', '-1: a 1', '0: a 3'])
  })

  test('is published with the next flush and no other', () => {
    const intake = open()
    send(intake, `a 1 ${at(-1)}`)
    expect(flush(intake)).toEqual(['-1: a 1'])
    expect(flush(intake)).toEqual([])
  })

  test('that comes twice for one bucket counts as it came last, also with its tags in another order', () => {
    const intake = open()
    send(intake, `a;x=1;y=2 1 ${at(0)}`, `a;y=2;x=1 5 ${at(0)}`)
    expect(flush(intake)).toEqual(['0: a;x=1;y=2 5'])
  })

  test('at the edge of the lateness is taken, beyond it is late: counted, shown and set aside', () => {
    const intake = open()
    flush(intake, nowMs)
    send(intake, `edge 1 ${at(-4)}`, `late 1 ${at(-5)}`)
    expect(flush(intake)).toEqual(['-4: edge 1'])
    expect(stats.get('late_points_total')).toBe(1)
    expect(logged).toEqual([`set aside from 10.0.0.7: late 1 ${at(-5)}: 5s late, ingest.graphite.lateness is 5s`])
  })

  test('from the future is set aside when it is more than a minute ahead', () => {
    const intake = open()
    send(intake, `soon 1 ${at(60)}`, `later 1 ${at(62)}`)
    expect(flush(intake)).toEqual(['60: soon 1'])
    expect(stats.get('future_points_total')).toBe(1)
  })
})

describe('bounds', () => {
  test('beyond seriesMax known series go on and new ones are refused and counted', () => {
    const intake = open(2)
    send(intake, 'a 1 N', 'b 1 N', 'c 1 N', 'a 2 N')
    expect(flush(intake)).toEqual(['0: a 2', '0: b 1'])
    expect(stats.get('series_refused_total')).toBe(1)
  })

  test('a late point of an unknown series takes no room', () => {
    const intake = open(1)
    send(intake, `late 1 ${at(-100)}`, 'a 1 N')
    expect(flush(intake)).toEqual(['0: a 1'])
  })

  test('series that nobody feeds make room', async () => {
    const intake = open(1)
    send(intake, 'a 1 N')
    await clock.advanceBy(10_000)
    intake.forgetIdle(clock.now())
    send(intake, 'b 1 N')
    expect(flush(intake)).toEqual(expect.arrayContaining(['10: b 1']))
  })

  test('messages hold at most a thousand series', () => {
    const intake = open(5000)
    send(intake, ...Array.from({ length: 2500 }, (_, i) => `n${i} ${i} N`))
    expect(intake.flush('test', nowMs).map(seriesCount)).toEqual([1000, 1000, 500])
  })
})

describe('more bounds', () => {
  test('points beyond what may wait are refused and counted; a flush makes room', () => {
    const intake = open(100, { pendingPointsMax: 2 })
    send(intake, 'a 1 N', 'b 1 N', 'c 1 N')
    expect(flush(intake)).toEqual(['0: a 1', '0: b 1'])
    expect(stats.get('points_refused_total')).toBe(1)
    expect(logged).toEqual(['set aside from 10.0.0.7: c 1 now: too many points wait for the bus'])
    send(intake, 'c 1 N')
    expect(flush(intake)).toEqual(['0: c 1'])
  })

  test('a line that is too long is bad, and only it', () => {
    const intake = open()
    send(intake, `${'x'.repeat(9000)} 1 N`, 'a 1 N')
    expect(flush(intake)).toEqual(['0: a 1'])
    expect(stats.get('bad_lines_total{reason="graphite_length"}')).toBe(1)
  })

  test('senders may be refused or limited, and are counted', () => {
    const senders = new Senders({ stats, allow: ['10.0.0.0/8'], linesMax: 2 })
    const intake = open(100, { senders })
    intake.takeFrom(Buffer.from('a 1 N'), { address: '11.0.0.1' })
    intake.takeFrom(Buffer.from('b 1 N\nc 1 N\nd 1 N'), { address: '10.0.0.1' })
    expect(flush(intake)).toEqual(['0: b 1', '0: c 1'])
    expect(stats.snapshot()).toMatchObject({
      packets_refused_total: 1,
      lines_limited_total: 1,
      'sender_lines_total{sender="10.0.0.1"}': 2,
    })
  })
})

test('bad lines are counted by reason, with their column shown once a minute for each reason', async () => {
  const intake = open()
  send(intake, 'a x N', 'b y N', 'c', 'fine 1 N', '')
  expect(stats.get('bad_lines_total{reason="graphite_value"}')).toBe(2)
  expect(stats.get('bad_lines_total{reason="graphite_fields"}')).toBe(1)
  expect(stats.get('graphite_lines_total')).toBe(4)
  expect(logged).toEqual([
    'bad line from 10.0.0.7, column 3: expected a finite number as value, got "x N": "a x N"',
    'bad line from 10.0.0.7, column 2: expected a name, a value and a timestamp, got the end of the line: "c"',
  ])
  await clock.advanceBy(60_000)
  send(intake, 'd z N')
  expect(logged.at(-1)).toContain('"d z N" (and 1 more like the one before)')
})
