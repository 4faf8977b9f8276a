import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/runtime/clock.ts'
import { type HookServer, startHook } from '../support/hook.ts'
import { freePort } from '../support/ports.ts'
import { type SmtpServer, startSmtp } from '../support/smtp.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'
import { type Road, startRoad } from './road.ts'

const running: { stop?(): Promise<void>; close?(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await (each.stop?.() ?? each.close?.())
})

const nowMs = 1_760_000_000_000

async function mailServer(): Promise<SmtpServer> {
  const smtp = await startSmtp()
  running.push(smtp)
  return smtp
}

async function hookServer(): Promise<HookServer> {
  const hook = await startHook()
  running.push(hook)
  return hook
}

async function road(...given: Parameters<typeof startRoad>): Promise<Road> {
  const started = await startRoad(...given)
  running.push(started)
  return started
}

const oncall = (smtp: SmtpServer) => `receivers: {oncall: {email: {to: oncall@example.org, smtp: "${smtp.url}"}}}`
const hookOnly = (url: string) => `receivers: {ops: {webhook: {url: "${url}", timeout: 5s}}}`
const counters = (of: Road) => of.statuses.at(-1)?.counters ?? {}

/** A manual clock moved along in real time, so that real sockets and due retries meet. */
async function advanceUntil(clock: ManualClock, condition: () => boolean, stepMs: number): Promise<void> {
  await until(async () => {
    if (condition()) return true
    await clock.advanceBy(stepMs)
    return false
  })
}

describe('from a transition to a mail', () => {
  test('a crit transition is mailed, its end as a reply in the same thread', async () => {
    const smtp = await mailServer()
    const alerts = await road(oncall(smtp))
    await alerts.tick(nowMs)
    await alerts.say(transition('crit', nowMs), { packetMs: nowMs - 700, flushMs: nowMs + 10, ruleMs: nowMs + 12 })
    const [page] = await smtp.received(1)
    expect(page?.mail.subject).toBe('CRIT verifier: 6.3% of requests to verifier fail · http_5xx_spike')
    expect(page?.mail.text).toContain('flush +710 ms → rule +712 ms → send +')
    await alerts.say(transition('ok', nowMs + 60_000))
    const [, end] = await smtp.received(2)
    expect(end?.mail.subject).toMatch(/^OK verifier after 1m · /)
    expect(end?.mail.inReplyTo).toBe(page?.mail.messageId)
  })

  test('with a mail server on this machine it takes a moment until DATA is done', async () => {
    const smtp = await mailServer()
    const alerts = await road(oncall(smtp))
    await until(() => smtp.connections === 1)
    const took: number[] = []
    for (let i = 0; i < 20; i++) {
      const startMs = performance.now()
      await alerts.say(transition('crit', nowMs, { rule: `rule${i}` }))
      const mails = await smtp.received(i + 1)
      took.push((mails.at(-1)?.atMs ?? 0) - startMs)
    }
    const median = took.sort((a, b) => a - b)[10]
    // With the picture some 10 ms where nothing else runs; bench/page.ts measures.
    expect(median).toBeLessThan(250)
  })

  test('a claim is on the log before the mail is sent, and a receipt after it', async () => {
    const smtp = await mailServer()
    const alerts = await road(oncall(smtp))
    const seen: number[] = []
    smtp.beforeAnswer = () => void seen.push(alerts.claims.length, alerts.receipts.length)
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    expect(seen).toEqual([1, 0])
    const key = alerts.claims[0]?.key
    expect(alerts.receipts).toMatchObject([
      { key, outcome: 'delivered', attempt: 1, fingerprint: 'http_5xx_spike/verifier', kind: 'firing' },
    ])
    expect(smtp.mails[0]?.mail.messageId).toContain(key)
  })

  test('a transition that is read twice, also after a restart, is mailed once', async () => {
    const smtp = await mailServer()
    const alerts = await road(oncall(smtp))
    await alerts.say(transition('crit', nowMs))
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    await alerts.restart()
    await alerts.say(transition('crit', nowMs))
    await alerts.say(transition('ok', nowMs + 5000))
    const mails = await smtp.received(2)
    expect(mails.map(({ mail }) => mail.subject?.split(' ')[0])).toEqual(['CRIT', 'OK'])
  })

  test('after a restart the end goes, in the thread, to who got the page, though the rule and the route are gone', async () => {
    const smtp = await mailServer()
    const other = `ops: {email: {to: ops@example.org, smtp: "${smtp.url}"}}`
    const alerts = await road(`${oncall(smtp).replace(/}$/, `, ${other}}`)}\nroute: {receiver: oncall}`)
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    await alerts.restart(`${oncall(smtp).replace(/}$/, `, ${other}}`)}\nroute: {receiver: ops}`)
    await alerts.say(transition('forgotten', nowMs + 5000))
    const [page, end] = await smtp.received(2)
    expect(end?.to).toEqual(['oncall@example.org'])
    expect(end?.mail.inReplyTo).toBe(page?.mail.messageId)
  })

  test('what waited while the part was down is sent when it starts', async () => {
    const smtp = await mailServer()
    const alerts = await road(oncall(smtp))
    await alerts.part.stop()
    await alerts.say(transition('crit', nowMs))
    await alerts.restart()
    expect(await smtp.received(1)).toHaveLength(1)
  })

  test('a window of collected pages closes although no engine sends the time any more', async () => {
    const hook = await hookServer()
    const clock = new ManualClock(nowMs)
    const alerts = await road(hookOnly(hook.url), clock)
    await alerts.tick(nowMs)
    for (const group of ['a', 'b', 'c', 'd', 'e']) await alerts.say(transition('crit', nowMs, { group }))
    await until(() => hook.posts.length === 3)
    await advanceUntil(clock, () => hook.posts.length === 4, 500)
    expect(JSON.parse(String(hook.posts[3]?.body)).alerts.map((alert: { groupKey: string }) => alert.groupKey)).toEqual(
      ['d', 'e'],
    )
    expect(clock.now() - nowMs).toBeLessThan(20_000)
  })
})

