/**
 * Parse: statsd lines, straight from the bytes of a packet.
 *
 *     api.hits:12|c|@0.1
 *     name     |  |  sample rate, above 0 and at most 1; default 1
 *              |  type: c; g; ms, h or d (timers); s
 *              value: a finite decimal (signed means relative, for g; at least 0 for timers), or any text for s
 *
 * The hot path makes no garbage: a line is parsed into a `Line` that its caller owns and reuses, names stay bytes with a
 * hash, and what is wrong with a line is put into words only for the few that are logged.
 */
export const lineBytesMax = 8192
export const nameBytesMax = 512

export const counter = 0
export const gauge = 1
export const timer = 2
export const set = 3
export type LineKind = typeof counter | typeof gauge | typeof timer | typeof set

/** Why a line is bad; the label of `bad_lines_total`. */
export type BadReason = 'length' | 'name' | 'colon' | 'value' | 'negative' | 'type' | 'rate' | 'section'

const expectations: Readonly<Record<BadReason, string>> = {
  length: `a line of at most ${lineBytesMax} bytes`,
  name: `a name of 1 to ${nameBytesMax} bytes with letters or digits`,
  colon: '":" and a value after the name',
  value: 'a number after ":"',
  negative: 'a time of at least 0',
  type: '"|" and a type c, g, ms, h, d or s after the value',
  rate: 'a sample rate above 0 and at most 1 after "@"',
  section: '"@" and a sample rate, or the end of the line',
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
  /** Where and why the last line was bad. */
  badAt = 0
  badReason: BadReason = 'name'
}

/**
 * Parses bytes[start, end), one line without its newline, into `line`. False when the line is bad: then only `badAt` and
 * `badReason` mean anything. Any bytes are safe.
 */
export function parseLine(bytes: Uint8Array, start: number, end: number, line: Line): boolean {
  if (end - start > lineBytesMax) return bad(line, 'length', start)
  const colonAt = parseName(bytes, start, end, line)
  if (colonAt === end) return bad(line, 'colon', end)
  if (colonAt === start || colonAt - start > nameBytesMax) return bad(line, 'name', start)
  line.valueStart = colonAt + 1
  let at = line.valueStart
  while (at < end && bytes[at] !== pipe) at++
  line.valueEnd = at
  const typeEnd = parseType(bytes, at + 1, end, line)
  if (typeEnd === 0) return bad(line, at === line.valueStart && at < end ? 'value' : 'type', Math.min(at, end))
  return parseValue(bytes, line) && parseRate(bytes, typeEnd, end, line)
}

/** `column 10: expected a number after ":", got "|": "api.hits:|c"`, for the log. */
export function explainBadLine(bytes: Uint8Array, start: number, end: number, line: Line): string {
  const text = (from: number, to: number) => JSON.stringify(Buffer.from(bytes.subarray(from, to)).toString('utf8'))
  let wordEnd = line.badAt + 1
  if (bytes[line.badAt] !== pipe) while (wordEnd < end && bytes[wordEnd] !== pipe) wordEnd++
  const shown = Math.min(end, start + shownBytesMax)
  const got = line.badAt >= end ? 'the end of the line' : text(line.badAt, Math.min(wordEnd, line.badAt + 40))
  const column = line.badAt - start + 1
  return `column ${column}: expected ${expectations[line.badReason]}, got ${got}: ${text(start, shown)}${shown < end ? '…' : ''}`
}

const shownBytesMax = 120
const colon = 0x3a
const pipe = 0x7c
const plus = 0x2b
const minus = 0x2d
const dot = 0x2e
const zero = 0x30
const at = 0x40

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
  return typeEnd === end || bytes[typeEnd] === pipe ? typeEnd : 0
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

/** Reads `|@0.1` at `from`, or nothing. */
function parseRate(bytes: Uint8Array, from: number, end: number, line: Line): boolean {
  line.sampleRate = 1
  if (from === end) return true
  if (from + 1 === end || bytes[from + 1] !== at) return bad(line, 'section', from + 1)
  const rate = parseNumber(bytes, from + 2, end)
  if (!(rate > 0 && rate <= 1)) return bad(line, 'rate', from + 2)
  line.sampleRate = rate
  return true
}

/**
 * A finite decimal with optional sign, fraction and exponent, correctly rounded; NaN for anything else. Up to 15 digits
 * and no exponent (nearly all there are) go without a string: both the digits and the power of ten are exact floats, so
 * their quotient is the nearest float.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number {
  const isNegative = bytes[start] === minus
  let here = isNegative || bytes[start] === plus ? start + 1 : start
  const digitsAt = here
  let digits = 0
  let fractionAt = -1
  if (here >= end || end - here > 16) return parseLongNumber(bytes, start, end)
  for (; here < end; here++) {
    const digit = (bytes[here] as number) - zero
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit
    else if (bytes[here] === dot && fractionAt < 0) fractionAt = here + 1
    else return parseLongNumber(bytes, start, end)
  }
  const places = fractionAt < 0 ? 0 : end - fractionAt
  const digitCount = end - digitsAt - (fractionAt < 0 ? 0 : 1)
  if (digitCount === 0 || digitCount > 15) return parseLongNumber(bytes, start, end)
  const value = places === 0 ? digits : digits / (powersOfTen[places] as number)
  return isNegative ? -value : value
}

const powersOfTen = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)
const numberBytesMax = 400

function parseLongNumber(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > numberBytesMax) return Number.NaN
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.max(0, end - start)).toString('latin1')
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number.NaN
  const value = Number(text)
  return Number.isFinite(value) ? value : Number.NaN
}

/**
 * Cleans a raw name as etsy's daemon does: runs of white space become `_`, `/` becomes `-`, everything but letters,
 * digits, `_`, `-` and `.` goes. Empty when nothing is left.
 */
export function cleanName(raw: string): string {
  return raw
    .replace(/\s+/g, '_')
    .replaceAll('/', '-')
    .replace(/[^a-zA-Z0-9_.-]/g, '')
}
