/**
 * Parse: level sentences, conditions and expressions by recursive descent, with two tokens of lookahead.
 *
 * `or` < `and` < `not` < comparison < `+ -` < `* /` < postfix. A sequence stands only at the top of a level. Throws
 * SentenceError; the caller locates it in the file.
 */
import { parseDuration } from '../../model/duration.ts'
import { suggest } from '../../runtime/problem.ts'
import { cureAfterEnd, meantUnit } from './cures.ts'
import { reservedWords, type Token } from './lex.ts'
import {
  type Call,
  type Comparator,
  type Expression,
  type Hold,
  type LevelSentence,
  type Quantifier,
  type Range,
  SentenceError,
  type SequenceStep,
  stateWords,
} from './syntax.ts'
import { TokenReader } from './token-reader.ts'
import { isUnit, unitNames } from './units.ts'
import { argumentNames, comparators, functionList, functionNames } from './words.ts'

/** The value of `warn:` or `crit:`. */
export function parseLevel(text: string): LevelSentence {
  const parser = new Parser(text)
  const level = parser.level()
  parser.end()
  return level
}

/** The value of a `let` or of `hide when`; a sequence is refused. */
export function parseExpression(text: string): Expression {
  const parser = new Parser(text)
  const expression = parser.or()
  parser.end()
  return expression
}

class Parser extends TokenReader {
  level(): LevelSentence {
    const condition = this.condition()
    const hold = this.clause('for') ? this.hold() : undefined
    const until = this.clause('until') ? this.clear() : undefined
    const keepMs = this.clause('keep') ? this.duration('keep') : undefined
    return { text: this.text, condition, hold, until, keepMs }
  }

  /** Takes `word`, with a comma before it or not. */
  protected clause(word: string): boolean {
    const hasComma = this.peek().text === ',' && this.peek(1).text === word
    if (hasComma) this.at++
    return this.takeWord(word)
  }

  protected hold(): Hold {
    const token = this.peek()
    const next = this.peek(1).text
    if (token.kind === 'number' && /^\d+$/.test(token.text) && (next === 'in' || next === 'of')) {
      this.at += 2
      const count = Number(token.text)
      if (count < 1) throw new SentenceError('expected at least 1', token)
      if (next === 'of') return { kind: 'of', count, size: this.size(count) }
      this.expectWord('a')
      this.expectWord('row')
      return { kind: 'row', count }
    }
    return { kind: 'for', durationMs: this.duration('for') }
  }

  protected size(count: number): number {
    const token = this.take()
    if (!/^\d+$/.test(token.text)) this.failAt(token, 'a whole number')
    if (Number(token.text) < count) throw new SentenceError(`${count} of ${token.text} can never be`, token)
    return Number(token.text)
  }

  protected clear(): LevelSentence['until'] {
    const token = this.peek()
    if (!comparators.has(token.text)) return { kind: 'condition', of: this.or() }
    this.at++
    const right = this.sum()
    return { kind: 'repeat', operator: token.text as Comparator, right, start: token.start, end: right.end }
  }

  protected condition(): Expression {
    const first = this.or()
    const steps: SequenceStep[] = []
    while (this.takeWord('then')) {
      const last = steps.at(-1)
      if (last?.no) throw new SentenceError('"then no" may only be the last step', this.peek(-1))
      const no = this.peek().text === 'no' && !this.isSilence()
      if (no) this.at++
      const of = this.not()
      if (!this.takeWord('within')) this.fail('"within" (every step of a sequence needs a time limit)')
      steps.push({ no, of, withinMs: this.duration('within') })
    }
    if (steps.length === 0) {
      if (this.peek().text === 'without') {
        throw new SentenceError('"without" needs a sequence before it: A then B within 5m without C', this.peek())
      }
      return first
    }
    const without = this.takeWord('without') ? this.not() : undefined
    return { kind: 'sequence', first, steps, without, start: first.start, end: this.peek(-1).end }
  }

  /** `no selector for D` as against the `no` of a last step, which is followed by `within`. */
  protected isSilence(): boolean {
    return this.peek(2).text === 'for'
  }

  or(): Expression {
    let left = this.and()
    while (this.takeWord('or')) {
      const right = this.and()
      left = { kind: 'or', left, right, start: left.start, end: right.end }
    }
    return left
  }

