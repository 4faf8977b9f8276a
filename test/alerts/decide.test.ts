import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { step } from '../../src/alerts/decide.ts'
import { notificationKey } from '../../src/alerts/notification.ts'
import { emptyAlertsState, noChanges, queueMax, settledMax } from '../../src/alerts/state.ts'
import { transition } from '../support/transitions.ts'
import { oncallOnly, Play, scenario, startMs, warnToOps } from './scenario.ts'

describe('who is told', () => {
  scenario('a page at once, and its end to the one who got it', {
    given: `
      1s  crit verifier
      9s  ok   verifier`,
    told: `
      1s  firing oncall: verifier
      9s  resolved oncall: verifier`,
  })

  scenario('a transition that comes twice is told once', {
    given: `
      1s  crit verifier
      1s  crit verifier
      9s  ok   verifier
      9s  ok   verifier`,
    told: `
      1s  firing oncall: verifier
      9s  resolved oncall: verifier`,
    untold: ['duplicate: applied before', 'duplicate: applied before'],
  })

  scenario('warn that worsens to crit is told again; crit that improves to warn is not', {
    given: `
      1s   warn verifier
      5s   crit verifier
      9s   warn verifier
      12s  crit verifier
      15s  ok   verifier`,
    told: `
      1s   firing oncall: verifier
      5s   firing oncall: verifier
      15s  resolved oncall: verifier`,
    untold: ['improved: an improvement is shown, not told', 'worsened: oncall was told of this level already'],
  })

  scenario('no data and blindness are not told and end nothing', {
    given: `
      1s  crit   verifier
      3s  nodata verifier
      5s  crit   verifier
      7s  ok     verifier blind
      9s  ok     verifier`,
    told: `
      1s  firing oncall: verifier
      9s  resolved oncall: verifier`,
    untold: [
      'nodata: no data: what was told stands',
      'seeing: its sources are back and it is as it was',
      'blinded: blind: all its sources are dead, so what was told stands',
    ],
  })

  scenario('a hidden alert is told when it is no longer hidden', {
    given: `
      1s  crit web/web1 hidden
      5s  crit web/web1
      9s  ok   web/web1`,
    told: `
      5s  firing oncall: web/web1
      9s  resolved oncall: web/web1`,
    untold: ['raised: hidden: another alert explains it'],
  })

  scenario('an alert that ends while hidden was told to nobody, so its end is not either', {
    given: `
      1s  crit web/web1 hidden
      5s  ok   web/web1 hidden`,
    told: '',
    untold: ['raised: hidden: another alert explains it', 'ended: nobody was told that it fired'],
  })

  scenario('who was told that it broke is told that it is over, even when it is hidden by then', {
    given: `
      1s  crit web/web1
      5s  crit web/web1 hidden
      9s  ok   web/web1 hidden`,
    told: `
      1s  firing oncall: web/web1
      9s  resolved oncall: web/web1`,
  })

  scenario('hidden and shown again at the same level, it is not told twice', {
    given: `
      1s  crit web/web1
      3s  crit web/web1 hidden
      5s  crit web/web1`,
    told: '1s firing oncall: web/web1',
    untold: ['hidden: hidden: another alert explains it', 'unhidden: oncall was told of this level already'],
  })

  scenario('forgotten ends what was told with a last notice', {
    given: `
      1s  crit      verifier
      9s  forgotten verifier`,
    told: `
      1s  firing oncall: verifier
      9s  forgotten oncall: verifier`,
  })

  scenario('each level goes where it is routed, and the end to all who heard of it', {
    routing: warnToOps,
    given: `
      1s  warn verifier
      5s  crit verifier
      9s  ok   verifier`,
    told: `
      1s  firing ops: verifier
      5s  firing oncall: verifier
      9s  resolved ops: verifier
      9s  resolved oncall: verifier`,
  })

  scenario('without a receiver the alert is kept and the decision says why nobody was told', {
    routing: { receivers: {}, route: undefined },
    given: '1s crit verifier',
    told: '',
    untold: ['raised: no receiver'],
  })

  scenario('after a restart, the end still goes to the one who got the page', {
    given: `
      1s  crit verifier
      5s  restart
      9s  ok   verifier`,
    told: `
      1s  firing oncall: verifier
      9s  resolved oncall: verifier`,
  })

  scenario('the end of a page that never arrived is told to nobody', {
    given: `
      0s  oncall dead
      1s  crit verifier
      5s  oncall delivered
      9s  ok   verifier`,
    told: '1s firing oncall: verifier',
    untold: ['ended: nobody was told that it fired'],
  })

  scenario('a page that never arrived is tried anew when there is a new reason to tell it', {
    given: `
      0s  oncall dead
      1s  crit verifier
      2s  silence s1 for=5s rule=*
      3s  oncall delivered
      9s  ok   verifier`,
    told: `
      1s  firing oncall: verifier
      7s  firing oncall: verifier
      9s  resolved oncall: verifier`,
  })

  scenario('an alert that fires anew is told anew', {
    given: `
      1s  crit verifier
      4s  ok   verifier
      7s  crit verifier`,
    told: `
      1s  firing oncall: verifier
      4s  resolved oncall: verifier
      7s  firing oncall: verifier`,
  })
})

