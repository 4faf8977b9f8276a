import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { proxy } from '../../service/proxy.ts'
import { staticPages } from '../../service/static.ts'
import { inFlightMaxPerTarget, parseOptions, startTraffic, type Traffic } from '../../service/traffic.ts'
import { busyPerSecond, pickCall, quietPerSecond, rateAt } from '../../service/traffic-shape.ts'
import { verifier } from '../../service/verifier.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { until } from '../support/until.ts'
import { type RunningService, startService } from './support.ts'

describe('the shape of a day', () => {
  const hourMs = 3_600_000

  test('is quietest at 03:00 and busiest at 15:00 UTC', () => {
    expect(rateAt(15 * hourMs)).toBeCloseTo(busyPerSecond)
    expect(rateAt(3 * hourMs)).toBeCloseTo(quietPerSecond)
    expect(rateAt(9 * hourMs)).toBeCloseTo((busyPerSecond + quietPerSecond) / 2)
  })

  test('repeats each day and never leaves its bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (atMs) => {
        const rate = rateAt(atMs)
        expect(rate).toBeGreaterThanOrEqual(quietPerSecond - 1e-6)
        expect(rate).toBeLessThanOrEqual(busyPerSecond + 1e-6)
        expect(rateAt(atMs + 24 * hourMs)).toBeCloseTo(rate, 3)
      }),
    )
  })
})

test('the mix reaches the four entries, each of them often enough for a rule to see', () => {
  const targets = Array.from({ length: 1000 }, (_, i) => pickCall(i / 1000, 0).target)
  const share = (name: string) => targets.filter((target) => target === name).length
  expect([share('router'), share('verifier'), share('static'), share('proxy')]).toEqual([600, 200, 120, 80])
})

describe('traffic', () => {
  let service: RunningService
  let traffic: Traffic
  const start = (factor: number) => {
    traffic = startTraffic({ portBase: service.settings.portBase, clock: systemClock, log: silentLog, factor })
  }
  afterEach(async () => {
    await traffic.stop()
    await service.close()
  })

  test('keeps going when some are down', async () => {
    service = await startService([staticPages, proxy])
    start(2)
    await until(() => traffic.counts.failed > 20 && traffic.counts.answered > 20)
    await service.start(verifier)
    const { failed, answered } = traffic.counts
    await until(() => traffic.counts.answered > answered + 50)
    expect(traffic.counts.failed).toBeGreaterThanOrEqual(failed)
  })

  test('has a bounded number of requests under way at a process that hangs; the rest is left out and counted', async () => {
    service = await startService([staticPages, verifier])
    await service.break('verifier', { kind: 'hang' })
    start(20)
    await until(() => traffic.counts.leftOut > 0)
    const { sent, answered, failed } = traffic.counts
    expect(sent - answered - failed).toBeLessThanOrEqual(4 * inFlightMaxPerTarget)
    await until(() => traffic.counts.answered > answered + 20)
  })
})

test.each([
  ['--rate', 'many', 'expected a number above 0, got "many"'],
  ['--rate', '0', 'expected a number above 0'],
  ['--speed', '2', 'Unknown option'],
])('%s %s is refused with what was expected', (option, value, message) => {
  const parsed = parseOptions([option, value])
  expect(parsed.ok ? '' : parsed.error).toContain(message)
})
