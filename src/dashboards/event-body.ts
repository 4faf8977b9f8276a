/**
 * Event body: what a program or a person says happened, made into an event; every mistake is named at once.
 *
 *     {"name": "deploy", "tags": {"process": "verifier", "version": 42}, "text": "…", "at": "2026-03-01T14:05:09Z", "id": "build-77"}
 *     [{…}, {…}]
 */
import type { EventMessage } from '../model/event.ts'
import { BadRequest } from './request.ts'

/** What is posted: an event before it has a source and a bucket. */
export type PostedEvent = Required<Pick<EventMessage, 'id' | 'name' | 'tags' | 'atMs'>> & Pick<EventMessage, 'text'>

export const batchMax = 100
const nameCharsMax = 120
const tagsMax = 20
const tagCharsMax = 200
const textCharsMax = 4000
const idCharsMax = 200
const pastMsMax = 86_400_000
const futureMsMax = 60_000
const keys = ['name', 'tags', 'text', 'at', 'id', 'by']

export interface Reading {
  nowMs: number
  /** What stands for the ids of events that have none. */
  idOf: (index: number) => string
}

/** One event or a list; throws BadRequest with all that is wrong. */
export function readEvents(body: unknown, reading: Reading): PostedEvent[] {
  const isList = Array.isArray(body)
  const given: unknown[] = isList ? body : [body]
  if (given.length === 0 || given.length > batchMax) {
    throw new BadRequest(`expected 1 to ${batchMax} events, got ${given.length}`)
  }
  const problems: string[] = []
  const events = given.map((one, i) => {
    const say = (problem: string) => problems.push(isList ? `[${i}] ${problem}` : problem)
    return readEvent(one, reading, i, say)
  })
  if (problems.length > 0) throw new BadRequest(problems.slice(0, 20).join('; '))
  return events
}

type Say = (problem: string) => void

function readEvent(given: unknown, { nowMs, idOf }: Reading, index: number, say: Say): PostedEvent {
  const { name, tags, text, at, id, ...others } = isObject(given) ? given : {}
  if (!isObject(given)) say(`expected an event such as {"name": "deploy"}, got ${shown(given)}`)
  else {
    for (const key of Object.keys(others)) if (!keys.includes(key)) say(`${key}: there is no such key`)
    if (!isText(name, nameCharsMax) || !/^[\w-]+(\.[\w-]+)*$/.test(name)) {
      say(`name: expected letters, digits, _, - and dots such as "deploy", got ${shown(name)}`)
    }
  }
  if (text !== undefined && !isText(text, textCharsMax))
    say(`text: expected a text of at most ${textCharsMax} characters`)
  if (id !== undefined && !(isText(id, idCharsMax) && /^[\x21-\x7e]+$/.test(id))) {
    say(`id: expected at most ${idCharsMax} characters without spaces, got ${shown(id)}`)
  }
  return {
    id: id === undefined ? idOf(index) : String(id),
    name: String(name),
    tags: readTags(tags, say),
    atMs: readTime(at, nowMs, say),
    ...(text !== undefined && { text: String(text) }),
  }
}

/** Tags are texts; numbers and truths are taken as such, since a version is often written `42`. */
function readTags(given: unknown, say: Say): Record<string, string> {
  const tags: Record<string, string> = {}
  if (given === undefined) return tags
  if (!isObject(given)) {
    say(`tags: expected an object such as {"process": "verifier"}, got ${shown(given)}`)
    return tags
  }
  const pairs = Object.entries(given)
  if (pairs.length > tagsMax) say(`tags: ${pairs.length} of them; at most ${tagsMax}`)
  for (const [name, value] of pairs.slice(0, tagsMax)) {
    const isPlain = typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
    const tag = isPlain ? String(value) : ''
    if (!/^[A-Za-z_][\w.-]{0,99}$/.test(name)) say(`tags: expected a name such as process, got ${shown(name)}`)
    else if (!isText(tag, tagCharsMax) || /[\x00-\x1f\x7f]/.test(tag)) {
      say(`tags.${name}: expected a text of 1 to ${tagCharsMax} characters on one line, got ${shown(value)}`)
    }
    tags[name] = tag
  }
  return tags
}

/** Epoch ms or RFC 3339; the present without any. */
function readTime(at: unknown, nowMs: number, say: Say): number {
  if (at === undefined) return nowMs
  const isTime = typeof at === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/.test(at)
  const atMs = isTime ? Date.parse(at) : typeof at === 'number' ? at : Number.NaN
  if (!Number.isFinite(atMs)) {
    say(`at: expected a time such as "2026-03-01T14:05:09Z" or epoch milliseconds, got ${shown(at)}`)
  } else if (atMs < nowMs - pastMsMax || atMs > nowMs + futureMsMax) {
    say(`at: expected a time of the past day, got ${shown(at)}`)
  }
  return atMs
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown, charsMax: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= charsMax
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
