import { interval } from 'rxjs'
import { expect, test } from 'vitest'
import { aligned, formatLocal, formatUtc, ManualClock, sleep } from '../../src/runtime/clock.ts'

test('a manual clock runs what is due, in order, and stands at the time it was told', async () => {
  const clock = new ManualClock(1000)
  const seen: number[] = []
  interval(300, clock).subscribe(() => seen.push(clock.now()))
  await clock.advanceTo(2000)
  expect(seen).toEqual([1300, 1600, 1900])
  expect(clock.now()).toBe(2000)
})

test('a manual clock lets promises settle between timers', async () => {
  const clock = new ManualClock(0)
  const seen: number[] = []
  const run = async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(100, clock)
      seen.push(clock.now())
    }
  }
  const done = run()
  await clock.advanceTo(1000)
  await done
  expect(seen).toEqual([100, 200, 300])
})

test('aligned emits nominal multiples of the period, whatever the start', async () => {
  const clock = new ManualClock(1_700_000_000_350)
  const seen: number[] = []
  aligned(1000, clock).subscribe((atMs) => seen.push(atMs))
  await clock.advanceBy(2700)
  expect(seen).toEqual([1_700_000_001_000, 1_700_000_002_000, 1_700_000_003_000])
})

test('aligned catches up one by one after a short stall and skips ahead after a long one', async () => {
  const clock = new ManualClock(0)
  const seen: number[] = []
  aligned(1000, clock, 3).subscribe((atMs) => seen.push(atMs))
  clock.stallUntil(3500)
  await clock.advanceTo(3500)
  expect(seen).toEqual([1000, 2000, 3000])
  clock.stallUntil(100_000)
  await clock.advanceTo(100_000)
  expect(seen).toEqual([1000, 2000, 3000, 100_000])
})

test('sleep ends early when its signal is aborted', async () => {
  const clock = new ManualClock(0)
  const abort = new AbortController()
  const slept = sleep(10_000, clock, abort.signal)
  abort.abort()
  await slept
  expect(clock.now()).toBe(0)
})

test('times are printed in a zone with its name, and in UTC', () => {
  const winter = Date.UTC(2026, 2, 1, 13, 5, 9)
  expect(formatUtc(winter)).toBe('2026-03-01 13:05:09 UTC')
  expect(formatLocal(winter, 'Europe/Paris')).toMatch(/^2026-03-01 14:05:09 (CET|GMT\+1)$/)
})
