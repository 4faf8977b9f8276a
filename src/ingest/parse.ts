/**
 * Parse: statsd lines, straight from the bytes of a packet.
 *
 *     api.hits:12|c|@0.1|#env:prod,beta|T1700000000|c:4f0e…
 *     name     |  |  |     |              |           container, external data, cardinality: read over
 *              |  |  |     |              time of its own, epoch seconds; for c and g
 *              |  |  |     tags
 *              |  |  sample rate, above 0 and at most 1; default 1
 *              |  type: c; g; ms, h or d (timers); s
 *              value: a finite decimal (signed means relative, for g; at least 0 for timers), or any text for s
 *
 *     time:1:2:3|ms           packed values: one type and the same sections for all
 *     time:1|ms:2|ms:9|c      etsy's several values, each with its type and rate; tags are the line's
 *
 * The hot path makes no garbage: a line is parsed into a `Line` that its caller owns and reuses, names stay bytes with a
 * hash, and what is wrong with a line is put into words only for the few that are logged.
 */
import { parseNumber } from './number.ts'

export const lineBytesMax = 8192
export const nameBytesMax = 512
export const tagsBytesMax = 2048

export const counter = 0
export const gauge = 1
export const timer = 2
export const set = 3
export type LineKind = typeof counter | typeof gauge | typeof timer | typeof set

/** Why a line is bad; the label of `bad_lines_total`. */
export type BadReason =
  | 'length'
  | 'name'
  | 'colon'
  | 'value'
  | 'negative'
  | 'type'
  | 'rate'
  | 'tags'
  | 'timestamp'
  | 'section'

const expectations: Readonly<Record<BadReason, string>> = {
  length: `a line of at most ${lineBytesMax} bytes`,
  name: `a name of 1 to ${nameBytesMax} bytes with letters or digits`,
  colon: '":" and a value after the name',
  value: 'a number after ":"',
  negative: 'a time of at least 0',
  type: '"|" and a type c, g, ms, h, d or s after the value',
  rate: 'a sample rate above 0 and at most 1 after "@"',
  tags: `tags of at most ${tagsBytesMax} bytes`,
  timestamp: 'epoch seconds after "T", of a counter or gauge',
  section: '"@" and a sample rate, "#" and tags, or the end of the line',
}

/** One parsed line, or what is wrong with it. Offsets are into the bytes it was parsed from. */
export class Line {
  kind: LineKind = counter
  nameStart = 0
  nameEnd = 0
  /** FNV-1a over the raw name. */
  nameHash = 0
  /** Of counters, gauges and timers. */
  value = 0
  /** A gauge with a sign: a change, not a level. */
  isRelative = false
  sampleRate = 1
  /** Text of the value, the member of a set. */
  valueStart = 0
  valueEnd = 0
  /** Where the last of several packed values ends; `valueEnd` when there is but one. */
  packedEnd = 0
  /** The tag list without its `#`; equal when there is none. */
  tagsStart = 0
  tagsEnd = 0
  /** Own time, epoch seconds; -1 when there is none. */
  timestampSeconds = -1
  /** Where the next of etsy's values begins; 0 when there is none. */
  restAt = 0
  /** Where and why the last line was bad. */
  badAt = 0
  badReason: BadReason = 'name'
}

/**
 * Parses bytes[start, end), one line without its newline, into `line`. False when the line is bad: then only `badAt`,
 * `badReason` and `restAt` mean anything. Any bytes are safe. Go on with `nextValue` and `parseRest`.
 */
export function parseLine(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  line.restAt = 0
  line.tagsStart = line.tagsEnd = 0
  if (end - start > lineBytesMax) return bad(line, 'length', start)
  const colonAt = parseName(bytes, start, end, line)
  if (colonAt === end) return bad(line, 'colon', end)
  if (colonAt === start || colonAt - start > nameBytesMax) return bad(line, 'name', start)
  return parseSample(bytes, colonAt + 1, end, line)
}

