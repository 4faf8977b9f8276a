/**
 * Linear regex: regular expressions that cannot run away, written by people and matched against what anybody may send.
 *
 * V8 has two engines: a fast one that may try very many ways, and one that takes time in proportion to the text, for
 * expressions without look-ahead, back-references and large repetitions. Expressions that the second cannot take are
 * refused; for the others V8 is told to go over to it when the first one tries too much. Both are switches of the process
 * and hold for expressions made afterwards, so they are thrown when this module is read, before any expression of a user.
 */
import v8 from 'node:v8'
import { regexProblem } from '../model/log-template.ts'

const switches = ['--enable-experimental-regexp-engine', '--enable-experimental-regexp-engine-on-excessive-backtracks']
for (const one of switches) v8.setFlagsFromString(one)
/** Whether this V8 has the linear engine. */
const isKnown = compiles('a')

/** Why an expression cannot be used; undefined when it can. */
export function linearProblem(source: string): string | undefined {
  const wrong = regexProblem(source)
  if (wrong !== undefined || !isKnown || compiles(source)) return wrong
  return 'expected a regular expression without look-ahead, back-references and large repetitions, which may take forever on some line'
}

/** An expression that has no problem. */
export function linearRegex(source: string): RegExp {
  return new RegExp(source)
}

/** The flag `l` asks for the linear engine. */
function compiles(source: string): boolean {
  try {
    new RegExp(source, 'l')
    return true
  } catch {
    return false
  }
}
