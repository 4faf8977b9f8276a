import fs from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { queriesMax } from '../../src/cloudwatch2graphite/query.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { until } from '../support/until.ts'
import { type Given, type Setup, setUp, useCredentials } from './setup.ts'

const minuteMs = 60_000
/** A minute's beginning. */
const noonMs = Date.UTC(2026, 2, 1, 12)
const noonS = noonMs / 1000
const oneBalancer = 'watch: [{names: [browserid-prod]}]'
const browserid = { LoadBalancerName: 'browserid-prod' }

let setup: Setup
afterEach(() => setup.end())

/** Starts at half past the first minute after noon. */
async function startAt(given: Given = {}) {
  const clock = new ManualClock(noonMs + 90_000)
  setup = await setUp({ yaml: oneBalancer, interval: '1m', clock, ...given })
  return { clock, cloudwatch: setup.cloudwatch }
}

/** Resolves when the n-th turn of each region is over: its marker is out. */
const markers = (count: number) =>
  until(() => {
    const found = setup.entries.filter((entry) => entry.kind === 'markers').map(({ message }) => message)
    return found.length >= count && found
  })

describe('what is asked and how it is named', () => {
  test('a load balancer has the names that cloudwatch2graphite gave it, with the timestamps of CloudWatch in seconds', async () => {
    const { cloudwatch } = await startAt()
    const points = { [noonS]: 2 }
    for (const metric of ['HealthyHostCount', 'HTTPCode_Backend_5XX', 'RequestCount']) {
      cloudwatch.series.push({ metric, dimensions: browserid, statistic: 'Sum', points })
    }
    for (const statistic of ['Average', 'Maximum']) {
      cloudwatch.series.push({ metric: 'Latency', dimensions: browserid, statistic, points: { [noonS]: 0.25 } })
    }
    await setup.start()
    await markers(1)
    expect(Object.fromEntries(setup.points())).toEqual({
      'aws.elb.browserid-prod.healthyhostcount.sum.count': [[noonS, 2]],
      'aws.elb.browserid-prod.httpcode_backend_5xx.sum.count': [[noonS, 2]],
      'aws.elb.browserid-prod.requestcount.sum.count': [[noonS, 2]],
      'aws.elb.browserid-prod.latency.average.seconds': [[noonS, 0.25]],
      'aws.elb.browserid-prod.latency.maximum.seconds': [[noonS, 0.25]],
    })
  })

  test('rules see sums of counts as counters, the rest as gauges, and the statistic in the name where there are several', async () => {
    const { cloudwatch } = await startAt()
    const given = { dimensions: browserid, points: { [noonS]: 1 } }
    cloudwatch.series.push({ ...given, metric: 'RequestCount', statistic: 'Sum' })
    cloudwatch.series.push({ ...given, metric: 'HealthyHostCount', statistic: 'Sum' })
    cloudwatch.series.push({ ...given, metric: 'Latency', statistic: 'Maximum' })
    await setup.start()
    await markers(1)
    const [entry] = setup.entries.filter(({ kind }) => kind === 'metrics')
    expect(entry?.message).toMatchObject({
      bucketMs: noonMs,
      stepMs: minuteMs,
      counters: { names: ['aws:elb.browserid-prod.requestcount'] },
      gauges: { names: ['aws:elb.browserid-prod.healthyhostcount', 'aws:elb.browserid-prod.latency.maximum'] },
    })
  })

  test('a renamed stack keeps its graphs', async () => {
    const { cloudwatch } = await startAt({
      yaml: 'watch: [{names: [awseb-e-x7], rename: {awseb-e-x7: prod.browserid}}]',
    })
    const dimensions = { LoadBalancerName: 'awseb-e-x7' }
    cloudwatch.series.push({ metric: 'RequestCount', dimensions, statistic: 'Sum', points: { [noonS]: 7 } })
    await setup.start()
    await markers(1)
    expect([...setup.points().keys()]).toEqual(['aws.elb.prod.browserid.requestcount.sum.count'])
  })

  test('names with a star are found through ListMetrics, over several pages, finer series left out', async () => {
    const { cloudwatch } = await startAt({ yaml: 'watch: [{names: ["browserid-*"]}]' })
    cloudwatch.pageSize = 2
    for (const name of ['browserid-a', 'browserid-b', 'other', 'browserid-c']) {
      const series = { metric: 'RequestCount', statistic: 'Sum', points: { [noonS]: 1 } }
      cloudwatch.series.push({ ...series, dimensions: { LoadBalancerName: name } })
      cloudwatch.series.push({ ...series, dimensions: { LoadBalancerName: `${name}-zoned`, AvailabilityZone: 'a' } })
    }
    await setup.start()
    await markers(1)
    expect(cloudwatch.asked('ListMetrics')).toHaveLength(4)
    const names = ['a', 'b', 'c'].map((name) => `aws.elb.browserid-${name}.requestcount.sum.count`)
    expect([...setup.points().keys()]).toEqual(names)
  })

  test('every region is asked by itself and is a source of its own', async () => {
    const { cloudwatch } = await startAt({ regions: 'us-west-2, us-east-1' })
    const given = { metric: 'RequestCount', dimensions: browserid, statistic: 'Sum' }
    cloudwatch.series.push({ ...given, region: 'us-east-1', points: { [noonS]: 5 } })
    await setup.start()
    const found = await markers(2)
    expect(
      cloudwatch
        .asked()
        .map(({ region }) => region)
        .sort(),
    ).toEqual(['us-east-1', 'us-west-2'])
    expect(found.map(({ name }) => name).sort()).toEqual(['cloudwatch-us-east-1-test', 'cloudwatch-us-west-2-test'])
    expect(setup.points().get('aws.elb.browserid-prod.requestcount.sum.count')).toEqual([[noonS, 5]])
  })

  test('other namespaces come in the same format', async () => {
    const { cloudwatch } = await startAt({
      yaml: `watch: [{namespace: AWS/RDS, dimension: DBInstanceIdentifier, names: [main.db], metrics: [{name: CPUUtilization, statistics: [p99], unit: Percent}]}]`,
    })
    const series = { namespace: 'AWS/RDS', metric: 'CPUUtilization', statistic: 'p99' }
    cloudwatch.series.push({ ...series, dimensions: { DBInstanceIdentifier: 'main.db' }, points: { [noonS]: 12.5 } })
    await setup.start()
    await markers(1)
    expect(Object.fromEntries(setup.points())).toEqual({
      'aws.rds.main_db.cpuutilization.p99.percent': [[noonS, 12.5]],
    })
  })

  test('more than 500 series go in several requests, and answers in pages are put together', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `lb${i}`)
    const { cloudwatch } = await startAt({ yaml: `watch: [{names: [${names}]}]` })
    cloudwatch.pageSize = 300
    for (const name of names) {
      const dimensions = { LoadBalancerName: name }
      cloudwatch.series.push({ metric: 'Latency', dimensions, statistic: 'Maximum', points: { [noonS]: 1 } })
    }
    await setup.start()
    await markers(1)
    expect(cloudwatch.asked().map(({ body }) => body.MetricDataQueries.length)).toEqual([500, 500, 300])
    expect(setup.points().size).toBe(100)
  })
})

