/**
 * A storm of alerts: `node bench/alerts.ts [--transitions 10000]`.
 *
 * Part one: the alerts part on the memory bus is told that many transitions within a second, of a hundred rules, with a
 * webhook and a mail server to tell. Printed: time to the first page, notifications sent after grouping, memory.
 * Part two: the console with as many active alerts; the API lists and filters them over HTTP.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startAlerts } from '../src/alerts/index.ts'
import { openMemoryBus } from '../src/bus/memory.ts'
import type { Context } from '../src/bus/part.ts'
import { startDashboards } from '../src/dashboards/index.ts'
import { systemClock as clock } from '../src/runtime/clock.ts'
import { loadConfig } from '../src/runtime/config.ts'
import { silentLog as log } from '../src/runtime/log.ts'
import { Stats } from '../src/runtime/stats.ts'
import { type Closing, startReceivers } from '../test/support/lives.ts'
import { freePort } from '../test/support/ports.ts'
import { transition } from '../test/support/transitions.ts'

const options = { transitions: { type: 'string', default: '10000' } } as const
const { values: flags } = parseArgs({ options })
const rules = 100
const listMustMs = 100

const closing: Closing = []
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-bench-alerts-'))
closing.push(() => fs.rmSync(dir, { recursive: true }))
const receivers = await startReceivers(closing)
const port = await freePort()
const file = path.join(dir, 'tocsin.yaml')
fs.writeFileSync(
  file,
  `data: ${dir}\nalerts: {receivers: ${receivers.yaml}}\nchecks: []\ndashboards: {listen: 127.0.0.1:${port}, files: []}\n`,
)
const loaded = loadConfig(file, {})
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
const config = loaded.value
const bus = await openMemoryBus({ dir: path.join(dir, 'log'), clock, log, stats: new Stats(), instance: 'bench' })
const context: Context = { bus, clock, log, instance: 'bench', host: 'bench', environment: {} }
const megabytes = () => Math.round(process.memoryUsage.rss() / 2 ** 20)

await storm(Number(flags.transitions))
await listing(Number(flags.transitions))
await bus.close()
for (const close of closing.reverse()) await close()

async function storm(count: number): Promise<void> {
  const before = megabytes()
  const part = await startAlerts(config, context)
  const startMs = performance.now()
  let firstMs = 0
  const watch = setInterval(() => {
    const { mails, posts } = receivers.keys()
    if (firstMs === 0 && mails.length + posts.length > 0) firstMs = performance.now() - startMs
  }, 2)
  const bucketMs = Date.now()
  const perTurn = count / 100
  for (let i = 0; i < count; i++) {
    const rule = `rule${i % rules}`
    void bus.publish(`transitions.${rule}`, transition('crit', bucketMs, { rule, group: `g${i}` }))
    if (i % perTurn === 0) await pause(Math.max(0, startMs + (i / count) * 1000 - performance.now()))
  }
  const toldMs = performance.now() - startMs
  // The end of collecting is waited for; then three seconds without another notification.
  for (let idle = 0, seen = -1; idle < 30 || performance.now() - startMs < 20_000; idle++) {
    await bus.publish('clock', { process: 'bench', nowMs: Date.now() })
    await pause(100)
    const came = receivers.keys().posts.length
    if (came !== seen) idle = 0
    seen = came
  }
  clearInterval(watch)
  const { mails, posts } = receivers.keys()
  const doubled = mails.length - new Set(mails).size + posts.length - new Set(posts).size
  console.log(`${count} transitions of ${rules} rules in ${Math.round(toldMs)} ms`)
  console.log(
    `first page after ${Math.round(firstMs)} ms; ${mails.length} mails and ${posts.length} posts, ${doubled} twice`,
  )
  console.log(
    `${(count / posts.length).toFixed(0)} transitions a notification; ${before} MiB before, ${megabytes()} MiB after`,
  )
  await part.stop()
}

async function listing(count: number): Promise<void> {
  const part = await startDashboards(config, context)
  const url = `http://127.0.0.1:${port}/api/alerts`
  const active = async (query = '') => {
    const startMs = performance.now()
    const body = (await (await fetch(`${url}${query}`)).json()) as { alerts: unknown[]; total: number }
    return { ms: performance.now() - startMs, count: body.alerts.length, total: body.total }
  }
  while ((await active('?limit=1')).total < count) await pause(50)
  for (const query of ['', `?limit=${count}`, '?state=unhandled&limit=100', '?rule=rule7', '?text=g77', '?group=g1*']) {
    const times: number[] = []
    let found = 0
    for (let i = 0; i < 20; i++) {
      const { ms, count: rows } = await active(query)
      times.push(ms)
      found = rows
    }
    times.sort((a, b) => a - b)
    const median = times[10] as number
    console.log(
      `GET /api/alerts${query}: ${found} of ${count}, median ${median.toFixed(1)} ms, ${(median / listMustMs).toFixed(2)} of the must`,
    )
  }
  await part.stop()
}
