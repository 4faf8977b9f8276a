import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Fault, faultDefaults } from '../../service/fault.ts'
import { type Expected, forecast } from '../../service/forecast.ts'
import type { ProcessName } from '../../service/settings.ts'
import { readRuleFiles } from '../../src/cep/rule-files.ts'
import { loadChecks } from '../../src/checks/load.ts'

const nowMs = 1_772_373_909_400
const shipped = readRuleFiles([path.resolve('rules')]).files
const checks = loadChecks([path.resolve('checks')])

function foretell(process: ProcessName, fault: Partial<Fault> & { kind: Fault['kind'] }): Expected[] {
  const input = { portBase: 10_000, process, fault: { ...faultDefaults, ...fault }, nowMs }
  return forecast({ ...input, rules: shipped, checks: checks.ok ? checks.value : [] }) ?? []
}

/** Seconds after the break; undefined when it does not happen. */
function secondsTo(
  expected: readonly Expected[],
  rule: string,
  groupKey: string,
  to: Expected['to'],
): number | undefined {
  const one = expected.find(
    (candidate) => candidate.rule === rule && candidate.groupKey === groupKey && candidate.to === to,
  )
  return one && (one.atMs - nowMs) / 1000
}

describe('with the shipped rules', () => {
  test('5xx: the page comes within a few seconds and the resolved mail after the service is well again', () => {
    const expected = foretell('verifier', { kind: '5xx' })
    expect(secondsTo(expected, 'http_5xx_spike', 'verifier', 'crit')).toBeLessThan(4)
    expect(secondsTo(expected, 'http_5xx_spike', 'verifier', 'ok')).toBeGreaterThan(60)
    expect(expected.filter(({ groupKey }) => groupKey !== 'verifier')).toEqual([])
  })

  test.each(['hang', 'kill'] as const)('%s: the heartbeat rule pages', (kind) => {
    const expected = foretell('static', { kind })
    expect(secondsTo(expected, 'heartbeat_failing', 'static', 'crit')).toBeLessThan(15)
    expect(secondsTo(expected, 'heartbeat_failing', 'static', 'ok')).toBeGreaterThan(59)
  })

  test('slow: the latency rule pages', () => {
    const expected = foretell('verifier', { kind: 'slow' })
    expect(secondsTo(expected, 'slow_responses', 'verifier', 'crit')).toBeLessThan(45)
  })

  test('dependency: the queries fail, and so do the router’s calls that need them', () => {
    const expected = foretell('dbwriter', { kind: 'dependency' })
    expect(secondsTo(expected, 'queries_failing', 'dbwriter', 'crit')).toBeLessThan(10)
    expect(secondsTo(expected, 'http_5xx_spike', 'dbwriter', 'crit')).toBeLessThan(6)
    expect(secondsTo(expected, 'http_5xx_spike', 'router', 'crit')).toBeLessThan(15)
  })

  test('a fault that is small and short is noticed by none', () => {
    expect(foretell('proxy', { kind: '5xx', share: 0.01, forMs: 3000 })).toEqual([])
  })

  test('what happens anyway is not foretold: rules about sources that are not there stay out', () => {
    const names = new Set(foretell('verifier', { kind: '5xx' }).map(({ rule }) => rule))
    expect([...names]).toEqual(['http_5xx_spike'])
  })
})

test('rules that are wrong foretell nothing', () => {
  const rules = [{ path: 'bad.yaml', text: 'rules: {a: {crit: "1 +"}}' }]
  const input = { checks: [], portBase: 10_000, process: 'proxy', nowMs } as const
  expect(forecast({ ...input, rules, fault: { kind: 'hang', ...faultDefaults } })).toBeUndefined()
})