/** Goes on with the next of etsy's values of the same line; only while `restAt` is not 0. */
export function parseRest(bytes: Uint8Array, end: number, line: Line): boolean {
  const from = line.restAt
  line.restAt = 0
  return parseSample(bytes, from, end, line)
}

/** Goes on to the next packed value; false when there is none. */
export function nextValue(bytes: Uint8Array, line: Line): boolean {
  if (line.valueEnd === line.packedEnd) return false
  line.valueStart = line.valueEnd + 1
  let here = line.valueStart
  while (here < line.packedEnd && bytes[here] !== colon) here++
  line.valueEnd = here
  return parseValue(bytes, line)
}

/** `column 10: expected a number after ":", got "|": "api.hits:|c"`, for the log. */
export function explainBadLine(bytes: Uint8Array, start: number, end: number, line: Line): string {
  return explainBad(bytes, start, end, line.badAt, expectations[line.badReason])
}

/** As explainBadLine, for what is wrong at byte `badAt`. */
export function explainBad(bytes: Uint8Array, start: number, end: number, badAt: number, expected: string): string {
  const text = (from: number, to: number) => JSON.stringify(Buffer.from(bytes.subarray(from, to)).toString('utf8'))
  let wordEnd = badAt + 1
  if (bytes[badAt] !== pipe) while (wordEnd < end && bytes[wordEnd] !== pipe) wordEnd++
  const shown = Math.min(end, start + shownBytesMax)
  const got = badAt >= end ? 'the end of the line' : text(badAt, Math.min(wordEnd, badAt + 40))
  return `column ${badAt - start + 1}: expected ${expected}, got ${got}: ${text(start, shown)}${shown < end ? '…' : ''}`
}

const shownBytesMax = 120
const colon = 0x3a
const pipe = 0x7c
const plus = 0x2b
const minus = 0x2d
const zero = 0x30
const at = 0x40
const hash = 0x23

function bad(line: Line, reason: BadReason, where: number): false {
  line.badReason = reason
  line.badAt = where
  return false
}

