/** Mute views: silences, maintenance and acknowledgements as the API shows them, and what keeps an alert quiet, in words. */
import type { Alert } from '../model/alert.ts'
import type { Decision } from '../model/decision.ts'
import type { Acknowledgement, Silence } from '../model/handling.ts'
import type { Maintenance } from '../model/maintenance.ts'
import { matchesAll } from '../model/match.ts'
import { formatIso, formatUtc } from '../runtime/clock.ts'
import type { AcknowledgementView, AlertView, MaintenanceView, SilenceView } from './view.ts'

export function viewAcknowledgement({ by, atMs, note, sticky, untilMs }: Acknowledgement): AcknowledgementView {
  return { by, atMs, note, sticky, ...(untilMs !== undefined && { untilMs }) }
}

export function viewSilence(silence: Silence, firing: readonly Alert[]): SilenceView {
  const { heardMs: _, hasHidden: __, quietSinceMs: ___, ...rest } = silence
  const isOver = silence.state === 'ended'
  return { ...rest, hides: isOver ? 0 : firing.filter((alert) => matchesAll(silence.matchers, alert)).length }
}

export function viewMaintenance(window: Maintenance, firing: readonly Alert[]): MaintenanceView {
  const { id, by, reason, matchers, isPlanned, state, startsMs, endsMs, endedMs, endedWhy, when } = window
  const isOver = state === 'ended'
  return {
    ...{ id, by, reason, matchers, isPlanned, state, startsMs, endsMs },
    ...('every' in when && { recurs: `every ${when.every} at ${when.at} for ${when.for}, ${when.zone}` }),
    ...(endedMs !== undefined && { endedMs }),
    ...(endedWhy !== undefined && { endedWhy }),
    hides: isOver ? 0 : firing.filter((alert) => matchesAll(matchers, alert)).length,
  }
}

const turns: ReadonlySet<string> = new Set(['raised', 'unhidden', 'worsened', 'unmuted', 'ended', 'calm'])

/** What was last decided about its beginnings and ends says whether it flaps; the newest decision stands first. */
export function flaps(decisions: readonly Decision[]): boolean {
  return decisions.find(({ change }) => turns.has(change))?.flaps ?? false
}

/** Why nobody would be told of it now; empty where somebody would. */
export function quietWhy(alert: AlertView): string[] {
  const { maintenance, silenced, acknowledged, hidden, blind, nodata, flaps, state } = alert
  if (state !== 'firing') return []
  const until = (untilMs: number | undefined) => (untilMs === undefined ? '' : ` until ${formatUtc(untilMs)}`)
  return [
    maintenance ? `in maintenance ${maintenance.id} (${maintenance.by})${until(maintenance.untilMs)}` : '',
    silenced ? `silenced by ${silenced.id} (${silenced.by})${until(silenced.untilMs)}` : '',
    acknowledged ? `acknowledged by ${acknowledged.by}${until(acknowledged.untilMs)}` : '',
    hidden ? 'another alert explains it' : '',
    blind ? 'all its sources are dead: nothing is known of it, so what was told stands' : '',
    nodata ? 'its data has stopped coming: what was told stands' : '',
    flaps ? 'it flaps: told when it gets worse, and when it is calm' : '',
  ].filter(Boolean)
}

/** The command line that says what the engine saw, as it can be pasted into a shell. */
export function rulesWhyCommand(rule: string, groupKey: string, atMs: number): string {
  return `tocsin rules why ${quoted(rule)} ${quoted(groupKey)} --at ${formatIso(atMs).replace('.000Z', 'Z')}`
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
