/**
 * Graphite line: `name value timestamp`, as carbon's plaintext protocol has it.
 *
 *     servers.web1.load;rack=a2;dc=west 0.75 1700000000
 *     name, tags after ";"              |    epoch seconds; -1 or N means now
 *                                       a decimal; nan means "no value"
 *
 * The name as written is what the forwarder writes to Graphite; the series has its tags in sorted order.
 */
import { err, ok, type Result } from '../model/result.ts'

export interface GraphitePoint {
  /** With sorted tags, as series are named on the bus. */
  series: string
  /** As written. */
  graphiteName: string
  value: number
  /** Epoch ms; undefined means now. */
  atMs: number | undefined
}

export type GraphiteReason = 'fields' | 'name' | 'tag' | 'value' | 'timestamp' | 'nan'

export interface GraphiteLineError {
  reason: GraphiteReason
  /** From 1. */
  column: number
  expected: string
}

const nameCharsMax = 1024

/** Parses one line without its newline. Never throws. */
export function parseGraphiteLine(line: string): Result<GraphitePoint, GraphiteLineError> {
  const fields = [...line.matchAll(/\S+/g)]
  const [name, value, timestamp] = fields
  if (!name || !value || !timestamp || fields.length > 3) {
    return bad('fields', fields[3]?.index ?? line.length, 'a name, a value and a timestamp')
  }
  const series = seriesName(name[0])
  if (!series.ok) return bad(series.error, name.index, nameExpectations[series.error])
  const number = parseDecimal(value[0])
  if (number === undefined) {
    if (/^[+-]?nan$/i.test(value[0])) return bad('nan', value.index, 'a value')
    return bad('value', value.index, 'a finite number as value')
  }
  const atMs = parseTimestamp(timestamp[0])
  if (atMs === null) return bad('timestamp', timestamp.index, 'epoch seconds, -1 or N as timestamp')
  return ok({ series: series.value, graphiteName: name[0], value: number, atMs })
}

const nameExpectations = {
  name: `a name of printable characters, at most ${nameCharsMax}`,
  tag: 'tags such as ";host=web1", each once',
}

function bad(reason: GraphiteReason, at: number, expected: string): Result<never, GraphiteLineError> {
  return err({ reason, column: at + 1, expected })
}

function seriesName(written: string): Result<string, 'name' | 'tag'> {
  const isClean = written.length <= nameCharsMax && !/[\x00-\x20\x7f\ufffd]/.test(written)
  if (!isClean || written.startsWith(';')) return err('name')
  const [path, ...tags] = written.split(';')
  const byKey = new Map(tags.map((tag) => [tag.slice(0, tag.indexOf('=')), tag]))
  if (byKey.size !== tags.length || tags.some((tag) => !/^[^=]+=.+$/.test(tag))) return err('tag')
  const sorted = [...byKey.keys()].sort().map((key) => byKey.get(key))
  return ok([path, ...sorted].join(';'))
}

function parseDecimal(text: string): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/** Epoch ms, undefined for now, null for neither. As carbon reads it: any decimal, `-1` however it is written. */
function parseTimestamp(text: string): number | undefined | null {
  if (text === 'N') return undefined
  const seconds = parseDecimal(text)
  if (seconds === -1) return undefined
  if (seconds === undefined || seconds < 0 || seconds >= 1e12) return null
  return Math.round(seconds * 1000)
}
