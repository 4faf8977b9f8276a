/** Token reader: what every part of the parser needs to walk the tokens of one sentence. */

import { parseDuration } from '../../model/duration.ts'
import { parsePath } from '../../model/path.ts'
import { cureAfterEnd, durationCure, functionCure, pathCure } from './cures.ts'
import { lex, reservedWords, type Token } from './lex.ts'
import type { Selector } from './syntax.ts'
import { SentenceError } from './syntax.ts'

export class TokenReader {
  protected readonly text: string
  protected readonly tokens: Token[]
  protected at = 0

  constructor(text: string) {
    this.text = text
    this.tokens = lex(text)
  }

  end(): void {
    const token = this.peek()
    if (token.kind === 'end') return
    const before = this.at > 0 ? this.peek(-1) : undefined
    this.failAt(token, 'the end of the sentence', cureAfterEnd(token, this.peek(1), before))
  }

  protected names(): string[] {
    const names: string[] = []
    do {
      const token = this.take()
      if (token.kind !== 'word' || reservedWords.has(token.text)) this.failAt(token, 'a kept name')
      names.push(token.text)
    } while (
      this.isMark(',') &&
      this.peek(1).kind === 'word' &&
      !reservedWords.has(this.peek(1).text) &&
      this.at++ >= 0
    )
    return names
  }

  protected duration(after: string): number {
    const token = this.take()
    const durationMs = parseDuration(token.text)
    if (durationMs === undefined) {
      const cure = durationCure(token.text, this.peek().text)
      this.failAt(token, `a duration such as 5m after "${after}"`, cure)
    }
    if (durationMs === 0 && after !== 'keep') throw new SentenceError('expected more than nothing', token)
    return durationMs as number
  }

  protected isMark(text: string): boolean {
    const token = this.peek()
    return token.kind === 'mark' && token.text === text
  }

  protected takeWord(word: string): boolean {
    const token = this.peek()
    if (token.kind !== 'word' || token.text !== word) return false
    this.at++
    return true
  }

  protected expectWord(word: string): void {
    if (!this.takeWord(word)) this.fail(`"${word}"`)
  }

  protected peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)] as Token
  }

  protected take(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.at++
    return token
  }

  protected fail(expected: string): never {
    this.failAt(this.peek(), expected)
  }

  protected failAt(token: Token, expected: string, help?: string): never {
    const found = token.kind === 'end' ? 'the end' : `"${this.text.slice(token.start, token.end)}"`
    throw new SentenceError(`expected ${expected}, found ${found}`, token, help)
  }

  /** What a word before "(" may have meant. */
  protected functionHelp(name: string): string | undefined {
    const meant = functionCure(name)
    return meant && `write ${meant}`
  }

  protected path(): Selector {
    const token = this.take()
    const parsed = parsePath(token.text)
    if (!parsed.ok) {
      const start = Math.min(token.start + parsed.error.column - 1, token.end - 1)
      throw new SentenceError(parsed.error.message, { start, end: start + 1 }, pathCure(token.text))
    }
    const pattern = parsed.value
    if (pattern.prefix === '' && pattern.segments.length === 1 && pattern.tags.length === 0) {
      const cure = pathCure(token.text) ?? (this.peek().text === '(' ? this.functionHelp(token.text) : undefined)
      const help = cure
        ? cure
        : /[-+*]/.test(token.text)
          ? 'put spaces around + - and *; a metric without dots is written metric:name'
          : 'a metric without dots is written metric:name'
      throw new SentenceError(`"${token.text}" is neither a name nor a path`, token, help)
    }
    return { kind: 'selector', pattern, text: token.text, start: token.start, end: token.end }
  }
}
