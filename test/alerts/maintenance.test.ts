/** Maintenance: what it covers is not told while it lasts; what still fires at its end is told then. */
import { describe, expect, test } from 'vitest'
import { maintenancesMax } from '../../src/model/maintenance.ts'
import { oncallOnly, Play, played, type Scenario, scenario, startMs, untoldOf } from './scenario.ts'

const until = (atMs: number) => `${new Date(startMs + atMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
const web = { match: { process: 'web*' }, reason: 'patching', by: 'tocsin.yaml' }
const zone = 'Europe/Amsterdam'
const weekly = { ...oncallOnly, maintenance: { weekly: { ...web, every: 'sunday', at: '02:30', for: '2h', zone } } }

describe('a window that a person begins', () => {
  scenario('what fires inside is told at its end, when it still fires', {
    given: `
      1s   maintain m1 for=20s process=web*
      3s   crit web1
      4s   crit web2
      5s   crit router
      9s   ok   web2`,
    told: `
      5s   firing oncall: router
      21s  firing oncall: web1`,
    untold: [
      'raised: in maintenance m1 (ann: deploy, until 2025-10-09 08:53:41 UTC)',
      'raised: in maintenance m1 (ann: deploy, until 2025-10-09 08:53:41 UTC)',
      'ended: nobody was told that it fired',
    ],
  })

  scenario('what was told before is told to be over, through it', {
    given: `
      1s   crit web1
      3s   maintain m1 process=web*
      9s   ok   web1`,
    told: `
      1s   firing oncall: web1
      9s   resolved oncall: web1`,
  })

  scenario('nobody is reminded inside', {
    given: `
      1s   crit web1 remind=5s
      3s   maintain m1 for=20s process=web*`,
    told: `
      1s   firing oncall: web1
      23s  reminder oncall: web1
      28s  reminder oncall: web1`,
  })

  scenario('it begins later when that was said, and ends early by hand', {
    given: `
      1s   maintain m1 in=4s for=1h process=web*
      2s   crit web1
      6s   crit web2
      12s  release m1`,
    told: `
      2s   firing oncall: web1
      12s  firing oncall: web2`,
  })

  scenario('worse inside is not told either; at the end once, as it is then', {
    given: `
      1s   warn web1
      3s   maintain m1 for=10s process=web*
      5s   crit web1`,
    told: `
      1s   firing oncall: web1
      13s  firing oncall: web1`,
  })

  scenario('it is kept through a restart', {
    given: `
      1s   maintain m1 for=20s process=web*
      3s   restart
      5s   crit web1`,
    told: '21s firing oncall: web1',
  })

  scenario('a silence outlives it, and then what it covered stays quiet', {
    given: `
      1s   maintain m1 for=10s process=web*
      2s   silence s1 for=20s rule=*
      5s   crit web1`,
    told: '22s firing oncall: web1',
  })

  test(`there are at most ${maintenancesMax}, and one more is refused with the reason`, () => {
    const play = new Play(oncallOnly)
    play.tick(0)
    for (let i = 0; i <= maintenancesMax; i++) play.row(['maintain', `m${i}`, 'rule=a'], 0)
    expect(play.state.handling.maintenances.size).toBe(maintenancesMax)
  })
})

describe('a window of the configuration', () => {
  /** The clock ticks once in five minutes. */
  const night = (day: string, given: string): Scenario => ({
    routing: weekly,
    start: `${day} 00:00 ${zone}`,
    tick: '5m',
    until: '9h',
    given,
    told: '',
  })
  /** Wall-clock times at which something was told. */
  const heard = (story: Scenario, day: string) =>
    played(story).told.map((row) => {
      const [seconds, ...words] = row.split(' ')
      const at = Temporal.PlainDateTime.from(`${day}T00:00`)
        .toZonedDateTime(zone)
        .add({ seconds: Number.parseInt(seconds as string, 10) })
      return `${at.toString().slice(11, 22)} ${words.join(' ')}`
    })

  test('on an ordinary night it lasts from 02:30 to 04:30', () => {
    const day = '2026-06-14'
    const given = `
      2h    crit web1
      3h    crit web2`
    expect(heard(night(day, given), day)).toEqual([
      '02:00:00+02 firing oncall: web1',
      '04:30:00+02 firing oncall: web2',
    ])
  })

  test('in the night whose hour is skipped it begins at 03:30 and lasts two hours', () => {
    const day = '2026-03-29'
    const given = `
      2h    crit web1
      2h45m crit web2`
    expect(heard(night(day, given), day)).toEqual([
      '03:00:00+02 firing oncall: web1',
      '05:30:00+02 firing oncall: web2',
    ])
  })

  test('in the night whose hour comes twice it begins at the first and lasts two hours, once', () => {
    const day = '2026-10-25'
    const given = `
      2h45m crit web1
      4h50m crit web2`
    expect(heard(night(day, given), day)).toEqual([
      '03:30:00+01 firing oncall: web1',
      '03:50:00+01 firing oncall: web2',
    ])
  })

  test('it comes again', () => {
    const story = { ...night('2026-06-14', '171h crit web1'), tick: '1h', until: '180h' }
    expect(played(story).told).toEqual([`${173 * 3600}s firing oncall: web1`])
  })

  const always = { ...oncallOnly, maintenance: { now: { ...web, from: '2025-10-09T08:53:25Z', for: '1h' } } }
  scenario('is in force while it stands there; taken out, what it covered is told', {
    routing: always,
    reloads: { without: oncallOnly },
    given: `
      6s   crit web1
      12s  reload without`,
    told: '13s firing oncall: web1',
    untold: ['raised: in maintenance now (tocsin.yaml: patching, until 2025-10-09 09:53:25 UTC)'],
  })

  scenario('ended by hand, it sleeps until its next time', {
    routing: { ...oncallOnly, maintenance: { daily: { ...web, every: 'day', at: '08:54', for: '1h', zone: 'UTC' } } },
    tick: '10s',
    until: '25h',
    given: `
      1m   crit web1
      2m   release daily
      10m  ok web1
      20m  crit web2
      21m  ok web2
      24h10m crit web3
      24h20m ok web3`,
    told: `
      2m   firing oncall: web1
      10m  resolved oncall: web1
      20m  firing oncall: web2
      21m  resolved oncall: web2`,
  })

  test('that is not active cannot be ended by hand, and the reason says where it stands', () => {
    const play = new Play(weekly)
    play.tick(0)
    play.row(['release', 'weekly'], 0)
    expect(play.state.handling.maintenances.get('weekly')).toMatchObject({ state: 'waiting', isPlanned: true })
    expect(untoldOf(play)).toEqual([])
    expect(until(0)).toContain('UTC')
  })
})