describe('bounds and reloads', () => {
  test('series beyond the bound are not asked for; that is said and counted', async () => {
    const names = Array.from({ length: Math.ceil((queriesMax + 1) / 8) }, (_, i) => `lb${i}`)
    const { clock, cloudwatch } = await startAt({ yaml: `watch: [{names: [${names}]}]` })
    await setup.start()
    await markers(1)
    expect(cloudwatch.asked()).toHaveLength(queriesMax / 500)
    await clock.advanceBy(1000)
    expect(setup.status()?.problem).toBe('us-west-2: more than 20000 series are wanted; the rest is not asked for')
    expect(setup.status()?.counters.queries_refused_total).toBe(names.length * 8 - queriesMax)
  })

  test('of two that were given the same name only the first is asked for; that is said and counted', async () => {
    const { clock, cloudwatch } = await startAt({
      yaml: 'watch: [{names: [old, new], rename: {old: prod.web, new: prod.web}}]',
    })
    await setup.start()
    await markers(1)
    const asked = cloudwatch
      .asked()[0]
      ?.body.MetricDataQueries.map(({ MetricStat }) => MetricStat.Metric.Dimensions[0]?.Value)
    expect(new Set(asked)).toEqual(new Set(['old']))
    await clock.advanceBy(1000)
    expect(setup.status()?.problem).toMatch(
      /^us-west-2: new is not asked for: another has the same name in Graphite or rules, aws.elb.prod.web/,
    )
    expect(setup.status()?.counters.queries_refused_total).toBe(8)
  })

  test('a changed cloudwatch.yaml counts from the next turn, a bad one is refused and changes nothing', async () => {
    const { clock, cloudwatch } = await startAt()
    const part = await setup.start()
    await markers(1)
    const file = setup.config.cloudwatch2graphite?.metrics as string
    fs.writeFileSync(file, 'watch: [{names: []}]')
    await expect(part.reload?.(setup.config)).rejects.toThrow(
      'cloudwatch.yaml:1:10: watch[0].names: expected at least one',
    )
    await clock.advanceTo(noonMs + 2 * minuteMs)
    await markers(2)
    fs.writeFileSync(file, 'watch: [{names: [other]}]')
    await part.reload?.(setup.config)
    await clock.advanceTo(noonMs + 3 * minuteMs)
    await markers(3)
    const asked = cloudwatch
      .asked()
      .map(({ body }) => body.MetricDataQueries[0]?.MetricStat.Metric.Dimensions[0]?.Value)
    expect(asked).toEqual(['browserid-prod', 'browserid-prod', 'other'])
  })
})

