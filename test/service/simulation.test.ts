import { describe, expect, test } from 'vitest'
import { type Fault, faultDefaults } from '../../service/fault.ts'
import type { ProcessName } from '../../service/settings.ts'
import { Simulation } from '../../service/simulation.ts'
import { rateAt } from '../../service/traffic-shape.ts'
import type { HttpCheck } from '../../src/checks/check-file.ts'
import type { CheckState } from '../../src/model/check.ts'

const portBase = 10_000
const startMs = 1_772_373_900_000
const brokenMs = startMs + 30_000
const heartbeats = (['verifier', 'static'] as const).map((name): HttpCheck => {
  return {
    name: `web.${name}`,
    url: `http://127.0.0.1:${name === 'verifier' ? 10_004 : 10_005}/__heartbeat__`,
    method: 'GET',
    headers: {},
    followRedirects: false,
    expect: {},
    intervalMs: 5000,
    whileFailingMs: 1000,
    timeoutMs: 2000,
  }
})

/** Half a minute well, half a minute broken, half a minute well: sums and check states of each. */
function play(process: ProcessName, fault: Partial<Fault> & { kind: Fault['kind'] }) {
  const broken = { process, fault: { ...faultDefaults, forMs: 30_000, ...fault } }
  const simulation = new Simulation({ checks: heartbeats, portBase, brokenMs, broken }, startMs)
  return [0, 1, 2].map(() => {
    const sums = new Map<string, number>()
    const states = new Map<string, Set<CheckState>>()
    const add = (name: string, count: number) => sums.set(name, (sums.get(name) ?? 0) + count)
    for (let second = 0; second < 30; second++) {
      for (const entry of simulation.step()) {
        if (entry.kind === 'metrics') {
          const { counters, timers } = entry.message
          for (const [i, name] of counters.names.entries()) add(name, counters.sums[i] as number)
          for (const [i, name] of timers.names.entries()) {
            sums.set(name, Math.max(sums.get(name) ?? 0, timers.distributions[i]?.max ?? 0))
          }
        }
        if (entry.kind !== 'checks') continue
        for (const { name, state } of entry.message.results)
          states.set(name, (states.get(name) ?? new Set()).add(state))
      }
    }
    return {
      sum: (name: string) => sums.get(name) ?? 0,
      states: (name: string) => [...(states.get(name) ?? [])],
    }
  }) as [Played, Played, Played]
}

interface Played {
  sum(name: string): number
  states(name: string): CheckState[]
}

describe('the simulated service', () => {
  test('answers as many requests as its users make, in their mix', () => {
    const [well] = play('verifier', { kind: '5xx' })
    const requests = rateAt(startMs) * 30
    expect(well.sum('browserid.verifier.response.200') / requests).toBeCloseTo(0.2, 1)
    expect(well.sum('browserid.router.wsapi.session_context') / requests).toBeCloseTo(0.2, 1)
    expect(well.sum('browserid.dbwriter.response.401')).toBeGreaterThan(0)
    expect(well.sum('browserid.static.response.404')).toBeGreaterThan(0)
    expect(well.sum('browserid.verifier.response.503')).toBe(0)
    expect(well.states('web.verifier')).toEqual(['ok'])
  })

  test('loses nothing when it begins within a second, as it always does', () => {
    const simulation = new Simulation({ checks: [], portBase, brokenMs }, startMs + 777)
    let pages = 0
    for (let second = 0; second < 30; second++) {
      const [metrics] = simulation.step()
      if (metrics?.kind !== 'metrics') continue
      const { names, sums } = metrics.message.counters
      pages += sums[names.indexOf('browserid.static.response.200')] ?? 0
    }
    expect(pages / (rateAt(startMs) * 30)).toBeCloseTo(0.11, 1)
    expect(pages).toBeGreaterThan(60)
  })

  test('5xx: the share fails while it lasts, and only there', () => {
    const [, broken, after] = play('verifier', { kind: '5xx', share: 0.5 })
    const [bad, good] = [broken.sum('browserid.verifier.response.503'), broken.sum('browserid.verifier.response.200')]
    expect(bad / (bad + good)).toBeCloseTo(0.5, 1)
    expect(broken.sum('browserid.router.response.503')).toBe(0)
    expect(after.sum('browserid.verifier.response.503')).toBe(0)
  })

  test('5xx behind the router reach the router’s callers', () => {
    const [, broken] = play('dbwriter', { kind: '5xx', share: 1 })
    expect(broken.sum('browserid.router.response.503')).toBe(broken.sum('browserid.dbwriter.response.503'))
  })

  test('slow: response times grow, up to where callers have gone', () => {
    const [well, broken] = play('browserid', { kind: 'slow', ms: 1000 })
    expect(well.sum('browserid.browserid.response_time')).toBe(4)
    expect(broken.sum('browserid.browserid.response_time')).toBe(1004)
    expect(broken.sum('browserid.router.response_time')).toBe(1006)
    const [, slower] = play('browserid', { kind: 'slow', ms: 4000 })
    expect(slower.sum('browserid.router.response.504')).toBeGreaterThan(0)
  })

  test('hang and kill: nothing is answered and heartbeats fail, of that process only', () => {
    for (const kind of ['hang', 'kill'] as const) {
      const [, broken, after] = play('verifier', { kind })
      expect(broken.sum('browserid.verifier.response.200')).toBe(0)
      expect(broken.sum('browserid.static.response.200')).toBeGreaterThan(0)
      expect(broken.states('web.verifier')).toContain('crit')
      expect(broken.states('web.static')).toEqual(['ok'])
      expect(after.states('web.verifier').at(-1)).toBe('ok')
    }
  })

  test('dependency: queries fail, heartbeats do not', () => {
    const [, broken] = play('dbwriter', { kind: 'dependency' })
    expect(broken.sum('browserid.dbwriter.failed_query')).toBe(broken.sum('browserid.dbwriter.response.503'))
    expect(broken.states('web.verifier')).toEqual(['ok'])
  })
})
