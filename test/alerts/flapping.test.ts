/** Flapping: told once when it begins and once when it is over. Here three episodes in 30 s, and 10 s of calm. */
import { describe, expect, test } from 'vitest'
import type { Routing } from '../../src/alerts/route.ts'
import { oncallOnly, Play, played, scenario, untoldOf, warnToOps } from './scenario.ts'

const flapping = { episodes: 3, within: 30_000, calm: 10_000 }
const routing: Routing = { ...oncallOnly, flapping }
const thrice = `
      1s   crit a
      2s   ok   a
      3s   crit a
      4s   ok   a
      5s   crit a`
const toldThrice = `
      1s   firing oncall: a
      2s   resolved oncall: a
      3s   firing oncall: a
      4s   resolved oncall: a
      5s   flapping firing oncall: a`

describe('an alert that flaps', () => {
  scenario('is told of once when the third episode begins, and once when it is calm and over', {
    routing,
    until: '60s',
    given: `${thrice}
      6s   ok   a
      8s   crit a
      10s  ok   a
      15s  crit a
      17s  ok   a`,
    told: `${toldThrice}
      27s  calm resolved oncall: a`,
    untold: [
      'ended: it flaps: how it ends is told when it is calm',
      'raised: it flaps',
      'ended: it flaps: how it ends is told when it is calm',
      'raised: it flaps',
      'ended: it flaps: how it ends is told when it is calm',
    ],
  })

  scenario('and is calm while it fires says so, and its end is told as always', {
    routing,
    given: `${thrice}
      25s  ok   a`,
    told: `${toldThrice}
      15s  calm reminder oncall: a
      25s  resolved oncall: a`,
  })

  scenario('after that begins anew', {
    routing,
    until: '60s',
    given: `${thrice}
      6s   ok   a
      40s  crit a
      45s  ok   a`,
    told: `${toldThrice}
      16s  calm resolved oncall: a
      40s  firing oncall: a
      45s  resolved oncall: a`,
  })

  scenario('and gets worse than what was told pages at once: flapping makes crit no less urgent', {
    routing,
    until: '40s',
    given: `
      1s   warn a
      2s   ok   a
      3s   warn a
      4s   ok   a
      5s   warn a
      6s   ok   a
      7s   crit a
      8s   ok   a
      9s   crit a
      10s  ok   a`,
    told: `
      1s   firing oncall: a
      2s   resolved oncall: a
      3s   firing oncall: a
      4s   resolved oncall: a
      5s   flapping firing oncall: a
      7s   firing oncall: a
      20s  calm resolved oncall: a`,
  })

  scenario('tells the receiver that hears of it first that it flaps, and each of them its end', {
    routing: { ...warnToOps, flapping },
    until: '40s',
    given: `
      1s   warn a
      2s   ok   a
      3s   warn a
      4s   ok   a
      5s   warn a
      6s   ok   a
      7s   crit a
      9s   ok   a`,
    told: `
      1s   firing ops: a
      2s   resolved ops: a
      3s   firing ops: a
      4s   resolved ops: a
      5s   flapping firing ops: a
      7s   flapping firing oncall: a
      19s  calm resolved ops: a
      19s  calm resolved oncall: a`,
  })

  scenario('is not repeated, and not its neighbours’ business', {
    routing,
    given: `
      1s   crit a remind=3s
      2s   ok   a
      3s   crit a remind=3s
      4s   ok   a
      5s   crit a remind=3s
      6s   crit b rule=other
      9s   ok   b rule=other
      12s  ok   a`,
    told: `${toldThrice}
      6s   firing oncall: b
      9s   resolved oncall: b
      22s  calm resolved oncall: a`,
  })

  scenario('is known through a restart', {
    routing,
    given: `${thrice}
      6s   restart
      7s   ok   a
      8s   restart
      9s   crit a
      10s  ok   a`,
    told: `${toldThrice}
      20s  calm resolved oncall: a`,
  })

  scenario('and is forgotten by the engine is told as gone at once', {
    routing,
    given: `${thrice}
      6s   ok   a
      7s   crit a
      8s   forgotten a`,
    told: `${toldThrice}
      8s   forgotten oncall: a`,
  })

  scenario('is not calm while nothing is known of it', {
    routing,
    until: '60s',
    given: `${thrice}
      8s   crit a blind
      30s  crit a
      45s  ok   a`,
    told: `${toldThrice}
      31s  calm reminder oncall: a
      45s  resolved oncall: a`,
  })

  scenario('that nobody was to be told of is not counted: silenced, hidden, in maintenance', {
    routing,
    given: `
      1s   silence s1 for=10s rule=*
      2s   crit a
      3s   ok   a
      4s   crit a
      5s   ok   a
      6s   crit a
      7s   ok   a
      12s  crit a
      14s  ok   a`,
    told: `
      12s  firing oncall: a
      14s  resolved oncall: a`,
  })

  scenario('that is silenced meanwhile is told to be over all the same, to who heard of it', {
    routing,
    until: '60s',
    given: `${thrice}
      6s   silence s1 for=1h rule=*
      8s   ok   a`,
    told: `${toldThrice}
      18s  calm resolved oncall: a`,
  })

  scenario('that is silenced when it is calm and fires is not told then, but its end is', {
    routing,
    until: '60s',
    given: `${thrice}
      6s   silence s1 for=1h rule=*
      40s  ok   a`,
    told: `${toldThrice}
      40s  resolved oncall: a`,
  })

  scenario('slower than the limit is not flapping', {
    routing,
    until: '100s',
    given: `
      1s   crit a
      5s   ok   a
      20s  crit a
      25s  ok   a
      40s  crit a
      45s  ok   a`,
    told: `
      1s   firing oncall: a
      5s   resolved oncall: a
      20s  firing oncall: a
      25s  resolved oncall: a
      40s  firing oncall: a
      45s  resolved oncall: a`,
  })

  scenario('whose notice nobody got is told to nobody as calm', {
    routing,
    given: `
      1s   crit a
      2s   ok   a
      3s   crit a
      4s   ok   a
      4s   oncall dead
      5s   crit a
      6s   oncall delivered
      8s   ok   a`,
    told: toldThrice,
  })

  scenario('goes on until the next look when it is switched off', {
    routing,
    reloads: { without: oncallOnly },
    given: `${thrice}
      6s   ok   a
      7s   reload without`,
    told: `${toldThrice}
      8s   calm resolved oncall: a`,
  })
})

test('what it was told as when it was over is the reason of the last decision', () => {
  const { decisions } = played({ routing, given: `${thrice}\n6s ok a`, told: '', until: '20s' })
  expect(decisions.at(-1)).toMatchObject({ change: 'calm', notify: true, reason: 'it no longer flaps, and it is over' })
  expect(decisions.filter(({ flaps }) => flaps).map(({ change }) => change)).toEqual(['raised', 'ended'])
})

test('flapping is remembered no longer than it matters', () => {
  const play = new Play(routing)
  play.tick(0)
  for (let i = 0; i < 500; i++) play.row(['crit', `g${i}`], 0)
  expect(play.state.flaps.size).toBe(500)
  play.tick(31_000)
  expect(play.state.flaps.size).toBe(0)
})

test('the reason of the page says that it flaps, and the notice in words what follows', () => {
  const play = played({ routing, given: thrice, told: '', until: '6s' })
  expect(play.decisions.at(-1)).toMatchObject({ notify: true, reason: 'raised, and it flaps' })
  expect(play.notifications.at(-1)?.remark).toBe(
    'it flaps: 3 times in 30s; you are told when nothing has changed for 10s, or when it gets worse',
  )
  expect(untoldOf(play)).toEqual([])
})
