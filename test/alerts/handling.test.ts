/** What people ask of alerts: acknowledgements, silences, notes, and what is told all the same. */
import { describe, expect, test } from 'vitest'
import { careMax, notesMax } from '../../src/model/handling.ts'
import { endedSilencesMax } from '../../src/model/muting.ts'
import { oncallOnly, Play, scenario, startMs } from './scenario.ts'

const until = (atMs: number) => `${new Date(startMs + atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
const hour = 3_600_000

describe('acknowledge', () => {
  scenario('an acknowledged alert is not reminded, and its end is told', {
    until: '60s',
    given: `
      1s   crit verifier remind=10s
      5s   ack  verifier
      50s  ok   verifier`,
    told: `
      1s   firing oncall: verifier
      50s  resolved oncall: verifier`,
    untold: ['command: acknowledge by ann'],
  })

  scenario('taken back, reminders go on', {
    until: '30s',
    given: `
      1s   crit  verifier remind=10s
      5s   ack   verifier
      25s  unack verifier`,
    told: `
      1s   firing oncall: verifier
      26s  reminder oncall: verifier`,
  })

  scenario('worsening breaks it', {
    given: `
      1s   warn verifier
      3s   ack  verifier
      9s   crit verifier`,
    told: `
      1s   firing oncall: verifier
      9s   firing oncall: verifier`,
  })

  scenario('worsening does not break a sticky one, and the reason is kept', {
    given: `
      1s   warn verifier
      3s   ack  verifier sticky
      9s   crit verifier
      12s  ok   verifier
      15s  crit verifier`,
    told: `
      1s   firing oncall: verifier
      12s  resolved oncall: verifier
      15s  firing oncall: verifier`,
    untold: ['command: acknowledge by ann', 'worsened: acknowledged by ann (sticky)'],
  })

  scenario('one that runs out tells again those who know', {
    given: `
      1s   crit verifier
      5s   ack  verifier for=10s`,
    told: `
      1s   firing oncall: verifier
      15s  reminder oncall: verifier`,
  })

  scenario('it is kept through a restart', {
    until: '40s',
    given: `
      1s   crit verifier remind=10s
      5s   ack  verifier
      7s   restart`,
    told: '1s firing oncall: verifier',
  })

  scenario('a page that waits in a summary is not sent to anybody when it is acknowledged meanwhile', {
    given: `
      1s   crit a
      1s   crit b
      1s   crit c
      2s   crit d
      2s   crit e
      5s   ack  d`,
    told: `
      1s   firing oncall: a
      1s   firing oncall: b
      1s   firing oncall: c
      12s  firing oncall: e`,
  })

  scenario('of an unknown or ended alert it changes nothing and says why', {
    given: `
      1s   ack  nobody
      2s   crit verifier
      3s   ok   verifier
      4s   ack  verifier`,
    told: `
      2s   firing oncall: verifier
      3s   resolved oncall: verifier`,
    untold: ['command: acknowledge by ann: there is no such alert', 'command: acknowledge by ann: it is not firing'],
  })
})

describe('silence', () => {
  scenario('what it matches is not told, with silence, author and end as the reason', {
    given: `
      1s   silence s1 for=1h process=ver*
      2s   crit verifier
      3s   crit router`,
    told: '3s firing oncall: router',
    untold: [`raised: silenced by silence s1 (ann, until ${until(1000 + hour)})`],
  })

  scenario('a resolved notice follows a delivered firing one, through a silence', {
    given: `
      1s   crit verifier
      3s   silence s1 rule=*
      9s   ok   verifier`,
    told: `
      1s   firing oncall: verifier
      9s   resolved oncall: verifier`,
  })

  scenario('what began and ended in silence is told to nobody', {
    given: `
      1s   silence s1 rule=*
      3s   crit verifier
      9s   ok   verifier`,
    told: '',
  })

  scenario('what fires in silence and still fires at its end is told then', {
    given: `
      1s   silence s1 for=10s rule=*
      3s   crit verifier
      20s  ok   verifier`,
    told: `
      11s  firing oncall: verifier
      20s  resolved oncall: verifier`,
  })

  scenario('ended by hand, the same; under another silence or an acknowledgement it stays quiet', {
    given: `
      1s   silence s1 rule=*
      1s   silence s2 process=router
      3s   crit verifier
      3s   crit router
      4s   crit static
      5s   ack  static
      9s   expire s1`,
    told: '9s firing oncall: verifier',
  })

  scenario('who knew before the silence is not told twice at its end', {
    given: `
      1s   crit verifier
      3s   silence s1 for=5s rule=*`,
    told: '1s firing oncall: verifier',
    untold: ['unmuted: still firing after silence s1 (ann): its time was over; oncall was told of this level already'],
  })

  scenario('it begins when it was said to, and reminders are silenced too', {
    given: `
      1s   crit verifier remind=5s
      2s   silence s1 in=8s for=10s rule=*`,
    told: `
      1s   firing oncall: verifier
      6s   reminder oncall: verifier
      20s  reminder oncall: verifier
      25s  reminder oncall: verifier
      30s  reminder oncall: verifier`,
  })

  scenario('one that ends when quiet ends after what it hid has been over for so long', {
    until: '2m',
    given: `
      1s   silence s1 for=1h quiet=30s rule=*
      5s   crit verifier
      25s  ok   verifier
      55s  crit router
      90s  ok   router
      110s crit static`,
    told: '',
  })

  scenario('and then it hides nothing more', {
    until: '2m',
    given: `
      1s   silence s1 for=1h quiet=20s rule=*
      5s   crit verifier
      25s  ok   verifier
      70s  crit router`,
    told: '70s firing oncall: router',
  })

  scenario('it is kept through a restart', {
    given: `
      1s   silence s1 for=20s rule=*
      3s   restart
      5s   crit verifier`,
    told: '21s firing oncall: verifier',
  })

  scenario('warnings may be silenced while crit is told', {
    given: `
      1s   silence s1 severity=warn
      2s   warn verifier
      5s   crit verifier`,
    told: '5s firing oncall: verifier',
  })
})

describe('commands on the log', () => {
  const play = () => new Play(oncallOnly)

  test('one that is said again with its id changes nothing, also after it was taken back', () => {
    const one = play()
    one.tick(0)
    one.row(['crit', 'verifier'], 1000)
    one.row(['ack', 'verifier'], 2000)
    const said = one.log.at(-1)
    one.row(['unack', 'verifier'], 3000)
    if (said?.kind === 'commands') one.command(said.message, 4000)
    expect(one.state.handling.care.values().next().value?.acknowledgement).toBeUndefined()
  })

  test('notes are kept with the episode, the newest fifty', () => {
    const one = play()
    one.tick(0)
    one.row(['crit', 'verifier'], 1000)
    for (let i = 0; i < notesMax + 5; i++) one.row(['note', 'verifier'], 2000 + i)
    expect(one.state.handling.care.values().next().value?.notes).toHaveLength(notesMax)
    one.row(['ok', 'verifier'], 5000)
    one.row(['crit', 'verifier'], 6000)
    expect(one.state.handling.care.size).toBe(0)
  })

  test('ended silences are kept for the page, the newest two hundred', () => {
    const one = play()
    one.tick(0)
    for (let i = 0; i < endedSilencesMax + 10; i++) one.row(['silence', `s${i}`, 'for=1s', 'rule=*'], i)
    one.tick(10_000)
    expect(one.state.handling.silences.size).toBe(endedSilencesMax)
  })

  test('what was said of alerts that are over goes first when there is too much of it', () => {
    const one = play()
    one.tick(0)
    for (let i = 0; i <= careMax; i++) {
      one.row(['crit', `g${i}`], 1)
      one.row(['note', `g${i}`], 2)
      if (i === 0 || i === 2) one.row(['ok', `g${i}`], 3)
    }
    const kept = [...one.state.handling.care.keys()].slice(0, 3)
    expect(one.state.handling.care.size).toBe(careMax)
    expect(kept).toEqual(['http_5xx_spike/g1', 'http_5xx_spike/g2', 'http_5xx_spike/g3'])
  })

  test('one that cannot be read is refused with every argument that is wrong', () => {
    const one = play()
    const args = { matchers: {}, reason: '', startsMs: 5, endsMs: 4 }
    expect(() => one.command({ id: 'x', kind: 'silence', by: 'ann', atMs: 1, arguments: args }, 0)).toThrow(
      /endsMs: expected a time after startsMs; matchers: expected at least one.*; reason: expected a text/,
    )
  })
})
