/**
 * Handling: what people said about alerts (acknowledgements, silences, maintenance, notes), as a step over commands and
 * time.
 *
 * Alerts and dashboards use the same steps, so both say the same. A command is applied once: its id is remembered, so the
 * leader may repeat on the log what is in force, for readers that begin late. Does not decide who is told.
 *
 *     silence    waiting ──startsMs──→ active ──endsMs, expired, quiet──→ ended (kept up to `endedSilencesMax`)
 *     alert      firing ──acknowledge──→ acknowledged ──worse (not sticky), untilMs, unacknowledge──→ firing
 */
import type { Alert, AlertBook, BadLevel } from './alert.ts'
import type {
  AcknowledgeCommand,
  HandlingCommand,
  NoteCommand,
  SilenceCommand,
  UnacknowledgeCommand,
} from './command.ts'
import type { Maintenance, Planned } from './maintenance.ts'
import { type Matchable, matchesAll } from './match.ts'
import { Muting } from './muting.ts'

export interface Acknowledgement {
  id: string
  by: string
  atMs: number
  note: string
  sticky: boolean
  untilMs?: number
  /** The worst level that was acknowledged. */
  level: BadLevel
  /** Log time at which it was last read from the log. */
  heardMs: number
}

export interface Note {
  id: string
  by: string
  atMs: number
  text: string
}

/** What is said of one episode of an alert. */
export interface Care {
  episode: string
  acknowledgement?: Acknowledgement
  notes: readonly Note[]
  /** Ids of commands applied, the newest last, at most `appliedMax`. */
  applied: readonly string[]
}

export interface Silence extends Omit<SilenceCommand, 'kind'> {
  state: 'waiting' | 'active' | 'ended'
  endedMs?: number
  endedWhy?: string
  /** Something that it hides has fired, and since when nothing does; for `quietMs`. */
  hasHidden?: boolean
  quietSinceMs?: number
  extendedBy?: string
  /** Its end was announced. */
  warnedMs?: number
  heardMs: number
}

export interface Handling {
  silences: Map<string, Silence>
  /** Those of the configuration stand here too. */
  maintenances: Map<string, Maintenance>
  /** By fingerprint. */
  care: Map<string, Care>
}

/** What a step changed: alerts that may now be told, with the reason, and rows to save. */
export interface HandlingChanges {
  /** Fingerprints of firing alerts that are no longer muted → why, and whether those who know are told again. */
  unmuted: Map<string, { why: string; again: boolean }>
  silences: Set<string>
  maintenances: Set<string>
  care: Set<string>
  /** Silences that end soon, since the last look. */
  expiring: Set<string>
}

/** What the configuration says about it. */
export interface HandlingPolicy {
  maintenance?: readonly Planned[] | undefined
  /** How long before its end a silence is said to end; those that are shorter are not. */
  expiryLeadMs?: number | undefined
}

export const notesMax = 50
export const appliedMax = 50
/** Alerts of which something is kept; beyond that those that no longer fire go, the oldest first. */
export const careMax = 10_000
/** How often silences that end when quiet look whether anything they hide still fires. */
const quietLookMs = 10_000

export function emptyHandling(): Handling {
  return { silences: new Map(), maintenances: new Map(), care: new Map() }
}

export function noHandlingChanges(): HandlingChanges {
  return {
    unmuted: new Map(),
    silences: new Set(),
    maintenances: new Set(),
    care: new Set(),
    expiring: new Set(),
  }
}

/** The acknowledgement in force, if any. */
export function acknowledgementOf(
  { care }: Handling,
  { fingerprint, episode, state }: Alert,
): Acknowledgement | undefined {
  const own = care.get(fingerprint)
  return state === 'firing' && own?.episode === episode ? own.acknowledgement : undefined
}

/** The silence that mutes it now: the one that lasts longest. */
export function silenceOf({ silences }: Handling, alert: Matchable): Silence | undefined {
  let found: Silence | undefined
  for (const silence of silences.values()) {
    if (silence.state !== 'active' || !matchesAll(silence.matchers, alert)) continue
    if (!found || silence.endsMs > found.endsMs) found = silence
  }
  return found
}

/** The maintenance window that it is in now: the one that lasts longest. */
export function maintenanceOf({ maintenances }: Handling, alert: Matchable): Maintenance | undefined {
  let found: Maintenance | undefined
  for (const window of maintenances.values()) {
    if (window.state !== 'active' || !matchesAll(window.matchers, alert)) continue
    if (!found || window.endsMs > found.endsMs) found = window
  }
  return found
}

/** Applies a command; the text says why it changed nothing. */
export function applyCommand(
  handling: Handling,
  book: AlertBook,
  command: HandlingCommand,
  nowMs: number,
  changes: HandlingChanges,
): string | undefined {
  if ('fingerprint' in command) return new Applying(handling, book, nowMs, changes).command(command)
  return new Muting(handling, book, nowMs, changes).command(command)
}