describe('a receiver that fails', () => {
  test('is tried again with growing pauses and the same key, until it takes it', async () => {
    const hook = await hookServer()
    const clock = new ManualClock(nowMs)
    const alerts = await road(hookOnly(hook.url), clock)
    hook.answer = (_posted, response) => response.writeHead(hook.posts.length < 5 ? 503 : 200).end()
    await alerts.say(transition('crit', nowMs))
    await advanceUntil(clock, () => alerts.receipts.at(-1)?.outcome === 'delivered', 100)
    expect(alerts.receipts.map(({ outcome, attempt }) => `${attempt} ${outcome}`)).toEqual([
      '1 failed',
      '2 failed',
      '3 failed',
      '4 failed',
      '5 delivered',
    ])
    const pauses = alerts.receipts.slice(0, 4).map(({ retryMs, atMs }) => (retryMs ?? 0) - atMs)
    pauses.forEach((pause, i) => {
      expect(pause).toBeGreaterThanOrEqual(500 * 2 ** i)
      expect(pause).toBeLessThanOrEqual(1000 * 2 ** i + 1)
    })
    expect(new Set(hook.posts.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  test('a refusal is a dead letter at once', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    hook.answer = (_posted, response) => response.writeHead(404).end('no such hook')
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    expect(alerts.receipts).toMatchObject([{ outcome: 'dead', detail: 'HTTP 404: no such hook' }])
    await until(() => alerts.statuses.at(-1)?.problem)
    expect(alerts.statuses.at(-1)?.problem).toContain('ops does not take notifications: HTTP 404: no such hook')
  })

  test('delays nobody else', async () => {
    const [smtp, hook] = [await mailServer(), await hookServer()]
    hook.answer = () => {}
    const alerts = await road(
      `receivers:\n  ops: {webhook: {url: "${hook.url}"}}\n  oncall: {email: {to: oncall@example.org, smtp: "${smtp.url}"}}`,
    )
    for (let i = 0; i < 20; i++) await alerts.say(transition('crit', nowMs, { rule: `rule${i}` }))
    expect(await smtp.received(20)).toHaveLength(20)
    expect(hook.posts.length).toBeLessThanOrEqual(4)
    hook.answer = (_posted, response) => response.writeHead(200).end()
    hook.dropConnections()
  })

  test('what could not be sent leaves as soon as the receiver takes anything again', async () => {
    const port = await freePort()
    const clock = new ManualClock(nowMs)
    const alerts = await road(
      `receivers: {oncall: {email: {to: oncall@example.org, smtp: "smtp://127.0.0.1:${port}"}}}`,
      clock,
    )
    for (let i = 0; i < 5; i++) await alerts.say(transition('crit', nowMs, { rule: `rule${i}` }))
    await advanceUntil(clock, () => alerts.receipts.length >= 40, 5_000)
    const smtp = await startSmtp({ port })
    running.push(smtp)
    await alerts.say(transition('crit', nowMs, { rule: 'news' }))
    expect(await smtp.received(6)).toHaveLength(6)
    await until(() => alerts.receipts.filter(({ outcome }) => outcome === 'delivered').length === 6)
  })

  test('its problem is in the status, and gone when it takes notifications again', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    let takes = false
    hook.answer = (_posted, response) => response.writeHead(takes ? 200 : 500).end()
    await alerts.say(transition('crit', nowMs))
    await until(() =>
      alerts.statuses.at(-1)?.problem?.includes('ops does not take notifications: HTTP 500 (1 waiting)'),
    )
    takes = true
    await until(() => alerts.statuses.at(-1)?.problem === undefined)
    const { retries_total: retries, failed_total: failed, ...others } = counters(alerts)
    expect(others).toMatchObject({ notifications_sent_total: 1, firing: 1 })
    expect(retries).toBeGreaterThanOrEqual(1)
    expect(failed).toBe(retries)
    expect(alerts.logged.filter((line) => / ops (does not take|takes) notifications/.test(line))).toHaveLength(2)
  })

  test('the end waits for the page, and is not sent when the page never arrived', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    const answers = [503, 404]
    hook.answer = (_posted, response) => response.writeHead(answers.shift() ?? 200).end()
    await alerts.say(transition('crit', nowMs))
    await alerts.say(transition('ok', nowMs + 1000))
    await until(() => alerts.receipts.length === 3)
    expect(alerts.receipts.map(({ kind, outcome, detail }) => [kind, outcome, detail])).toEqual([
      ['firing', 'failed', 'HTTP 503'],
      ['firing', 'dead', 'HTTP 404'],
      ['resolved', 'dead', 'the page that this ends never arrived'],
    ])
    expect(hook.posts).toHaveLength(2)
  })
})

describe('reload', () => {
  test('routes and receivers change together', async () => {
    const [former, latter] = [await hookServer(), await hookServer()]
    const alerts = await road(hookOnly(former.url))
    await alerts.say(transition('crit', nowMs))
    await until(() => former.posts.length === 1)
    await alerts.reload(`receivers: {team: {webhook: {url: "${latter.url}"}}}\nroute: {receiver: team}`)
    await alerts.say(transition('crit', nowMs, { group: 'other' }))
    await until(() => latter.posts.length === 1)
    expect(former.posts).toHaveLength(1)
  })

  test('what waits for a removed receiver becomes a dead letter, not a silence', async () => {
    const [hook, other] = [await hookServer(), await hookServer()]
    hook.answer = (_posted, response) => response.writeHead(503).end()
    const alerts = await road(hookOnly(hook.url))
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length >= 1)
    await alerts.reload(`receivers: {team: {webhook: {url: "${other.url}"}}}`)
    await until(() => alerts.receipts.at(-1)?.outcome === 'dead')
    expect(alerts.receipts.at(-1)).toMatchObject({ receiver: 'ops', detail: 'this receiver is no longer configured' })
  })

  test('a mended receiver gets what waits for it', async () => {
    const [wrong, right] = [await hookServer(), await hookServer()]
    wrong.answer = (_posted, response) => response.writeHead(503).end()
    const alerts = await road(hookOnly(wrong.url))
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length >= 1)
    await alerts.reload(hookOnly(right.url))
    await until(() => right.posts.length === 1)
  })
})

