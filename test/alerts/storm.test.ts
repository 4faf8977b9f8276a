/** Two nodes of alerts on a real RabbitMQ and a storm of 1,000 alerts, in the middle of which the leader is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { triesMax } from '../../src/alerts/outbox.ts'
import { type Closing, type Life, type Receivers, startReceivers, twoNodes } from '../support/lives.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const alerts = 1000
const bucketMs = 1_760_000_000_000

describe.skipIf(!rabbitmqInstalled())('in a storm of 1,000 alerts on two nodes', () => {
  let rabbitmq: Rabbitmq
  const closing: Closing = []
  beforeAll(async () => {
    rabbitmq = await startRabbitmq()
  })
  afterAll(() => rabbitmq?.end())
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  const sayAll = (node: Life) => {
    for (let i = 0; i < alerts; i++) node.say(transition('crit', bucketMs, { rule: `rule${i}` }))
  }

  const halfway = (receivers: Receivers) =>
    until(() => receivers.keys().posts.length >= alerts / 3, { timeoutMs: 30_000, everyMs: 1, what: 'a third of them' })

  /** Every page came; what came more than once has the key under which the receiver knows it. */
  const expectAll = async (receivers: Receivers, losses: number) => {
    await receivers.arrived(alerts, 60_000)
    for (const row of Object.values(receivers.keys())) {
      expect(row.length - alerts).toBeLessThanOrEqual(losses * triesMax)
    }
  }

  test('a leader that is killed is followed by the standby, which tells all the rest', async () => {
    const receivers = await startReceivers(closing)
    const [leader, standby] = await twoNodes(await rabbitmq.vhost(), receivers, closing)
    sayAll(standby)
    await halfway(receivers)
    await leader.kill()
    await standby.printed('leads')
    await expectAll(receivers, 1)
    expect(await standby.stop()).toBe(0)
  }, 120_000)

  test('a leader that hangs is followed by the standby, and tells nothing more when it wakes up', async () => {
    const receivers = await startReceivers(closing)
    const [leader, standby] = await twoNodes(await rabbitmq.vhost(), receivers, closing)
    sayAll(standby)
    await halfway(receivers)
    leader.child.kill('SIGSTOP')
    await standby.printed('leads')
    leader.child.kill('SIGCONT')
    await expectAll(receivers, 1)
    expect(await standby.stop()).toBe(0)
    expect(await leader.stop()).toBe(0)
    await expectAll(receivers, 1)
  }, 120_000)
})
