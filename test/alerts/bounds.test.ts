/** Shortened rather than lost: what a notification may carry at most, at and beyond each bound. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Notification, summaryAlertsMax, type ToldAlert } from '../../src/alerts/notification.ts'
import { alertmanagerBody } from '../../src/alerts/receivers/alertmanager.ts'
import { openEmail } from '../../src/alerts/receivers/email.ts'
import { renderMail } from '../../src/alerts/receivers/mail.ts'
import { shortened } from '../../src/alerts/receivers/receiver.ts'
import { fullBounds, shortBounds, shortenedNotification } from '../../src/alerts/receivers/shorten.ts'
import { bodyBytesMax, openWebhook, type WebhookBody } from '../../src/alerts/receivers/webhook.ts'
import { membersShownMax, subjectCharactersMax } from '../../src/alerts/receivers/wording.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { Stats } from '../../src/runtime/stats.ts'
import { startHook } from '../support/hook.ts'
import { notificationOf } from '../support/notifications.ts'
import { startSmtp } from '../support/smtp.ts'
import { type Given, transition } from '../support/transitions.ts'

const atMs = 1_760_000_000_000
const context = { consoleUrl: 'http://console', sendMs: atMs, timeZone: 'UTC' }
const forever = new AbortController().signal
const long = (of: string, length = 100_000) => of.repeat(Math.ceil(length / of.length)).slice(0, length)
const page = (given: Given = {}) => notificationOf([transition('crit', atMs, given)])
const mailOf = (given: Given = {}) => renderMail(page(given), context)

const huge: Given = {
  rule: long('rule_'),
  group: long('größe '),
  say: long('alles kaputt 🔔 '),
  reason: long('weil '),
  runbook: `https://wiki.example.org/${long('x')}`,
  values: Array.from({ length: 500 }, (_, i) => ({ name: long(`value${i}`, 3_000), value: i, text: long('9', 3_000) })),
  tags: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`tag${i}`, long('t', 3_000)])),
}

function summary(count: number, say: string): Notification {
  const all = Array.from({ length: count }, (_, i) => transition('crit', atMs, { group: `web/web${i}`, say }))
  const notification = notificationOf(all)
  const alerts = notification.alerts.slice(0, summaryAlertsMax) as ToldAlert[]
  return { ...notification, alerts, moreCount: count - alerts.length }
}

describe('the subject', () => {
  test('carries level, group, what is said, the value and the rule', () => {
    expect(mailOf({ say: 'Logins fail.' }).subject).toBe('CRIT verifier: Logins fail (6.3%) · http_5xx_spike')
  })

  test('says the value once, where the sentence has it already', () => {
    expect(mailOf().subject).toBe('CRIT verifier: 6.3% of requests to verifier fail · http_5xx_spike')
  })

  test('of a long sentence keeps the value and the rule', () => {
    const { subject } = mailOf({ say: long('words ') })
    expect(subject).toMatch(/^CRIT verifier: words .*… \(6\.3%\) · http_5xx_spike$/)
    expect(subject).toHaveLength(subjectCharactersMax)
  })

  test('of a long group and a long rule keeps the beginning of each, and something of what is said', () => {
    const { subject } = mailOf({ group: long('group'), rule: long('rule'), say: 'Logins fail.' })
    expect(subject).toMatch(/^CRIT (group)+\w*…: Logins fail \(6\.3%\) · (rule)+\w*…$/)
    expect(subject.length).toBeLessThanOrEqual(subjectCharactersMax)
  })

  test('at its bound is whole, one more is shortened', () => {
    const rest = 'CRIT verifier:  (6.3%) · http_5xx_spike'.length
    expect(mailOf({ say: long('x', subjectCharactersMax - rest) }).subject).not.toContain('…')
    expect(mailOf({ say: long('x', subjectCharactersMax - rest + 1) }).subject).toContain('…')
  })
})

describe('the body', () => {
  test('begins with level, rule, group and value, as a phone’s notification shows it', () => {
    expect(mailOf({ say: 'Logins fail.' }).text.split('\n')[0]).toBe('CRIT · http_5xx_spike · verifier · 6.3%')
  })

  test('of whatever is too long is short enough for mail programs, which clip beyond 100 KB', () => {
    const { subject, text, html = '' } = mailOf(huge)
    expect(subject.length).toBeLessThanOrEqual(subjectCharactersMax)
    expect(Buffer.byteLength(text)).toBeLessThan(40_000)
    expect(Buffer.byteLength(html)).toBeLessThan(60_000)
  })

  test(`lists ${membersShownMax} alerts of a summary and says how many more there are`, () => {
    const listed = (count: number) => renderMail(summary(count, 'fails'), context).text.match(/^CRIT web\/web/gm)
    const text = (count: number) => renderMail(summary(count, 'fails'), context).text
    expect(listed(membersShownMax)).toHaveLength(membersShownMax)
    expect(text(membersShownMax)).not.toContain('more, see the console')
    expect(listed(membersShownMax + 1)).toHaveLength(membersShownMax)
    expect(text(membersShownMax + 1)).toContain('… and 1 more, see the console')
    expect(text(5_000)).toContain(`… and ${5_000 - membersShownMax} more, see the console`)
    expect(Buffer.byteLength(renderMail(summary(5_000, long('words ')), context).html ?? '')).toBeLessThan(100_000)
  })
})

describe('a mail on its way', () => {
  test('has no header longer than servers take, whatever its names', async () => {
    const smtp = await startSmtp()
    const options = { clock: systemClock, stats: new Stats(), consoleUrl: 'http://console' }
    const email = openEmail({ to: ['a@example.org'], from: 'b@example.org', smtp: smtp.url }, options)
    try {
      const threads = Array.from({ length: 20 }, (_, i) => String(i).padStart(32, 'a'))
      expect((await email.send({ ...page(huge), threads }, forever)).outcome).toBe('delivered')
      const [received] = await smtp.received(1)
      const head = received?.raw.split('\r\n\r\n')[0] ?? ''
      expect(head.split('\r\n').every((line) => Buffer.byteLength(line) <= 998)).toBe(true)
      expect(head.length).toBeLessThan(8_000)
      expect(/[^\x20-\x7e\r\n\t]/.test(head), 'headers are ASCII on the wire').toBe(false)
      expect(received?.mail.subject).toContain('größe')
      expect(received?.raw.length).toBeLessThan(150_000)
    } finally {
      email.close()
      await smtp.close()
    }
  })

  test('too large for its server leaves again at once as text alone, with the same Message-ID', async () => {
    const smtp = await startSmtp()
    const stats = new Stats()
    const options = { clock: systemClock, stats, consoleUrl: 'http://console' }
    const email = openEmail({ to: ['a@example.org'], from: 'b@example.org', smtp: smtp.url }, options)
    const tries: string[] = []
    smtp.beforeAnswer = (raw) => void tries.push(raw)
    smtp.fail = (step) =>
      step === 'data' && (tries.at(-1)?.length ?? 0) > 12_000 ? { code: 552, text: '5.3.4 too big' } : undefined
    try {
      expect((await email.send(page(huge), forever)).outcome).toBe('delivered')
      const [received] = await smtp.received(1)
      expect(tries).toHaveLength(2)
      expect(tries[0]).toContain(received?.mail.messageId ?? '?')
      expect(received?.mail.html).toBeFalsy()
      expect(received?.mail.text).toContain('Shortened, because the mail server did not take the whole mail')
      expect(received?.mail.text).toMatch(/^CRIT · rule_/)
      expect(stats.get('shortened_total')).toBe(1)
    } finally {
      email.close()
      await smtp.close()
    }
  })
})

describe('a webhook’s body', () => {
  const post = async (notification: Notification, format?: 'alertmanager', refuseAbove = Number.POSITIVE_INFINITY) => {
    const hook = await startHook()
    const stats = new Stats()
    hook.answer = ({ body }, response) => response.writeHead(body.length > refuseAbove ? 413 : 204).end()
    const config = { url: hook.url, timeout: 10_000, ...(format && { format }) }
    const opened = openWebhook(config, { clock: systemClock, consoleUrl: 'http://console', connectionsMax: 1, stats })
    try {
      const delivery = await opened.send(notification, forever)
      const bodies = hook.posts.map(({ body }) => JSON.parse(String(body)) as WebhookBody)
      return { delivery, bodies, bytes: hook.posts.map(({ body }) => body.length), posts: hook.posts, stats }
    } finally {
      opened.close()
      await hook.close()
    }
  }

  test.each([undefined, 'alertmanager' as const])('never exceeds its bound (%s)', async (format) => {
    const alerts = Array.from({ length: summaryAlertsMax }, () => page(huge).alerts[0] as ToldAlert)
    const { bytes, delivery } = await post({ ...page(huge), alerts }, format)
    expect(delivery.outcome).toBe('delivered')
    expect(bytes).toEqual([expect.any(Number)])
    expect(bytes[0]).toBeLessThanOrEqual(bodyBytesMax)
  })

  test('that is too much for the receiver is sent again at once, shortened, with the same key', async () => {
    const { bodies, posts, delivery, stats } = await post(summary(150, long('words ', 1_000)), undefined, 20_000)
    expect(delivery.outcome).toBe('delivered')
    expect(bodies).toHaveLength(2)
    expect(new Set(posts.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(bodies[1]).toMatchObject({ title: bodies[0]?.title, moreCount: 150 - shortBounds.alertsMax })
    expect(bodies[1]?.alerts).toHaveLength(shortBounds.alertsMax)
    expect(bodies[1]?.alerts[0]?.say).toHaveLength(shortBounds.textMax)
    expect(stats.get('shortened_total')).toBe(1)
  })

  test('that is too much even so is refused', async () => {
    const { delivery, bodies } = await post(summary(3, 'fails'), undefined, 10)
    expect(delivery).toMatchObject({ outcome: 'refused', detail: 'HTTP 413' })
    expect(bodies).toHaveLength(2)
  })

  test('of Alertmanager says how many it leaves out', () => {
    const short = shortenedNotification(summary(150, 'fails'), shortBounds)
    expect(alertmanagerBody(short, '').truncatedAlerts).toBe(150 - shortBounds.alertsMax)
  })
})

describe('what is shortened', () => {
  test('has at most so many characters, and never half of one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.integer({ min: 1, max: 50 }), (text, max) => {
        const cut = shortened(text, max)
        expect(cut.length).toBeLessThanOrEqual(Math.max(max, 1))
        expect(cut.isWellFormed()).toBe(true)
        if (text.length <= max) expect(cut).toBe(text)
      }),
    )
    expect(shortened('ab🔔cd', 4)).toBe('ab…')
  })

  test('at the bound of alerts is whole, one more is counted', () => {
    const of = (count: number) => shortenedNotification(summary(count, 'fails'), { ...fullBounds, alertsMax: 10 })
    expect(of(10)).toMatchObject({ moreCount: 0 })
    expect(of(11)).toMatchObject({ moreCount: 1, alerts: { length: 10 } })
  })
})
