/**
 * Expiry: a silence that soon ends and still hides what fires is told of once, so that it is not forgotten.
 *
 * Its author's receiver hears of it, where a receiver has the author's name; otherwise whoever would be told of what it
 * hides.
 */
import { type Silence, silenceOf } from '../model/handling.ts'
import { matchesAll } from '../model/match.ts'
import { formatUtc } from '../runtime/clock.ts'
import { summaryAlertsMax } from './notification.ts'
import { type Routing, route } from './route.ts'
import type { AlertsState } from './state.ts'
import type { Teller } from './tell.ts'

/** Receivers that are told of the end of a silence whose author has none. */
const warnedMax = 5

/** Takes silences out of `expiring` and warns of those that hide something and are not outlived by another. */
export function warnOfEnds(state: AlertsState, teller: Teller, routing: Routing, expiring: Set<string>): void {
  for (const id of [...expiring]) {
    expiring.delete(id)
    const silence = state.handling.silences.get(id)
    if (silence) warn(state, teller, routing, silence)
  }
}

function warn(state: AlertsState, teller: Teller, routing: Routing, silence: Silence): void {
  const { id, by, endsMs, matchers } = silence
  const hidden = [...state.book.firing.values()].filter(
    (alert) => matchesAll(matchers, alert) && silenceOf(state.handling, alert)?.id === id && !alert.hidden,
  )
  if (hidden.length === 0) return
  const listed = hidden.slice(0, summaryAlertsMax)
  const routed = new Set(listed.flatMap((alert) => route(alert, routing, state.nowMs)))
  const receivers = routing.receivers[by] ? [by] : [...routed].slice(0, warnedMax)
  teller.notice(receivers, `${id} ${endsMs}`, hidden, remark(silence, hidden.length))
  const reason = `silence ${id} that hides it ends soon (${formatUtc(endsMs)})`
  for (const { fingerprint, episode } of listed) {
    const about = { fingerprint, transition: episode, change: 'notice' as const }
    teller.decided({ ...about, notify: receivers.length > 0, reason, receivers })
  }
}

function remark({ id, by, reason, endsMs }: Silence, count: number): string {
  const what = `silence ${id} (${by}: ${reason}) ends at ${formatUtc(endsMs)} and hides ${count} that fire`
  return `${what}; to let it last longer: tocsin silence extend ${id} --for 2h`
}
