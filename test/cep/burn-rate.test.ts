/**
 * Objectives against the formula of the SRE workbook ("Alerting on SLOs", multiwindow, multi-burn-rate), computed minute
 * by minute from plain sums: the level is on from exactly the tick at which both windows of a pair burn faster than its
 * factor allows, until exactly the tick at which no pair does.
 */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { loadRules } from '../../src/cep/language/load.ts'
import { prepare } from '../../src/cep/testing/prepare.ts'
import { play } from '../../src/cep/testing/run.ts'

/** Requests of one minute. */
interface Minute {
  all: number
  bad: number
}

/** Factor, long window, short window, in minutes. */
const pairs = {
  crit: [
    [14.4, 60, 5],
    [6, 360, 30],
  ],
  warn: [
    [3, 1440, 120],
    [1, 4320, 360],
  ],
} as const

type Truth = boolean | undefined

/** The formula, from the beginning: sums by subtraction of running totals. Counts are whole, so they are exact. */
class Workbook {
  readonly #all: number[] = [0]
  readonly #bad: number[] = [0]
  readonly #target: number
  readonly #least: number

  constructor(minutes: readonly Minute[], target: number, least: number) {
    for (const { all, bad } of minutes) {
      this.#all.push((this.#all.at(-1) as number) + all)
      this.#bad.push((this.#bad.at(-1) as number) + bad)
    }
    this.#target = target
    this.#least = least
  }