describe('time', () => {
  const requests = { metric: 'RequestCount', dimensions: browserid, statistic: 'Sum' }
  const name = 'aws.elb.browserid-prod.requestcount.sum.count'

  test('each poll asks for the last 11 whole minutes, and markers follow three minutes behind', async () => {
    const { clock, cloudwatch } = await startAt()
    await setup.start()
    await markers(1)
    await clock.advanceTo(noonMs + 2 * minuteMs)
    const [first, second] = await markers(2)
    const asked = cloudwatch.asked().map(({ body }) => [body.StartTime - noonS, body.EndTime - noonS])
    expect(asked).toEqual([
      [-600, 60],
      [-540, 120],
    ])
    expect(first).toMatchObject({ bucketMs: noonMs - 2 * minuteMs, intervalMs: minuteMs, latenessMs: 3 * minuteMs })
    expect(second).toMatchObject({ bucketMs: noonMs - minuteMs })
  })

  test('a point is published once, and again only when CloudWatch has corrected it', async () => {
    const { clock, cloudwatch } = await startAt()
    const points: Record<number, number> = { [noonS]: 10 }
    cloudwatch.series.push({ ...requests, points })
    await setup.start()
    await markers(1)
    await clock.advanceTo(noonMs + 2 * minuteMs)
    await markers(2)
    points[noonS] = 12
    await clock.advanceTo(noonMs + 3 * minuteMs)
    await markers(3)
    expect(setup.points().get(name)).toEqual([
      [noonS, 10],
      [noonS, 12],
    ])
  })

  test('a point that the marker has passed reaches Graphite but no rule, and is counted', async () => {
    const { clock, cloudwatch } = await startAt()
    const points: Record<number, number> = {}
    cloudwatch.series.push({ ...requests, points })
    await setup.start()
    await markers(1)
    for (let minute = 2; minute <= 6; minute++) {
      await clock.advanceTo(noonMs + minute * minuteMs)
      await markers(minute)
    }
    points[noonS] = 3
    await clock.advanceTo(noonMs + 7 * minuteMs)
    await markers(7)
    const messages = setup.entries.filter((entry) => entry.kind === 'metrics').map(({ message }) => message)
    expect(messages).toMatchObject([{ bucketMs: noonMs, counters: { names: [] }, untyped: { names: [name] } }])
    await clock.advanceBy(1000)
    expect(setup.status()?.counters).toMatchObject({ late_points_total: 1, points_total: 1, polls_total: 7 })
  })

  test('what the first answer brings from before rules look is for Graphite only', async () => {
    const { cloudwatch } = await startAt()
    cloudwatch.series.push({ ...requests, points: { [noonS - 540]: 1, [noonS]: 2 } })
    await setup.start()
    await markers(1)
    const messages = setup.entries.filter((entry) => entry.kind === 'metrics').map(({ message }) => message)
    expect(messages).toMatchObject([
      { bucketMs: noonMs - 540_000, counters: { names: [] }, untyped: { names: [name] } },
      { bucketMs: noonMs, counters: { names: ['aws:elb.browserid-prod.requestcount'] } },
    ])
  })

  test('missing points are not invented', async () => {
    const { cloudwatch } = await startAt()
    cloudwatch.series.push({ ...requests, points: { [noonS - 60]: 4, [noonS + 60]: 9 } })
    await setup.start()
    await markers(1)
    expect(setup.points().get(name)).toEqual([[noonS - 60, 4]])
  })

  test('an answer that is only partial is published without a marker, so that rules take nothing for zero', async () => {
    const { clock, cloudwatch } = await startAt()
    cloudwatch.series.push({ ...requests, points: { [noonS]: 4 } })
    cloudwatch.statusCode = 'PartialData'
    await setup.start()
    await until(() => setup.points().has(name))
    cloudwatch.statusCode = 'Complete'
    await clock.advanceTo(noonMs + 2 * minuteMs)
    expect(await markers(1)).toHaveLength(1)
    expect(setup.points().get(name)).toEqual([[noonS, 4]])
    expect(setup.logged.join('')).toContain('us-west-2: CloudWatch gave only part of the points')
  })

  test('an orderly stop says bye', async () => {
    await startAt()
    const part = await setup.start()
    await markers(1)
    await part.stop()
    expect((await markers(2)).at(-1)).toMatchObject({ bye: true, bucketMs: noonMs - 2 * minuteMs })
  })
})

