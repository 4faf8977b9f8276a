import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { WebhookBody } from '../../src/alerts/receivers/webhook.ts'
import type { Transition } from '../../src/model/transition.ts'
import { startHook } from '../support/hook.ts'
import { startSmtp } from '../support/smtp.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const kills = 10
const pagesPerLife = 12

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A process of the part that is told transitions until it is killed. */
class Life {
  readonly said = new Set<string>()
  readonly child: ChildProcess
  readonly ready: Promise<unknown>

  constructor(dir: string) {
    this.child = spawn(process.execPath, [path.join(import.meta.dirname, 'child.ts'), dir], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    closing.push(() => this.child.kill('SIGKILL'))
    let output = ''
    this.child.stdout?.on('data', (chunk) => {
      output += chunk
      for (const [, id] of output.matchAll(/^said (.*)$/gm)) this.said.add(id as string)
    })
    this.child.stdin?.on('error', () => {})
    this.ready = until(() => output.includes('ready'))
  }

  say(message: Transition): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await until(() => this.child.exitCode !== null || this.child.signalCode !== null)
  }
}

test(`killed at any of ${kills} moments, every page and every end arrives, and twice at most where a kill was in between`, async () => {
  const [smtp, hook] = [await startSmtp(), await startHook()]
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-kill-'))
  closing.push(
    () => fs.rmSync(dir, { recursive: true, force: true }),
    () => smtp.close(),
    () => hook.close(),
  )
  const receivers = `{oncall: {email: {to: oncall@example.org, smtp: "${smtp.url}"}}, ops: {webhook: {url: "${hook.url}"}}}`
  fs.writeFileSync(path.join(dir, 'tocsin.yaml'), `data: ${dir}\nalerts: {receivers: ${receivers}}\n`)

  const bucketMs = 1_760_000_000_000
  const told: Transition[] = []
  let unsaid: Transition[] = []
  for (let life = 0; life < kills; life++) {
    const part = new Life(dir)
    await part.ready
    // What the bus had not taken charge of is said again, as an engine would.
    const fresh = Array.from({ length: pagesPerLife }, (_, i) => {
      const rule = `rule${life}x${Math.floor(i / 2)}`
      return transition(i % 2 === 0 ? 'crit' : 'ok', bucketMs + i * 1000, { rule })
    })
    told.push(...fresh)
    for (const message of [...unsaid, ...fresh]) part.say(message)
    const killAfter = Math.floor(((life + 0.5) / kills) * 2 * pagesPerLife)
    await until(() => smtp.mails.length + hook.posts.length >= life * 2 * pagesPerLife + killAfter, { everyMs: 1 })
    await part.kill()
    unsaid = [...unsaid, ...fresh].filter(({ id }) => !part.said.has(id))
  }
  const last = new Life(dir)
  await last.ready
  for (const message of unsaid) last.say(message)
  const keysOf = (keys: (string | undefined)[]) => new Set(keys).size
  const mailKeys = () => smtp.mails.map(({ mail }) => mail.messageId)
  const postKeys = () => hook.posts.map(({ headers }) => String(headers['x-tocsin-delivery']))
  await until(() => keysOf(mailKeys()) === told.length && keysOf(postKeys()) === told.length, {
    timeoutMs: 15_000,
    what: `all ${told.length} pages and ends at both receivers`,
  }).catch((error) => {
    throw new Error(`${error.message}: ${keysOf(mailKeys())} mails, ${keysOf(postKeys())} posts`)
  })
  last.child.stdin?.end()
  await until(() => last.child.exitCode !== null)
  expect(last.child.exitCode).toBe(0)

  for (const keys of [mailKeys(), postKeys()]) {
    const times = new Map<string | undefined, number>()
    for (const key of keys) times.set(key, (times.get(key) ?? 0) + 1)
    expect(Math.max(...times.values())).toBeLessThanOrEqual(2)
  }
  const kinds = hook.posts.map(({ body }) => JSON.parse(String(body)) as WebhookBody)
  for (const rule of new Set(told.map((message) => message.rule))) {
    const order = kinds.filter((body) => body.rule === rule).map(({ kind }) => kind)
    expect(order.indexOf('firing'), `${rule}: ${order}`).toBeLessThan(order.indexOf('resolved'))
  }
}, 90_000)
