import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { notifyTest } from '../../src/alerts/notify-test.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { startHook } from '../support/hook.ts'
import { freePort } from '../support/ports.ts'
import { startSmtp } from '../support/smtp.ts'
import { configOf } from './road.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function config(receivers: string) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-notify-'))
  closing.push(() => fs.rmSync(dir, { recursive: true }))
  return configOf(dir, `receivers: {${receivers}}`)
}

test('a mail is sent that nobody can take for a page, and the server’s answer is shown', async () => {
  const smtp = await startSmtp()
  closing.push(() => smtp.close())
  const outcome = await notifyTest(
    config(`oncall: {email: {to: a@example.org, smtp: "${smtp.url}"}}`),
    'oncall',
    systemClock,
  )
  expect(outcome).toMatchObject({ exitCode: 0, text: expect.stringMatching(/^oncall took it after \d+ ms: 250 /) })
  const [received] = await smtp.received(1)
  expect(received?.mail.subject).toBe(
    'TEST: This is a test of the receiver "oncall". Nothing is wrong and nothing is to be done · test',
  )
})

test('a webhook gets it too', async () => {
  const hook = await startHook()
  closing.push(() => hook.close())
  expect(await notifyTest(config(`ops: {webhook: {url: "${hook.url}"}}`), 'ops', systemClock)).toMatchObject({
    exitCode: 0,
  })
  expect(JSON.parse(String(hook.posts[0]?.body))).toMatchObject({
    rule: 'test',
    title: expect.stringMatching(/^TEST: /),
  })
})

test('what went wrong is said, with exit status 1', async () => {
  const smtp = `smtp://127.0.0.1:${await freePort()}`
  const outcome = await notifyTest(
    config(`oncall: {email: {to: a@example.org, smtp: "${smtp}"}}`),
    'oncall',
    systemClock,
  )
  expect(outcome).toMatchObject({ exitCode: 1, text: expect.stringContaining('ECONNREFUSED') })
})

test('a misspelled receiver gets a suggestion, with exit status 2', async () => {
  const ops = 'oncall-email: {email: {to: a@example.org}}'
  expect(await notifyTest(config(ops), 'oncal-email', systemClock)).toMatchObject({
    exitCode: 2,
    error: expect.stringContaining('did you mean "oncall-email"?'),
  })
})
