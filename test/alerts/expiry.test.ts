/** Silences that soon end: told of once, when they still hide something; and how they are made to last. */
import { expect, test } from 'vitest'
import type { Routing } from '../../src/alerts/route.ts'
import { email, oncallOnly, played, scenario } from './scenario.ts'

const routing: Routing = { ...oncallOnly, silences: { warnBefore: 10_000 } }

scenario('who would be told is warned once, before the silence ends', {
  routing,
  until: '60s',
  given: `
    1s   silence s1 for=40s rule=*
    5s   crit a
    6s   crit b`,
  told: `
    31s  notice oncall: a b
    41s  firing oncall: a
    41s  firing oncall: b`,
})

scenario('its author is, where a receiver has the author’s name', {
  routing: { ...routing, receivers: { ...routing.receivers, ann: email } },
  until: '35s',
  given: `
    1s   silence s1 for=40s rule=*
    5s   crit a`,
  told: '31s notice ann: a',
})

scenario('nobody is when it hides nothing, when another outlives it, or when it is shorter than the warning', {
  routing,
  until: '39s',
  given: `
    1s   silence s1 for=40s process=a
    1s   silence s2 for=30s process=b
    2s   silence s3 for=1h  process=b
    3s   crit b
    5s   silence s4 for=9s process=c
    6s   crit c
    7s   ok c`,
  told: '',
})

scenario('extended it lasts longer, and is warned of anew', {
  routing,
  until: '80s',
  given: `
    1s   silence s1 for=40s rule=*
    5s   crit a
    35s  extend s1 for=30s`,
  told: `
    31s  notice oncall: a
    55s  notice oncall: a
    65s  firing oncall: a`,
})

test('the warning says what to do, and is no page', () => {
  const play = played({ routing, given: '1s silence s1 for=40s rule=*\n5s crit a\n50s ok a', told: '', until: '50s' })
  const [notice] = play.notifications
  expect(notice?.remark).toBe(
    'silence s1 (ann: deploy) ends at 2025-10-09 08:54:01 UTC and hides 1 that fire; to let it last longer: tocsin silence extend s1 --for 2h',
  )
  expect(play.told).toEqual(['31s notice oncall: a', '41s firing oncall: a', '50s resolved oncall: a'])
})

test('a receiver of Alertmanager’s format, which could only page, is not warned', () => {
  const hook = { webhook: { url: 'http://localhost/', timeout: 1000, format: 'alertmanager' as const } }
  const play = played({
    routing: { ...routing, receivers: { oncall: hook } },
    given: '1s silence s1 for=40s rule=*\n5s crit a',
    told: '',
    until: '35s',
  })
  expect(play.told).toEqual([])
})
