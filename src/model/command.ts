/**
 * Commands: what a person tells the alerts part, through the console's API, as it travels on alerts-log.
 *
 * On the bus a command is an envelope with named arguments; `readCommand` makes one of the known kinds out of it and
 * names every argument that is wrong. Commands are applied by model/handling.ts, once for each id.
 */

import type { Planned } from './maintenance.ts'
import { type Matchers, patternProblem } from './match.ts'
import { err, ok, type Result } from './result.ts'
import { type RecurrenceText, readRecurrence } from './schedule.ts'

export type ArgumentValue = string | number | boolean | Matchers

/** As published: `commands.<kind>`. */
export interface Command {
  id: string
  kind: string
  by: string
  atMs: number
  arguments: Readonly<Record<string, ArgumentValue>>
}

interface Given {
  id: string
  by: string
  atMs: number
}

/** Of the alert's present episode. Ends with it, at `untilMs`, and when it worsens unless `sticky`. */
export interface AcknowledgeCommand extends Given {
  kind: 'acknowledge'
  fingerprint: string
  episode?: string
  note: string
  sticky: boolean
  untilMs?: number
}

export interface UnacknowledgeCommand extends Given {
  kind: 'unacknowledge'
  fingerprint: string
}

/** Its id becomes the silence's. */
export interface SilenceCommand extends Given {
  kind: 'silence'
  matchers: Matchers
  reason: string
  startsMs: number
  endsMs: number
  /** Ends when nothing that it hides has fired for so long. */
  quietMs?: number
}

export interface ExpireCommand extends Given {
  kind: 'expire'
  silence: string
}

/** A silence is to last longer. */
export interface ExtendCommand extends Given {
  kind: 'extend'
  silence: string
  endsMs: number
}

/** A maintenance window, once or recurring; its id becomes the window's. */
export interface MaintainCommand extends Given, Pick<Planned, 'matchers' | 'reason' | 'when'> {
  kind: 'maintain'
}

/** Ends a maintenance window; of one that stands in the configuration, the present occurrence. */
export interface ReleaseCommand extends Given {
  kind: 'release'
  maintenance: string
}

export interface NoteCommand extends Given {
  kind: 'note'
  fingerprint: string
  text: string
}

/** Of a dead letter: sent again, or not wanted any more. See alerts/dead-letters.ts. */
export interface LetterCommand extends Given {
  kind: 'retry' | 'dismiss'
  /** The notification's key. */
  letter: string
}

/** What people do about alerts; see model/handling.ts. */
export type HandlingCommand =
  | AcknowledgeCommand
  | UnacknowledgeCommand
  | SilenceCommand
  | ExpireCommand
  | ExtendCommand
  | MaintainCommand
  | ReleaseCommand
  | NoteCommand

export type PersonCommand = HandlingCommand | LetterCommand

export const commandKinds = [
  'acknowledge',
  'unacknowledge',
  'silence',
  'expire',
  'extend',
  'maintain',
  'release',
  'note',
  'retry',
  'dismiss',
] as const

export function isAboutLetter(command: PersonCommand): command is LetterCommand {
  return command.kind === 'retry' || command.kind === 'dismiss'
}

export interface ArgumentProblem {
  /** The argument, such as `matchers.rule`. */
  path: string
  message: string
}

export const noteCharsMax = 1_000
export const matchersMax = 20
const timeMsMax = 8e15
export const silenceMsMax = 366 * 86_400_000

/** Every problem at once, each with the argument it is about. Unknown arguments are problems. */
export function readCommand({
  id,
  kind,
  by,
  atMs,
  arguments: given,
}: Command): Result<PersonCommand, ArgumentProblem[]> {
  const read = new Arguments(given)
  const command = build(kind, { id, by, atMs }, read)
  if (command === undefined) {
    return err([{ path: 'kind', message: `expected ${commandKinds.join(', ')}, got "${kind.slice(0, 40)}"` }])
  }
  const problems = read.finish()
  return problems.length > 0 ? err(problems) : ok(command)
}

function build(kind: string, given: Given, read: Arguments): PersonCommand | undefined {
  const fingerprint = () => read.text('fingerprint', { charsMax: 2_000 })
  if (kind === 'acknowledge') {
    const about = { fingerprint: fingerprint(), note: read.text('note', { isOptional: true }) }
    const untilMs = read.time('untilMs', true)
    const episode = read.text('episode', { isOptional: true, charsMax: 4_000 })
    const more = { ...(untilMs !== undefined && { untilMs }), ...(episode !== '' && { episode }) }
    return { ...given, kind, ...about, sticky: read.flag('sticky'), ...more }
  }
  if (kind === 'unacknowledge') return { ...given, kind, fingerprint: fingerprint() }
  if (kind === 'note') return { ...given, kind, fingerprint: fingerprint(), text: read.text('text') }
  if (kind === 'expire') return { ...given, kind, silence: read.text('silence') }
  if (kind === 'retry' || kind === 'dismiss') return { ...given, kind, letter: read.text('letter') }
  if (kind === 'extend') return { ...given, kind, silence: read.text('silence'), endsMs: read.time('endsMs') ?? 0 }
  if (kind === 'release') return { ...given, kind, maintenance: read.text('maintenance') }
  if (kind === 'maintain') return maintain(given, read)
  return kind === 'silence' ? silence(given, read) : undefined
}

