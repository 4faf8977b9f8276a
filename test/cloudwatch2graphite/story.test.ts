/** CloudWatch → bus → Graphite, with the real SDK, a real carbon and graphite-web. */
import { expect, test } from 'vitest'
import { startGraphite as startForwarder } from '../../src/graphite/index.ts'
import { graphiteInstalled, startGraphite } from '../support/graphite.ts'
import { until } from '../support/until.ts'
import { setUp } from './setup.ts'

test.skipIf(!graphiteInstalled())('what CloudWatch knows of a load balancer is read back from /render', async () => {
  const graphite = await startGraphite()
  const { host, port } = graphite.carbon
  const setup = await setUp({
    yaml: 'watch: [{names: [awseb-x7], rename: {awseb-x7: browserid}}]',
    more: `graphite: {carbon: "${host}:${port}"}`,
  })
  const atS = Math.floor(Date.now() / 60_000) * 60 - 120
  const dimensions = { LoadBalancerName: 'awseb-x7' }
  const fiveHundreds = { [atS - 60]: 3, [atS]: 17 }
  setup.cloudwatch.series.push(
    { metric: 'HTTPCode_Backend_5XX', dimensions, statistic: 'Sum', points: fiveHundreds },
    { metric: 'Latency', dimensions, statistic: 'Maximum', points: { [atS]: 0.125 } },
  )
  const forwarder = await startForwarder(setup.config, setup.context)
  try {
    await setup.start()
    const read = (target: string) => graphite.points(target, atS - 60, atS)
    await until(async () => (await read('aws.elb.browserid.latency.maximum.seconds')).size > 0, { everyMs: 50 })
    expect(await read('aws.elb.browserid.latency.maximum.seconds')).toEqual(new Map([[atS, 0.125]]))
    expect(await read('aws.elb.browserid.httpcode_backend_5xx.sum.count')).toEqual(
      new Map([
        [atS - 60, 3],
        [atS, 17],
      ]),
    )
  } finally {
    await forwarder.stop()
    await setup.end()
    await graphite.end()
  }
})