describe('grouping', () => {
  scenario('three groups are told at once; from the fourth within 10s they are collected for 10s', {
    given: `
      1s  crit a
      1s  crit b
      2s  crit c
      3s  crit d
      5s  crit e
      9s  crit f`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      2s   firing oncall: c
      13s  firing oncall: d e f`,
  })

  scenario('groups that break further apart are told one by one', {
    given: `
      1s   crit a
      5s   crit b
      9s   crit c
      13s  crit d
      17s  crit e`,
    told: `
      1s   firing oncall: a
      5s   firing oncall: b
      9s   firing oncall: c
      13s  firing oncall: d
      17s  firing oncall: e`,
  })

  scenario('rules do not wait for each other', {
    given: `
      1s  crit a
      1s  crit b
      1s  crit c
      1s  crit d
      2s  crit a rule=latency`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      2s   firing oncall: a
      11s  firing oncall: d`,
  })

  scenario('a worse page waits for nobody and takes along what was collected; those as bad after it are collected', {
    given: `
      1s  warn a
      1s  warn b
      1s  warn c
      2s  warn d
      3s  warn e
      4s  crit e
      5s  crit d
      6s  crit f`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      4s   firing oncall: d e
      15s  firing oncall: d f`,
  })

  scenario('what is over before its summary leaves is told as over, and its end is not told again', {
    given: `
      1s  crit a
      1s  crit b
      1s  crit c
      2s  crit d
      3s  crit e
      5s  ok   d`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      12s  firing oncall: (d) e`,
  })

  scenario('ends are collected like pages', {
    given: `
      1s   crit a
      1s   crit b
      1s   crit c
      1s   crit d
      1s   crit e
      20s  ok   a
      20s  ok   b
      20s  ok   c
      21s  ok   d
      22s  ok   e`,
    until: '40s',
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      11s  firing oncall: d e
      20s  resolved oncall: a
      20s  resolved oncall: b
      20s  resolved oncall: c
      31s  resolved oncall: d e`,
  })

  scenario('a group that breaks again while its end is being collected: the end is told first', {
    given: `
      1s   crit a
      1s   crit b
      1s   crit c
      2s   crit d
      20s  ok   a
      20s  ok   b
      20s  ok   c
      20s  ok   d
      22s  crit d`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      12s  firing oncall: d
      20s  resolved oncall: a
      20s  resolved oncall: b
      20s  resolved oncall: c
      22s  resolved oncall: d
      22s  firing oncall: d`,
  })

  scenario('a window survives a restart', {
    given: `
      1s  crit a
      1s  crit b
      1s  crit c
      2s  crit d
      4s  restart
      5s  crit e`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      12s  firing oncall: d e`,
  })

  scenario('a member that becomes hidden while it is collected is left out, and told when it is shown again', {
    given: `
      1s   crit a
      1s   crit b
      1s   crit c
      2s   crit d
      3s   crit e
      4s   crit d hidden
      20s  crit d`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      12s  firing oncall: e
      20s  firing oncall: d`,
  })
})

