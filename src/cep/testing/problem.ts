/**
 * Problem: what is wrong with a test, shown where it stands in the file.
 */
import type { RawTest, RuleProblem } from '../language/load.ts'
import type { GivenError } from './given.ts'

/** An error about a whole value. */
export function whole(message: string, help?: string): GivenError {
  return { at: 0, length: 0, message, ...(help && { help }) }
}

/** An error about the key before the value. */
export function inKey(message: string): GivenError {
  return { at: -1, length: 0, message }
}

/** Finds `part: value` in the file, from the test's first line on; `error.at` counts within the value, −1 is the key. */
export function located(raw: RawTest, text: string, part: string, value: string, error: GivenError): RuleProblem {
  const lines = text.split('\n')
  const asKey = new RegExp(`(^|[\\s{,"'])${part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?:`)
  const found = lines.findIndex((line, i) => i >= raw.line - 1 && asKey.test(line) && line.includes(value))
  const index = found < 0 ? raw.line - 1 : found
  const source = lines[index] ?? ''
  const keyAt = found < 0 ? source.search(/\S/) : source.indexOf(part, asKey.exec(source)?.index)
  const valueAt = found < 0 || value === '' ? -1 : source.indexOf(value, keyAt + part.length)
  const isKey = error.at < 0 || valueAt < 0
  return {
    file: raw.file,
    line: index + 1,
    column: Math.max(0, isKey ? keyAt : valueAt + error.at) + 1,
    code: 'syntax',
    severity: 'error',
    length: error.length > 0 ? error.length : isKey ? part.length : value.length,
    source,
    message: `in test "${raw.name}": ${error.message}`,
    ...(error.help && { help: error.help }),
  }
}
