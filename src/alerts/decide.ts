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
import { settle } from './fallback.ts'
import { admit, type Burst, emptied, isOver, type Member } from './group.ts'
import { isOpen } from './notification.ts'
import type { Routing } from './route.ts'
import type { AlertsState, Changes } from './state.ts'
import { Teller } from './tell.ts'

/** Steps the state by one log entry, in place, and notes into `changes` what it touched. */
export function step(state: AlertsState, entry: LogEntry, routing: Routing, changes: Changes): void {
  const deciding = new Deciding(state, changes, new Teller(state, routing, changes))
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
  readonly #teller: Teller

  constructor(state: AlertsState, changes: Changes, teller: Teller) {
    this.#state = state
    this.#changes = changes
    this.#teller = teller
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
    passTime(handling, book, nowMs, beforeMs, this.#changes.handling)
    this.#unmute()
    for (const [name, burst] of this.#state.bursts) {
      if (burst.untilMs !== undefined) {
        if (nowMs >= burst.untilMs) this.#flush(name, burst)
      } else if (isOver(burst, nowMs)) {
        this.#state.bursts.delete(name)
        this.#changes.bursts.add(name)
      }
    }
    this.#teller.remind()
  }

  /** Tells what nobody asks to keep quiet any more. */
  #unmute(): void {
    const { unmuted } = this.#changes.handling
    for (const [fingerprint, { why, again }] of [...unmuted]) {
      unmuted.delete(fingerprint)
      const alert = this.#state.book.firing.get(fingerprint)
      if (!alert) continue
      const reason = alert.hidden ? silentReasons.hidden : this.#teller.mutedWhy(alert)
      const receivers = reason ?? this.#teller.newsFor(alert)
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
    const member = { fingerprint, episode, transition: alert.applied.at(-1) ?? episode, reason, hops: {} }
    this.#admit(`${alert.rule} firing`, member, alert, 'unmuted', receivers)
  }

  /** Lets it be told, or says why not. */
  #act(alert: Alert, change: AlertChange, transition: Transition, hops: Hops): string | undefined {
    if (change === 'ended') return this.#end(alert, transition, hops)
    const isNews = change === 'raised' || change === 'worsened' || change === 'unhidden'
    return isNews ? this.#page(alert, change, transition, hops) : silentReasons[change]
  }

  #page(alert: Alert, change: AlertChange, { id }: Transition, hops: Hops): string | undefined {
    if (alert.hidden) return silentReasons.hidden
    const receivers = this.#teller.mutedWhy(alert) ?? this.#teller.newsFor(alert)
    if (typeof receivers === 'string') return receivers
    this.#flushEndOf(alert)
    const member = { fingerprint: alert.fingerprint, episode: alert.episode, transition: id, reason: change, hops }
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
    const receivers = told?.episode === episode ? Object.entries(told.receivers) : []
    if (receivers.length === 0) return 'nobody was told that it fired'
    const ends = Object.fromEntries(receivers.map(([name, { keys }]) => [name, keys]))
    const member = { fingerprint, episode, transition: id, reason: alert.state, hops, ends }
    this.#admit(`${alert.rule} ended`, member, alert, 'ended', Object.keys(ends))
    return undefined
  }

  /** Sends the member at once, or lets it wait in the rule's window, or lets all leave. */
  #admit(name: string, member: Member, alert: Alert, change: Decision['change'], receivers: readonly string[]): void {
    const { bursts, nowMs } = this.#state
    const { burst, admission } = admit(bursts.get(name), member, alert.level, nowMs)
    bursts.set(name, burst)
    this.#changes.bursts.add(name)
    const waits = admission === 'collected' ? '; collected, as the fourth or a later page of the rule within 10s' : ''
    const { fingerprint, transition } = member
    const decision = { atMs: nowMs, fingerprint, transition, change, receivers }
    this.#changes.decisions.push({ ...decision, notify: true, reason: `${member.reason}${waits}` })
    if (admission === 'at once') this.#teller.send([member])
    else if (admission === 'summary') this.#flush(name, burst)
  }

  #flush(name: string, burst: Burst): void {
    this.#state.bursts.set(name, emptied(burst))
    this.#changes.bursts.add(name)
    this.#teller.send(burst.members)
  }

  /** Nobody is told; the reason is kept. */
  #leave(transition: Transition, change: AlertChange, reason: string): void {
    const about = { fingerprint: fingerprint(transition), transition: transition.id }
    this.#changes.decisions.push({ atMs: this.#state.nowMs, ...about, change, notify: false, reason, receivers: [] })
  }
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
