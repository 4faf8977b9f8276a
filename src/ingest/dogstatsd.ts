/**
 * DogStatsD: what is not a metric in that protocol, events and service checks.
 *
 *     _e{21,36}:An exception occurred|Cannot parse CSV file from 10.0.0.17|d:1700000000|h:web1|t:warning|#err_type:bad_file
 *     _e{bytes of title,bytes of text}:title|text|d:epoch seconds|h:host|k:aggregation key|p:priority|s:source type|t:alert type|#tags
 *
 *     _sc|Redis connection|2|d:1700000000|h:web1|#env:dev|m:Redis connection timed out after 10s
 *     _sc|name|0 ok, 1 warn, 2 crit, 3 unknown|d:epoch seconds|h:host|#tags|m:message, the last section
 *
 * An event is named by its title, cleaned as metric names are: `event:An_exception_occurred`. Host, priority and the like
 * become tags of it. A check is named by its name and tags: `check:Redis_connection;env=dev;host=web1`.
 */
import type { CheckState } from '../model/check.ts'
import { err, ok, type Result } from '../model/result.ts'
import { cleanName, readTags, tagSuffix } from './name.ts'

/** Characters in the name of an event or check; on RabbitMQ it is part of a routing key. */
const nameCharsMax = 200

export interface DogstatsdEvent {
  name: string
  tags: Record<string, string>
  /** Title and text, for people. */
  text: string
  atMs?: number
}

export interface ServiceCheck {
  name: string
  state: CheckState
  output: string
  atMs?: number
}

export interface DogstatsdError {
  reason: 'event' | 'service_check'
  /** Where in the bytes. */
  at: number
  expected: string
}

/** Whether bytes[start, end) means to be an event or service check. */
export function isDogstatsd(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== 0x5f || end - start < 4) return false
  const opening = bytes.toString('latin1', start, start + 4)
  return opening === '_sc|' || opening.startsWith('_e{')
}

/** Parses `_e{…}:…`; never throws. */
export function parseEvent(bytes: Buffer, start: number, end: number): Result<DogstatsdEvent, DogstatsdError> {
  const bad = (at: number, expected: string) => err({ reason: 'event' as const, at, expected })
  const header = /^_e\{(\d{1,5}),(\d{1,5})\}:/.exec(bytes.toString('latin1', start, Math.min(end, start + 20)))
  if (!header) return bad(start, '_e{bytes of title,bytes of text}:')
  const titleStart = start + header[0].length
  const titleEnd = titleStart + Number(header[1])
  const textEnd = titleEnd + 1 + Number(header[2])
  if (titleEnd >= end || bytes[titleEnd] !== pipe) return bad(Math.min(titleEnd, end), '"|" at the end of the title')
  if (textEnd > end || (textEnd < end && bytes[textEnd] !== pipe)) return bad(Math.min(textEnd, end), 'the whole text')
  const title = bytes.toString('utf8', titleStart, titleEnd)
  const name = nameOf(title)
  if (name === '') return bad(titleStart, 'a title with letters or digits')
  const sections = readSections(bytes.toString('utf8', textEnd, end), eventTags)
  if (!sections) return bad(textEnd, 'sections such as |t:error or |#tag:value')
  const text = bytes.toString('utf8', titleEnd + 1, textEnd).replaceAll('\\n', '\n')
  const { tags, atMs } = sections
  return ok({
    name,
    tags: Object.fromEntries(tags),
    text: text === '' ? title : `${title}: ${text}`,
    ...(atMs !== undefined && { atMs }),
  })
}

/** Parses `_sc|…`; never throws. */
export function parseServiceCheck(bytes: Buffer, start: number, end: number): Result<ServiceCheck, DogstatsdError> {
  const bad = (at: number, expected: string) => err({ reason: 'service_check' as const, at, expected })
  const text = bytes.toString('utf8', start, end)
  const [, written = '', status = ''] = text.split('|', 3)
  const statusAt = start + Buffer.byteLength(written) + 5
  const name = nameOf(written)
  if (name === '') return bad(start + 4, 'a name with letters or digits')
  const state = Object.hasOwn(states, status) ? states[status] : undefined
  if (state === undefined) return bad(Math.min(statusAt, end), 'a status from 0 to 3')
  const rest = text.slice(written.length + status.length + 5)
  const messageAt = rest.indexOf('|m:')
  const sections = readSections(messageAt < 0 ? rest : rest.slice(0, messageAt), checkTags)
  if (!sections) return bad(statusAt + status.length, 'sections such as |#tag:value or |m:message')
  const { tags, atMs } = sections
  const output = messageAt < 0 ? state : rest.slice(messageAt + 3).replaceAll('\\n', '\n')
  return ok({ name: name + tagSuffix(tags), state, output, ...(atMs !== undefined && { atMs }) })
}

const pipe = 0x7c
const states: Readonly<Record<string, CheckState>> = { '0': 'ok', '1': 'warn', '2': 'crit', '3': 'unknown' }
const eventTags: Readonly<Record<string, string>> = {
  h: 'host',
  k: 'aggregation_key',
  p: 'priority',
  s: 'source_type',
  t: 'alert_type',
}
const checkTags: Readonly<Record<string, string>> = { h: 'host' }
/** Container, external data, cardinality: read over. */
const readOver = /^(c|e|card):/

/** Sections `|x:value` and `|#tags`; undefined when one of them is neither. */
function readSections(
  text: string,
  tagOf: Readonly<Record<string, string>>,
): { tags: Map<string, string>; atMs?: number } | undefined {
  const tags = new Map<string, string>()
  let atMs: number | undefined
  for (const section of text.split('|').slice(1)) {
    const [, letter = '', value = ''] = /^(\w):(.*)$/s.exec(section) ?? []
    const tag = Object.hasOwn(tagOf, letter) ? tagOf[letter] : undefined
    if (section.startsWith('#')) readTags(section.slice(1), ':', tags)
    else if (letter === 'd' && /^\d{1,11}$/.test(value)) atMs = Number(value) * 1000
    else if (tag !== undefined) readTags(`${tag}:${value.replaceAll(',', '_')}`, ':', tags)
    else if (!readOver.test(section)) return undefined
  }
  return { tags, ...(atMs !== undefined && { atMs }) }
}

/** Without empty segments, so that a rule's path can name it. */
function nameOf(written: string): string {
  return cleanName(written.trim())
    .slice(0, nameCharsMax)
    .split('.')
    .filter((segment) => segment !== '')
    .join('.')
}
