import { describe, expect, test } from 'vitest'
import { isDeadLetter } from '../../src/alerts/notification.ts'
import { transition } from '../support/transitions.ts'
import { oncallOnly, Play, scenario, startMs, warnToOps } from './scenario.ts'

const email = oncallOnly.receivers.oncall as (typeof oncallOnly.receivers)[string]
const both = { ...oncallOnly, receivers: { oncall: email, ops: email } }

describe('what a receiver does not take is told to its fallback', () => {
  scenario('and so is the end', {
    routing: both,
    given: `0s oncall fallback=ops
            1s crit verifier
            2s oncall delivered
            5s ok verifier`,
    told: `1s firing oncall: verifier
           1s firing ops: verifier
           5s resolved ops: verifier`,
  })

  scenario('the end also where it was under way before the page was given up', {
    routing: both,
    given: `0s oncall silent
            1s crit verifier
            5s ok verifier
            6s oncall gives-up fallback=ops`,
    told: `1s firing oncall: verifier
           5s resolved oncall: verifier
           6s firing ops: verifier
           6s resolved ops: verifier`,
  })

  scenario('whoever got the first page and whoever got the worse one instead are both told of the end', {
    routing: both,
    given: `1s warn verifier
            2s oncall fallback=ops
            3s crit verifier
            4s oncall delivered
            9s ok verifier`,
    told: `1s firing oncall: verifier
           3s firing oncall: verifier
           3s firing ops: verifier
           9s resolved oncall: verifier
           9s resolved ops: verifier`,
  })

  scenario('a fallback that fails too hands on to its own', {
    routing: { ...both, receivers: { ...both.receivers, boss: email } },
    given: `0s oncall fallback=ops
            0s ops fallback=boss
            1s crit verifier
            2s oncall delivered
            5s ok verifier`,
    told: `1s firing oncall: verifier
           1s firing ops: verifier
           1s firing boss: verifier
           5s resolved boss: verifier`,
  })

  scenario('a fallback that is told of the same by itself is told once', {
    routing: { receivers: both.receivers },
    given: `0s oncall fallback=ops
            1s crit verifier
            5s ok verifier`,
    told: `1s firing oncall: verifier
           1s firing ops: verifier
           5s resolved ops: verifier`,
  })

  scenario('after a restart too, the end goes to the fallback', {
    routing: both,
    given: `0s oncall fallback=ops
            1s crit verifier
            3s restart
            5s ok verifier`,
    told: `1s firing oncall: verifier
           1s firing ops: verifier
           5s resolved ops: verifier`,
  })

  scenario('summaries are handed on whole', {
    routing: warnToOps,
    given: `0s oncall fallback=ops
            1s crit a
            1s crit b
            1s crit c
            1s crit d
            1s crit e`,
    told: `1s firing oncall: a
           1s firing ops: a
           1s firing oncall: b
           1s firing ops: b
           1s firing oncall: c
           1s firing ops: c
           11s firing oncall: d e
           11s firing ops: d e`,
  })
})

test('what the fallback is told says for whom it was, and only what nobody is told is a dead letter', () => {
  const play = new Play(both)
  play.tick(0)
  play.row(['oncall', 'fallback=ops'], 0)
  play.row(['ops', 'dead'], 0)
  play.transition(transition('crit', startMs), 0)
  const [first, second] = play.notifications
  expect(first && isDeadLetter(first)).toBe(false)
  expect(second && isDeadLetter(second)).toBe(true)
  expect(second?.insteadOf).toMatchObject([{ receiver: 'oncall', key: first?.key }])
  expect(second?.key).not.toBe(first?.key)
})

test('words of their own, such as of flapping, are handed on, whatever the fallback was told before', () => {
  const play = new Play({ receivers: both.receivers })
  play.tick(0)
  play.row(['oncall', 'silent'], 0)
  play.transition(transition('crit', startMs), 0)
  const page = play.notifications.find(({ receiver }) => receiver === 'oncall')
  if (page) play.state.notifications.set(page.key, { ...page, turn: 'flapping', remark: 'it flaps' })
  play.row(['oncall', 'gives-up', 'fallback=ops'], 1_000)
  const handed = play.notifications.find(({ insteadOf }) => insteadOf !== undefined)
  expect(handed).toMatchObject({ receiver: 'ops', turn: 'flapping', remark: 'it flaps' })
})