describe('when CloudWatch does not answer as it should', () => {
  const requests = { metric: 'RequestCount', dimensions: browserid, statistic: 'Sum' }
  const points = { [Math.floor(Date.now() / minuteMs) * 60 - 60]: 1 }

  test('throttled requests are tried again with pauses and nothing is lost', async () => {
    setup = await setUp({ yaml: oneBalancer })
    setup.cloudwatch.series.push({ ...requests, points })
    setup.cloudwatch.fail(4)
    await setup.start()
    await until(() => setup.points().size === 1)
    await until(() => (setup.status()?.counters.points_total ?? 0) > 0)
    expect(setup.status()?.counters).toMatchObject({ throttled_total: 4, retries_total: 1, errors_total: 0 })
    expect(setup.status()?.problem).toBeUndefined()
  })

  test('wrong credentials are said once, asked again every interval, and mended without a restart', async () => {
    setup = await setUp({ yaml: oneBalancer })
    useCredentials('AKIDWRONG')
    setup.cloudwatch.series.push({ ...requests, points })
    await setup.start()
    await until(() => setup.cloudwatch.asked().length >= 3)
    expect(setup.logged.filter((line) => line.includes('refuses the credentials'))).toHaveLength(1)
    await until(() => setup.status()?.problem?.startsWith('us-west-2: CloudWatch refuses the credentials'))
    expect(setup.entries.filter(({ kind }) => kind === 'markers')).toEqual([])
    useCredentials('AKIDGOOD')
    await until(() => setup.points().size === 1, { timeoutMs: 15_000 })
    await until(() => setup.logged.some((line) => line.includes('us-west-2 answers again')))
  })

  test('an unreachable CloudWatch is asked again with pauses until it answers', async () => {
    setup = await setUp({ yaml: oneBalancer })
    setup.cloudwatch.series.push({ ...requests, points })
    setup.cloudwatch.down = true
    await setup.start()
    await until(() => (setup.status()?.counters.retries_total ?? 0) >= 1, { timeoutMs: 15_000 })
    setup.cloudwatch.down = false
    await until(() => setup.points().size === 1, { timeoutMs: 15_000 })
  })

  test('remarks of CloudWatch are passed on to people', async () => {
    setup = await setUp({ yaml: oneBalancer })
    setup.cloudwatch.remark = { Code: 'ArithmeticError', Value: 'too many metrics' }
    await setup.start()
    await until(() => setup.status()?.problem === 'us-west-2: CloudWatch remarks: ArithmeticError: too many metrics')
  })
})