  protected and(): Expression {
    let left = this.not()
    while (this.takeWord('and')) {
      const right = this.not()
      left = { kind: 'and', left, right, start: left.start, end: right.end }
    }
    return left
  }

  protected not(): Expression {
    const token = this.peek()
    if (this.takeWord('not')) {
      const of = this.not()
      return { kind: 'not', of, start: token.start, end: of.end }
    }
    if (token.kind === 'word' && token.text === 'no') return this.silence()
    if (this.isQuantifier()) return this.quantifier()
    return this.comparison()
  }

  protected silence(): Expression {
    const { start } = this.take()
    const of = this.primary()
    if (of.kind !== 'selector') throw new SentenceError('expected a path after "no"', of)
    if (!this.takeWord('for')) this.fail('"for" (how long nothing must come)')
    const forMs = this.duration('for')
    return { kind: 'silence', of, forMs, start, end: this.peek(-1).end }
  }

  protected isQuantifier(): boolean {
    const { kind, text } = this.peek()
    const next = this.peek(1)
    if (kind !== 'word') return false
    if (text === 'at') return next.text === 'least' || next.text === 'most'
    return (text === 'any' || text === 'all') && next.kind === 'path' && next.text.startsWith('{')
  }

  protected quantifier(): Quantifier {
    const { start, text } = this.take()
    let word = text as Quantifier['word']
    let amount = 1
    let isShare = false
    if (text === 'at') {
      word = `at ${this.take().text}` as Quantifier['word']
      const token = this.take()
      const found = /^(\d+)(%?)$/.exec(token.text)
      if (!found) this.failAt(token, 'a whole number or a percentage')
      amount = Number(found?.[1])
      isShare = found?.[2] === '%'
      if (this.peek().text === 'of') this.at++
    }
    const token = this.take()
    const dimension = /^\{([a-z_][a-z0-9_]*)\}$/.exec(token.text)?.[1]
    if (dimension === undefined) this.failAt(token, 'a kept name such as {host}')
    if (!this.takeWord('with')) this.fail('"with"')
    const condition = this.not()
    const range = { start, end: condition.end }
    return { kind: 'quantifier', word, amount, isShare, dimension: dimension as string, with: condition, ...range }
  }

  protected comparison(): Expression {
    const left = this.sum()
    const token = this.peek()
    if (token.kind === 'mark' && comparators.has(token.text)) {
      this.at++
      const right = this.sum()
      const operator = token.text as Comparator
      return { kind: 'compare', operator, left, right, start: left.start, end: right.end }
    }
    return this.takeWord('is') ? this.is(left) : left
  }

  protected is(of: Expression): Expression {
    const not = this.takeWord('not')
    const atLeast = this.peek().text === 'at' && this.peek(1).text === 'least'
    if (atLeast) this.at += 2
    const token = this.take()
    const state = stateWords.find((word) => word === token.text)
    if (!state) this.failAt(token, `a state (${stateWords.join(', ')})`)
    return {
      kind: 'is',
      of,
      not,
      atLeast,
      state: state as (typeof stateWords)[number],
      start: of.start,
      end: token.end,
    }
  }

  protected sum(): Expression {
    let left = this.product()
    while (this.isMark('+') || this.isMark('-')) {
      const operator = this.take().text as '+' | '-'
      const right = this.product()
      left = { kind: 'arithmetic', operator, left, right, start: left.start, end: right.end }
    }
    return left
  }

  protected product(): Expression {
    let left = this.unary()
    while (this.isMark('*') || this.isMark('/')) {
      const operator = this.take().text as '*' | '/'
      const right = this.unary()
      left = { kind: 'arithmetic', operator, left, right, start: left.start, end: right.end }
    }
    return left
  }

  protected unary(): Expression {
    const { start } = this.peek()
    if (this.isMark('-')) {
      this.at++
      const of = this.unary()
      if (of.kind === 'number') return { ...of, value: -of.value, start }
      return { kind: 'negate', of, start, end: of.end }
    }
    let value = this.primary()
    while (this.peek().kind === 'number' && this.peek(1).text === 'ago') {
      const token = this.peek()
      const agoMs = this.duration('ago')
      this.at++
      const durationRange = { start: token.start, end: token.end }
      value = { kind: 'ago', of: value, agoMs, durationRange, start, end: this.peek(-1).end }
    }
    return value
  }

