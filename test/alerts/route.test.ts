import { describe, expect, test } from 'vitest'
import { type Routing, route } from '../../src/alerts/route.ts'
import type { BadLevel } from '../../src/model/alert.ts'
import type { Route } from '../../src/runtime/config.ts'

const webhook = { webhook: { url: 'http://localhost/', timeout: 1000 } }
const receivers: Routing['receivers'] = { oncall: webhook, ops: webhook, identity: webhook }

const alert = {
  rule: 'http_5xx_spike',
  level: 'crit' as BadLevel,
  group: [{ name: 'process', value: 'verifier' }],
  tags: { team: 'identity' },
}

function told(tree: Route | undefined, about: Partial<typeof alert> = {}): string[] {
  return route({ ...alert, ...about }, { receivers, route: tree }, 0)
}

describe('the routing tree', () => {
  test('without children the root’s receiver is told', () => {
    expect(told({ receiver: 'oncall' })).toEqual(['oncall'])
  })

  test('the first child that matches wins, not the best', () => {
    const routes = [
      { match: { rule: 'http_*' }, receiver: 'ops' },
      { match: { rule: 'http_5xx_spike' }, receiver: 'identity' },
    ]
    expect(told({ receiver: 'oncall', routes })).toEqual(['ops'])
  })

  test('where no child matches, the node’s own receiver is told', () => {
    expect(told({ receiver: 'oncall', routes: [{ match: { severity: 'warn' }, receiver: 'ops' }] })).toEqual(['oncall'])
  })

  test('a child without a receiver inherits its parent’s', () => {
    expect(told({ receiver: 'oncall', routes: [{ match: { severity: 'crit' } }] })).toEqual(['oncall'])
  })

  test('children of children are walked', () => {
    const routes = [{ match: { team: 'identity' }, routes: [{ match: { severity: 'crit' }, receiver: 'identity' }] }]
    expect(told({ receiver: 'oncall', routes })).toEqual(['identity'])
    expect(told({ receiver: 'oncall', routes }, { level: 'warn' })).toEqual(['oncall'])
  })

  test('severity, rule, kept names and tags are matched, and all that a match names must hold', () => {
    const node = (match: Record<string, string>): Route => ({ routes: [{ match, receiver: 'ops' }] })
    expect(told(node({ severity: 'crit', rule: 'http_5xx_spike', process: 'verifier', team: 'identity' }))).toEqual([
      'ops',
    ])
    expect(told(node({ severity: 'crit', process: 'router' }))).toEqual([])
    expect(told(node({ nothing: 'such' }))).toEqual([])
  })

  test('nobody where the tree has no receiver for it', () => {
    expect(told({ routes: [{ match: { severity: 'warn' }, receiver: 'ops' }] })).toEqual([])
  })

  test('without a tree every receiver is told', () => {
    expect(told(undefined)).toEqual(['oncall', 'ops', 'identity'])
  })
})

describe('a star stands for any text', () => {
  const matches = (pattern: string, value: string) =>
    told({ routes: [{ match: { process: pattern }, receiver: 'ops' }] }, { group: [{ name: 'process', value }] })
      .length > 0

  test.each([
    ['*', ''],
    ['*', 'anything'],
    ['web*', 'web'],
    ['web*', 'web12'],
    ['*.eu', 'web1.eu'],
    ['a*b*c', 'abc'],
    ['a*b*c', 'a-b-b-c'],
    ['**', 'x'],
  ])('%s matches "%s"', (pattern, value) => expect(matches(pattern, value)).toBe(true))

  test.each([
    ['web', 'web1'],
    ['web*', 'aweb'],
    ['*.eu', 'web1.us'],
    ['a*b*c', 'ac'],
    ['ab*ba', 'aba'],
    ['a.c', 'abc'],
  ])('%s does not match "%s"', (pattern, value) => expect(matches(pattern, value)).toBe(false))
})
