/**
 * Muting: silences and maintenance as commands and time change them. Part of handling.ts, which says what they mean.
 *
 * Whatever ends names the firing alerts that it muted, so that they can be told.
 */
import type { Alert, AlertBook } from './alert.ts'
import type { ExtendCommand, HandlingCommand, MaintainCommand, SilenceCommand } from './command.ts'
import type { Handling, HandlingChanges, Silence } from './handling.ts'
import {
  begin,
  endedMaintenancesMax,
  type Maintenance,
  maintenancesMax,
  overWhy,
  type Planned,
  release,
  stepMaintenance,
} from './maintenance.ts'
import { type Matchers, matchesAll } from './match.ts'

export const silencesMax = 1_000
export const endedSilencesMax = 200

type MutingCommand = Exclude<HandlingCommand, { fingerprint: string }>

export class Muting {
  readonly #handling: Handling
  readonly #book: AlertBook
  readonly #nowMs: number
  readonly #changes: HandlingChanges

  constructor(handling: Handling, book: AlertBook, nowMs: number, changes: HandlingChanges) {
    this.#handling = handling
    this.#book = book
    this.#nowMs = nowMs
    this.#changes = changes
  }

  /** The text says why it changed nothing. */
  command(command: MutingCommand): string | undefined {
    const endedWhy = `ended by ${command.by}`
    if (command.kind === 'silence') return this.#addSilence(command)
    if (command.kind === 'expire') return this.#expire(command.silence, endedWhy)
    if (command.kind === 'extend') return this.#extend(command)
    if (command.kind === 'maintain') return this.#maintain(command)
    return this.#release(command.maintenance, endedWhy)
  }

  /** Begins and ends what is due, and says what soon will. */
  silences(leadMs: number): void {
    for (const silence of this.#handling.silences.values()) {
      const { state, startsMs, endsMs, warnedMs } = silence
      if (state === 'waiting' && this.#nowMs >= startsMs) this.#put({ ...silence, state: 'active' })
      if (state !== 'ended' && this.#nowMs >= endsMs) this.#expire(silence.id, overWhy)
      const isSoon = this.#nowMs >= endsMs - leadMs && endsMs - startsMs > leadMs && leadMs > 0
      if (state !== 'active' || !isSoon || warnedMs !== undefined || this.#nowMs >= endsMs) continue
      this.#put({ ...silence, warnedMs: this.#nowMs })
      this.#changes.expiring.add(silence.id)
    }
  }

  /** Takes over what the configuration plans, and begins and ends what is due. */
  maintenance(planned: readonly Planned[]): void {
    const { maintenances } = this.#handling
    for (const plan of planned) {
      const known = maintenances.get(plan.id)
      if (known?.isPlanned && samePlan(known, plan)) continue
      if (known) this.#dropMaintenance(known)
      this.#putMaintenance(begin(plan, true, this.#nowMs, this.#nowMs))
    }
    for (const window of maintenances.values()) {
      if (window.isPlanned && !planned.some(({ id }) => id === window.id)) this.#dropMaintenance(window)
      else this.#moveMaintenance(window, stepMaintenance(window, this.#nowMs), overWhy)
    }
  }

  /** Ends silences whose alerts have been over for long enough. */
  quiet(): void {
    for (const silence of this.#handling.silences.values()) {
      const { quietMs, quietSinceMs: sinceMs = this.#nowMs, ...rest } = silence
      if (quietMs === undefined || silence.state !== 'active') continue
      const fires = this.#firing().some((alert) => matchesAll(silence.matchers, alert))
      if (fires && (!silence.hasHidden || silence.quietSinceMs !== undefined)) {
        this.#put({ ...rest, quietMs, hasHidden: true })
      } else if (!fires && silence.hasHidden) {
        this.#put({ ...silence, quietSinceMs: sinceMs })
        if (this.#nowMs - sinceMs >= quietMs) this.#expire(silence.id, 'what it hid has been quiet')
      }
    }
  }

  #addSilence({ kind: _, ...command }: SilenceCommand): string | undefined {
    const { silences } = this.#handling
    const known = silences.get(command.id)
    if (known) {
      this.#put({ ...known, heardMs: this.#nowMs })
      return 'applied before'
    }
    if (silences.size >= silencesMax + endedSilencesMax) return `there are ${silencesMax} silences already`
    const isOver = this.#nowMs >= command.endsMs
    const isActive = Math.max(this.#nowMs, command.atMs) >= command.startsMs
    const state = isOver ? 'ended' : isActive ? 'active' : 'waiting'
    this.#put({ ...command, state, heardMs: this.#nowMs, ...(isOver && { endedMs: command.endsMs }) })
    return isOver ? 'its time was over' : undefined
  }

  #expire(id: string, endedWhy: string): string | undefined {
    const silence = this.#handling.silences.get(id)
    if (!silence || silence.state === 'ended') return 'there is no such silence in force'
    this.#put({ ...silence, state: 'ended', endedMs: this.#nowMs, endedWhy })
    this.#unmuteAll(silence.matchers, `still firing after silence ${id} (${silence.by}): ${endedWhy}`)
    this.#forgetOld()
    return undefined
  }

  #extend({ silence: id, endsMs, by }: ExtendCommand): string | undefined {
    const silence = this.#handling.silences.get(id)
    if (!silence || silence.state === 'ended') return 'there is no such silence in force'
    if (endsMs <= silence.endsMs) return 'it lasts as long already'
    const { warnedMs: _, ...rest } = silence
    this.#put({ ...rest, endsMs, extendedBy: by, heardMs: this.#nowMs })
    return undefined
  }

  #maintain({ id, by, atMs, matchers, reason, when }: MaintainCommand): string | undefined {
    const { maintenances } = this.#handling
    const known = maintenances.get(id)
    if (known) {
      this.#putMaintenance({ ...known, heardMs: this.#nowMs })
      return 'applied before'
    }
    const present = [...maintenances.values()].filter(({ state }) => state !== 'ended')
    if (present.length >= maintenancesMax) return `there are ${maintenancesMax} maintenance windows already`
    const plan = { id, by, reason, matchers, when }
    const window = begin(plan, false, atMs, Math.max(this.#nowMs, atMs))
    this.#putMaintenance(window)
    return window.state === 'ended' ? overWhy : undefined
  }

  #release(id: string, why: string): string | undefined {
    const window = this.#handling.maintenances.get(id)
    if (!window || window.state === 'ended') return 'there is no such maintenance window'
    if (window.isPlanned && window.state !== 'active') return 'it stands in the configuration and is not active now'
    this.#moveMaintenance(window, release(window, this.#nowMs, why), why)
    return undefined
  }

  #moveMaintenance(before: Maintenance, after: Maintenance, why: string): void {
    if (after === before) return
    this.#putMaintenance(after)
    if (before.state === 'active' && after.state !== 'active') this.#uncover(before, why)
    if (after.state === 'ended') this.#forgetMaintenances()
  }

  #dropMaintenance(window: Maintenance): void {
    this.#handling.maintenances.delete(window.id)
    this.#changes.maintenances.add(window.id)
    if (window.state === 'active') this.#uncover(window, 'it was changed in the configuration')
  }

  #uncover({ id, by, matchers }: Maintenance, why: string): void {
    this.#unmuteAll(matchers, `still firing after maintenance ${id} (${by}): ${why}`)
  }

