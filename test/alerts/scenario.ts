/**
 * Scenarios: what is said on alerts-log, in a table, and who is told what, in another.
 *
 *     given: '0s  crit verifier          a transition of group verifier; more words: hidden, blind, rule=…, remind=…
 *             5s  ok verifier
 *             6s  oncall dead            from here on what goes to oncall ends as a dead letter (or: delivered, silent)
 *             6s  oncall fallback=ops    … is not taken, and ops is told instead (oncall gives-up fallback=ops: the first that waits)
 *             6s  ack verifier          ann acknowledges it; more words: for=1h, sticky (or: unack, note)
 *             6s  silence s1 for=1h rule=a*   a silence of id s1; more words: in=5s (when it starts), quiet=1m, patterns
 *             9s  expire s1
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
import type { Level, Transition } from '../../src/model/transition.ts'
import { type Given, transition } from '../support/transitions.ts'

export const startMs = 1_760_000_000_000

export interface Scenario {
  given: string
  told: string
  until?: string
  routing?: Routing
  /** `transition: reason` of the decisions not to tell, in order. */
  untold?: string[]
}

const email = { email: { to: ['oncall@example.org'], from: 'tocsin@example.org', smtp: 'smtp://localhost:25' } }
export const oncallOnly: Routing = { receivers: { oncall: email }, route: { receiver: 'oncall' } }
export const warnToOps: Routing = {
  receivers: { oncall: email, ops: email },
  route: { receiver: 'oncall', routes: [{ match: { severity: 'warn' }, receiver: 'ops' }] },
}

export function scenario(title: string, { given, told, until = '30s', routing = oncallOnly, untold }: Scenario): void {
  test(title, () => {
    const play = new Play(routing)
    const rows = given
      .trim()
      .split('\n')
      .map((row) => row.trim().split(/\s+/))
    for (let atMs = 0; atMs <= durationOf(until); atMs += 1000) {
      play.tick(atMs)
      for (const [when, ...words] of rows) if (durationOf(when as string) === atMs) play.row(words, atMs)
    }
    expect(play.told).toEqual(
      told
        .trim()
        .split('\n')
        .map((row) => row.trim().replace(/\s+/g, ' '))
        .filter(Boolean),
    )
    if (untold) {
      const silent = play.decisions.filter(({ notify }) => !notify)
      expect(silent.map(({ change, reason }) => `${change}: ${reason}`)).toEqual(untold)
    }
  })
}

export class Play {
  state: AlertsState = emptyAlertsState()
  readonly told: string[] = []
  readonly decisions: Decision[] = []
  readonly log: LogEntry[] = []
  readonly #routing: Routing
  readonly #fates = new Map<string, string>()
  #changes = noChanges()

  constructor(routing: Routing) {
    this.#routing = routing
  }

  row(words: string[], atMs: number): void {
    const [first, second, ...more] = words as [string, string, ...string[]]
    if (first === 'restart') this.#restart()
    else if (commandWords.includes(first)) this.command(commandOf(words, startMs + atMs), atMs)
    else if (second === 'gives-up') this.#giveUp(first, more[0] as string, atMs)
    else if (second?.startsWith('fallback=')) this.#fates.set(first, second)
    else if (second === 'dead' || second === 'delivered' || second === 'silent') this.#fates.set(first, second)
    else this.transition(transition(first as Level, startMs + atMs, givenBy(second, more)), atMs)
  }

  transition(message: Transition, atMs: number): void {
    this.#step({ kind: 'transitions', key: `transitions.${message.rule}`, message }, atMs)
  }

  command(message: Command, atMs: number): void {
    this.#step({ kind: 'commands', key: `commands.${message.kind}`, message }, atMs)
  }

  tick(atMs: number): void {
    this.#step({ kind: 'clock', key: 'clock', message: { process: 'cep', nowMs: startMs + atMs } }, atMs)
  }

  #step(given: object, atMs: number): void {
    const entry = { ...given, id: `t:${this.log.length}`, offset: this.log.length } as LogEntry
    this.log.push(entry)
    const known = new Set(this.state.notifications.keys())
    const before = this.#changes.decisions.length
    step(this.state, entry, this.#routing, this.#changes)
    this.decisions.push(...this.#changes.decisions.slice(before))
    for (const notification of [...this.state.notifications.values()]) {
      if (known.has(notification.key)) continue
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
    const about = { key, receiver, attempt: 1, by: 't', atMs: startMs + atMs }
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

function described({ kind, receiver, alerts, moreCount }: Notification): string {
  const groups = alerts.map(({ groupKey, state }) =>
    kind === 'firing' && state !== 'firing' ? `(${groupKey})` : groupKey,
  )
  return `${kind} ${receiver}: ${groups.join(' ')}${moreCount > 0 ? ` +${moreCount}` : ''}`
}

function givenBy(group: string, words: readonly string[]): Given {
  const given: Given = { group, hidden: words.includes('hidden'), blind: words.includes('blind') }
  for (const word of words) {
    const [name, value] = word.split('=') as [string, string]
    if (name === 'rule') given.rule = value
    if (name === 'remind') given.remindMs = durationOf(value)
  }
  return given
}

const commandWords: readonly string[] = ['ack', 'unack', 'note', 'silence', 'expire']

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
  const startsMs = atMs + (later === undefined ? 0 : durationOf(later))
  const endsMs = startsMs + durationOf(lasts ?? '1h')
  const more2 = quiet === undefined ? {} : { quietMs: durationOf(quiet) }
  const matchers = { ...(named.rule !== undefined && { rule: named.rule }), ...patterns }
  return given('silence', { matchers, reason: 'deploy', startsMs, endsMs, ...more2 }, about)
}

function durationOf(text: string): number {
  return parseDuration(text) ?? Number.NaN
}
