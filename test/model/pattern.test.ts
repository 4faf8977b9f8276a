/** Patterns: one way to write them, everywhere. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matchersText, matchesAll, reach, readMatches } from '../../src/model/match.ts'
import { patternTest, readPattern } from '../../src/model/pattern.ts'
import { compileRegular, placesMax } from '../../src/model/regular.ts'

describe('a pattern', () => {
  test.each([
    ['http_*', 'http_5xx'],
    ['!router', 'verifier'],
    ['!router', ''],
    ['!http_*', 'latency'],
    ['/web\\d+/', 'web12'],
    ['/(web|api)-[a-c]?/', 'api-'],
    ['!/web\\d+/', 'web'],
    ['/login', '/login'],
    ['/', '/'],
    ['\\!odd', '!odd'],
    ['\\/a/', '/a/'],
    ['/a/b/', 'a/b'],
  ])('%s means "%s"', (pattern, text) => expect(patternTest(pattern)(text)).toBe(true))

  test.each([
    ['!router', 'router'],
    ['/web\\d+/', 'web'],
    ['/web/', 'web1'],
    ['!/web\\d+/', 'web1'],
    ['\\!odd', 'odd'],
  ])('%s does not mean "%s"', (pattern, text) => expect(patternTest(pattern)(text)).toBe(false))

  test.each(['!', '/(/', '/a)/', '/[a/', '/*a/', '/a{3,1}/', '/a{2000}/', '/(?=a)/', '/^a$/', '/\\q/', '/a{90}{90}/'])(
    'not %s',
    (pattern) => expect(readPattern(pattern).ok).toBe(false),
  )
})

describe('a regular expression', () => {
  const letter = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '[b-c]')
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      letter,
      fc.tuple(tie('tree'), tie('tree')).map(([one, other]) => one + other),
      fc.tuple(tie('tree'), tie('tree')).map(([one, other]) => `(${one}|${other})`),
      fc
        .tuple(tie('tree'), fc.constantFrom('*', '+', '?', '{2}', '{1,}', '{0,2}'))
        .map(([one, more]) => `(?:${one})${more}`),
    ),
  }))

  test('means what JavaScript means by it, of whole texts', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1'), maxLength: 8 })
    fc.assert(
      fc.property(tree, text, (source, given) => {
        const own = compileRegular(source)
        expect(own.ok && own.value(given)).toBe(new RegExp(`^(?:${source})$`, 'su').test(given))
      }),
      { numRuns: 500 },
    )
  })

  test('never runs away: what would take others for ever is answered by its length', () => {
    const own = compileRegular('((a+)+|(a*)*)*b')
    expect(own.ok && own.value('a'.repeat(20_000))).toBe(false)
  })

  test(`of more than ${placesMax} places is refused`, () => {
    expect(compileRegular('(a{60}){60}')).toMatchObject({ error: expect.stringContaining('too large') })
  })
})

describe('patterns by name', () => {
  const alert = {
    rule: 'http_5xx',
    level: 'crit' as const,
    group: [{ name: 'process', value: 'web' }],
    tags: {},
    groupKey: 'web',
  }

  test('are read as name=pattern or name!=pattern, and said the same way', () => {
    const read = readMatches(['rule=http_*', 'process!=router'])
    expect(read).toEqual({ ok: true, value: { rule: 'http_*', process: '!router' } })
    expect(read.ok && matchesAll(read.value, alert)).toBe(true)
    expect(read.ok && matchersText(read.value)).toBe('rule=http_* process!=router')
  })

  test.each([
    [['rule'], 'expected name=pattern or name!=pattern'],
    [['rule=a', 'rule=b'], 'rule stands twice; one pattern can name several: rule=/a|b/'],
    [['rule=/(/'], 'rule: in the regular expression'],
    [['severity=critical'], 'severity: expected a pattern that meets warn or crit'],
    [[], 'expected at least one'],
  ])('%j is refused', (texts, message) => {
    expect(readMatches(texts)).toMatchObject({ ok: false, error: expect.stringContaining(message) })
  })

  test.each([
    [{ rule: '*' }, 'every alert'],
    [{ rule: '/.*/' }, 'every alert'],
    [{ rule: '!http_5xx' }, 'nearly every alert'],
    [{ severity: 'crit' }, 'every critical alert'],
    [{ severity: 'crit', team: '*' }, 'every critical alert'],
    [{ severity: 'warn' }, undefined],
    [{ rule: 'http_*' }, undefined],
  ])('%j reaches %s', (matchers, expected) => expect(reach(matchers)).toBe(expected))
})
