import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseBreakCommand } from '../../service/break-command.ts'
import { faultKinds } from '../../service/fault.ts'
import { processNames } from '../../service/settings.ts'

const parse = (line: string) => parseBreakCommand(line.split(' ').filter(Boolean))

describe('npm run break -- understands', () => {
  test.each([
    ['verifier 5xx', { process: 'verifier', fault: { kind: '5xx', share: 0.5, forMs: 60_000 } }],
    ['verifier 5xx 30%', { process: 'verifier', fault: { kind: '5xx', share: 0.3 } }],
    ['router 5xx 1 --for 5m', { process: 'router', fault: { kind: '5xx', share: 1, forMs: 300_000 } }],
    ['dbwriter slow', { process: 'dbwriter', fault: { kind: 'slow', ms: 2000 } }],
    ['dbwriter slow 800ms', { process: 'dbwriter', fault: { kind: 'slow', ms: 800 } }],
    ['dbwriter slow 800', { process: 'dbwriter', fault: { kind: 'slow', ms: 800 } }],
    ['--for 30s proxy hang', { process: 'proxy', fault: { kind: 'hang', forMs: 30_000 } }],
    ['keysigner kill', { process: 'keysigner', fault: { kind: 'kill' } }],
    ['browserid dependency', { process: 'browserid', fault: { kind: 'dependency' } }],
    ['verifier heal', { do: 'heal', process: 'verifier' }],
    ['verifier hang --help', { do: 'help' }],
  ])('%s', (line, expected) => {
    const parsed = parse(line)
    expect(parsed.ok && parsed.value).toMatchObject(expected)
  })
})

describe('and answers what it does not understand with what may have been meant', () => {
  test.each([
    ['', 'which process? One of: router,'],
    ['verifier', 'which kind? One of: 5xx, slow, hang, kill, dependency, heal'],
    ['verifer 5xx', 'there is no process "verifer"; did you mean "verifier"?'],
    ['nginx 5xx', 'there is no process "nginx" One of: router'],
    ['verifier 5x', 'there is no kind "5x"; did you mean "5xx"?'],
    ['verifier 5xx 150%', '5xx: expected a share such as 50%, got "150%"'],
    ['verifier 5xx 0', '5xx: expected a share'],
    ['verifier slow fast', 'slow: expected a delay such as 2s, up to 1m, got "fast"'],
    ['verifier hang 3', 'what is "3" after "hang"?'],
    ['verifier heal now', 'what is "now" after "heal"?'],
    ['verifier 5xx 30% please', 'what is "please" after "5xx"?'],
    ['verifier 5xx --for 60', '--for: expected a duration such as 60s, up to 1h, got "60"'],
    ['verifier 5xx --for 2d', '--for: expected a duration'],
    ['verifier 5xx --until noon', "Unknown option '--until'"],
  ])('"%s"', (line, message) => {
    const parsed = parse(line)
    expect(parsed.ok ? 'understood' : parsed.error).toContain(message)
  })
})

test('whatever is typed is understood or refused, and what is understood is within bounds', () => {
  const word = fc.oneof(fc.constantFrom(...processNames, ...faultKinds, 'heal', '--for', '60s'), fc.string())
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      const parsed = parseBreakCommand(words)
      if (!parsed.ok || parsed.value.do !== 'break') return
      const { share, ms, forMs } = parsed.value.fault
      expect(share > 0 && share <= 1 && ms >= 1 && ms <= 60_000 && forMs >= 1 && forMs <= 3_600_000).toBe(true)
    }),
  )
})
