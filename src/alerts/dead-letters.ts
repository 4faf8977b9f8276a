/**
 * Dead letters: notifications that nobody was told of. They stay until a person has them sent again or dismisses them.
 *
 * Sent again, a letter tells of its alerts as they are now, under the same key. Pure steps over the state.
 */
import type { LetterCommand } from '../model/command.ts'
import { isDeadLetter, type Notification, type ToldAlert, told } from './notification.ts'
import type { AlertsState } from './state.ts'
import type { Teller } from './tell.ts'

/** Kept at most, beside what else is settled; beyond that the oldest go. */
export const deadLettersMax = 500

/** Applies the command; gives back the letter, or why there is nothing to be done. */
export function commandLetter(state: AlertsState, teller: Teller, command: LetterCommand): Notification | string {
  const letter = state.notifications.get(command.letter)
  if (!letter || !isDeadLetter(letter)) return 'there is no such dead letter'
  if (command.kind === 'dismiss') teller.put({ ...letter, isMoot: true, detail: `dismissed by ${command.by}` })
  else sendAgain(state, teller, letter)
  return letter
}

function sendAgain(state: AlertsState, teller: Teller, letter: Notification): void {
  const { firstClaimMs: _, retryMs: __, doomed: ___, ...rest } = letter
  const isSummary = letter.alerts.length > 1
  const alerts = letter.alerts.map((alert) => present(state, alert, isSummary))
  teller.put({ ...rest, alerts, state: 'due' })
  if (letter.kind === 'resolved' || letter.kind === 'forgotten' || letter.kind === 'notice') return
  for (const { fingerprint, episode } of alerts) {
    const alert = state.book.firing.get(fingerprint)
    if (alert?.episode === episode) teller.tell(alert, letter.receiver, letter.key)
  }
}

/** The alert as it is now, or as it ended. */
function present({ book }: AlertsState, alert: ToldAlert, isSummary: boolean): ToldAlert {
  const { fingerprint, episode } = alert
  const known = book.firing.get(fingerprint) ?? book.ended.get(fingerprint)
  const same = known?.episode === episode ? known : book.history.findLast((past) => past.episode === episode)
  return same ? told(same, isSummary) : alert
}
