/**
 * Decide: who is told what, as a step over alerts-log.
 *
 * The same log and routing give the same state, bit for bit: there is no clock here but the log's, and nothing is sent
 * from here. Every transition leads to a decision with its reason. Order: dedup → hidden, blind → silenced, acknowledged → route →
 * group → tell.
 *
 * Who was told that it broke is told that it is over, and nobody else is. An improvement (crit → warn) is shown, not
 * told: the one who was woken by crit has nothing to do about it, and the end will be told. What fires while it is muted
 * and still fires when it no longer is, is told then.
 */
import { type Alert, type AlertChange, applyTransition } from '../model/alert.ts'
import { type Command, isAboutLetter, type LetterCommand, readCommand } from '../model/command.ts'
import type { Decision } from '../model/decision.ts'
import type { Claim, Receipt } from '../model/delivery.ts'
import { applyCommand, handleAlert, passTime } from '../model/handling.ts'
import type { Hops, LogEntry } from '../model/message.ts'
import { fingerprint, type Transition } from '../model/transition.ts'
import { commandLetter } from './dead-letters.ts'
import { warnOfEnds } from './expiry.ts'
import { settle } from './fallback.ts'
import { both, type Calmed, Flapping } from './flapping.ts'
import { admit, type Burst, emptied, isOver, type Member } from './group.ts'
import { isOpen } from './notification.ts'
import { handlingPolicy, type Routing } from './route.ts'
import type { AlertsState, Changes, ToldReceiver } from './state.ts'
import { Teller } from './tell.ts'

/** Steps the state by one log entry, in place, and notes into `changes` what it touched. */
export function step(state: AlertsState, entry: LogEntry, routing: Routing, changes: Changes): void {
  const deciding = new Deciding(state, changes, routing)
  if (entry.kind === 'transitions') deciding.transition(entry.message, entry.hops ?? {})
  else if (entry.kind === 'claims') deciding.claim(entry.message)
  else if (entry.kind === 'receipts') deciding.receipt(entry.message)
  else if (entry.kind === 'clock') deciding.time(entry.message.nowMs)
  // Our own stand-in for a clock message while no engine sends any; see index.ts.
  else if (entry.kind === 'commands' && entry.message.kind === 'tick') deciding.time(entry.message.atMs)
  else if (entry.kind === 'commands') deciding.command(entry.message)
}

class Deciding {
  readonly #state: AlertsState
  readonly #changes: Changes
  readonly #routing: Routing
  readonly #teller: Teller
  readonly #flapping: Flapping

  constructor(state: AlertsState, changes: Changes, routing: Routing) {
    this.#state = state
    this.#changes = changes
    this.#routing = routing
    this.#teller = new Teller(state, routing, changes)
    this.#flapping = new Flapping(state, changes, routing.flapping)
  }

