/**
 * The promise of this part, against everything at once: whatever is said on the log, in whichever order, with restarts and
 * reloads in between, who was told that it broke is told that it is over, and nothing is told twice.
 *
 * The oracle knows nothing of how it is done. It reads what receivers get, as a person would, and keeps what each of them
 * believes of each alert.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isOpen, type Notification } from '../../src/alerts/notification.ts'
import { type Routing, route } from '../../src/alerts/route.ts'
import type { Alert } from '../../src/model/alert.ts'
import { maintenanceOf, silenceOf } from '../../src/model/handling.ts'
import { email, Play, startMs, warnToOps } from './scenario.ts'

const groups = ['a', 'b', 'c', 'd', 'e'] as const
const flapping = { episodes: 3, within: 20_000, calm: 10_000 }
const limited = { oncall: { ...email, limit: '3 per 20s' }, ops: { ...email, limit: '4 per 20s' } }
const configurations: Readonly<Record<string, Routing>> = {
  plain: warnToOps,
  flapping: { ...warnToOps, flapping },
  limited: { ...warnToOps, receivers: limited },
  both: { ...warnToOps, receivers: limited, flapping, silences: { warnBefore: 3_000 } },
  repeating: { ...warnToOps, route: { ...warnToOps.route, repeat: 7_000 }, flapping },
  planned: {
    ...warnToOps,
    maintenance: {
      m: { match: { process: 'a' }, reason: 'x', by: 'y', every: 'day', at: '08:54', for: '20s', zone: 'UTC' },
    },
  },
}

/** What a receiver believes of one alert, from what it got. */
interface Belief {
  state: 'firing' | 'over'
  level: string
  episode: string
}

class Oracle {
  readonly beliefs = new Map<string, Belief>()
  readonly #ends = new Set<string>()

  hear({ kind, receiver, alerts }: Notification): void {
    if (kind === 'notice') return
    const isEnd = kind === 'resolved' || kind === 'forgotten'
    for (const { fingerprint, episode, level, state } of alerts) {
      const who = `${receiver} ${fingerprint}`
      const about = `${receiver} ${episode}`
      const before = this.beliefs.get(who)
      if (isEnd) {
        expect(before?.state, `an end of what ${receiver} does not believe to fire: ${episode}`).toBe('firing')
        expect(this.#ends, `a second end: ${about}`).not.toContain(about)
        this.#ends.add(about)
      } else if (kind === 'firing' && state === 'firing' && before?.episode === episode) {
        expect([before.level, level], `told of nothing new: ${about}`).toEqual(['warn', 'crit'])
      } else if (kind === 'reminder') {
        expect(before?.state, `a reminder of what ${receiver} has not heard of: ${episode}`).toBe('firing')
      }
      if (!isEnd && state === 'firing') expect(this.#ends, `a page after its end: ${about}`).not.toContain(about)
      this.beliefs.set(who, { state: isEnd || state !== 'firing' ? 'over' : 'firing', level, episode })
    }
  }

  /** An end that does not arrive is a dead letter, which people see and send again. */
  miss({ kind, receiver, alerts }: Notification): void {
    if (kind !== 'resolved' && kind !== 'forgotten') return
    for (const { fingerprint } of alerts) this.beliefs.delete(`${receiver} ${fingerprint}`)
  }

  stillFiring(): string[] {
    return [...this.beliefs].flatMap(([who, { state }]) => (state === 'firing' ? [who] : []))
  }
}

interface Acknowledged {
  episode: string
  level: string
  isSticky: boolean
  untilMs: number
}

/** Plays, lets the oracle hear what was delivered, and looks at the promises after every step. */
class Machine {
  readonly play = new Play(warnToOps)
  readonly oracle = new Oracle()
  /** Fingerprint and level → since when nothing keeps it from being told. */
  readonly #exposed = new Map<string, number>()
  readonly #acknowledged = new Map<string, Acknowledged>()
  readonly #heard = new Set<string>()
  readonly #isEveryoneReached: boolean
  atMs = 0

  constructor(isEveryoneReached: boolean) {
    this.#isEveryoneReached = isEveryoneReached
    this.play.tick(0)
  }

  row(words: string[]): void {
    const before = this.play.told.length
    this.#noteAcknowledged(words)
    this.play.row(words, this.atMs)
    if (words[0] === 'nodata' || (words.includes('blind') && words[0] !== 'forgotten')) {
      expect(this.play.told.slice(before), 'blind and no data are neither firing nor over').toEqual([])
    }
    this.#look()
  }

  pass(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.atMs += 1000
      this.play.tick(this.atMs)
      this.#look()
    }
  }

  #look(): void {
    for (const notification of this.play.notifications) {
      const what = `${notification.key} ${notification.state}`
      if (this.#heard.has(what) || isOpen(notification)) continue
      this.#heard.add(what)
      if (notification.state === 'delivered') this.oracle.hear(notification)
      else this.oracle.miss(notification)
    }
    if (this.#isEveryoneReached) this.#everybodyKnows()
  }

  #noteAcknowledged([word, group, more = '']: string[]): void {
    const fingerprint = `http_5xx_spike/${group}`
    if (word === 'unack') this.#acknowledged.delete(fingerprint)
    const alert = this.play.state.book.firing.get(fingerprint)
    if (word !== 'ack' || !alert) return
    const { episode, worstLevel: level } = alert
    const untilMs = more === 'for=9s' ? this.atMs + 9000 : Number.POSITIVE_INFINITY
    this.#acknowledged.set(fingerprint, { episode, level, isSticky: more === 'sticky', untilMs })
  }

  /** Until it runs out, or the alert is worse than what somebody took in hand. */
  #isInHand({ fingerprint, episode, level }: Alert): boolean {
    const own = this.#acknowledged.get(fingerprint)
    if (own?.episode !== episode || this.atMs >= own.untilMs) return false
    return own.isSticky || own.level === level
  }

