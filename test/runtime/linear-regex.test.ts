import { expect, test } from 'vitest'
import { linearProblem, linearRegex } from '../../src/runtime/linear-regex.ts'

const worst = `${'a'.repeat(5000)}!`

test.each(['^(?<x>(a+)+)$', '^(a|a?)+$', '(?:a|b|ab)*?c$', '^(\\w+\\s?)*$', '(?<!x)(a+)+$', '\\b(a+)+$'])(
  'whatever the line, %s takes little time',
  (source) => {
    expect(linearProblem(source)).toBeUndefined()
    const startMs = performance.now()
    expect(linearRegex(source).test(worst)).toBe(false)
    expect(performance.now() - startMs).toBeLessThan(5000)
  },
)

test.each(['(?=a)(a+)+$', '(?!x)a', '^(a{1,30}){1,30}$', '(a)\\1', '(?<a>a)\\k<a>'])(
  '%s, which no engine matches in bounded time, is refused',
  (source) => expect(linearProblem(source)).toContain('may take forever on some line'),
)

test('what is not even an expression is told so, in the words of the engine', () => {
  expect(linearProblem('(')).toMatch(/^the regular expression is wrong: /)
  expect(linearProblem('^\\d{1,3}\\.(?<b>[^"\\\\]|\\\\.)*$')).toBeUndefined()
})
