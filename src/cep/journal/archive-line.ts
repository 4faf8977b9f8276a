/**
 * Archive line: one line of a recording that a person or a script wrote, docs/journal.md. One JSON object a line:
 *
 *     {"at": "2024-03-01T00:00:01Z", "series": "browserid.verifier.http.200", "kind": "count", "value": 12}
 *     {"at": 1709251201.5, "series": "login.verifier.time", "kind": "timer", "value": [12, 15.5, 230]}
 *     {"at": "2024-03-01T00:00:10Z", "check": "web.verifier", "state": "crit", "output": "503", "step": "10s"}
 *     {"at": "2024-03-01T00:02:00Z", "event": "deploy", "tags": {"process": "verifier"}}
 *     {"archive": 1, "step": "10s"}                                   at the top, where steps are not 1 s
 *
 * What is wrong with a line is one clause that names the field, what was expected and what came.
 */
import type { CheckState } from '../../model/check.ts'
import { parseDuration } from '../../model/duration.ts'
import type { MetricKind } from '../../model/metric.ts'
import { err, ok, type Result } from '../../model/result.ts'
import { suggest } from '../../runtime/problem.ts'

export interface ArchiveMetric {
  what: 'metric'
  series: string
  kind: MetricKind
  /** Numbers; texts for the members of a set. */
  values: readonly (number | string)[]
}

export interface ArchiveCheck {
  what: 'check'
  name: string
  state: CheckState
  output: string
  stepMs: number
}

export interface ArchiveEvent {
  what: 'event'
  name: string
  tags: Readonly<Record<string, string>>
  text: string | undefined
}

export interface ArchiveHead {
  what: 'head'
  stepMs: number
}

/** `isLate`: the live run had set it aside. */
export type ArchiveLine =
  | ArchiveHead
  | ((ArchiveMetric | ArchiveCheck | ArchiveEvent) & { atMs: number; source: string; isLate: boolean })

type Fields = Readonly<Record<string, unknown>>

const checkStepMs = 60_000
const kinds: readonly MetricKind[] = ['count', 'gauge', 'timer', 'set', 'untyped']
const states: readonly CheckState[] = ['ok', 'warn', 'crit', 'unknown']
const common = ['at', 'source', 'late']
const known = {
  series: [...common, 'series', 'tags', 'kind', 'value'],
  check: [...common, 'check', 'state', 'output', 'step'],
  event: [...common, 'event', 'tags', 'text'],
  archive: ['archive', 'step'],
} as const

export function parseArchiveLine(text: string): Result<ArchiveLine, string> {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch (error) {
    return err(`not JSON: ${(error as Error).message}`)
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return err('expected a JSON object')
  try {
    return ok(lineOf(fields as Fields))
  } catch (error) {
    if (error instanceof FieldError) return err(error.message)
    throw error
  }
}

class FieldError extends Error {}

function lineOf(fields: Fields): ArchiveLine {
  const what = (['series', 'check', 'event', 'archive'] as const).find((name) => name in fields)
  if (!what) throw new FieldError('expected one of "series", "check" and "event"')
  const odd = Object.keys(fields).find((name) => !(known[what] as readonly string[]).includes(name))
  if (odd !== undefined) {
    const meant = suggest(odd, known[what])
    throw new FieldError(`"${odd}" is no field of a ${what} line${meant ? `; did you mean "${meant}"?` : ''}`)
  }
  if (what === 'archive') return head(fields)
  const atMs = timeOf(fields.at)
  const source = fields.source === undefined ? 'archive' : textOf(fields, 'source')
  if (!/^[A-Za-z0-9_-]+$/.test(source))
    throw new FieldError(`source: expected letters, digits, _ and -, got "${source}"`)
  const place = { atMs, source, isLate: fields.late === true }
  if (what === 'series') return { ...metric(fields), ...place }
  return { ...(what === 'check' ? check(fields) : event(fields)), ...place }
}

function head(fields: Fields): ArchiveHead {
  if (fields.archive !== 1) throw new FieldError(`archive: this program reads version 1, got ${shown(fields.archive)}`)
  return { what: 'head', stepMs: fields.step === undefined ? 1000 : durationOf(fields.step) }
}

function metric(fields: Fields): ArchiveMetric {
  const kind = fields.kind === undefined ? 'untyped' : oneOf(fields, 'kind', kinds)
  const name = textOf(fields, 'series')
  const tags = Object.entries(tagsOf(fields.tags)).map(([tag, value]) => `;${tag}=${value}`)
  const values = Array.isArray(fields.value) ? fields.value : [fields.value]
  const isList = kind === 'timer' || kind === 'set'
  if (Array.isArray(fields.value) && !isList) throw new FieldError(`value: only timers and sets have several values`)
  const wanted = kind === 'set' ? 'a text' : isList ? 'a number or a list of numbers' : 'a number'
  for (const value of values) {
    const isRight = kind === 'set' ? typeof value === 'string' : typeof value === 'number'
    if (!isRight) throw new FieldError(`value: expected ${wanted}, got ${shown(value)}`)
  }
  return { what: 'metric', series: name + tags.sort().join(''), kind, values }
}

function check(fields: Fields): ArchiveCheck {
  return {
    what: 'check',
    name: textOf(fields, 'check'),
    state: oneOf(fields, 'state', states),
    output: fields.output === undefined ? '' : textOf(fields, 'output'),
    stepMs: fields.step === undefined ? checkStepMs : durationOf(fields.step),
  }
}

function event(fields: Fields): ArchiveEvent {
  const text = fields.text === undefined ? undefined : textOf(fields, 'text')
  return { what: 'event', name: textOf(fields, 'event'), tags: tagsOf(fields.tags), text }
}

/** ISO 8601 with its zone, or epoch seconds (milliseconds where seconds would lie beyond the year 5000). */
function timeOf(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value > 1e11 ? value : Math.round(value * 1000)
  const isIso = typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(value)
  const atMs = isIso ? Date.parse(value) : Number.NaN
  if (Number.isNaN(atMs))
    throw new FieldError(`at: expected a time such as "2024-03-01T00:00:01Z", got ${shown(value)}`)
  return atMs
}

function durationOf(value: unknown): number {
  const durationMs = typeof value === 'string' ? parseDuration(value) : undefined
  if (!durationMs) throw new FieldError(`step: expected a duration such as "10s", got ${shown(value)}`)
  return durationMs
}

function tagsOf(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {}
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isMapping) throw new FieldError(`tags: expected an object, got ${shown(value)}`)
  for (const [name, tag] of Object.entries(value)) {
    if (typeof tag !== 'string') throw new FieldError(`tags.${name}: expected a text, got ${shown(tag)}`)
  }
  return value as Readonly<Record<string, string>>
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  // A line break would end a name early on its way.
  if (typeof value === 'string' && (name === 'output' || name === 'text' || /^[^\n]+$/.test(value))) return value
  throw new FieldError(`${name}: expected a text, got ${shown(value)}`)
}

function oneOf<T extends string>(fields: Fields, name: string, allowed: readonly T[]): T {
  const value = fields[name]
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw new FieldError(`${name}: expected ${allowed.join(', ')}, got ${shown(value)}`)
  return found
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
