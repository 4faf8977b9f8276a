/** Two engine processes on a real RabbitMQ: the one that leads is killed or hangs, and nobody notices but the log. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Engines, startEngines } from '../support/engines.ts'
import { type Rabbitmq, rabbitmqInstalled, startRabbitmq } from '../support/rabbitmq.ts'
import { until } from '../support/until.ts'

describe.skipIf(!rabbitmqInstalled())('a hot standby', () => {
  let broker: Rabbitmq
  let engines: Engines

  beforeAll(async () => {
    broker = await startRabbitmq()
  })
  afterAll(() => broker?.end())
  beforeEach(async () => {
    engines = await startEngines(await broker.vhost())
  })
  afterEach(() => engines?.end())

  /** Everything was told once, and in order. */
  const expectTruth = async () => {
    await engines.settled()
    const wanted = new Set(engines.fed.expected)
    const what = engines.told.map((one) => one.what)
    expect(new Set(what).size).toBe(what.length)
    expect(new Set(what).isSupersetOf(wanted)).toBe(true)
  }

  const fedFor = async (seconds: number) => {
    const untilMs = engines.fed.bucketMs + seconds * 1000
    await until(() => engines.fed.bucketMs >= untilMs, { timeoutMs: 20_000, what: 'more seconds to be fed' })
  }

  test('takes over from a leader that is killed in mid-incident: nothing is lost or told twice', async () => {
    const leader = await engines.leader()
    await fedFor(2)
    await leader.end('SIGKILL')
    await fedFor(3)
    await expectTruth()
  }, 60_000)

  test('takes over from a leader that hangs, which stands by when it wakes up', async () => {
    const leader = await engines.leader()
    await fedFor(2)
    leader.child.kill('SIGSTOP')
    await fedFor(6)
    await engines.settled()
    leader.child.kill('SIGCONT')
    await fedFor(3)
    await expectTruth()
    expect(await engines.leader()).not.toBe(leader)
  }, 60_000)

  test('and a broker that is away for longer than a dead source takes loses nothing and kills no source', async () => {
    await engines.leader()
    await fedFor(2)
    await broker.kill()
    await fedFor(6)
    await broker.restart()
    await fedFor(3)
    await expectTruth()
  }, 90_000)
})
