/** Mute: why people asked not to hear of an alert now, in words. */
import type { Alert } from '../model/alert.ts'
import { acknowledgementOf, type Handling, maintenanceOf, silenceOf } from '../model/handling.ts'
import { formatUtc } from '../runtime/clock.ts'

/** Undefined when nobody did. */
export function mutedWhy(handling: Handling, alert: Alert): string | undefined {
  const maintenance = maintenanceOf(handling, alert)
  if (maintenance) {
    const { id, by, reason, endsMs } = maintenance
    return `in maintenance ${id} (${by}: ${reason}, until ${formatUtc(endsMs)})`
  }
  const silence = silenceOf(handling, alert)
  if (silence) return `silenced by silence ${silence.id} (${silence.by}, until ${formatUtc(silence.endsMs)})`
  const acknowledgement = acknowledgementOf(handling, alert)
  if (!acknowledgement) return undefined
  const { by, untilMs, sticky } = acknowledgement
  const until = untilMs === undefined ? '' : `, until ${formatUtc(untilMs)}`
  return `acknowledged by ${by}${sticky ? ' (sticky)' : ''}${until}`
}