/** `recurrence`, or `startsMs` and `endsMs`. */
function maintain(given: Given, read: Arguments): MaintainCommand {
  const recurrence = read.recurrence('recurrence')
  const about = { matchers: read.matchers('matchers'), reason: read.text('reason') }
  if (recurrence) return { ...given, kind: 'maintain', ...about, when: recurrence }
  return { ...given, kind: 'maintain', ...about, when: read.stretch() }
}

function silence(given: Given, read: Arguments): SilenceCommand {
  const { startsMs, endsMs } = read.stretch()
  const quietMs = read.time('quietMs', true)
  const about = { matchers: read.matchers('matchers'), reason: read.text('reason') }
  return { ...given, kind: 'silence', ...about, startsMs, endsMs, ...(quietMs !== undefined && { quietMs }) }
}

/** Takes arguments one by one and gathers what is wrong with them. */
class Arguments {
  readonly #given: Readonly<Record<string, unknown>>
  readonly #asked = new Set<string>()
  readonly #problems: ArgumentProblem[] = []

  constructor(given: Readonly<Record<string, unknown>>) {
    this.#given = given
  }

  text(name: string, { isOptional = false, charsMax = noteCharsMax } = {}): string {
    const value = this.#take(name)
    if (value === undefined && isOptional) return ''
    if (typeof value !== 'string') this.complain(name, `expected a text${came(value)}`)
    else if (value.length > charsMax)
      this.complain(name, `expected at most ${charsMax} characters, got ${value.length}`)
    else if (value.trim() === '' && !isOptional) this.complain(name, 'expected a text, got an empty one')
    else return value
    return ''
  }

  flag(name: string): boolean {
    const value = this.#take(name) ?? false
    if (typeof value !== 'boolean') this.complain(name, `expected true or false${came(value)}`)
    return value === true
  }

  /** A time or a length of time, ms. */
  time(name: string, isOptional = false): number | undefined {
    const value = this.#take(name)
    if (value === undefined && isOptional) return undefined
    if (typeof value === 'number' && value > 0 && value <= timeMsMax) return value
    this.complain(name, `expected milliseconds${came(value)}`)
    return undefined
  }

  /** From `startsMs` to `endsMs`. */
  stretch(): { startsMs: number; endsMs: number } {
    const startsMs = this.time('startsMs') ?? 0
    const endsMs = this.time('endsMs') ?? 0
    if (endsMs <= startsMs) this.complain('endsMs', 'expected a time after startsMs')
    else if (endsMs - startsMs > silenceMsMax) this.complain('endsMs', 'expected at most a year after startsMs')
    return { startsMs, endsMs }
  }

  recurrence(name: string): RecurrenceText | undefined {
    const value = this.#take(name)
    if (value === undefined) return undefined
    const { every, at, for: lasts, zone } = (typeof value === 'object' && value !== null ? value : {}) as RecurrenceText
    const text: RecurrenceText = { every: String(every), at: String(at), for: String(lasts), zone: String(zone) }
    const read = readRecurrence(text)
    if (!read.ok) for (const { path, message } of read.error) this.complain(path, message)
    return text
  }

  matchers(name: string): Matchers {
    const value = this.#take(name)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.complain(name, `expected patterns by name, such as {"rule": "http_*"}${came(value)}`)
      return {}
    }
    const entries = Object.entries(value)
    if (entries.length === 0) this.complain(name, 'expected at least one, such as {"rule": "http_*"}')
    if (entries.length > matchersMax) this.complain(name, `expected at most ${matchersMax}, got ${entries.length}`)
    for (const [key, pattern] of entries) {
      const path = `${name}.${key.slice(0, 40)}`
      const isText = typeof pattern === 'string' && pattern !== ''
      const problem = isText ? patternProblem(key, pattern) : 'expected a pattern such as "http_*"'
      if (problem !== undefined) this.complain(path, `${problem}${came(pattern)}`)
    }
    return value as Matchers
  }

  complain(path: string, message: string): void {
    this.#problems.push({ path, message })
  }

  finish(): ArgumentProblem[] {
    for (const name of Object.keys(this.#given)) {
      if (this.#asked.has(name)) continue
      this.complain(name.slice(0, 40), `there is no such argument; known: ${[...this.#asked].join(', ')}`)
    }
    return this.#problems
  }

  #take(name: string): unknown {
    this.#asked.add(name)
    return Object.hasOwn(this.#given, name) ? this.#given[name] : undefined
  }
}

function came(value: unknown): string {
  return value === undefined ? '' : `, got ${(JSON.stringify(value) ?? typeof value).slice(0, 60)}`
}
