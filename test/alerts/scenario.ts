/**
 * Scenarios: what is said on alerts-log, in a table, and who is told what, in another.
 *
 *     given: '0s  crit verifier          a transition of group verifier; more words: hidden, blind, rule=…, remind=…, team=…
 *             5s  ok verifier
 *             6s  oncall dead            from here on what goes to oncall ends as a dead letter (or: delivered, silent)
 *             6s  oncall fallback=ops    … is not taken, and ops is told instead (oncall gives-up fallback=ops: the first that waits)
 *             6s  ack verifier          ann acknowledges it; more words: for=1h, sticky (or: unack, note)
 *             6s  silence s1 for=1h rule=a*   a silence of id s1; more words: in=5s (when it starts), quiet=1m, patterns
 *             9s  expire s1              (or: extend s1 for=1h)
 *             6s  maintain m1 for=1h rule=a*   a maintenance window; in=5s, patterns; release m1 ends it
 *             8s  reload calm            from here on the configuration is that of `reloads`
 *             7s  restart                the state is saved, and read back from the database'
 *     told:  '0s  firing oncall: verifier
 *             5s  resolved oncall: verifier'
 *
 * The clock ticks once a second from the beginning to `until`. Groups of a summary are separated by spaces; those that
 * are over already stand in brackets.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { step } from '../../src/alerts/decide.ts'
import { isOpen, type Notification } from '../../src/alerts/notification.ts'
import type { Routing } from '../../src/alerts/route.ts'
import { type AlertsState, type Changes, emptyAlertsState, noChanges } from '../../src/alerts/state.ts'
import { openStore } from '../../src/alerts/store.ts'
import type { ArgumentValue, Command } from '../../src/model/command.ts'
import type { Decision } from '../../src/model/decision.ts'
import { parseDuration } from '../../src/model/duration.ts'
import type { LogEntry } from '../../src/model/message.ts'
import { readMoment } from '../../src/model/schedule.ts'
import type { Level, Transition } from '../../src/model/transition.ts'
import { type Given, transition } from '../support/transitions.ts'

export const startMs = 1_760_000_000_000

export interface Scenario {
  given: string
  told: string
  until?: string
  routing?: Routing
  reloads?: Readonly<Record<string, Routing>>
  /** When it all begins, such as `2026-03-29 00:00 Europe/Amsterdam`. */
  start?: string
  /** How often the clock ticks; 1s by default. */
  tick?: string
  /** `transition: reason` of the decisions not to tell, in order. */
  untold?: string[]
}

export const email = { email: { to: ['oncall@example.org'], from: 'tocsin@example.org', smtp: 'smtp://localhost:25' } }
export const oncallOnly: Routing = { receivers: { oncall: email }, route: { receiver: 'oncall' } }
export const warnToOps: Routing = {
  receivers: { oncall: email, ops: email },
  route: { receiver: 'oncall', routes: [{ match: { severity: 'warn' }, receiver: 'ops' }] },
}

export function scenario(title: string, given: Scenario): void {
  test(title, () => {
    const play = played(given)
    expect(play.told).toEqual(
      rowsOf(given.told).map(([when, ...words]) => [inSeconds(when as string), ...words].join(' ')),
    )
    if (given.untold) expect(untoldOf(play)).toEqual(given.untold)
  })
}

/** Everything in the table, and the clock. */
export function played({
  given,
  until = '30s',
  routing = oncallOnly,
  reloads = {},
  start,
  tick = '1s',
}: Scenario): Play {
  const play = new Play(routing, start === undefined ? startMs : momentOf(start))
  const rows = rowsOf(given)
  for (let atMs = 0; atMs <= durationOf(until); atMs += durationOf(tick)) {
    play.tick(atMs)
    for (const [when, ...words] of rows) {
      if (durationOf(when as string) !== atMs) continue
      if (words[0] === 'reload') play.routing = reloads[words[1] as string] as Routing
      else play.row(words, atMs)
    }
  }
  return play
}

export function untoldOf({ decisions }: Play): string[] {
  return decisions.filter(({ notify }) => !notify).map(({ change, reason }) => `${change}: ${reason}`)
}

function rowsOf(table: string): string[][] {
  return table
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([first]) => first !== '')
}