  protected primary(): Expression {
    const token = this.peek()
    if (token.kind === 'number') return this.number()
    if (token.kind === 'path' && /^p\d+\.\d+$/.test(token.text) && this.peek(1).text === '(') {
      this.at++
      return this.callOf('p', Number(token.text.slice(1)), token)
    }
    if (token.kind === 'path') return this.path()
    if (token.kind === 'string') {
      this.at++
      return { kind: 'string', text: token.text, start: token.start, end: token.end }
    }
    if (this.isMark('(')) {
      this.at++
      const inner = this.or()
      if (!this.isMark(')')) this.unclosed(token, '")"')
      const { end } = this.take()
      return { ...inner, start: token.start, end }
    }
    if (token.kind !== 'word' || reservedWords.has(token.text)) this.fail('a value')
    this.at++
    if (this.isMark('(')) return this.call(token)
    return { kind: 'name', name: token.text, start: token.start, end: token.end }
  }

  protected number(): Expression {
    const token = this.take()
    const [, digits, unit = '', per = ''] = /^(\d+(?:\.\d+)?)([^/]*)(?:\/([smh]))?$/.exec(token.text) as RegExpExecArray
    const range = { start: token.start, end: token.end }
    const next = this.peek()
    const apart = unit === '' && per === '' && next.kind !== 'end' ? apartUnit(next.text) : undefined
    if (apart !== undefined) {
      const message = `a number and its unit are one word, found "${next.text}"`
      throw new SentenceError(message, next, `write ${digits}${apart}`)
    }
    if (unit === '' || isUnit(unit)) {
      return { kind: 'number', value: Number(digits), unit, per: per as '' | 's' | 'm' | 'h', ...range }
    }
    const durationMs = parseDuration(`${digits}${unit}`)
    if (durationMs === undefined || per !== '') {
      throw new SentenceError(
        `no unit is called "${unit}"`,
        range,
        meantUnit(unit) ? `write ${digits}${meantUnit(unit)}` : `units: ${unitNames.join(' ')}`,
      )
    }
    return { kind: 'number', value: durationMs, unit: 'ms', per: '', ...range }
  }

  protected call(name: Token): Call {
    const percent = /^p(\d+)$/.exec(name.text)?.[1]
    const found = percent === undefined ? name.text : 'p'
    if (percent === undefined && !functionNames.has(name.text)) this.unknownFunction(name)
    return this.callOf(found, percent === undefined ? 0 : Number(percent), name)
  }

  protected unknownFunction(name: Token): never {
    const meant = suggest(name.text, functionList)
    const known = `functions: ${functionList.join(' ')}`
    const help = this.functionHelp(name.text) ?? (meant ? `did you mean ${meant}(…)?` : known)
    throw new SentenceError(`no function is called "${name.text}"`, name, help)
  }

  /** What an open parenthesis lacks: told at the parenthesis where the sentence just ends. */
  protected unclosed(open: Range, expected: string): never {
    const token = this.peek()
    if (token.kind === 'end') throw new SentenceError('this "(" is never closed', open)
    this.failAt(token, expected, cureAfterEnd(token, this.peek(1), this.peek(-1)))
  }

  protected callOf(called: string, percent: number, name: Range): Call {
    const open = this.take()
    const values: Expression[] = []
    const named: (Range & { name: string; value: Expression })[] = []
    while (!this.isMark(')')) {
      const word = this.peek()
      if (word.kind === 'word' && argumentNames.has(word.text) && this.peek(1).text === '=') {
        this.at += 2
        const value = this.sum()
        named.push({ name: word.text, value, start: word.start, end: value.end })
      } else values.push(this.or())
      if (!this.isMark(',')) break
      this.at++
    }
    if (!this.isMark(')')) this.unclosed(open, '"," or ")"')
    this.at++
    const overMs = this.takeWord('over') ? this.duration('over') : undefined
    const by = this.takeWord('by') ? this.names() : undefined
    const range = { start: name.start, end: this.peek(-1).end }
    return { kind: 'call', function: called, percent, arguments: values, named, overMs, by, ...range }
  }
}

/** A unit that stands apart from its number, also by its long name; "in" and other words of the language are none. */
function apartUnit(word: string): string | undefined {
  return isUnit(word) || /^[a-z]{3,}$/i.test(word) ? meantUnit(word) : undefined
}
