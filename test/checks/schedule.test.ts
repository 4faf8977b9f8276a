import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { begin, end, firstSlot, plan, probesMax, reschedule, type Slot, stepMs } from '../../src/checks/schedule.ts'
import type { CheckState } from '../../src/model/check.ts'

const timing = { name: 'web.verifier', intervalMs: 10_000, whileFailingMs: 2_000 }
const nowMs = 1_700_000_000_000

function scheduleOf(...slots: Slot[]): Map<string, Slot> {
  return new Map(slots.map((slot) => [slot.name, slot]))
}

/** Plays a check whose probes take `tookMs` and find the given states; answers when each began, relative to the first. */
function play(states: readonly CheckState[], tookMs: number): number[] {
  let slot = firstSlot(timing, nowMs)
  return states
    .map((state) => {
      const startedMs = slot.dueMs
      slot = end(begin(slot, startedMs), state, startedMs + tookMs)
      return startedMs
    })
    .map((startedMs, _, [first]) => startedMs - (first as number))
}

describe('when a check is due', () => {
  test('a new check runs within two seconds, whatever its interval', () => {
    const slot = firstSlot({ ...timing, intervalMs: 3_600_000 }, nowMs)
    expect(slot.dueMs - nowMs).toBeGreaterThanOrEqual(0)
    expect(slot.dueMs - nowMs).toBeLessThan(2_000)
  })

  test('while it is fine it runs every interval, on a grid that neither drifts nor moves with a restart', () => {
    const [, second = 0, third, fourth] = play(['ok', 'ok', 'ok', 'ok'], 70)
    expect([third, fourth]).toEqual([second + 10_000, second + 20_000])
    const restarted = end(begin(firstSlot(timing, nowMs + 123_456), nowMs + 123_456), 'ok', nowMs + 123_456)
    const before = end(begin(firstSlot(timing, nowMs), nowMs), 'ok', nowMs)
    expect((restarted.dueMs - before.dueMs) % 10_000).toBe(0)
  })

  test('the second run comes at least half an interval after the first', () => {
    const [, second] = play(['ok', 'ok'], 5)
    expect(second).toBeGreaterThanOrEqual(5_000)
  })

  test('while it fails it runs at the shorter interval, counted from start to start', () => {
    expect(play(['crit', 'crit', 'unknown', 'warn', 'crit'], 300)).toEqual([0, 2_000, 4_000, 6_000, 8_000])
  })

  test('a failing probe that took longer than the shorter interval is repeated at once, without overlap', () => {
    expect(play(['crit', 'crit', 'crit'], 5_000)).toEqual([0, 5_000, 10_000])
  })

  test('the starts of a hundred checks are spread over the interval', () => {
    const tenths = new Set(
      Array.from({ length: 100 }, (_, i) => {
        const named = { ...timing, name: `web.process${i}` }
        const slot = end(begin(firstSlot(named, nowMs), nowMs), 'ok', nowMs)
        return Math.floor((slot.dueMs % 10_000) / 1000)
      }),
    )
    expect(tenths.size).toBe(10)
  })
})

describe('planning', () => {
  test('what is due begins, the longest due first; the rest says when to look again', () => {
    const late: Slot = { ...timing, name: 'late', dueMs: nowMs - 50 }
    const due: Slot = { ...timing, name: 'due', dueMs: nowMs }
    const soon: Slot = { ...timing, name: 'soon', dueMs: nowMs + 400 }
    const later: Slot = { ...timing, name: 'later', dueMs: nowMs + 900 }
    expect(plan(scheduleOf(later, due, soon, late), nowMs)).toEqual({
      begin: ['late', 'due'],
      waiting: 0,
      wakeMs: nowMs + 400,
    })
  })

  test('a running check is not begun again, however long it is overdue', () => {
    const slot = begin({ ...timing, dueMs: nowMs - 60_000 }, nowMs - 60_000)
    expect(plan(scheduleOf(slot), nowMs)).toEqual({ begin: [], waiting: 0, wakeMs: undefined })
  })

  test('at most probesMax run at a time; the others wait and are counted', () => {
    const all = Array.from({ length: probesMax + 8 }, (_, i): Slot => ({ ...timing, name: `c${i}`, dueMs: nowMs }))
    const running = all.slice(0, 10).map((slot) => begin(slot, nowMs))
    const { begin: begun, waiting } = plan(scheduleOf(...running, ...all.slice(10)), nowMs)
    expect([begun.length, waiting]).toEqual([probesMax - 10, 8])
  })

  test('whatever the answers, no check overlaps itself, none is forgotten and none runs more often than it may', () => {
    const answer = fc.record({
      state: fc.constantFrom<CheckState>('ok', 'warn', 'crit', 'unknown'),
      tookMs: fc.integer({ min: 0, max: 30_000 }),
    })
    fc.assert(
      fc.property(fc.string(), fc.array(answer, { minLength: 1, maxLength: 40 }), (name, answers) => {
        let slot = firstSlot({ ...timing, name }, nowMs)
        for (const { state, tookMs } of answers) {
          const startedMs = slot.dueMs
          const endedMs = startedMs + tookMs
          slot = end(begin(slot, startedMs), state, endedMs)
          expect(slot.startedMs).toBeUndefined()
          expect(slot.dueMs).toBeGreaterThanOrEqual(endedMs)
          expect(slot.dueMs).toBeGreaterThanOrEqual(startedMs + 2_000)
          expect(slot.dueMs).toBeLessThanOrEqual(Math.max(endedMs, startedMs + 5_000) + 10_000)
        }
      }),
    )
  })
})

describe('how long a result stands', () => {
  const slot = begin({ ...timing, dueMs: nowMs }, nowMs)

  test('until the next one is due: the interval when fine, the shorter one when not', () => {
    expect(stepMs(slot, 'ok', nowMs + 40)).toBe(10_000)
    expect(stepMs(slot, 'crit', nowMs + 40)).toBe(2_000)
  })

  test('as long as it was in coming where that is longer, so that a hanging check does not look missing', () => {
    expect(stepMs(slot, 'crit', nowMs + 5_001)).toBe(6_000)
  })
})

test('a reload keeps the slots of unchanged checks, begins changed and new ones anew, and drops the others', () => {
  const kept: Slot = { ...timing, name: 'kept', dueMs: nowMs + 7_777, state: 'crit' }
  const changed: Slot = { ...timing, name: 'changed', dueMs: nowMs + 7_777, state: 'crit' }
  const gone: Slot = { ...timing, name: 'gone', dueMs: nowMs + 7_777 }
  const after = reschedule(
    scheduleOf(kept, changed, gone),
    ['kept', 'changed', 'new'].map((name) => ({ ...timing, name })),
    new Set(['kept']),
    nowMs,
  )
  expect([...after.keys()]).toEqual(['kept', 'changed', 'new'])
  expect(after.get('kept')).toEqual(kept)
  expect(after.get('changed')?.state).toBeUndefined()
  expect(after.get('new')?.dueMs).toBeLessThan(nowMs + 2_000)
})
