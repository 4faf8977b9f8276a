/** The body that receivers written for Alertmanager expect. */
import { expect, test } from 'vitest'
import { alertmanagerBody } from '../../src/alerts/receivers/alertmanager.ts'
import { openWebhook } from '../../src/alerts/receivers/webhook.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { startHook } from '../support/hook.ts'
import { notificationOf } from '../support/notifications.ts'
import { transition } from '../support/transitions.ts'

const atMs = Date.UTC(2026, 2, 1, 13, 5, 10)
const given = { sinceMs: atMs - 4000, runbook: 'https://wiki.example.org/5xx', tags: { 'on-call': 'identity' } }
const firing = notificationOf([transition('crit', atMs, given)])

test('names the rule and its group in labels, and what is wrong in annotations', () => {
  expect(alertmanagerBody(firing, 'http://console')).toEqual({
    version: '4',
    groupKey: '{}:{alertname="http_5xx_spike", process="verifier"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: firing.receiver,
    groupLabels: { alertname: 'http_5xx_spike', process: 'verifier' },
    commonLabels: { alertname: 'http_5xx_spike', process: 'verifier', severity: 'crit', on_call: 'identity' },
    commonAnnotations: {
      summary: '6.3% of requests to verifier fail.',
      description: 'errors / requests = 6.3% > 5% for 5s',
      runbook_url: 'https://wiki.example.org/5xx',
    },
    externalURL: 'http://console',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'http_5xx_spike', process: 'verifier', severity: 'crit', on_call: 'identity' },
        annotations: {
          summary: '6.3% of requests to verifier fail.',
          description: 'errors / requests = 6.3% > 5% for 5s',
          runbook_url: 'https://wiki.example.org/5xx',
        },
        startsAt: '2026-03-01T13:05:06.000Z',
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: 'http://console/rules/http_5xx_spike?group=verifier',
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
  })
})

test('an end has the same fingerprint and group key as what it ends', () => {
  const [alert] = firing.alerts
  if (!alert) throw new Error('no alert')
  const ended = {
    ...firing,
    kind: 'resolved' as const,
    alerts: [{ ...alert, state: 'resolved' as const, endedMs: atMs + 9000 }],
  }
  const [before, after] = [alertmanagerBody(firing, 'http://c'), alertmanagerBody(ended, 'http://c')]
  expect(after.status).toBe('resolved')
  expect(after.groupKey).toBe(before.groupKey)
  expect(after.alerts[0]?.fingerprint).toBe(before.alerts[0]?.fingerprint)
  expect(after.alerts[0]?.endsAt).toBe('2026-03-01T13:05:19.000Z')
})

test('a webhook of that format posts it, with the key and the signature as ever', async () => {
  const hook = await startHook()
  const options = { clock: systemClock, consoleUrl: 'http://console', connectionsMax: 1 }
  const receiver = openWebhook({ url: hook.url, timeout: 1000, secret: 'bell', format: 'alertmanager' }, options)
  await receiver.send(firing, new AbortController().signal)
  receiver.close()
  await hook.close()
  expect(JSON.parse(String(hook.posts[0]?.body))).toEqual(alertmanagerBody(firing, 'http://console'))
  expect(hook.posts[0]?.headers).toMatchObject({ 'idempotency-key': firing.key })
  expect(hook.posts[0]?.headers['x-tocsin-signature']).toMatch(/^sha256=/)
})