describe('without receivers', () => {
  test('alerts are kept and counted, and it is said once at the start', async () => {
    const alerts = await road('receivers: {}')
    await alerts.say(transition('crit', nowMs))
    await until(() => counters(alerts).firing === 1)
    expect(alerts.logged.filter((line) => line.includes('no receivers are configured'))).toHaveLength(1)
    await alerts.part.stop()
    const database = new DatabaseSync(path.join(alerts.dir, 'alerts.sqlite'), { readOnly: true })
    expect(database.prepare('SELECT change, notify, reason FROM decisions').all()).toEqual([
      { change: 'raised', notify: 0, reason: 'no receiver' },
    ])
    database.close()
  })
})

describe('the database', () => {
  test('one that is damaged is set aside, loudly, and rebuilt from the log; nobody is told again', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    await alerts.part.stop()
    fs.writeFileSync(path.join(alerts.dir, 'alerts.sqlite'), 'nonsense '.repeat(2000))
    await alerts.restart()
    expect(alerts.logged.join('')).toMatch(
      /alerts\.sqlite cannot be used \(.*not a database\); it is kept as alerts\.sqlite\.unusable-\d+/,
    )
    await alerts.say(transition('ok', nowMs + 1000))
    await until(() => hook.posts.length === 2)
    expect(hook.posts.map(({ body }) => JSON.parse(String(body)).kind)).toEqual(['firing', 'resolved'])
  })

  test('when it cannot be written, alerts go on in memory, the status says so, and later everything is saved', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    const file = path.join(alerts.dir, 'alerts.sqlite')
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    await alerts.say(transition('crit', nowMs))
    await until(() => hook.posts.length === 1)
    await until(() => alerts.statuses.at(-1)?.problem?.includes('alerts cannot be saved, going on in memory'))
    other.exec('ROLLBACK')
    other.close()
    await until(() => alerts.statuses.at(-1)?.problem === undefined)
    const database = new DatabaseSync(file, { readOnly: true })
    expect(database.prepare('SELECT fingerprint FROM alerts').all()).toEqual([
      { fingerprint: 'http_5xx_spike/verifier' },
    ])
    database.close()
  })

  test('what the log no longer has is said', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    for (let i = 0; i < 20; i++) await alerts.tick(nowMs + i * 1000)
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    await alerts.part.stop()
    await alerts.bus.close()
    fs.rmSync(path.join(alerts.dir, 'log'), { recursive: true })
    await alerts.restart()
    await alerts.tick(nowMs + 30_000)
    await until(() => alerts.logged.join('').includes('alerts-log is another than the one read before'))
    await alerts.say(transition('ok', nowMs + 31_000))
    await until(() => hook.posts.length === 2)
  })
})

