/**
 * Handling: what people said about alerts (acknowledgements, silences, notes), as a step over commands and time.
 *
 * Alerts and dashboards use the same steps, so both say the same. A command is applied once: its id is remembered, so the
 * leader may repeat on the log what is in force, for readers that begin late. Does not decide who is told.
 *
 *     silence    waiting ──startsMs──→ active ──endsMs, expired, quiet──→ ended (kept up to `endedSilencesMax`)
 *     alert      firing ──acknowledge──→ acknowledged ──worse (not sticky), untilMs, unacknowledge──→ firing
 */
import type { Alert, AlertBook, BadLevel } from './alert.ts'
import type { AcknowledgeCommand, HandlingCommand, NoteCommand, SilenceCommand } from './command.ts'
import { type Matchable, matchesAll } from './match.ts'

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
  heardMs: number
}

export interface Handling {
  silences: Map<string, Silence>
  /** By fingerprint. */
  care: Map<string, Care>
}

/** What a step changed: alerts that may now be told, with the reason, and rows to save. */
export interface HandlingChanges {
  /** Fingerprints of firing alerts that are no longer muted → why, and whether those who know are told again. */
  unmuted: Map<string, { why: string; again: boolean }>
  silences: Set<string>
  care: Set<string>
}

export const silencesMax = 1_000
export const endedSilencesMax = 200
export const notesMax = 50
export const appliedMax = 50
/** Alerts of which something is kept; beyond that those that no longer fire go, the oldest first. */
export const careMax = 10_000
/** How often silences that end when quiet look whether anything they hide still fires. */
const quietLookMs = 10_000

export function emptyHandling(): Handling {
  return { silences: new Map(), care: new Map() }
}

export function noHandlingChanges(): HandlingChanges {
  return { unmuted: new Map(), silences: new Set(), care: new Set() }
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

/** Applies a command; the text says why it changed nothing. */
export function applyCommand(
  handling: Handling,
  book: AlertBook,
  command: HandlingCommand,
  nowMs: number,
  changes: HandlingChanges,
): string | undefined {
  return new Applying(handling, book, nowMs, changes).command(command)
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

/** Lets time pass: silences begin and end, acknowledgements run out. */
export function passTime(
  handling: Handling,
  book: AlertBook,
  nowMs: number,
  beforeMs: number,
  changes: HandlingChanges,
): void {
  const applying = new Applying(handling, book, nowMs, changes)
  applying.silences()
  applying.acknowledgements()
  if (Math.floor(nowMs / quietLookMs) !== Math.floor(beforeMs / quietLookMs)) applying.quiet()
}

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

  command(command: HandlingCommand): string | undefined {
    if (command.kind === 'silence') return this.#addSilence(command)
    if (command.kind === 'expire') return this.#expire(command.silence, `ended by ${command.by}`)
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

  /** Begins and ends what is due. */
  silences(): void {
    for (const silence of this.#handling.silences.values()) {
      if (silence.state === 'waiting' && this.#nowMs >= silence.startsMs) this.#put({ ...silence, state: 'active' })
      if (silence.state !== 'ended' && this.#nowMs >= silence.endsMs) this.#expire(silence.id, 'its time was over')
    }
  }

  acknowledgements(): void {
    for (const [fingerprint, { acknowledgement, ...rest }] of this.#handling.care) {
      if (acknowledgement?.untilMs === undefined || this.#nowMs < acknowledgement.untilMs) continue
      this.#keep(fingerprint, rest)
      const why = `still firing after the acknowledgement by ${acknowledgement.by} ran out`
      this.#changes.unmuted.set(fingerprint, { why, again: true })
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
    for (const alert of this.#firing()) {
      const atWorst = { ...alert, level: alert.worstLevel }
      if (!matchesAll(silence.matchers, alert) && !matchesAll(silence.matchers, atWorst)) continue
      const why = `still firing after silence ${id} (${silence.by}): ${endedWhy}`
      this.#changes.unmuted.set(alert.fingerprint, { why, again: false })
    }
    this.#forgetOld()
    return undefined
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
