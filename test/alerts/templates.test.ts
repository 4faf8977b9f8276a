/** `alerts.templates`: a person's words in mails and webhooks, and what happens when they fail. */

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { notifyPreview } from '../../src/alerts/notify-preview.ts'
import { templateRule } from '../../src/alerts/own-alerts.ts'
import { templated, textCharactersMax } from '../../src/alerts/receivers/templated.ts'
import { subjectCharactersMax } from '../../src/alerts/receivers/wording.ts'
import { fillTemplate, parseTemplate, templateCharactersMax } from '../../src/model/template.ts'
import { ManualClock, systemClock } from '../../src/runtime/clock.ts'
import { startHook } from '../support/hook.ts'
import { notificationOf } from '../support/notifications.ts'
import { startSmtp } from '../support/smtp.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'
import { configOf, startRoad } from './road.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const atMs = Date.UTC(2026, 2, 1, 13, 5, 10)
const context = { consoleUrl: 'http://console', sendMs: atMs + 60_000, timeZone: 'UTC' }
const given = { group: 'web/web1', tags: { team: 'identity' }, runbook: 'https://wiki.example.org/x' }
const page = notificationOf([transition('crit', atMs, given)], { receiver: 'oncall' })
const said = (text: string, notification = page) => templated(notification, context, { text })

describe('templates that must parse', () => {
  test.each([
    ['no holes', 'no holes'],
    ['{status} {level} {kind} {rule}', 'CRIT crit firing http_5xx_spike'],
    ['{group}: {say}', 'web/web1: 6.3% of requests to web/web1 fail.'],
    ['{group.process} {group.host}', 'web web1'],
    ['{value} of {value.requests}', '6.3% of 1000'],
    ['{values}', 'errors = 63 · requests = 1000 · errors / requests = 6.3%'],
    ['{tag.team} {tag.floor|nobody} {tag.floor|}', 'identity nobody '],
    ['{since} {duration}', '2026-03-01 13:05:10 UTC 1m'],
    ['{runbook} {receiver} {count}', 'https://wiki.example.org/x oncall 1'],
    ['{console}', 'http://console/rules/http_5xx_spike?group=web%2Fweb1'],
    ['{{not a hole}} {level}', '{not a hole} crit'],
    ['{value.errors / requests}', '6.3%'],
  ])('%s', (text, expected) => expect(said(text)).toEqual({ text: expected }))
})

describe('templates that must not', () => {
  test.each([
    ['{}', 'there is no hole {}'],
    ['{rul}', 'there is no hole {rul}'],
    ['{host}', 'there is no hole {host}'],
    ['{tags.team}', 'there is no hole {tags.team}'],
    ['{tag.}', 'there is no hole {tag.}'],
    ['{open', 'a brace without its other half'],
    ['close}', 'a brace without its other half'],
    ['x'.repeat(templateCharactersMax + 1), `expected at most ${templateCharactersMax} characters`],
  ])('%s', (text, problem) => {
    const parsed = parseTemplate(text)
    expect(parsed.ok ? [] : parsed.error[0]?.message).toContain(problem)
  })

  test('whatever is written, reading it never throws, and what is read can be filled', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', '|', '.', 'a', 'tag.', 'rule', ' ') }), (text) => {
        const parsed = parseTemplate(text)
        if (parsed.ok) expect(fillTemplate(parsed.value, () => 'x').ok).toBe(true)
      }),
    )
  })
})

describe('a filled template', () => {
  test('of several alerts lists their names, and no more than a few', () => {
    const all = Array.from({ length: 7 }, (_, i) => transition('crit', atMs, { group: `web/web${i}` }))
    const summary = notificationOf(all, { moreCount: 3 })
    expect(said('{count}: {group}', summary).text).toBe('10: web/web0, web/web1, web/web2, web/web3, web/web4, …')
    expect(said('{group.process}', summary).text).toBe('web')
  })

  test('that has nothing for a hole names the hole, the rule and the cure', () => {
    expect(said('{tag.floor}').problem).toBe(
      'alerts.templates.text: {tag.floor} is missing; {tag.floor|…} would say something instead (rule http_5xx_spike)',
    )
    expect(templated(page, context, { subject: '{tag.floor|}' }).problem).toContain('it came out empty')
  })

  test('is one line of bounded length as a subject, and bounded as a text', () => {
    const long = notificationOf([transition('crit', atMs, { say: `a\r\nBcc: b ${'x'.repeat(90_000)}` })])
    const { subject = '', text = '' } = templated(long, context, { subject: '{say}', text: '{reason}{say}'.repeat(50) })
    expect(subject).not.toMatch(/[\r\n]/)
    expect(subject.length).toBeLessThanOrEqual(subjectCharactersMax)
    expect(text.length).toBeLessThanOrEqual(textCharactersMax)
  })
})