describe('who sends', () => {
  test('of two nodes on one bus only the one that leads; the other goes on when it stops', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    const { startAlerts } = await import('../../src/alerts/index.ts')
    const dir = fs.mkdtempSync(`${alerts.dir}/standby-`)
    const standby = await startAlerts({ ...alerts.config, data: dir }, { ...alerts.context, instance: 'standby' })
    running.push(standby)
    await alerts.say(transition('crit', nowMs))
    await until(() => alerts.receipts.length === 1)
    await alerts.part.stop()
    await alerts.say(transition('ok', nowMs + 1000))
    await until(() => alerts.receipts.length === 2)
    expect(alerts.receipts.map(({ by }) => by)).toEqual(['test-1', 'standby'])
    expect(hook.posts).toHaveLength(2)
  })
})

describe('stopping', () => {
  test('what is due still leaves', async () => {
    const smtp = await mailServer()
    const alerts = await road(oncall(smtp))
    for (let i = 0; i < 10; i++) await alerts.say(transition('crit', nowMs, { rule: `rule${i}` }))
    await alerts.part.stop()
    expect(smtp.mails).toHaveLength(10)
  })

  test('what cannot leave is kept, and the stop is over within seconds', async () => {
    const hook = await hookServer()
    hook.answer = () => {}
    const alerts = await road(hookOnly(hook.url))
    await alerts.say(transition('crit', nowMs))
    await until(() => hook.posts.length === 1)
    const startMs = performance.now()
    await alerts.part.stop()
    expect(performance.now() - startMs).toBeLessThan(7_000)
    hook.answer = (_posted, response) => response.writeHead(200).end()
    await alerts.restart()
    await until(() => alerts.receipts.at(-1)?.outcome === 'delivered')
    expect(hook.posts.map(({ headers }) => headers['idempotency-key'])[1]).toBe(
      hook.posts[0]?.headers['idempotency-key'],
    )
  })
})

describe('bad messages', () => {
  test('a transition without its fields is counted and located, and the next one is handled', async () => {
    const hook = await hookServer()
    const alerts = await road(hookOnly(hook.url))
    await alerts.bus.publish('transitions.broken', { id: 'x', rule: 'broken', to: 'crit', bucketMs: 1 } as never)
    await alerts.say(transition('crit', nowMs))
    await until(() => hook.posts.length === 1)
    expect(alerts.logged.join('')).toMatch(/alerts-log, entry 0: transitions: group/)
    await until(() => counters(alerts).bad_messages_total === 1)
  })
})