  /** What nothing keeps from being told has been told before long, at its level; an acknowledgement is of a level. */
  #everybodyKnows(): void {
    const { book, handling, gatherings } = this.play.state
    const exposed = new Set<string>()
    for (const alert of book.firing.values()) {
      if (!isExposed(alert) || silenceOf(handling, alert) || maintenanceOf(handling, alert) || this.#isInHand(alert))
        continue
      const key = `${alert.episode} ${alert.level}`
      exposed.add(key)
      const sinceMs = this.#exposed.get(key) ?? this.atMs
      this.#exposed.set(key, sinceMs)
      const patienceMs = gatherings.size > 0 ? 100_000 : 12_000
      if (this.atMs - sinceMs <= patienceMs) continue
      for (const receiver of route(alert, this.play.routing, startMs)) {
        const belief = this.oracle.beliefs.get(`${receiver} ${alert.fingerprint}`)
        const knows = belief?.state === 'firing' && (alert.level === 'warn' || belief.level === 'crit')
        expect(knows, `${receiver} does not know of ${key}, ${this.atMs - sinceMs} ms after it could`).toBe(true)
      }
    }
    for (const key of this.#exposed.keys()) if (!exposed.has(key)) this.#exposed.delete(key)
  }
}

/** An improvement is shown, not told. */
function isExposed({ hidden, blind, nodata, level, worstLevel }: Alert): boolean {
  return !hidden && !blind && !nodata && level === worstLevel
}

const group = fc.constantFrom(...groups)
const transition = fc
  .tuple(
    fc.constantFrom('ok', 'ok', 'warn', 'crit', 'crit', 'nodata', 'forgotten'),
    group,
    fc.constantFrom('', '', '', '', 'hidden', 'blind', 'remind=6s', 'team=x'),
  )
  .map((words) => words.filter(Boolean))
const command = fc.oneof(
  fc.tuple(fc.constant('ack'), group, fc.constantFrom('', 'for=9s', 'sticky')),
  fc.tuple(fc.constant('unack'), group),
  fc.tuple(
    fc.constant('silence'),
    fc.constantFrom('s1', 's2', 's3'),
    fc.constantFrom('for=5s', 'for=15s', 'quiet=10s'),
    fc.constantFrom('rule=*', 'process=a', 'process=!b', 'severity=warn'),
  ),
  fc.tuple(fc.constant('expire'), fc.constantFrom('s1', 's2', 's3')),
  fc.tuple(fc.constant('extend'), fc.constantFrom('s1', 's2', 's3'), fc.constant('for=12s')),
  fc.tuple(
    fc.constant('maintain'),
    fc.constantFrom('m1', 'm2'),
    fc.constantFrom('for=8s', 'in=4s'),
    fc.constantFrom('process=a', 'process=/[bc]/'),
  ),
  fc.tuple(fc.constant('release'), fc.constantFrom('m1', 'm2')),
)
const reload = fc.tuple(fc.constant('reload'), fc.constantFrom(...Object.keys(configurations)))
const event = fc.record({
  words: fc.oneof(
    { weight: 12, arbitrary: transition },
    { weight: 4, arbitrary: command },
    { weight: 1, arbitrary: reload },
  ),
  pauseS: fc.constantFrom(0, 0, 1, 1, 2, 5, 14),
  restarts: fc.integer({ min: 0, max: 24 }).map((one) => one === 24),
})
const fate = fc.constantFrom('delivered', 'delivered', 'dead')

interface Event {
  words: string[]
  pauseS: number
  restarts: boolean
}

function run(machine: Machine, events: readonly Event[], fates: readonly string[] = []): void {
  for (const [i, { words, pauseS, restarts }] of events.entries()) {
    if (fates.length > 0) machine.row(['ops', fates[i % fates.length] as string])
    if (words[0] === 'reload') machine.play.routing = configurations[words[1] as string] as Routing
    else machine.row(words.filter(Boolean))
    if (restarts) machine.row(['restart'])
    machine.pass(pauseS)
  }
  if (fates.length > 0) machine.row(['ops', 'delivered'])
  // A bucket has one transition of a group to a level; what was said of this one already is not said again.
  machine.pass(1)
  for (const one of groups) machine.row(['ok', one])
  machine.pass(90)
}

function expectNothingLeft({ play, oracle }: Machine): void {
  const { book, told, flaps, gatherings, bursts } = play.state
  expect(oracle.stillFiring(), 'somebody believes that it still fires').toEqual([])
  expect([...book.firing.keys()]).toEqual([])
  expect([...told.keys()]).toEqual([])
  expect([...flaps.values()].filter(({ sinceMs }) => sinceMs !== undefined)).toEqual([])
  expect([...gatherings.values()].flatMap(({ waiting }) => waiting)).toEqual([])
  expect([...bursts.values()].flatMap(({ members }) => members)).toEqual([])
}

describe('whatever is said on the log', () => {
  const events = fc.array(event, { maxLength: 60, size: 'max' })

  test('everybody who was told that it broke is told that it is over; nothing is told twice; what may be told is told', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(configurations)), events, (name, said) => {
        const machine = new Machine(true)
        machine.play.routing = configurations[name] as Routing
        run(machine, said as Event[])
        expectNothingLeft(machine)
      }),
      { numRuns: 150 },
    )
  })

  test('also where receivers do not take what they are sent', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(configurations)),
        events,
        fc.array(fate, { minLength: 1, maxLength: 7 }),
        (name, said, fates) => {
          const machine = new Machine(false)
          machine.play.routing = configurations[name] as Routing
          run(machine, said as Event[], fates)
          expectNothingLeft(machine)
        },
      ),
      { numRuns: 100 },
    )
  })
})