/** Hashes the name and returns where its ":" stands, or `end`. */
function parseName(bytes: Uint8Array, start: number, end: number, line: Line): number {
  let hash = 0x811c9dc5 | 0
  let here = start
  for (; here < end; here++) {
    const byte = bytes[here] as number
    if (byte === colon) break
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  line.nameStart = start
  line.nameEnd = here
  line.nameHash = hash
  return here
}

/** Parses a value, or several packed ones, with type and sections. */
function parseSample(bytes: Uint8Array, from: number, end: number, line: Line): boolean {
  line.valueStart = from
  line.sampleRate = 1
  line.timestampSeconds = -1
  let here = from
  let colonAt = 0
  for (; here < end; here++) {
    const byte = bytes[here]
    if (byte === pipe) break
    if (byte === colon && colonAt === 0) colonAt = here
  }
  line.valueEnd = line.packedEnd = here
  const typeEnd = parseType(bytes, here + 1, end, line)
  if (typeEnd === 0) return bad(line, here === from && here < end ? 'value' : 'type', Math.min(here, end))
  if (typeEnd !== end && !parseSections(bytes, typeEnd, end, line)) return false
  if (colonAt !== 0 && line.kind !== set) return checkPacked(bytes, colonAt, line)
  return parseValue(bytes, line)
}

/** Reads the type at `from` and returns where it ends, or 0 when there is none. */
function parseType(bytes: Uint8Array, from: number, end: number, line: Line): number {
  if (from >= end) return 0
  const first = bytes[from]
  let typeEnd = from + 1
  if (first === 0x63) line.kind = counter
  else if (first === 0x67) line.kind = gauge
  else if (first === 0x68 || first === 0x64) line.kind = timer
  else if (first === 0x73) line.kind = set
  else if (first === 0x6d && from + 1 < end && bytes[from + 1] === 0x73) {
    line.kind = timer
    typeEnd = from + 2
  } else return 0
  return typeEnd === end || bytes[typeEnd] === pipe || bytes[typeEnd] === colon ? typeEnd : 0
}

function parseValue(bytes: Uint8Array, line: Line): boolean {
  const { kind, valueStart, valueEnd } = line
  if (kind === set) return true
  const value = parseNumber(bytes, valueStart, valueEnd)
  if (Number.isNaN(value)) return bad(line, 'value', valueStart)
  if (kind === timer && value < 0) return bad(line, 'negative', valueStart)
  line.value = value
  const sign = bytes[valueStart]
  line.isRelative = kind === gauge && (sign === minus || sign === plus)
  return true
}

/** Packed values count together or not at all: looks at all of them and goes back to the first. */
function checkPacked(bytes: Uint8Array, firstEnd: number, line: Line): boolean {
  const firstStart = line.valueStart
  line.valueEnd = firstEnd
  if (!parseValue(bytes, line)) return false
  while (line.valueEnd !== line.packedEnd) if (!nextValue(bytes, line)) return false
  line.valueStart = firstStart
  line.valueEnd = firstEnd
  return parseValue(bytes, line)
}

/** Reads what follows the type: `|@0.1`, `|#tags`, … up to the end or to a ":" before etsy's next value. */
function parseSections(bytes: Uint8Array, from: number, end: number, line: Line): boolean {
  let here = from
  let canFollow = true
  while (here < end) {
    if (bytes[here] === colon) return parseFollowed(bytes, here + 1, end, line)
    const marker = bytes[here + 1]
    canFollow &&= marker === at
    let sectionEnd = here + 1
    while (sectionEnd < end && bytes[sectionEnd] !== pipe && !(canFollow && bytes[sectionEnd] === colon)) sectionEnd++
    if (!parseSection(bytes, here + 1, sectionEnd, line)) return false
    here = sectionEnd
  }
  return true
}

/** Another value follows; the tags at the end of the line are this one's too. */
function parseFollowed(bytes: Uint8Array, restAt: number, end: number, line: Line): boolean {
  line.restAt = restAt
  if (line.tagsEnd > 0) return true
  for (let here = restAt; here + 1 < end; here++) {
    if (bytes[here] !== pipe || bytes[here + 1] !== hash) continue
    let sectionEnd = here + 2
    while (sectionEnd < end && bytes[sectionEnd] !== pipe) sectionEnd++
    return parseTags(here + 2, sectionEnd, line)
  }
  return true
}

function parseSection(bytes: Uint8Array, from: number, end: number, line: Line): boolean {
  const marker = from < end ? bytes[from] : 0
  if (marker === at) {
    const rate = parseNumber(bytes, from + 1, end)
    if (!(rate > 0 && rate <= 1)) return bad(line, 'rate', from + 1)
    line.sampleRate = rate
    return true
  }
  if (marker === hash) return parseTags(from + 1, end, line)
  if (marker === 0x54) return parseTimestamp(bytes, from + 1, end, line)
  return isReadOver(bytes, from, end) || bad(line, 'section', from)
}

function parseTags(from: number, end: number, line: Line): boolean {
  if (end - from > tagsBytesMax) return bad(line, 'tags', from)
  line.tagsStart = from
  line.tagsEnd = end
  return true
}

function parseTimestamp(bytes: Uint8Array, from: number, end: number, line: Line): boolean {
  let seconds = 0
  for (let here = from; here < end; here++) {
    const digit = (bytes[here] as number) - zero
    if (!(digit >= 0 && digit <= 9)) return bad(line, 'timestamp', from)
    seconds = seconds * 10 + digit
  }
  if (from === end || end - from > 11 || line.kind > gauge) return bad(line, 'timestamp', from)
  line.timestampSeconds = seconds
  return true
}

/** DogStatsD's origin: `c:` container, `e:` external data, `card:` cardinality. */
function isReadOver(bytes: Uint8Array, from: number, end: number): boolean {
  const first = bytes[from]
  if (from + 1 < end && bytes[from + 1] === colon) return first === 0x63 || first === 0x65
  return end - from >= 5 && Buffer.from(bytes.subarray(from, from + 5)).toString('latin1') === 'card:'
}
