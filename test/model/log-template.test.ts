import fc from 'fast-check'
import { expect, test } from 'vitest'
import { groupNames, parseLogTemplate, parseLogWhen, regexProblem } from '../../src/model/log-template.ts'

test('a template is text and captures in turn', () => {
  expect(parseLogTemplate('zeus.{site}.response.{status}')).toEqual({
    ok: true,
    value: { parts: ['zeus.', { capture: 'site' }, '.response.', { capture: 'status' }], captures: ['site', 'status'] },
  })
  expect(parseLogTemplate('{a}{a}')).toMatchObject({ ok: true, value: { captures: ['a'] } })
  expect(parseLogTemplate('{http.path}')).toMatchObject({ ok: true, value: { captures: ['http.path'] } })
  for (const bad of ['{', 'a}', '{}', '{a b}', '{1}', '{{a}}']) expect(parseLogTemplate(bad).ok).toBe(false)
})

test('the tests of a when are joined by "and"; a value is a word or more, or stands in quotes', () => {
  expect(parseLogWhen('{status} >= 500 and {path} ~ "^/a and {b}" and {user}=ann smith ')).toEqual({
    ok: true,
    value: [
      { capture: 'status', operator: '>=', value: '500' },
      { capture: 'path', operator: '~', value: '^/a and {b}' },
      { capture: 'user', operator: '=', value: 'ann smith' },
    ],
  })
})

test('what is written and what is read are the same', () => {
  const capture = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/)
  const one = fc.record({
    capture,
    operator: fc.constantFrom('=' as const, '!=' as const, '<' as const, '<=' as const, '>' as const, '>=' as const),
    value: fc.integer().map(String),
  })
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 4 }), (tests) => {
      const written = tests.map(({ capture, operator, value }) => `{${capture}} ${operator} ${value}`).join(' and ')
      expect(parseLogWhen(written)).toEqual({ ok: true, value: tests })
    }),
  )
})

test('no text throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[{}a-z~=<> "()\\1]*$/)), (text) => {
      parseLogTemplate(text)
      parseLogWhen(text)
      regexProblem(text)
    }),
  )
})

test('the names of an expression are those of its named groups', () => {
  expect(groupNames('(?<a>x)|(?:y)(?<b>z)?')).toEqual(['a', 'b'])
})
