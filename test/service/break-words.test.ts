import { expect, test } from 'vitest'
import { createPaint } from '../../service/banner.ts'
import { describeBreak, describeFault } from '../../service/break-words.ts'
import { faultDefaults, faultKinds } from '../../service/fault.ts'
import type { Expected } from '../../service/forecast.ts'
import { formatLocal } from '../../src/runtime/clock.ts'

const nowMs = 1_772_373_909_400
const paint = createPaint(false, {})
const time = (afterMs: number) => formatLocal(nowMs + afterMs).slice(11, 19)
const words = (expected: Expected[] | undefined) =>
  describeBreak(
    {
      process: 'verifier',
      fault: { kind: '5xx', ...faultDefaults },
      nowMs,
      expected,
      consoleUrl: 'http://127.0.0.1:8989',
      mailboxUrl: 'http://127.0.0.1:8989/mailbox',
    },
    paint,
  )
const one = (afterMs: number, to: Expected['to'], change: Partial<Expected> = {}): Expected => {
  return { atMs: nowMs + afterMs, rule: 'http_5xx_spike', groupKey: 'verifier', from: 'ok', to, ...change }
}

test('what is broken, what happens when, and where to watch', () => {
  expect(words([one(1600, 'crit'), one(131_600, 'ok', { from: 'crit' })])).toBe(`
  verifier answers 50% of its requests with 503.
  It heals by itself in 1m, at ${time(60_000)}; at once with: npm run break -- verifier heal

  What should happen
    ${time(1600)}  after 2s      http_5xx_spike goes critical: the page arrives
    ${time(60_000)}  after 1m      verifier is well again
    ${time(131_600)}  after 2m12s   http_5xx_spike is resolved: the mail that says so arrives

  Where to watch
    Console    http://127.0.0.1:8989
    Mailbox    http://127.0.0.1:8989/mailbox

`)
})

test('a rule that fires for another process says for which, and a second step is no second page', () => {
  const text = words([one(9000, 'warn', { groupKey: 'router' }), one(12_000, 'crit', { from: 'warn' })])
  expect(text).toContain('http_5xx_spike (router) warns')
  expect(text).toContain('http_5xx_spike goes from warning to critical')
})

test('a fault that no rule notices is said to be one, and so are rules that are wrong', () => {
  expect(words([])).toContain('No rule notices this')
  expect(words(undefined)).toContain('The rules or checks are wrong')
})

test('a group without data is shown, not mailed about', () => {
  const text = words([one(300_000, 'nodata'), one(360_000, 'ok', { from: 'nodata' })])
  expect(text).toContain('http_5xx_spike has no data any more')
  expect(text).toContain('http_5xx_spike has data again')
  expect(text).not.toContain('the mail')
})

test('each kind has a sentence of its own', () => {
  const sentences = faultKinds.map((kind) => describeFault('proxy', { ...faultDefaults, kind }))
  expect(new Set(sentences).size).toBe(faultKinds.length)
  for (const sentence of sentences) expect(sentence).toMatch(/^proxy .*\.$/)
})
