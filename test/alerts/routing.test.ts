/** Routes as people use them: hours, several receivers, repetitions, exceptions. */
import { describe, expect, test } from 'vitest'
import type { Routing } from '../../src/alerts/route.ts'
import { route } from '../../src/alerts/route.ts'
import type { Route } from '../../src/runtime/config-alerts.ts'
import { email, momentOf, scenario } from './scenario.ts'

const receivers = { oncall: email, ops: email, identity: email }
const withRoute = (tree: Route): Routing => ({ receivers, route: tree })
const office = 'mon-fri 09:00-17:00 Europe/Berlin'

describe('hours of the week', () => {
  const tree = withRoute({
    receiver: 'oncall',
    routes: [{ match: { severity: 'warn' }, during: office, receiver: 'ops' }],
  })
  const alert = { rule: 'r', level: 'warn' as const, group: [], tags: {} }
  const told = (when: string) => route(alert, tree, momentOf(`${when} Europe/Berlin`))

  test.each([
    ['2026-06-10 08:59', 'oncall'],
    ['2026-06-10 09:00', 'ops'],
    ['2026-06-10 16:59', 'ops'],
    ['2026-06-10 17:00', 'oncall'],
    ['2026-06-13 12:00', 'oncall'],
    ['2026-03-30 09:00', 'ops'],
    ['2026-10-26 09:00', 'ops'],
  ])('at %s %s is told', (when, receiver) => expect(told(when)).toEqual([receiver]))
})

describe('continue', () => {
  const tree = withRoute({
    receiver: 'oncall',
    routes: [
      { match: { team: 'identity' }, receiver: 'identity', continue: true },
      { match: { severity: 'crit' }, receiver: 'oncall' },
      { match: { severity: 'warn' }, receiver: 'ops' },
    ],
  })

  scenario('the team is told beside whoever else is, each once, and each hears the end', {
    routing: tree,
    given: `
      1s  crit verifier team=identity
      2s  warn router
      9s  ok   verifier team=identity`,
    told: `
      1s  firing identity: verifier
      1s  firing oncall: verifier
      2s  firing ops: router
      9s  resolved identity: verifier
      9s  resolved oncall: verifier`,
  })

  test('where only a route that continues is entered, the node’s own receiver is not told too', () => {
    const only = withRoute({ receiver: 'oncall', routes: [{ match: { rule: 'a' }, receiver: 'ops', continue: true }] })
    expect(route({ rule: 'a', level: 'crit', group: [], tags: {} }, only, 0)).toEqual(['ops'])
  })
})

describe('repeat', () => {
  const tree = withRoute({
    receiver: 'oncall',
    repeat: 10_000,
    routes: [{ match: { severity: 'warn' }, receiver: 'ops', repeat: 20_000 }],
  })

  scenario('what still fires is repeated as often as its route says; the rule’s own remind comes before that', {
    routing: tree,
    until: '45s',
    given: `
      1s   crit a
      1s   warn b
      1s   crit c remind=30s
      40s  ok   a`,
    told: `
      1s   firing oncall: a
      1s   firing ops: b
      1s   firing oncall: c
      11s  reminder oncall: a
      21s  reminder oncall: a
      21s  reminder ops: b
      31s  reminder oncall: a c
      40s  resolved oncall: a
      41s  reminder ops: b`,
  })

  scenario('not while it is acknowledged, silenced or hidden', {
    routing: tree,
    given: `
      1s   crit a
      1s   crit b
      1s   crit c
      5s   ack a
      5s   silence s1 process=b
      5s   crit c hidden`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c`,
  })
})

describe('exceptions', () => {
  scenario('a pattern may mean everything but; a regular expression several', {
    routing: withRoute({
      receiver: 'oncall',
      routes: [
        { match: { process: '/web\\d+|static/' }, receiver: 'ops' },
        { match: { process: '!router' }, receiver: 'identity' },
      ],
    }),
    given: `
      1s  crit web12
      2s  crit router
      3s  crit verifier`,
    told: `
      1s  firing ops: web12
      2s  firing oncall: router
      3s  firing identity: verifier`,
  })

  scenario('what is routed to nobody is kept and shown, and the reason says so', {
    routing: withRoute({ receiver: 'oncall', routes: [{ match: { severity: 'warn' }, receiver: 'nobody' }] }),
    given: `
      1s  warn a
      5s  crit a
      9s  ok   a`,
    told: `
      5s  firing oncall: a
      9s  resolved oncall: a`,
    untold: ['raised: routed to nobody'],
  })
})
