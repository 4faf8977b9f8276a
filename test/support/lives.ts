/**
 * The alerts part as processes that are killed (test/alerts/child.ts), with a mail server and a webhook that count what
 * came: the ground of test/alerts/kill.test.ts, storm.test.ts and bench/kill.ts.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { WebhookBody } from '../../src/alerts/receivers/webhook.ts'
import type { Transition } from '../../src/model/transition.ts'
import { startHook } from './hook.ts'
import { startSmtp } from './smtp.ts'
import { transition } from './transitions.ts'
import { until } from './until.ts'

const childFile = path.join(import.meta.dirname, '..', 'alerts', 'child.ts')
const bucketMs = 1_760_000_000_000

/** What has to be closed at the end, the last first. */
export type Closing = (() => unknown)[]

/** A process of the part that is told transitions until it is killed. */
export class Life {
  readonly dir: string
  readonly said = new Set<string>()
  readonly child: ChildProcess
  output = ''

  constructor(dir: string, closing: Closing) {
    this.dir = dir
    this.child = spawn(process.execPath, [childFile, dir], { stdio: ['pipe', 'pipe', 'ignore'] })
    closing.push(() => this.child.kill('SIGKILL'))
    this.child.stdout?.on('data', (chunk) => {
      this.output += chunk
      const whole = this.output.lastIndexOf('\n')
      for (const [, id] of this.output.slice(0, whole + 1).matchAll(/^said (.*)$/gm)) this.said.add(id as string)
      this.output = this.output.slice(0, whole + 1).replaceAll(/^said .*\n/gm, '') + this.output.slice(whole + 1)
    })
    this.child.stdin?.on('error', () => {})
  }

  async printed(word: 'ready' | 'leads', timeoutMs = 30_000): Promise<void> {
    await until(() => this.output.includes(word), { timeoutMs, what: `the process to print ${word}` })
  }

  say(message: Transition): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended()
  }

  /** The end of its input: it stops in order. */
  async stop(): Promise<number | null> {
    this.child.stdin?.end()
    await this.ended()
    return this.child.exitCode
  }

  async ended(): Promise<void> {
    await until(() => this.child.exitCode !== null || this.child.signalCode !== null)
  }
}

export interface Receivers {
  /** The keys of all that came, in order; a key that came twice stands twice. */
  keys(): { mails: string[]; posts: string[] }
  posts(): WebhookBody[]
  /** Resolves when `count` different notifications have come to each of both. */
  arrived(count: number, timeoutMs?: number): Promise<void>
  /** `alerts.receivers` of a configuration. */
  yaml: string
}

export async function startReceivers(closing: Closing): Promise<Receivers> {
  const [smtp, hook] = [await startSmtp(), await startHook()]
  closing.push(
    () => smtp.close(),
    () => hook.close(),
  )
  const keys = () => ({
    mails: smtp.mails.map(({ mail }) => String(mail.messageId)),
    posts: hook.posts.map(({ headers }) => String(headers['x-tocsin-delivery'])),
  })
  const arrived = async (count: number, timeoutMs = 20_000) => {
    const all = () => Object.values(keys()).every((row) => new Set(row).size === count)
    const what = `${count} pages and ends at both receivers`
    await until(all, { timeoutMs, what }).catch((error) => {
      const came = Object.values(keys()).map((row) => new Set(row).size)
      throw new Error(`${error.message}; there are ${came.join(' and ')}`)
    })
  }
  const posts = () => hook.posts.map(({ body }) => JSON.parse(String(body)) as WebhookBody)
  const yaml = `{oncall: {email: {to: a@example.org, smtp: "${smtp.url}"}}, ops: {webhook: {url: "${hook.url}"}}}`
  return { keys, posts, arrived, yaml }
}

/** A directory with a configuration, for a `Life`. */
export function directoryWith(yaml: (dir: string) => string, closing: Closing): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-kill-'))
  closing.push(() => fs.rmSync(dir, { recursive: true, force: true }))
  fs.writeFileSync(path.join(dir, 'tocsin.yaml'), yaml(dir))
  return dir
}

export interface KillRuns {
  kills: number
  pagesPerLife: number
  /** In which share of a life's notifications it is killed, 0 to 1. */
  moment(life: number): number
}

/**
 * Lives of one node on the memory bus: each is told pages and ends and is killed at a moment; a last one stops in order.
 * Resolves with what was told, once all of it has arrived.
 */
export async function killRuns(runs: KillRuns, receivers: Receivers, closing: Closing): Promise<Transition[]> {
  const { kills, pagesPerLife, moment } = runs
  const dir = directoryWith((data) => `data: ${data}\nalerts: {receivers: ${receivers.yaml}}\n`, closing)
  const came = () => Object.values(receivers.keys()).reduce((sum, row) => sum + row.length, 0)
  const told: Transition[] = []
  let unsaid: Transition[] = []
  for (let life = 0; life < kills; life++) {
    const part = new Life(dir, closing)
    await part.printed('ready')
    const fresh = Array.from({ length: pagesPerLife }, (_, i) => {
      const rule = `rule${life}x${Math.floor(i / 2)}`
      return transition(i % 2 === 0 ? 'crit' : 'ok', bucketMs + i * 1000, { rule })
    })
    told.push(...fresh)
    // What the bus had not taken charge of is said again, as an engine would.
    for (const message of [...unsaid, ...fresh]) part.say(message)
    const before = came()
    await until(() => came() >= before + Math.floor(moment(life) * 2 * pagesPerLife), { everyMs: 1, timeoutMs: 30_000 })
    await part.kill()
    unsaid = [...unsaid, ...fresh].filter(({ id }) => !part.said.has(id))
  }
  const last = new Life(dir, closing)
  for (const message of unsaid) last.say(message)
  await receivers.arrived(told.length)
  if ((await last.stop()) !== 0) throw new Error(`the last life did not stop in order: ${last.output}`)
  return told
}

/** Rules of which the end came before the page. */
export function endedTooSoon(told: readonly Transition[], receivers: Receivers): string[] {
  const order = Map.groupBy(receivers.posts(), ({ rule }) => rule)
  return [...new Set(told.map(({ rule }) => rule))].filter((rule) => {
    const kinds = (order.get(rule) ?? []).map(({ kind }) => kind)
    return kinds.indexOf('firing') > kinds.indexOf('resolved')
  })
}

/** Two nodes on RabbitMQ, the first of which leads. */
export async function twoNodes(url: string, receivers: Receivers, closing: Closing): Promise<[Life, Life]> {
  const yaml = (data: string) => `bus: ${url}\ndata: ${data}\nalerts: {receivers: ${receivers.yaml}}\n`
  const node = () => new Life(directoryWith(yaml, closing), closing)
  const leader = node()
  await leader.printed('leads')
  const standby = node()
  await standby.printed('ready')
  return [leader, standby]
}
