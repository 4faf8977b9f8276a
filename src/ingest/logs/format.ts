/**
 * Format: one line of a log, taken apart into the captures that are asked for.
 *
 *     combined   10.0.0.7 - ann [10/Oct/2026:13:55:36 +0000] "GET /a?b HTTP/1.1" 200 2326 "http://x/" "curl/8"
 *     nginx      the same, then any of:  "forwarded for"  0.012  0.011 or rt=0.012 uct=0.000 uht=0.011 urt=0.011
 *     json       {"status": 200, "http": {"path": "/a"}}           captures {status} and {http.path}
 *     regex      its named groups
 *
 * A `-` is a capture that is missing. Times of several upstreams are added up.
 */
import type { LogConfig } from '../../runtime/config-logs.ts'
import { linearRegex } from '../../runtime/linear-regex.ts'

/** Fills `into`, one place for each capture wanted, undefined where it is missing; false when the line has another form. */
export type Extract = (line: string, into: (string | undefined)[]) => boolean

/** Of the captures `wanted`; those that the format does not know stay as they are. */
export function extractor(format: LogConfig['format'], wanted: readonly string[]): Extract {
  if (format === 'json') return jsonExtractor(wanted)
  if (typeof format !== 'string') return regexExtractor(format.regex, wanted)
  return combinedExtractor(wanted, format === 'nginx')
}

const quoted = '"((?:[^"\\\\]|\\\\.)*)"'
const head = '^(\\S+) \\S+ (\\S+) \\[([^\\]]+)\\] '
const line = new RegExp(`${head}${quoted} (\\d{3}) (\\d+|-)(?: ${quoted} ${quoted}(?: (.*))?)?$`, 's')
/** Which group of `line` a capture is. */
const groups: Readonly<Record<string, number>> = {
  remote_addr: 1,
  user: 2,
  time: 3,
  status: 5,
  bytes: 6,
  referer: 7,
  agent: 8,
}
const request = { method: 0, path: 1, query: 2 } as const
const requestGroup = 4
const restGroup = 9

function combinedExtractor(wanted: readonly string[], isNginx: boolean): Extract {
  const plain = places(wanted, groups)
  const ofRequest = places(wanted, request)
  const ofTail = isNginx
    ? wanted.flatMap((name, place) => (tailKeys[name] ? [{ place, keys: tailKeys[name] }] : []))
    : []
  return (text, into) => {
    const found = line.exec(text)
    if (!found) return false
    for (const { place, group } of plain) into[place] = present(found[group])
    if (ofRequest.length > 0) {
      const parts = requestParts(found[requestGroup] as string)
      for (const { place, group } of ofRequest) into[place] = parts[group]
    }
    if (ofTail.length > 0) {
      const tail = readTail(found[restGroup] ?? '')
      for (const { place, keys } of ofTail) into[place] = present(keys.map((key) => tail.get(key)).find(Boolean))
    }
    return true
  }
}

function places(
  wanted: readonly string[],
  known: Readonly<Record<string, number>>,
): { place: number; group: number }[] {
  return wanted.flatMap((name, place) => (Object.hasOwn(known, name) ? [{ place, group: known[name] as number }] : []))
}

function present(text: string | undefined): string | undefined {
  return text === '-' || text === '' ? undefined : text
}

/** Method, path and query of `GET /a?b HTTP/1.1`; none of what is no request. */
function requestParts(text: string): (string | undefined)[] {
  const [method = '', target, ...rest] = text.split(' ')
  if (target === undefined || rest.length > 1 || !/^[A-Z]+$/.test(method)) return []
  const queryAt = target.indexOf('?')
  return queryAt < 0 ? [method, target] : [method, target.slice(0, queryAt), target.slice(queryAt + 1)]
}

/** What nginx's times are called in the log formats that are common. */
const tailKeys: Readonly<Record<string, readonly string[]>> = {
  forwarded_for: ['0"', 'xff', 'forwarded_for', 'http_x_forwarded_for'],
  request_time: ['rt', 'request_time', 'req_time', '0'],
  upstream_time: ['urt', 'upstream_response_time', 'upstream_time', 'upstream', '1'],
  upstream_connect_time: ['uct', 'upstream_connect_time'],
  upstream_header_time: ['uht', 'upstream_header_time'],
}

const time = '(?:\\d+(?:\\.\\d+)?|-)'
/** `0.010, 0.015 : 0.002`: nginx tried several upstreams. */
const times = `${time}(?:(?:, | : )${time})*`
/** What is most common, read without a search. */
const twoTimes = new RegExp(`^(${time})(?: (${time}))?$`)
const isTimes = new RegExp(`^${times}$`)
const tailPart = new RegExp(`(?:([\\w-]+)=)?(?:"([^"]*)"|(${times})(?= |$)|(\\S+))`, 'g')

/** `key=value` by key, times without one as `0` and `1`, quoted text without one as `0"`. */
function readTail(text: string): Map<string, string> {
  const tail = new Map<string, string>()
  const [, first, second] = twoTimes.exec(text) ?? []
  if (first !== undefined) {
    tail.set('0', first)
    if (second !== undefined) tail.set('1', second)
    return tail
  }
  let number = 0
  for (const [, key, inQuotes, bare, word] of text.matchAll(tailPart)) {
    const value = inQuotes ?? bare ?? word ?? ''
    const isFirstQuoted = inQuotes !== undefined && number === 0 && !tail.has('0"')
    if (key !== undefined) tail.set(key, isTimes.test(value) ? sumOf(value) : value)
    else if (isFirstQuoted && (value === '-' || !isTimes.test(value))) tail.set('0"', value)
    else if (word === undefined && isTimes.test(value)) tail.set(`${number++}`, sumOf(value))
  }
  return tail
}

function sumOf(times: string): string {
  if (!/[,:]/.test(times)) return times
  return String(times.split(/, | : /).reduce((sum, time) => sum + (Number(time) || 0), 0))
}

function jsonExtractor(wanted: readonly string[]): Extract {
  const paths = wanted.map((name) => ({ name, steps: name.split('.') }))
  return (text, into) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return false
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    paths.forEach(({ name, steps }, place) => {
      into[place] = asText(own(value, name) ?? steps.reduce<unknown>(own, value)) ?? into[place]
    })
    return true
  }
}

function own(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}

function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return present(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

function regexExtractor(source: string, wanted: readonly string[]): Extract {
  const expression = linearRegex(source)
  return (text, into) => {
    const found = expression.exec(text)
    if (!found) return false
    const named = found.groups
    if (named)
      for (let place = 0; place < wanted.length; place++)
        into[place] = present(named[wanted[place] as string]) ?? into[place]
    return true
  }
}
