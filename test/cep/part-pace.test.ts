import { describe, expect, it } from 'vitest'
import { Pace } from '../../src/cep/part-pace.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { ManualClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { capture } from '../contract/bus-places.ts'

const clockSaid = (nowMs: number) =>
  ({ kind: 'clock', key: 'clock', id: 'a', offset: 0, message: { process: 'a', nowMs } }) as LogEntry

function setUp() {
  const clock = new ManualClock(1_000_000)
  const { log, lines } = capture()
  const stats = new Stats()
  const context = { clock, log, instance: 'a', host: 'a' } as unknown as ConstructorParameters<typeof Pace>[0]
  return { clock, lines, stats, pace: new Pace(context, stats) }
}

describe('the pace of the engine', () => {
  it('is how old the newest clock message was that it has handled', async () => {
    const { clock, stats, pace } = setUp()
    expect(stats.snapshot().lag_ms).toBe(0)
    pace.note(clockSaid(1_000_000))
    await clock.advanceBy(2500)
    expect(pace.reachedMs).toBe(1_000_000)
    expect(stats.snapshot().lag_ms).toBe(2500)
  })

  it('is said once when it falls more than ten seconds behind, and once when it has caught up', async () => {
    const { clock, lines, pace } = setUp()
    for (let second = 0; second < 20; second++) {
      await clock.advanceBy(1000)
      pace.note(clockSaid(1_000_000))
      pace.watch()
    }
    expect(pace.problem).toBe('the engine is behind its log: pages come late')
    expect(pace.isStopped).toBe(false)
    pace.note(clockSaid(clock.now()))
    pace.watch()
    expect(pace.problem).toBeUndefined()
    expect(lines).toEqual([
      'warn the engine is behind its log: pages come late',
      'info the engine has caught up with its log',
    ])
  })

  it('is none when clock messages do not come back at all', async () => {
    const { clock, lines, pace } = setUp()
    pace.note(clockSaid(1_000_000))
    for (let second = 0; second < 20; second++) {
      await clock.advanceBy(1000)
      pace.watch()
    }
    expect(pace.isStopped).toBe(true)
    expect(lines).toEqual(['warn clock messages do not come back from the bus: rules are not being evaluated'])
  })
})
