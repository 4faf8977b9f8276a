/**
 * Lex: a sentence to tokens. A path is one token, its holes and tags included; so is a number with its unit.
 */
import { foreignSign } from './cures.ts'
import { type Range, SentenceError } from './syntax.ts'

export type Token = Range & { kind: 'number' | 'word' | 'path' | 'string' | 'mark' | 'end'; text: string }

export const reservedWords: ReadonlySet<string> = new Set(
  'for until keep then within without no and or not is over by ago with true false'.split(' '),
)

const numberAt = /\d+(?:\.\d+)?(?:%|[A-Za-z]+(?:\d+[a-z]+)*)?(?:\/[smh](?![\p{L}\p{N}_.{]))?/uy
const markAt = /<=|>=|!=|[<>=(),+\-*/%]/y
const nameAt = /^[a-z_][a-z0-9_]*$/
const pathCharacter = /[\p{L}\p{N}_\-@+~$#.*?:]/u

/** Splits one sentence; throws SentenceError at the first character that fits nothing. */
export function lex(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (true) {
    while (at < text.length && /\s/.test(text[at] as string)) at++
    const token = nextToken(text, at)
    tokens.push(token)
    if (token.kind === 'end') return tokens
    at = token.end
  }
}

function nextToken(text: string, start: number): Token {
  const character = text[start]
  if (character === undefined) return { kind: 'end', text: '', start, end: start }
  if (character === '"' || character === "'") return stringToken(text, start)
  if (/\d/.test(character)) {
    const number = matchAt(numberAt, text, start)
    if (number !== undefined && !continuesPath(text, start + number.length)) {
      return { kind: 'number', text: number, start, end: start + number.length }
    }
  }
  const isOperator = /[-+]/.test(character) || (character === '*' && /^\*(\s|$)/.test(text.slice(start)))
  if (!isOperator && (pathCharacter.test(character) || character === '{' || character === '[')) {
    return pathToken(text, start)
  }
  const foreign = foreignSign(text, start)
  if (foreign) {
    const range = { start, end: start + foreign.sign.length }
    throw new SentenceError(`"${foreign.sign}" has no meaning here`, range, foreign.help)
  }
  const mark = matchAt(markAt, text, start)
  if (mark === undefined) {
    throw new SentenceError(`"${character}" has no meaning here`, { start, end: start + 1 })
  }
  return { kind: 'mark', text: mark, start, end: start + mark.length }
}

function continuesPath(text: string, at: number): boolean {
  const character = text[at]
  return character !== undefined && (pathCharacter.test(character) || character === '{')
}

function stringToken(text: string, start: number): Token {
  const end = text.indexOf(text[start] as string, start + 1)
  if (end < 0) throw new SentenceError('this text is never closed', { start, end: text.length })
  return { kind: 'string', text: text.slice(start + 1, end), start, end: end + 1 }
}

function pathToken(text: string, start: number): Token {
  let end = start
  while (end < text.length) {
    const character = text[end] as string
    if (character === '{') end = closing(text, end, '}')
    else if (character === '[') {
      end = closing(text, end, ']')
      break
    } else if (pathCharacter.test(character)) end++
    else break
  }
  const word = text.slice(start, end)
  return { kind: nameAt.test(word) ? 'word' : 'path', text: word, start, end }
}

function closing(text: string, start: number, bracket: string): number {
  const end = text.indexOf(bracket, start)
  if (end < 0) throw new SentenceError(`expected "${bracket}" to close this`, { start, end: text.length })
  return end + 1
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