describe('a template that fails', () => {
  test('costs no page: it leaves in our own words, is counted, said in the status, and raises an alert until it is mended', async () => {
    const [smtp, hook] = [await startSmtp(), await startHook()]
    closing.push(
      () => smtp.close(),
      () => hook.close(),
    )
    const receivers = `receivers: {oncall: {email: {to: a@example.org, smtp: "${smtp.url}"}}, ops: {webhook: {url: "${hook.url}"}}}`
    const routes = `route: {receiver: oncall, routes: [{match: {rule: ${templateRule}}, receiver: ops}]}`
    const road = await startRoad(`${receivers}\n${routes}\ntemplates: {subject: "{level} {tag.team}"}`)
    closing.push(() => road.stop())
    await road.say(transition('crit', Date.now()))
    const [mail] = await smtp.received(1)
    expect(mail?.mail.subject).toBe('CRIT verifier: 6.3% of requests to verifier fail · http_5xx_spike')
    await until(() => hook.posts.length > 0, { timeoutMs: 10_000 })
    const told = JSON.parse(String(hook.posts[0]?.body))
    expect(told).toMatchObject({ rule: templateRule, level: 'warn', alerts: [{ groupKey: 'oncall' }] })
    expect(told.alerts[0].reason).toContain('{tag.team} is missing')
    await until(() => road.statuses.at(-1)?.problem?.includes('alerts.templates.subject: {tag.team} is missing'))
    expect(road.statuses.at(-1)?.counters.template_errors_total).toBe(1)
    const team = { tags: { team: 'identity' }, group: 'router' }
    await road.say(transition('crit', Date.now(), team))
    expect((await smtp.received(2))[1]?.mail.subject).toBe('crit identity')
    await until(() => hook.posts.some(({ body }) => JSON.parse(String(body)).kind === 'resolved'), {
      timeoutMs: 10_000,
    })
  })
})

describe('a preview', () => {
  function config(alerts: string) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-preview-'))
    closing.push(() => fs.rmSync(dir, { recursive: true }))
    return configOf(dir, alerts)
  }
  const receivers =
    'receivers: {oncall: {email: {to: a@example.org, from: t@example.org, smtp: "smtp://me:hush-hush@mail"}}, ops: {webhook: {url: "http://u:hush-hush@x/", secret: hush-hush-hush}}}'
  const clock = new ManualClock(atMs)

  test('of a mail shows its headers and text, and writes its HTML with the picture inside', async () => {
    let html = ''
    const writeHtml = (written: string) => {
      html = written
    }
    const { exitCode, text = '' } = await notifyPreview(config(receivers), 'oncall', systemClock, { writeHtml })
    expect(exitCode).toBe(0)
    expect(text).toContain('To: a@example.org\nSubject: CRIT web1: 6.3% of requests fail')
    expect(text).toContain('\n\nCRIT · sample_errors · web1 · 6.3%\n')
    expect(html).toContain('<img src="data:image/png;base64,')
    expect(text + html).not.toContain('hush')
  })

  test('of a webhook shows what is posted and keeps its secrets', async () => {
    const { exitCode, text = '' } = await notifyPreview(config(receivers), 'ops', clock)
    expect(exitCode).toBe(0)
    expect(text).toMatch(/^POST http:\/\/u:\*\*\*@x\/\n/)
    expect(text).toContain('x-tocsin-signature: sha256=…')
    expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ rule: 'sample_errors', level: 'crit' })
    expect(text).not.toContain('hush')
  })

  test('shows the template at work, and with exit status 1 one that fails', async () => {
    const good = await notifyPreview(
      config(`${receivers}\ntemplates: {subject: "{rule}!", text: "{value}"}`),
      'oncall',
      clock,
    )
    expect(good.text).toContain('Subject: sample_errors!\n')
    expect(good.text).toMatch(/\n\n6\.3%$/)
    const bad = await notifyPreview(config(`${receivers}\ntemplates: {text: "{tag.floor}"}`), 'ops', clock)
    expect(bad).toMatchObject({ exitCode: 1, error: expect.stringContaining('{tag.floor} is missing') })
    expect(bad.text).toContain('"title": "CRIT web1: 6.3%')
  })

  test('of a receiver that does not exist suggests one', async () => {
    const outcome = await notifyPreview(config(receivers), 'oncal', clock)
    expect(outcome).toMatchObject({ exitCode: 2, error: expect.stringContaining('did you mean "oncall"?') })
  })
})
