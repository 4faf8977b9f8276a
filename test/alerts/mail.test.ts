import { describe, expect, test } from 'vitest'
import { plainMail, renderMail } from '../../src/alerts/receivers/mail.ts'
import { age, sparkline, type WordingContext } from '../../src/alerts/receivers/wording.ts'
import { notificationOf } from '../support/notifications.ts'
import { type Given, transition } from '../support/transitions.ts'

/** 2026-03-01 14:05:10 in Berlin. */
const atMs = Date.UTC(2026, 2, 1, 13, 5, 10)
const context: WordingContext = {
  consoleUrl: 'https://tocsin.example.org',
  sendMs: atMs + 318,
  timeZone: 'Europe/Berlin',
}
const hops = { packetMs: atMs - 612, flushMs: atMs + 2, ruleMs: atMs + 9 }

const spike: Given = {
  sinceMs: atMs - 4000,
  runbook: 'https://wiki.example.org/runbooks/5xx?service=verifier&level=crit',
  say: '6.3% of requests to verifier fail.\nThe verifier checks every assertion: nobody can log in while it is down.',
  partial: { alive: 19, known: 20 },
}

function crit(given: Given = {}) {
  return renderMail(notificationOf([transition('crit', atMs, { ...spike, ...given })], { hops }), context)
}

describe('a mail as people see it', () => {
  test('a page: subject, text and HTML', async () => {
    const { subject, text, html } = crit()
    await expect(`Subject: ${subject}\n\n${text}`).toMatchFileSnapshot('golden/page.txt')
    await expect(`${html}\n`).toMatchFileSnapshot('golden/page.html')
  })

  test('its end', async () => {
    const ended = transition('ok', atMs + 250_000, {
      values: [{ name: 'errors / requests', value: 0.001, text: '0.1%' }],
    })
    const notification = notificationOf([transition('crit', atMs, spike), ended])
    const { subject, text } = renderMail(notification, { ...context, sendMs: atMs + 250_020 })
    await expect(`Subject: ${subject}\n\n${text}`).toMatchFileSnapshot('golden/resolved.txt')
  })

  test('a summary of many groups', async () => {
    const pages = Array.from({ length: 7 }, (_, i) =>
      transition(i === 3 ? 'warn' : 'crit', atMs, {
        group: `web/web${i + 1}`,
        say: `web${i + 1} fails ${i + 2}% of its requests.`,
      }),
    )
    const over = transition('ok', atMs + 5000, { group: 'web/web6' })
    const { subject, text, html } = renderMail(notificationOf([...pages, over], { moreCount: 40 }), context)
    await expect(`Subject: ${subject}\n\n${text}`).toMatchFileSnapshot('golden/summary.txt')
    await expect(`${html}\n`).toMatchFileSnapshot('golden/summary.html')
  })

  test('a reminder and a last notice say what they are', () => {
    const page = transition('crit', atMs, spike)
    const reminder = renderMail(notificationOf([page], { kind: 'reminder' }), { ...context, sendMs: atMs + 7_500_000 })
    expect(reminder.subject).toBe('CRIT verifier still: 6.3% of requests to verifier fail · http_5xx_spike')
    expect(reminder.text).toContain('CRIT, still, for 2h5m · http_5xx_spike · verifier')
    const gone = renderMail(notificationOf([page, transition('forgotten', atMs + 86_400_000)]), context)
    expect(gone.subject).toMatch(/^GONE verifier after 1d · /)
    expect(gone.text).toContain('nobody saw it recover')
  })
})

describe('the subject on a phone', () => {
  test('the level, the group and what happens come first, the rule last', () => {
    expect(crit().subject).toBe('CRIT verifier: 6.3% of requests to verifier fail · http_5xx_spike')
  })

  test('a rule with one group has no group in it', () => {
    expect(crit({ group: 'all', say: 'Nobody can log in.' }).subject).toBe(
      'CRIT: Nobody can log in (6.3%) · http_5xx_spike',
    )
  })

  test('a rule that says nothing gives its reason', () => {
    expect(crit({ say: '' }).subject).toBe('CRIT verifier: errors / requests = 6.3% > 5% for 5s · http_5xx_spike')
  })

  test('it stays one line of bounded length, whatever the rule says', () => {
    const { subject } = crit({ say: `line one\r\nBcc: everyone@example.org ${'x'.repeat(5000)}` })
    expect(subject).not.toMatch(/[\r\n]/)
    expect(subject.length).toBeLessThanOrEqual(150)
    expect(subject).toMatch(/ · http_5xx_spike$/)
  })
})

