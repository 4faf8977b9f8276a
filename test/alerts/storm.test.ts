/** Two nodes of alerts on a real RabbitMQ and a storm of 1,000 alerts, in the middle of which the leader is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { triesMax } from '../../src/alerts/outbox.ts'
import { type Closing, Life, type Receivers, startReceivers, twoNodes } from '../support/lives.ts'
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

  test('a node that was away for an hour knows, a moment after it is back, what the other knows', async () => {
    const receivers = await startReceivers(closing)
    const url = await rabbitmq.vhost()
    const [leader, other] = await twoNodes(url, receivers, closing)
    expect(await other.stop()).toBe(0)
    const rules = Array.from({ length: 60 }, (_, i) => `rule${i}`)
    for (const rule of rules) leader.say(transition('crit', bucketMs, { rule }))
    for (const rule of rules.slice(0, 20)) leader.say(transition('ok', bucketMs + 1_800_000, { rule }))
    await receivers.arrived(80)
    const back = new Life(other.dir, closing)
    await back.printed('ready')
    await leader.kill()
    await back.printed('leads')
    // It knows who is firing: their ends are told, those of others are no news, and what fires already is not told again.
    for (const rule of rules) back.say(transition('crit', bucketMs, { rule }))
    for (const rule of rules) back.say(transition('ok', bucketMs + 3_600_000, { rule }))
    await receivers.arrived(120)
    expect(await back.stop()).toBe(0)
    await receivers.arrived(120)
  }, 120_000)
})