function inSeconds(duration: string): string {
  return `${durationOf(duration) / 1000}s`
}

/** `2026-03-29 00:00 Europe/Amsterdam` */
export function momentOf(text: string): number {
  const [day, time, zone] = text.split(' ')
  return readMoment(`${day} ${time}`, zone) as number
}

export class Play {
  state: AlertsState = emptyAlertsState()
  readonly told: string[] = []
  readonly decisions: Decision[] = []
  readonly log: LogEntry[] = []
  /** Changes with a reload. */
  routing: Routing
  readonly #startMs: number
  readonly #fates = new Map<string, string>()
  #changes = noChanges()

  constructor(routing: Routing, beginMs = startMs) {
    this.routing = routing
    this.#startMs = beginMs
  }

  row(words: string[], atMs: number): void {
    const [first, second, ...more] = words as [string, string, ...string[]]
    if (first === 'restart') this.#restart()
    else if (commandWords.includes(first)) this.command(commandOf(words, this.#startMs + atMs), atMs)
    else if (second === 'gives-up') this.#giveUp(first, more[0] as string, atMs)
    else if (second?.startsWith('fallback=')) this.#fates.set(first, second)
    else if (second === 'dead' || second === 'delivered' || second === 'silent') this.#fates.set(first, second)
    else this.transition(transition(first as Level, this.#startMs + atMs, givenBy(second, more)), atMs)
  }

  transition(message: Transition, atMs: number): void {
    this.#step({ kind: 'transitions', key: `transitions.${message.rule}`, message }, atMs)
  }

  command(message: Command, atMs: number): void {
    this.#step({ kind: 'commands', key: `commands.${message.kind}`, message }, atMs)
  }

  tick(atMs: number): void {
    this.#step({ kind: 'clock', key: 'clock', message: { process: 'cep', nowMs: this.#startMs + atMs } }, atMs)
  }

  #step(given: object, atMs: number): void {
    const entry = { ...given, id: `t:${this.log.length}`, offset: this.log.length } as LogEntry
    this.log.push(entry)
    const dead = new Set(this.notifications.flatMap(({ key, state }) => (state === 'dead' ? [key] : [])))
    const known = new Set(this.state.notifications.keys())
    const before = this.#changes.decisions.length
    step(this.state, entry, this.routing, this.#changes)
    this.decisions.push(...this.#changes.decisions.slice(before))
    for (const notification of [...this.state.notifications.values()]) {
      const isTriedAnew = dead.has(notification.key) && isOpen(notification)
      if (known.has(notification.key) && !isTriedAnew) continue
      this.told.push(`${atMs / 1000}s ${described(notification)}`)
      this.#deliver(notification, atMs)
    }
  }

  #giveUp(receiver: string, fate: string, atMs: number): void {
    const first = this.notifications.find((one) => one.receiver === receiver && isOpen(one))
    this.#fates.set(receiver, fate)
    if (first) this.#deliver(first, atMs)
    this.#fates.set(receiver, 'silent')
  }

  #deliver({ key, receiver, alerts, transition, kind }: Notification, atMs: number): void {
    const fate = this.#fates.get(receiver) ?? 'delivered'
    if (fate === 'silent' || !isOpen(this.state.notifications.get(key) as Notification)) return
    const about = { key, receiver, attempt: 1, by: 't', atMs: this.#startMs + atMs }
    this.#step({ kind: 'claims', key: 'claims', message: about }, atMs)
    const fingerprint = alerts[0]?.fingerprint
    const [, fallback] = fate.split('=')
    const outcome = fallback === undefined ? fate : 'dead'
    const more = { fingerprint, transition, kind, ...(fallback !== undefined && { fallback }) }
    const receipt = { ...about, outcome, detail: '', ...more }
    this.#step({ kind: 'receipts', key: 'receipts', message: receipt }, atMs)
  }

  /** What the steps touched since this was last asked. */
  takeChanges(): Changes {
    const taken = this.#changes
    this.#changes = noChanges()
    return taken
  }

  /** All that were made, in order, as they are now. */
  get notifications(): Notification[] {
    return [...this.state.notifications.values()]
  }

  #restart(): void {
    // In memory where the machine has that: a property restarts hundreds of times, and a busy disk takes long to sync.
    const dir = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'tocsin-scenario-'))
    for (const isLoading of [false, true]) {
      const opened = openStore(path.join(dir, 'alerts.sqlite'))
      if (!opened.ok) throw new Error(opened.error)
      if (isLoading) this.state = opened.value.load().state
      else opened.value.save(this.state, everything(this.state), 1)
      opened.value.close()
    }
    fs.rmSync(dir, { recursive: true })
  }
}

export function everything({ book, bursts, flaps, gatherings, notifications, handling: kept }: AlertsState) {
  const handling = {
    ...noChanges().handling,
    silences: new Set(kept.silences.keys()),
    maintenances: new Set(kept.maintenances.keys()),
    care: new Set(kept.care.keys()),
  }
  const fingerprints = new Set([...book.firing.keys(), ...book.ended.keys()])
  return {
    ...noChanges(),
    handling,
    fingerprints,
    bursts: new Set(bursts.keys()),
    flaps: new Set(flaps.keys()),
    gatherings: new Set(gatherings.keys()),
    notifications: new Set(notifications.keys()),
  }
}

/** `firing oncall: a b`; what flaps, no longer does, or was gathered says so first, and names the rules. */
function described({ kind, turn, receiver, alerts, moreCount }: Notification): string {
  const isMixed = new Set(alerts.map(({ rule }) => rule)).size > 1
  const groups = alerts.map(({ rule, groupKey, state }) => {
    const name = isMixed ? `${rule}/${groupKey}` : groupKey
    return kind === 'firing' && state !== 'firing' ? `(${name})` : name
  })
  return `${turn === undefined ? '' : `${turn} `}${kind} ${receiver}: ${groups.join(' ')}${moreCount > 0 ? ` +${moreCount}` : ''}`
}

function givenBy(group: string, words: readonly string[]): Given {
  const given: Given = { group, hidden: words.includes('hidden'), blind: words.includes('blind') }
  for (const word of words) {
    const [name, value] = word.split('=') as [string, string]
    if (name === 'rule') given.rule = value
    if (name === 'remind') given.remindMs = durationOf(value)
    if (name === 'team') given.tags = { team: value }
  }
  return given
}

const commandWords: readonly string[] = ['ack', 'unack', 'note', 'silence', 'expire', 'extend', 'maintain', 'release']

/** The command that a row stands for; by ann, with an id made of the row. */
function commandOf([word, about = '', ...more]: string[], atMs: number): Command {
  const named = Object.fromEntries(more.map((pair) => pair.split('=') as [string, string]))
  const { for: lasts, in: later, quiet, rule = 'http_5xx_spike', ...patterns } = named
  const given = (kind: string, args: Record<string, ArgumentValue>, id = `${word} ${about} ${atMs}`): Command => {
    return { id, kind, by: 'ann', atMs, arguments: args }
  }
  const fingerprint = `${rule}/${about}`
  const untilMs = lasts === undefined ? undefined : atMs + durationOf(lasts)
  if (word === 'ack') {
    const args = { fingerprint, sticky: more.includes('sticky'), ...(untilMs !== undefined && { untilMs }) }
    return given('acknowledge', args)
  }
  if (word === 'unack') return given('unacknowledge', { fingerprint })
  if (word === 'note') return given('note', { fingerprint, text: 'looking' })
  if (word === 'expire') return given('expire', { silence: about })
  if (word === 'release') return given('release', { maintenance: about })
  if (word === 'extend') return given('extend', { silence: about, endsMs: untilMs ?? 0 })
  const startsMs = atMs + (later === undefined ? 0 : durationOf(later))
  const endsMs = startsMs + durationOf(lasts ?? '1h')
  const more2 = quiet === undefined ? {} : { quietMs: durationOf(quiet) }
  const matchers = { ...(named.rule !== undefined && { rule: named.rule }), ...patterns }
  if (word === 'maintain') return given('maintain', { matchers, reason: 'deploy', startsMs, endsMs }, about)
  return given('silence', { matchers, reason: 'deploy', startsMs, endsMs, ...more2 }, about)
}

function durationOf(text: string): number {
  return parseDuration(text) ?? Number.NaN
}
