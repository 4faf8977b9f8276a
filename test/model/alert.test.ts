import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Alert,
  type AlertChange,
  applyTransition,
  compareFiring,
  emptyAlertBook,
  endedAlertsMax,
  firingAlertsMax,
  historyMax,
  stepAlert,
} from '../../src/model/alert.ts'
import type { Level, Transition } from '../../src/model/transition.ts'
import { transition } from '../support/transitions.ts'

/** The changes that a row of transitions makes, and the alert at the end. */
function play(...transitions: Transition[]): { changes: AlertChange[]; alert: Alert | undefined } {
  let alert: Alert | undefined
  const changes: AlertChange[] = []
  for (const next of transitions) {
    const step = stepAlert(alert, next)
    alert = step.alert
    changes.push(step.change)
  }
  return { changes, alert }
}

describe('the life of an alert', () => {
  test('it begins with warn or crit, and ends with ok as resolved', () => {
    const { changes, alert } = play(transition('crit', 1000), transition('ok', 5000))
    expect(changes).toEqual(['raised', 'ended'])
    expect(alert).toMatchObject({ state: 'resolved', level: 'crit', raisedMs: 1000, endedMs: 5000 })
  })

  test('a group that was never bad has no alert, whatever else is said of it', () => {
    expect(play(transition('ok', 1000), transition('nodata', 2000), transition('forgotten', 3000))).toEqual({
      changes: ['none', 'none', 'none'],
      alert: undefined,
    })
  })

  test('warn to crit worsens, crit to warn improves; the worst level of the episode is remembered', () => {
    const { changes, alert } = play(transition('warn', 1000), transition('crit', 2000), transition('warn', 3000))
    expect(changes).toEqual(['raised', 'worsened', 'improved'])
    expect(alert).toMatchObject({ state: 'firing', level: 'warn', worstLevel: 'crit' })
  })

  test('no data never resolves: the alert goes on firing at its level and says so', () => {
    const { changes, alert } = play(transition('crit', 1000), transition('nodata', 2000))
    expect(changes).toEqual(['raised', 'nodata'])
    expect(alert).toMatchObject({ state: 'firing', level: 'crit', nodata: true, say: transition('crit', 1000).say })
    expect(play(transition('crit', 1000), transition('nodata', 2000), transition('crit', 3000))).toMatchObject({
      changes: ['raised', 'nodata', 'seeing'],
      alert: { nodata: false },
    })
  })

  test('blind holds what was: neither raised nor resolved by what a blind group says', () => {
    expect(play(transition('crit', 1000, { blind: true })).alert).toBeUndefined()
    const { changes, alert } = play(transition('crit', 1000), transition('ok', 2000, { blind: true }))
    expect(changes).toEqual(['raised', 'blinded'])
    expect(alert).toMatchObject({ state: 'firing', level: 'crit', blind: true })
    expect(stepAlert(alert, transition('crit', 3000))).toMatchObject({ change: 'seeing', alert: { blind: false } })
  })

  test('what tells why it fired stands when sight returns, whose first look may know no value', () => {
    const seen = transition('crit', 3000, { say: '? of requests fail', reason: 'errors / requests is ?', values: [] })
    const { alert } = play(transition('crit', 1000), transition('crit', 2000, { blind: true }), seen)
    expect(alert).toMatchObject({ blind: false, say: '6.3% of requests to verifier fail.', values: [{}, {}, {}] })
  })

  test('unhiding is news even when it happened while the group was blind', () => {
    const { changes } = play(
      transition('crit', 1000, { hidden: true }),
      transition('crit', 2000, { blind: true }),
      transition('crit', 3000),
    )
    expect(changes).toEqual(['raised', 'blinded', 'unhidden'])
  })

  test('hiding and unhiding change what is told, not the state', () => {
    const { changes, alert } = play(
      transition('crit', 1000, { hidden: true }),
      transition('crit', 2000),
      transition('crit', 3000, { hidden: true }),
    )
    expect(changes).toEqual(['raised', 'unhidden', 'hidden'])
    expect(alert).toMatchObject({ state: 'firing', hidden: true })
  })

  test('forgotten ends a firing alert, even a blind one', () => {
    const { changes, alert } = play(
      transition('crit', 1000),
      transition('crit', 2000, { blind: true }),
      transition('forgotten', 9000, { blind: true }),
    )
    expect(changes).toEqual(['raised', 'blinded', 'ended'])
    expect(alert).toMatchObject({ state: 'forgotten', endedMs: 9000 })
  })

  test('an ended alert keeps why it fired, beside why it ended', () => {
    const { alert } = play(transition('crit', 1000), transition('ok', 2000))
    expect(alert?.reason).toBe(transition('crit', 1000).reason)
    expect(alert?.end?.reason).toBe(transition('ok', 2000).reason)
  })

  test('after its end it can fire anew, as another episode', () => {
    const { alert } = play(transition('crit', 1000), transition('ok', 2000), transition('warn', 3000))
    expect(alert).toMatchObject({ state: 'firing', level: 'warn', worstLevel: 'warn', raisedMs: 3000 })
    expect(alert).not.toHaveProperty('endedMs')
    expect(alert).not.toHaveProperty('end')
  })
})