  transition(transition: Transition, hops: Hops): void {
    if (this.#state.nowMs === 0) this.#state.nowMs = transition.bucketMs
    const { alert, change } = applyTransition(this.#state.book, transition)
    const isKept = alert && change !== 'duplicate' && change !== 'overflow'
    if (isKept) {
      this.#changes.fingerprints.add(alert.fingerprint)
      handleAlert(this.#state.handling, alert, this.#changes.handling)
    }
    const reason = isKept ? this.#act(alert, change, transition, hops) : silentReasons[change]
    if (reason !== undefined) this.#leave(transition, change, reason)
  }

  command(message: Command): void {
    const read = readCommand(message)
    if (!read.ok) {
      const problems = read.error.map(({ path, message }) => `${path}: ${message}`).join('; ')
      throw new Error(`a command that cannot be read: ${problems}`)
    }
    const { book, handling, nowMs } = this.#state
    const command = read.value
    if (isAboutLetter(command)) {
      this.#letter(command)
      return
    }
    const refused = applyCommand(handling, book, command, nowMs, this.#changes.handling)
    if (refused !== 'applied before' && 'fingerprint' in command) {
      const reason = `${command.kind} by ${command.by}${refused === undefined ? '' : `: ${refused}`}`
      const about = { fingerprint: command.fingerprint, transition: command.id }
      this.#changes.decisions.push({ atMs: nowMs, ...about, change: 'command', notify: false, reason, receivers: [] })
    }
    this.#unmute()
  }

  #letter(command: LetterCommand): void {
    const letter = commandLetter(this.#state, this.#teller, command)
    if (typeof letter === 'string') return
    const { alerts, transition, receiver } = letter
    const about = { fingerprint: alerts[0]?.fingerprint ?? '', transition, change: 'command' as const }
    const reason = `${command.kind} by ${command.by} of what ${receiver} did not take`
    this.#changes.decisions.push({ atMs: this.#state.nowMs, ...about, notify: false, reason, receivers: [] })
  }

  claim({ key, attempt, atMs }: Claim): void {
    const notification = this.#state.notifications.get(key)
    if (!notification || !isOpen(notification)) return
    this.#teller.put({ ...notification, state: 'claimed', attempt, firstClaimMs: notification.firstClaimMs ?? atMs })
  }

  receipt(receipt: Receipt): void {
    const { key, outcome, attempt, detail, retryMs, remaining, fallback, isMoot, templateProblem } = receipt
    const notification = this.#state.notifications.get(key)
    if (!notification || !isOpen(notification)) return
    const { retryMs: _, templateProblem: __, ...rest } = notification
    const news = { ...(retryMs !== undefined && { retryMs }), ...(remaining && { remaining }) }
    const end = { ...(fallback !== undefined && { fallback }), ...(isMoot && { isMoot }) }
    const said = { ...(templateProblem !== undefined && { templateProblem }) }
    this.#teller.put({ ...rest, state: outcome, attempt, detail, ...news, ...end, ...said })
    settle(this.#state, this.#teller, notification, receipt)
    if (outcome !== 'failed') this.#teller.trimSettled()
  }

  time(nowMs: number): void {
    if (nowMs <= this.#state.nowMs) return
    const { book, handling, nowMs: beforeMs } = this.#state
    this.#state.nowMs = nowMs
    passTime(handling, book, nowMs, beforeMs, this.#changes.handling, handlingPolicy(this.#routing))
    this.#unmute()
    warnOfEnds(this.#state, this.#teller, this.#routing, this.#changes.handling.expiring)
    for (const calmed of this.#flapping.calmed()) this.#calm(calmed)
    for (const [name, burst] of this.#state.bursts) {
      if (burst.untilMs !== undefined) {
        if (nowMs >= burst.untilMs) this.#flush(name, burst)
      } else if (isOver(burst, nowMs)) {
        this.#state.bursts.delete(name)
        this.#changes.bursts.add(name)
      }
    }
    this.#teller.remind()
    this.#teller.release()
  }

  /** Tells what nobody asks to keep quiet any more. */
  #unmute(): void {
    const { unmuted } = this.#changes.handling
    for (const [fingerprint, { why, again }] of [...unmuted]) {
      unmuted.delete(fingerprint)
      const alert = this.#state.book.firing.get(fingerprint)
      if (!alert) continue
      const reason = alert.hidden ? silentReasons.hidden : this.#teller.mutedWhy(alert)
      const receivers = reason ?? this.#news(alert)
      if (typeof receivers !== 'string') this.#tellAnew(alert, why, receivers)
      else if (reason !== undefined || !again || !this.#teller.remindOf(alert, why)) {
        const about = { fingerprint, transition: alert.applied.at(-1) ?? alert.episode }
        const decision = { atMs: this.#state.nowMs, ...about, change: 'unmuted' as const, receivers: [] }
        this.#changes.decisions.push({ ...decision, notify: false, reason: `${why}; ${receivers}` })
      }
    }
  }

  #tellAnew(alert: Alert, reason: string, receivers: readonly string[]): void {
    const { fingerprint, episode } = alert
    const transition = alert.applied.at(-1) ?? episode
    const member = { fingerprint, episode, transition, reason, hops: {}, ...this.#turnOf(alert, receivers) }
    this.#admit(`${alert.rule} firing`, member, alert, 'unmuted', receivers)
  }

  /** Whom it is news to, when nobody asked to keep it quiet. */
  #news(alert: Alert): readonly string[] | string {
    if (this.#teller.destinations(alert).length > 0) this.#flapping.count(alert)
    return this.#teller.newsFor(alert)
  }

  /** The first that a receiver hears of an alert that flaps is that it flaps. */
  #turnOf({ fingerprint }: Alert, receivers: readonly string[]): Pick<Member, 'turn'> {
    const flap = this.#state.flaps.get(fingerprint)
    const isNew = flap?.sinceMs !== undefined && receivers.some((receiver) => flap.receivers[receiver] === undefined)
    return isNew ? { turn: 'flapping' } : {}
  }

  /** Lets it be told, or says why not. */
  #act(alert: Alert, change: AlertChange, transition: Transition, hops: Hops): string | undefined {
    if (change === 'ended') return this.#end(alert, transition, hops)
    if (change === 'raised') this.#flapping.begun(alert)
    const isNews = change === 'raised' || change === 'worsened' || change === 'unhidden'
    return isNews ? this.#page(alert, change, transition, hops) : silentReasons[change]
  }

  #page(alert: Alert, change: AlertChange, { id }: Transition, hops: Hops): string | undefined {
    if (alert.hidden) return silentReasons.hidden
    const receivers = this.#teller.mutedWhy(alert) ?? this.#news(alert)
    if (typeof receivers === 'string') return receivers
    this.#flushEndOf(alert)
    const { fingerprint, episode } = alert
    const member = { fingerprint, episode, transition: id, reason: change, hops, ...this.#turnOf(alert, receivers) }
    this.#admit(`${alert.rule} firing`, member, alert, change, receivers)
    return undefined
  }

  /** What ended a moment ago and is still being collected goes first, so that its receivers hear things in order. */
  #flushEndOf(alert: Alert): void {
    const name = `${alert.rule} ended`
    const burst = this.#state.bursts.get(name)
    if (burst?.members.some((member) => member.fingerprint === alert.fingerprint)) this.#flush(name, burst)
  }

  #end(alert: Alert, { id }: Transition, hops: Hops): string | undefined {
    const { fingerprint, episode } = alert
    const told = this.#state.told.get(fingerprint)
    this.#state.told.delete(fingerprint)
    const heard = told?.episode === episode ? told.receivers : {}
    if (alert.state !== 'forgotten' && this.#flapping.ended(alert, heard))
      return 'it flaps: how it ends is told when it is calm'
    const all = alert.state === 'forgotten' ? both(this.#flapping.forgotten(alert), heard) : heard
    if (Object.keys(all).length === 0) return 'nobody was told that it fired'
    const member = { fingerprint, episode, transition: id, reason: alert.state, hops, ends: keysOf(all) }
    this.#admit(`${alert.rule} ended`, member, alert, 'ended', Object.keys(all))
    return undefined
  }

  /** It no longer flaps: who was told that it did is told how it is now. */
  #calm({ fingerprint, receivers }: Calmed): void {
    const { firing, ended } = this.#state.book
    const alert = firing.get(fingerprint) ?? ended.get(fingerprint)
    const names = Object.keys(receivers)
    if (!alert || names.length === 0) return
    const { episode, rule } = alert
    const transition = alert.applied.at(-1) ?? episode
    if (alert.state !== 'firing') {
      const reason = 'it no longer flaps, and it is over'
      const member = { fingerprint, episode, transition, reason, turn: 'calm' as const, hops: {} }
      this.#admit(`${rule} ended`, { ...member, ends: keysOf(receivers) }, alert, 'calm', names)
      return
    }
    const told = this.#state.told.get(fingerprint)
    const heard = told?.episode === episode ? told.receivers : {}
    this.#state.told.set(fingerprint, { episode, receivers: both(receivers, heard) })
    this.#changes.fingerprints.add(fingerprint)
    const why = alert.hidden ? silentReasons.hidden : this.#teller.mutedWhy(alert)
    if (why === undefined) this.#teller.calm(alert, names)
    const reason = why === undefined ? 'it no longer flaps, and it fires' : `it no longer flaps, and it fires; ${why}`
    const about = { fingerprint, transition, change: 'calm' as const, notify: why === undefined }
    this.#teller.decided({ ...about, reason, receivers: why === undefined ? names : [] })
  }

  /** Sends the member at once, or lets it wait in the rule's window, or lets all leave. */
  #admit(name: string, member: Member, alert: Alert, change: Decision['change'], receivers: readonly string[]): void {
    const { bursts, nowMs } = this.#state
    const { burst, admission } = admit(bursts.get(name), member, alert.level, nowMs)
    bursts.set(name, burst)
    this.#changes.bursts.add(name)
    const waits = admission === 'collected' ? '; collected, as the fourth or a later page of the rule within 10s' : ''
    const { fingerprint, transition } = member
    const why = `${member.reason}${member.turn === 'flapping' ? ', and it flaps' : ''}${this.#wayOf(member, alert)}${waits}`
    this.#teller.decided({ fingerprint, transition, change, receivers, notify: true, reason: why })
    if (admission === 'at once') this.#teller.send([member])
    else if (admission === 'summary') this.#flush(name, burst)
  }

  /** Where in the tree its receivers stand, for whoever wonders why it came to them. */
  #wayOf({ ends }: Member, alert: Alert): string {
    const ways = ends ? [] : this.#teller.destinations(alert).flatMap(({ way }) => (way === '' ? [] : [way]))
    return ways.length > 0 ? ` (alerts.route.${ways.join(', ')})` : ''
  }

  #flush(name: string, burst: Burst): void {
    this.#state.bursts.set(name, emptied(burst))
    this.#changes.bursts.add(name)
    this.#teller.send(burst.members)
  }

  /** Nobody is told; the reason is kept. */
  #leave(transition: Transition, change: AlertChange, reason: string): void {
    const about = { fingerprint: fingerprint(transition), transition: transition.id }
    this.#teller.decided({ ...about, change, notify: false, reason, receivers: [] })
  }
}

function keysOf(receivers: Readonly<Record<string, ToldReceiver>>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(receivers).map(([name, { keys }]) => [name, keys]))
}

const silentReasons: Readonly<Record<AlertChange, string>> = {
  raised: 'raised',
  worsened: 'worsened',
  unhidden: 'unhidden',
  ended: 'ended',
  improved: 'an improvement is shown, not told',
  hidden: 'hidden: another alert explains it',
  blinded: 'blind: all its sources are dead, so what was told stands',
  seeing: 'its sources are back and it is as it was',
  nodata: 'no data: what was told stands',
  same: 'nothing changed for people',
  none: 'it was not firing',
  duplicate: 'applied before',
  overflow: 'too many alerts are firing; this one is not kept',
}