  #putMaintenance(window: Maintenance): void {
    this.#handling.maintenances.set(window.id, window)
    this.#changes.maintenances.add(window.id)
  }

  #forgetMaintenances(): void {
    const { maintenances } = this.#handling
    const ended = [...maintenances.values()].filter(({ state, isPlanned }) => state === 'ended' && !isPlanned)
    for (const { id } of ended.slice(0, Math.max(0, ended.length - endedMaintenancesMax))) {
      maintenances.delete(id)
      this.#changes.maintenances.add(id)
    }
  }

  #unmuteAll(matchers: Matchers, why: string): void {
    for (const alert of this.#firing()) {
      const atWorst = { ...alert, level: alert.worstLevel }
      if (!matchesAll(matchers, alert) && !matchesAll(matchers, atWorst)) continue
      this.#changes.unmuted.set(alert.fingerprint, { why, again: false })
    }
  }

  #put(silence: Silence): void {
    this.#handling.silences.set(silence.id, silence)
    this.#changes.silences.add(silence.id)
  }

  #forgetOld(): void {
    const ended = [...this.#handling.silences.values()].filter(({ state }) => state === 'ended')
    for (const { id } of ended.slice(0, Math.max(0, ended.length - endedSilencesMax))) {
      this.#handling.silences.delete(id)
      this.#changes.silences.add(id)
    }
  }

  #firing(): Alert[] {
    return [...this.#book.firing.values()]
  }
}

function samePlan(window: Maintenance, { by, reason, matchers, when }: Planned): boolean {
  const own = { by: window.by, reason: window.reason, matchers: window.matchers, when: window.when }
  return JSON.stringify(own) === JSON.stringify({ by, reason, matchers, when })
}