describe('a transition is applied once', () => {
  test('a redelivered one changes nothing', () => {
    const crit = transition('crit', 1000)
    const { changes, alert } = play(crit, crit)
    expect(changes).toEqual(['raised', 'duplicate'])
    expect(alert).toEqual(play(crit).alert)
  })

  test('one from before the last applied bucket changes nothing', () => {
    expect(play(transition('crit', 1000), transition('ok', 2000), transition('crit', 1000)).changes).toEqual([
      'raised',
      'ended',
      'duplicate',
    ])
  })

  test('two different ones of one bucket are both applied', () => {
    expect(play(transition('warn', 1000), transition('crit', 1000)).changes).toEqual(['raised', 'worsened'])
  })

  test('replaying any part of any history leaves every alert as it was', () => {
    const step = fc.record({
      to: fc.constantFrom<Level[]>('ok', 'warn', 'crit', 'nodata', 'forgotten'),
      hidden: fc.boolean(),
      blind: fc.boolean(),
      group: fc.constantFrom('a', 'b'),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), fc.nat(), fc.nat(), (steps, at, from) => {
        const log = steps.map(({ to, ...given }, i) => transition(to, (i + 1) * 1000, given))
        const once = emptyAlertBook()
        for (const next of log) applyTransition(once, next)
        const again = emptyAlertBook()
        const replayAt = at % (log.length + 1)
        const replayed = log.slice(from % (replayAt + 1), replayAt)
        const known = (next: Transition) =>
          log.slice(0, replayAt).some((before) => isBad(before) && sameGroup(before, next))
        for (const next of log.slice(0, replayAt)) applyTransition(again, next)
        for (const next of replayed.filter(known)) applyTransition(again, next)
        for (const next of log.slice(replayAt)) applyTransition(again, next)
        expect(again).toEqual(once)
      }),
    )
  })
})

const isBad = ({ to, blind }: Transition) => (to === 'warn' || to === 'crit') && !blind
const sameGroup = (a: Transition, b: Transition) => a.groupKey === b.groupKey

describe('the book of alerts', () => {
  test('two rules on one metric have an alert each', () => {
    const book = emptyAlertBook()
    applyTransition(book, transition('crit', 1000, { rule: 'spike' }))
    applyTransition(book, transition('warn', 1000, { rule: 'slow_burn' }))
    applyTransition(book, transition('ok', 2000, { rule: 'spike' }))
    expect([...book.firing.keys()]).toEqual(['slow_burn/verifier'])
    expect([...book.ended.keys()]).toEqual(['spike/verifier'])
  })

  test('every ended episode is in the history, the oldest first', () => {
    const book = emptyAlertBook()
    for (const [to, atMs] of [
      ['crit', 1],
      ['ok', 2],
      ['warn', 3],
      ['ok', 4],
    ] as const) {
      applyTransition(book, transition(to, atMs * 1000))
    }
    expect(book.history.map(({ raisedMs, level }) => [raisedMs, level])).toEqual([
      [1000, 'crit'],
      [3000, 'warn'],
    ])
  })

  test(`keeps ${endedAlertsMax} ended alerts and ${historyMax} episodes; the longest ended go first`, () => {
    const book = emptyAlertBook()
    for (let i = 0; i <= endedAlertsMax; i++) {
      applyTransition(book, transition('crit', 1000, { group: `g${i}` }))
      applyTransition(book, transition('ok', 2000, { group: `g${i}` }))
    }
    expect(book.ended.size).toBe(endedAlertsMax)
    expect(book.ended.has('http_5xx_spike/g0')).toBe(false)
    expect(book.history).toHaveLength(historyMax)
    expect(book.history.at(-1)?.groupKey).toBe(`g${endedAlertsMax}`)
  })

  test(`keeps ${firingAlertsMax} firing alerts and says when there are more`, () => {
    const book = emptyAlertBook()
    const first = applyTransition(book, transition('crit', 1000, { group: 'g' })).alert as Alert
    for (let i = 1; i < firingAlertsMax; i++) book.firing.set(`filler/${i}`, first)
    expect(applyTransition(book, transition('crit', 1000, { group: 'one-more' }))).toEqual({
      alert: undefined,
      change: 'overflow',
    })
  })

  test('firing alerts are listed crit before warn, hidden last, the newest first', () => {
    const alerts = [
      transition('warn', 1000, { group: 'old-warn' }),
      transition('crit', 1000, { group: 'hidden', hidden: true }),
      transition('crit', 1000, { group: 'old' }),
      transition('crit', 2000, { group: 'new' }),
    ].map((next) => stepAlert(undefined, next).alert as Alert)
    expect(alerts.sort(compareFiring).map(({ groupKey }) => groupKey)).toEqual(['new', 'old', 'old-warn', 'hidden'])
  })
})