/** What a transition means for what was said: worse breaks an acknowledgement, a new episode begins without any. */
export function handleAlert(handling: Handling, alert: Alert, changes: HandlingChanges): string | undefined {
  const own = handling.care.get(alert.fingerprint)
  if (!own) return undefined
  const { acknowledgement, ...rest } = own
  if (own.episode !== alert.episode) {
    handling.care.delete(alert.fingerprint)
    changes.care.add(alert.fingerprint)
    return undefined
  }
  if (!acknowledgement) return undefined
  const isWorse = alert.level === 'crit' && acknowledgement.level === 'warn' && !acknowledgement.sticky
  if (!isWorse && alert.state === 'firing') return undefined
  handling.care.set(alert.fingerprint, rest)
  changes.care.add(alert.fingerprint)
  return isWorse ? `worse than what ${acknowledgement.by} acknowledged` : undefined
}

/** Lets time pass: silences and maintenance begin and end, acknowledgements run out. */
export function passTime(
  handling: Handling,
  book: AlertBook,
  nowMs: number,
  beforeMs: number,
  changes: HandlingChanges,
  policy: HandlingPolicy = {},
): void {
  const muting = new Muting(handling, book, nowMs, changes)
  muting.silences(policy.expiryLeadMs ?? 0)
  muting.maintenance(policy.maintenance ?? [])
  new Applying(handling, book, nowMs, changes).acknowledgements()
  if (Math.floor(nowMs / quietLookMs) !== Math.floor(beforeMs / quietLookMs)) muting.quiet()
}

type AlertCommand = AcknowledgeCommand | UnacknowledgeCommand | NoteCommand

class Applying {
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

  command(command: AlertCommand): string | undefined {
    const alert = this.#book.firing.get(command.fingerprint) ?? this.#book.ended.get(command.fingerprint)
    if (!alert) return 'there is no such alert'
    const care = this.#careOf(alert)
    if (care.applied.includes(command.id)) return this.#heardAgain(care, command.id)
    const next = { ...care, applied: [...care.applied, command.id].slice(-appliedMax) }
    if (command.kind === 'note') return this.#note(alert, next, command)
    if (command.kind === 'acknowledge') return this.#acknowledge(alert, next, command)
    const { acknowledgement, ...rest } = next
    this.#keep(alert.fingerprint, rest)
    if (!acknowledgement) return 'it was not acknowledged'
    this.#changes.unmuted.set(alert.fingerprint, { why: `${command.by} took the acknowledgement back`, again: false })
    return undefined
  }

  acknowledgements(): void {
    for (const [fingerprint, { acknowledgement, ...rest }] of this.#handling.care) {
      if (acknowledgement?.untilMs === undefined || this.#nowMs < acknowledgement.untilMs) continue
      this.#keep(fingerprint, rest)
      const why = `still firing after the acknowledgement by ${acknowledgement.by} ran out`
      this.#changes.unmuted.set(fingerprint, { why, again: true })
    }
  }

  #acknowledge(alert: Alert, care: Care, command: AcknowledgeCommand): string | undefined {
    if (alert.state !== 'firing') return 'it is not firing'
    if (command.episode !== undefined && command.episode !== alert.episode) return 'it has ended and fires anew'
    const { id, by, atMs, note, sticky, untilMs } = command
    if (untilMs !== undefined && untilMs <= this.#nowMs) return 'its time was over'
    const more = untilMs === undefined ? {} : { untilMs }
    const acknowledgement = { id, by, atMs, note, sticky, ...more, level: alert.worstLevel, heardMs: this.#nowMs }
    this.#keep(alert.fingerprint, { ...care, acknowledgement })
    return undefined
  }

  #note({ fingerprint }: Alert, care: Care, { id, by, atMs, text }: NoteCommand): undefined {
    this.#keep(fingerprint, { ...care, notes: [...care.notes, { id, by, atMs, text }].slice(-notesMax) })
  }

  #heardAgain(care: Care, id: string): string {
    if (care.acknowledgement?.id === id) care.acknowledgement = { ...care.acknowledgement, heardMs: this.#nowMs }
    return 'applied before'
  }

  #careOf({ fingerprint, episode }: Alert): Care {
    const own = this.#handling.care.get(fingerprint)
    return own?.episode === episode ? own : { episode, notes: [], applied: [] }
  }

  #keep(fingerprint: string, care: Care): void {
    this.#handling.care.set(fingerprint, care)
    this.#changes.care.add(fingerprint)
    if (this.#handling.care.size > careMax) this.#forgetCare()
  }

  #forgetCare(): void {
    for (const fingerprint of this.#handling.care.keys()) {
      if (this.#book.firing.has(fingerprint)) continue
      this.#handling.care.delete(fingerprint)
      this.#changes.care.add(fingerprint)
      return
    }
  }
}