describe('the body', () => {
  test('nothing from a rule or a metric is markup', () => {
    const evil = '<script>alert(1)</script>"\'&'
    const { html } = crit({ say: evil, group: evil, reason: evil, values: [{ name: evil, value: 1, text: evil }] })
    expect(html).not.toContain('<script')
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;')
  })

  test('only web addresses become links', () => {
    expect(crit({ runbook: 'javascript:alert(1)' }).html).not.toContain('href="javascript')
    expect(crit({ runbook: 'ask Ada' }).text).toContain('Runbook  ask Ada')
    expect(crit({ runbook: 'docs/runbooks.md#x' }).text).toMatch(
      /Runbook {2}https?:\/\/[^/\s]+\/docs\/runbooks\.md#x$/m,
    )
    expect(crit({ runbook: 'docs/runbooks.md#x' }).html).toMatch(/href="http[^"]+\/docs\/runbooks\.md#x"/)
  })

  test('the link leads to the rule’s page in the console, with the group', () => {
    const { text } = crit({ group: 'web/web 1&2' })
    expect(text).toContain('https://tocsin.example.org/rules/http_5xx_spike?group=web%2Fweb%201%262')
  })

  test('long texts are shortened, not refused', () => {
    const { text } = crit({ say: 'x'.repeat(100_000), reason: 'y'.repeat(100_000) })
    expect(text.length).toBeLessThan(10_000)
    expect(text).toContain('…')
  })

  test('hop times are given in ms since the packet, up to the sending', () => {
    expect(crit().text).toContain(
      'packet 13:05:09.388 UTC → flush +614 ms → rule +621 ms → send +930 ms: 930 ms in all',
    )
  })

  test('what is left when the words fail names rule, groups and the failure', () => {
    const plain = plainMail(notificationOf([transition('crit', atMs, spike)]), 'no words')
    expect(plain.subject).toBe('CRIT verifier · http_5xx_spike')
    expect(plain.text).toContain('no words')
    expect(plain.text).toContain('6.3% of requests to verifier fail')
  })
})

describe('small words', () => {
  test.each([
    [[0, 1, 2, 3, 4, 5, 6, 7], '▁▂▃▄▅▆▇█'],
    [[5, 5, 5], '▁▁▁'],
    [[0, null, 1], '▁·█'],
    [[null, null], ''],
    [[], ''],
  ])('the trend of %j is "%s"', (values, line) => expect(sparkline(values)).toBe(line))

  test.each([
    [0, '0s'],
    [12_400, '12s'],
    [250_000, '4m10s'],
    [7_520_000, '2h5m'],
    [90_000_000, '1d1h'],
    [-5, '0s'],
  ])('%d ms is "%s" for people', (ms, text) => expect(age(ms)).toBe(text))
})

describe('what is not one page', () => {
  const alerts = [
    transition('crit', atMs, { ...spike, rule: 'http_5xx' }),
    transition('warn', atMs, { ...spike, rule: 'latency', group: 'web' }),
  ]
  const mail = (given: object) => renderMail(notificationOf(alerts, given), context)

  test('a summary of what was over a limit names the rules, and the rule of each alert', () => {
    const { subject, text } = mail({ turn: 'digest', remark: 'gathered, because of the limit of 30 per 10m' })
    expect(subject).toBe('CRIT 2 alerts, summary: http_5xx, latency')
    expect(text).toContain('WARN latency web: 6.3%')
    expect(text).toContain('gathered, because of the limit of 30 per 10m')
  })

  test('a notice is no page: its subject is its remark', () => {
    const remark =
      'silence s1 (ann: deploy) ends at 12:00 and hides 2 that fire; to let it last longer: tocsin silence extend s1'
    const { subject, text } = mail({ kind: 'notice', remark })
    expect(subject).toBe('NOTE silence s1 (ann: deploy) ends at 12:00 and hides 2 that fire')
    expect(text).toContain('tocsin silence extend s1')
  })

  test('that an alert flaps stands in the subject, and what follows in a note', () => {
    const { subject, text } = renderMail(
      notificationOf([transition('crit', atMs, spike)], { turn: 'flapping', remark: 'it flaps: 5 times in 30m' }),
      context,
    )
    expect(subject).toMatch(/^CRIT verifier flapping: 6\.3% of requests/)
    expect(text).toContain('it flaps: 5 times in 30m')
  })
})
