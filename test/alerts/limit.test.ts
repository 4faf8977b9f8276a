/** A receiver's limit: what is over it leaves as a summary, and critical pages wait for nothing milder. Here 3 per 1m. */
import { describe, expect, test } from 'vitest'
import { waitingMax } from '../../src/alerts/limit.ts'
import type { Routing } from '../../src/alerts/route.ts'
import { transition } from '../support/transitions.ts'
import { email, Play, played, scenario, startMs, untoldOf } from './scenario.ts'

const routing: Routing = { receivers: { oncall: { ...email, limit: '3 per 1m' } }, route: { receiver: 'oncall' } }
const rules = (level: string, from: number, to: number, second = 0) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${second + i + 1}s ${level} all rule=r${from + i}`).join('\n')

describe('over the limit', () => {
  scenario('two leave one by one; the rest as one summary, within the limit', {
    routing,
    until: '50s',
    given: rules('warn', 1, 8),
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      13s  digest firing oncall: r3/all r4/all r5/all r6/all r7/all r8/all`,
  })

  scenario('what comes after that waits until there is room again', {
    routing,
    until: '2m',
    given: `${rules('warn', 1, 4)}
      20s  warn all rule=late1
      30s  warn all rule=late2`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      13s  digest firing oncall: r3/all r4/all
      61s  digest firing oncall: late1/all late2/all`,
  })

  scenario('a critical page waits for no warning', {
    routing,
    until: '30s',
    given: `${rules('warn', 1, 6)}
      8s   crit all rule=worst`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      8s   firing oncall: all
      13s  digest firing oncall: r3/all r4/all r5/all r6/all`,
  })

  scenario('critical pages wait for each other, for a minute at most', {
    routing,
    until: '80s',
    given: `${rules('crit', 1, 6)}
      20s  crit all rule=late`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      13s  digest firing oncall: r3/all r4/all r5/all r6/all
      61s  firing oncall: all`,
  })

  scenario('worse breaks the waiting, and takes along what waits', {
    routing,
    until: '30s',
    given: `${rules('warn', 1, 5)}
      7s   crit all rule=r4`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      7s   digest firing oncall: r3/all r4/all r5/all`,
  })

  scenario('what is over before its summary leaves stands there as over, and its end is not told again', {
    routing,
    until: '50s',
    given: `${rules('warn', 1, 4)}
      6s   ok all rule=r3`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      13s  digest firing oncall: (r3/all) r4/all`,
  })

  scenario('ends are over the limit too, and are told as what they are', {
    routing,
    until: '2m',
    given: `${rules('warn', 1, 2)}
      5s   ok all rule=r1
      6s   ok all rule=r2
      7s   warn all rule=r3`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      15s  digest resolved oncall: r1/all r2/all
      15s  digest firing oncall: all`,
  })

  scenario('what breaks anew while its end waits is told after its end', {
    routing,
    until: '40s',
    given: `
      1s   crit all rule=r1
      2s   warn all rule=r2
      3s   warn all rule=r3
      4s   ok   all rule=r1
      5s   crit all rule=r1`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      3s   firing oncall: all
      5s   digest resolved oncall: all
      5s   digest firing oncall: all`,
  })

  scenario('what is silenced meanwhile is left out of the summary', {
    routing,
    until: '30s',
    given: `${rules('warn', 1, 5)}
      7s   silence s1 rule=r4`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      13s  digest firing oncall: r3/all r5/all`,
  })

  scenario('what waits is kept through a restart', {
    routing,
    until: '30s',
    given: `${rules('warn', 1, 5)}
      7s   restart`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      13s  digest firing oncall: r3/all r4/all r5/all`,
  })

  scenario('what breaks anew while its end waits for a limit that is gone by then is told after its end', {
    routing,
    reloads: { free: { ...routing, receivers: { oncall: email } } },
    given: `
      1s   crit all rule=r1
      2s   warn all rule=r2
      3s   warn all rule=r3
      4s   ok   all rule=r1
      4s   reload free
      4s   crit all rule=r1`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      3s   firing oncall: all
      4s   digest resolved oncall: all
      4s   digest firing oncall: all`,
  })

  scenario('when the limit is taken away what waits leaves at once', {
    routing,
    reloads: { free: { ...routing, receivers: { oncall: email } } },
    given: `${rules('warn', 1, 4)}
      6s   reload free`,
    told: `
      1s   firing oncall: all
      2s   firing oncall: all
      7s   digest firing oncall: r3/all r4/all`,
  })
})

test('whoever asks why is told of the limit, and then of the summary', () => {
  const play = played({ routing, given: rules('warn', 1, 3), told: '', until: '20s' })
  expect(untoldOf(play)).toEqual(['limit: over the limit of oncall (3 per 1m): it waits for a summary'])
  expect(play.decisions.at(-1)).toMatchObject({ notify: true, reason: 'in the summary of what was over the limit' })
})

test(`more than ${waitingMax} that wait leave early`, () => {
  const play = new Play(routing)
  play.tick(0)
  for (let i = 0; i < waitingMax + 10; i++) play.transition(transition('warn', startMs, { rule: `r${i}` }), 0)
  play.tick(1000)
  expect(play.told.at(-1)).toContain('digest firing oncall')
  expect(play.state.gatherings.get('oncall')?.waiting).toEqual([])
})
