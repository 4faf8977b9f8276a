import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Breakage, type Fault, faultDefaults, parseFault } from '../../service/fault.ts'
import { ManualClock } from '../../src/runtime/clock.ts'

const fault = (change: Partial<Fault>): Fault => ({ kind: '5xx', ...faultDefaults, ...change })

describe('a fault', () => {
  test('holds for its time and no longer', async () => {
    const clock = new ManualClock(1000)
    const breakage = new Breakage(clock)
    breakage.begin(fault({ kind: 'hang', forMs: 5000 }))
    expect(breakage.endsMs).toBe(6000)
    await clock.advanceTo(5999)
    expect(breakage.is('hang')).toBe(true)
    await clock.advanceTo(6000)
    expect(breakage.fault).toBeUndefined()
  })

  test('that takes the place of another lasts its own time', async () => {
    const clock = new ManualClock()
    const breakage = new Breakage(clock)
    breakage.begin(fault({ kind: 'hang', forMs: 1000 }))
    breakage.begin(fault({ kind: 'slow', forMs: 3000 }))
    await clock.advanceTo(2999)
    expect(breakage.is('slow')).toBe(true)
    await clock.advanceTo(3000)
    expect(breakage.fault).toBeUndefined()
  })

  test('fails the given share of any run of requests, to within one', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 500 }),
        (share, requests) => {
          const breakage = new Breakage(new ManualClock())
          breakage.begin(fault({ share }))
          const failed = Array.from({ length: requests }, () => breakage.failsNext()).filter(Boolean).length
          expect(Math.abs(failed - share * requests)).toBeLessThan(1 + 1e-6)
        },
      ),
    )
  })

  test('whatever is asked for is a fault within bounds or a clear no', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        const parsed = parseFault(body)
        expect(parsed.ok || parsed.error.length > 0).toBe(true)
      }),
    )
  })
})
