/**
 * Log template: what `ingest.logs` makes of a line's captures.
 *
 *     template   zeus.{site}.response.{status}                 text with captures in it
 *     when       {status} >= 500 and {path} ~ ^/wsapi/         tests of captures, all of which must hold
 *
 * A test is `{capture} operator value`: `=` and `!=` compare text, `<` `<=` `>` `>=` numbers, `~` and `!~` are a regular
 * expression. A value may stand in double quotes. Of a capture that is missing only `!=` and `!~` hold.
 */
import { err, ok, type Result } from './result.ts'

/** Text and captures in turn. */
export interface LogTemplate {
  parts: readonly (string | { capture: string })[]
  captures: readonly string[]
}

export type LogOperator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~' | '!~'

export interface LogTest {
  capture: string
  operator: LogOperator
  value: string
}

const captureName = '[A-Za-z_@][\\w@-]*(?:\\.[\\w@-]+)*'
const hole = new RegExp(`\\{(${captureName})\\}`, 'g')
/** An `and` before a capture, with as many quotes behind it as belong together. */
const between = /\s+and\s+(?=\{)(?=(?:[^"]*"[^"]*")*[^"]*$)/
const test = new RegExp(`^\\{(${captureName})\\}\\s*(=|!=|<=|>=|<|>|~|!~)\\s*(\\S.*)$`, 's')

/** Parses a template; the error is one clause. */
export function parseLogTemplate(text: string): Result<LogTemplate, string> {
  const parts: (string | { capture: string })[] = []
  let end = 0
  for (const found of text.matchAll(hole)) {
    if (found.index > end) parts.push(text.slice(end, found.index))
    parts.push({ capture: found[1] as string })
    end = found.index + found[0].length
  }
  if (end < text.length) parts.push(text.slice(end))
  const odd = parts.find((part) => typeof part === 'string' && /[{}]/.test(part))
  if (odd !== undefined) return err(`expected captures such as {status}, got ${JSON.stringify(odd)}`)
  const captures = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.capture]))
  return ok({ parts, captures: [...new Set(captures)] })
}

/** Parses the tests of a `when`; the error is one clause. */
export function parseLogWhen(text: string): Result<readonly LogTest[], string> {
  const tests: LogTest[] = []
  for (const clause of text.trim().split(between)) {
    const [, capture, operator, written] = test.exec(clause) ?? []
    if (capture === undefined || written === undefined) {
      return err(`expected a test such as {status} >= 500, got ${JSON.stringify(clause)}`)
    }
    const value = /^".*"$/s.test(written) ? written.slice(1, -1) : written.trimEnd()
    const read: LogTest = { capture, operator: operator as LogOperator, value }
    const wrong = problemOf(read)
    if (wrong !== undefined) return err(wrong)
    tests.push(read)
  }
  return ok(tests)
}

function problemOf({ operator, value }: LogTest): string | undefined {
  if (/^[<>]/.test(operator) && !isNumber(value))
    return `expected a number after ${operator}, got ${JSON.stringify(value)}`
  return operator.endsWith('~') ? regexProblem(value) : undefined
}

/** Why a regular expression cannot be used; undefined when it can. */
export function regexProblem(source: string): string | undefined {
  try {
    new RegExp(source)
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: /, 'the regular expression is wrong: ')
  }
}

/** Names of its named groups. */
export function groupNames(source: string): string[] {
  return Object.keys(new RegExp(`${source}|`).exec('')?.groups ?? {})
}

export function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(Number(text))
}