  truth(level: 'warn' | 'crit', minute: number): Truth {
    const [first, second] = pairs[level].map(([factor, long, short]) =>
      and(this.#burns(minute, long, factor), this.#burns(minute, short, factor)),
    )
    const either = or(first, second)
    if (this.#least === 0) return either
    const bad = this.#sums(minute, 60)?.bad
    return and(either, bad === undefined ? undefined : bad >= this.#least)
  }

  /** Whether the budget burned faster than `factor` over the window; missing without requests or while it fills. */
  #burns(minute: number, length: number, factor: number): Truth {
    const sums = this.#sums(minute, length)
    if (!sums || sums.all === 0) return undefined
    // In whole numbers: bad / all > factor × (100 − target) / 100, targets with one decimal.
    return sums.bad * 10_000 > sums.all * Math.round(factor * 10) * Math.round((100 - this.#target) * 10)
  }

  /** A window moves in panes of length / 360, whole minutes of absolute time; it is the running one and the full ones that fit. */
  #sums(minute: number, length: number): Minute | undefined {
    const pane = Math.max(1, Math.ceil(length / 360))
    const running = ((minute - 1) % pane) + 1
    const size = running + Math.floor((length - running) / pane) * pane
    const from = Math.max(0, minute - size)
    if ((minute - from) * 2 < size) return undefined
    const over = (totals: readonly number[]) => (totals[minute] as number) - (totals[from] as number)
    return { all: over(this.#all), bad: over(this.#bad) }
  }
}

function and(a: Truth, b: Truth): Truth {
  return a === false || b === false ? false : a && b
}

function or(a: Truth, b: Truth): Truth {
  return a === true || b === true ? true : a === undefined || b === undefined ? undefined : false
}

/** `crit at minute 12` …, as the formula says; a level without an answer stays as it is. */
function expected(minutes: readonly Minute[], target: number, least: number): string[] {
  const workbook = new Workbook(minutes, target, least)
  const isOn = { warn: false, crit: false }
  const changes: string[] = []
  let before = 'ok'
  for (let minute = 1; minute <= minutes.length; minute++) {
    for (const level of ['warn', 'crit'] as const) isOn[level] = workbook.truth(level, minute) ?? isOn[level]
    const now = isOn.crit ? 'crit' : isOn.warn ? 'warn' : 'ok'
    if (now !== before) changes.push(`${now} at ${minute}`)
    before = now
  }
  return changes
}

/** What the engine makes of the same traffic. */
function came(minutes: readonly Minute[], target: number, least: number): string[] {
  const list = (of: (minute: Minute) => number) => `"[${minutes.map(of).join(', ')}]"`
  const text = `
metrics:
  - {match: "shop.**", kind: count}
rules:
  objective:
    every: 1m
    slo: {bad: "shop.{branch}.bad", all: "shop.{branch}.*", target: ${target}% over 30d${least > 0 ? `, at least: ${least}` : ''}}
    tests:
      - name: traffic
        given: {shop.berlin.bad: ${list(({ bad }) => bad)}, shop.berlin.good: ${list(({ all, bad }) => all - bad)}}
        run: ${minutes.length}m
        expect: {}
`
  const loaded = loadRules([{ path: 'slo.yaml', text }])
  const [raw] = loaded.tests
  const prepared = raw && prepare(raw, loaded, text)
  if (!prepared?.ok) throw new Error(JSON.stringify([loaded.problems, prepared]))
  return play(prepared.value, loaded).map(({ to, bucketMs }) => `${to} at ${bucketMs / 60_000}`)
}

const steady = (count: number, all: number, bad: number) => new Array<Minute>(count).fill({ all, bad })

describe('each pair of windows fires and clears at its own tick', () => {
  it.each([
    ['14.4 times over 1 h and 5 min: 2 % fail', 200, 'crit', 400],
    ['6 times over 6 h and 30 min: 0.8 % fail', 80, 'crit', 500],
    ['3 times over 1 d and 2 h: 0.4 % fail', 40, 'warn', 1800],
    ['once over 3 d and 6 h: 0.15 % fail', 15, 'warn', 3200],
  ])('%s', (_title, bad, level, length) => {
    const minutes = [...steady(length, 10_000, 0), ...steady(length, 10_000, bad), ...steady(length, 10_000, 0)]
    const changes = came(minutes, 99.9, 0)
    expect(changes).toEqual(expected(minutes, 99.9, 0))
    const reached = changes.map((change) => change.split(' ')[0])
    expect(reached).toContain(level)
    if (level === 'warn') expect(reached).not.toContain('crit')
  })

  it('exactly at the limit is not above it', () => {
    const minutes = [...steady(400, 10_000, 0), ...steady(400, 10_000, 144), ...steady(100, 10_000, 145)]
    const changes = came(minutes, 99.9, 0)
    expect(changes).toEqual(expected(minutes, 99.9, 0))
    // 1.44 % is more than 0.6 %, so the second pair is on; the first comes when the 145 prevail, and changes nothing.
    expect(changes.filter((change) => change.startsWith('crit'))).toHaveLength(1)
  })
})

test('below "at least" bad requests in the last hour it stays quiet, whatever their share', () => {
  const minutes = [...steady(300, 2, 0), ...steady(40, 2, 1), ...steady(300, 2, 0)]
  expect(came(minutes, 99.9, 41)).toEqual([])
  const changes = came(minutes, 99.9, 40)
  expect(changes).toEqual(expected(minutes, 99.9, 40))
  expect(changes[0]).toBe('crit at 340')
})

describe('on random traffic with outages', () => {
  const stretch = fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 60, max: 900 })),
    all: fc.constantFrom(0, 1, 7, 100, 6000),
    share: fc.constantFrom(0, 0, 0.0005, 0.0011, 0.002, 0.0035, 0.007, 0.015, 0.03, 0.2, 1),
    jitter: fc.integer({ min: 0, max: 3 }),
  })
  const traffic = fc.record({
    stretches: fc.array(stretch, { minLength: 5, maxLength: 14 }),
    warmUp: fc.constantFrom(0, 100, 2200),
    target: fc.constantFrom(99.9, 99.5, 99, 95),
    least: fc.constantFrom(0, 0, 5, 40),
  })

  it('the engine says what the formula says, to the minute', () => {
    fc.assert(
      fc.property(traffic, ({ stretches, warmUp, target, least }) => {
        const minutes = [...steady(warmUp, 100, 0), ...stretches.flatMap(minutesOf)]
        expect(came(minutes, target, least)).toEqual(expected(minutes, target, least))
      }),
      { numRuns: 15 },
    )
  })
})

function minutesOf({
  length,
  all,
  share,
  jitter,
}: {
  length: number
  all: number
  share: number
  jitter: number
}): Minute[] {
  return Array.from({ length }, (_, i) => {
    const now = all === 0 ? 0 : all + ((i * 7) % (jitter + 1))
    return {
      all: now,
      bad: Math.min(now, Math.round(now * share) + (share > 0 && jitter > 0 && i % (jitter + 1) === 0 ? 1 : 0)),
    }
  })
}