describe('reminders', () => {
  scenario('what still fires is repeated every `remind`, until it ends', {
    given: `
      1s   crit verifier remind=10s
      25s  ok   verifier remind=10s`,
    told: `
      1s   firing oncall: verifier
      11s  reminder oncall: verifier
      21s  reminder oncall: verifier
      25s  resolved oncall: verifier`,
    until: '45s',
  })

  scenario('reminders that fall due together are one', {
    given: `
      1s  crit a remind=10s
      1s  crit b remind=10s`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      11s  reminder oncall: a b`,
    until: '15s',
  })

  scenario('nobody is reminded of what is hidden or blind', {
    given: `
      1s  crit a remind=10s
      1s  crit b remind=10s
      5s  crit a hidden remind=10s
      5s  crit b blind`,
    told: `
      1s  firing oncall: a
      1s  firing oncall: b`,
  })

  scenario('no reminder while the last notification is still on its way', {
    given: `
      0s  oncall silent
      1s  crit a remind=5s`,
    told: '1s firing oncall: a',
  })
})

describe('the outbox as it stands in the state', () => {
  test('what is told later about the same alert waits for what was told before', () => {
    const play = new Play(oncallOnly)
    play.row(['oncall', 'silent'], 0)
    play.row(['crit', 'verifier'], 1000)
    play.row(['ok', 'verifier'], 2000)
    const [page, end] = [...play.state.notifications.values()]
    expect(end?.after).toEqual([page?.key])
    expect(end?.ends).toEqual([page?.key])
    expect(end?.threads).toEqual([page?.key])
  })

  test('a key depends on what is told and to whom, not on when or in which order', () => {
    expect(notificationKey('firing', 'oncall', ['a', 'b'])).toBe(notificationKey('firing', 'oncall', ['b', 'a']))
    const keys = new Set([
      notificationKey('firing', 'oncall', ['a']),
      notificationKey('resolved', 'oncall', ['a']),
      notificationKey('firing', 'ops', ['a']),
      notificationKey('firing', 'oncall', ['b']),
    ])
    expect(keys.size).toBe(4)
  })

  test(`beyond ${queueMax} waiting for one receiver a notification is doomed, with the reason`, () => {
    const play = new Play(oncallOnly)
    play.row(['oncall', 'silent'], 0)
    for (let i = 0; i <= queueMax; i++) play.transition(transition('crit', startMs, { rule: `rule${i}` }), 0)
    const waiting = [...play.state.notifications.values()]
    expect(waiting.filter(({ doomed }) => doomed === undefined)).toHaveLength(queueMax)
    expect(waiting.at(-1)?.doomed).toContain('wait for this receiver already')
  })

  test(`at most ${settledMax} notifications are remembered; open ones are never forgotten`, () => {
    const play = new Play(oncallOnly)
    play.row(['oncall', 'silent'], 0)
    play.transition(transition('crit', startMs, { rule: 'first' }), 0)
    play.row(['oncall', 'delivered'], 0)
    for (let i = 0; i < settledMax + 50; i++) play.transition(transition('crit', startMs, { rule: `rule${i}` }), 0)
    expect(play.state.notifications.size).toBeLessThanOrEqual(settledMax)
    expect([...play.state.notifications.values()][0]).toMatchObject({ rule: 'first', state: 'due' })
  })

  test('the same log gives the same state, whoever reads it', () => {
    const play = new Play(warnToOps)
    for (const [i, level] of (['warn', 'crit', 'ok', 'crit', 'nodata', 'ok'] as const).entries()) {
      for (const group of ['a', 'b', 'c', 'd', 'e']) play.row([level, group], i * 4000)
      play.tick(i * 4000 + 3000)
    }
    const again = emptyAlertsState()
    for (const entry of play.log) step(again, entry, warnToOps, noChanges())
    expect(again).toEqual(play.state)
  })

  test('a receipt or claim for something unknown is nobody’s problem', () => {
    const state = emptyAlertsState()
    const about = { key: 'k', receiver: 'gone', attempt: 1, by: 'x', atMs: 1, detail: '' }
    const receipt = { ...about, outcome: 'dead' as const, fingerprint: 'f', transition: 't', kind: 'firing' as const }
    const envelope = { id: 'x:1', offset: 0 }
    step(state, { ...envelope, kind: 'claims', key: 'claims', message: about }, oncallOnly, noChanges())
    step(state, { ...envelope, kind: 'receipts', key: 'receipts', message: receipt }, oncallOnly, noChanges())
    expect(state).toEqual(emptyAlertsState())
  })
})

describe('whatever happens', () => {
  const event = fc.record({
    level: fc.constantFrom('ok', 'warn', 'crit', 'nodata', 'forgotten'),
    group: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    flags: fc.constantFrom([], [], [], ['hidden'], ['blind'], ['remind=7s']),
    pauseS: fc.integer({ min: 1, max: 6 }),
    restart: fc.boolean(),
    fate: fc.constantFrom('delivered', 'delivered', 'delivered', 'dead'),
  })

  test('who got a page gets its end, once, after it; nobody else gets an end', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60, size: 'max' }), (events) => {
        const play = new Play(warnToOps)
        let atMs = 0
        const pass = (seconds: number) => {
          for (let s = 0; s < seconds; s++) {
            atMs += 1000
            play.tick(atMs)
          }
        }
        for (const { level, group, flags, pauseS, restart, fate } of events) {
          play.row(['ops', fate], atMs)
          play.row([level, group, ...flags], atMs)
          if (restart) play.row(['restart'], atMs)
          pass(pauseS)
        }
        for (const group of ['a', 'b', 'c', 'd', 'e', 'f']) play.row(['ok', group], atMs)
        pass(25)
        expect(play.state.book.firing.size).toBe(0)
        expect(play.state.told.size).toBe(0)
        expect([...play.state.bursts.values()].flatMap(({ members }) => members)).toEqual([])
        checkEnds(play)
      }),
      { numRuns: 60 },
    )
  })

  /** Per receiver and episode: a delivered page means exactly one end, and an end means a page. */
  function checkEnds(play: Play): void {
    const paged = new Set<string>()
    const ended = new Set<string>()
    for (const { receiver, kind, alerts, state } of play.notifications) {
      for (const { episode, state: alertState } of alerts) {
        const about = `${receiver} ${episode}`
        if (kind === 'resolved' || kind === 'forgotten') {
          expect(paged, `an end without a page: ${about}`).toContain(about)
          expect(ended, `a second end: ${about}`).not.toContain(about)
          ended.add(about)
        } else if (alertState === 'firing' && state === 'delivered') {
          expect(ended, `a page after its end: ${about}`).not.toContain(about)
          paged.add(about)
        }
      }
    }
    expect([...ended].sort()).toEqual([...paged].sort())
  }
})
