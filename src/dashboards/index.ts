/**
 * Dashboards: the console. Live pages and the API over what the bus says; it decides nothing,
 * and writes nothing but what a person commands.
 */
import fs from 'node:fs'
import http from 'node:http'
import type { Context, Part } from '../bus/part.ts'
import { reportStatus } from '../bus/status.ts'
import type { Config, HostPort } from '../runtime/config.ts'
import { handlingPolicyOf } from '../runtime/config-alerts.ts'
import { formatProblem } from '../runtime/problem.ts'
import { Stats } from '../runtime/stats.ts'
import { Access } from './access.ts'
import { createApp } from './app.ts'
import { ConsoleState } from './console-state.ts'
import { Live } from './live.ts'
import { DashboardFiles } from './load.ts'
import { Mailbox } from './mailbox.ts'
import { ConsoleMemory } from './memory.ts'

const connectionsMax = 1000

export async function startDashboards(config: Config, context: Context): Promise<Part> {
  const { clock, log, bus } = context
  const stats = new Stats()
  const files = new DashboardFiles()
  const memory = new ConsoleMemory(config.ingest.seriesMax, clock, stats)
  const state = new ConsoleState(memory, files, clock)
  const live = new Live(state, clock, stats)
  const load = ({ dashboards, alerts }: Config) => {
    memory.alerts.policy = handlingPolicyOf(alerts)
    const problems = files.load(dashboards.files)
    stats.set('dashboard_problems', problems.length)
    for (const problem of problems) log.error(`dashboard not used: ${formatProblem(problem)}`)
    if (state.mailbox?.url !== dashboards.mailbox) {
      state.mailbox = dashboards.mailbox === undefined ? undefined : new Mailbox(dashboards.mailbox)
    }
  }
  load(config)
  const access = new Access(config.dashboards, clock, stats)
  const commands = { bus, clock, stats, log, access }
  const events = { context, stats, access }
  const web = builtPages()
  if (web === undefined) log.warn('the browser part is missing; "npm run prepare" builds it')
  const app = createApp({ state, live, stats, log, web, configFile: config.file, access, commands, events })
  const server = await listen(config.dashboards.listen, app)
  warnWhenOpen(config.dashboards, log)
  const onAlert = () => {
    state.alertsChanged()
    live.alertsChanged()
  }
  const stopReading = await memory.read(context, onAlert)
  const status = reportStatus('dashboards', context, stats, () => ({
    ready: true,
    ...(memory.series.lastBucketMs !== undefined && { lastBucketMs: memory.series.lastBucketMs }),
    ...(bus.problem !== undefined && { problem: bus.problem }),
  }))
  return {
    async reload(changed) {
      load(changed)
      access.settings = changed.dashboards
    },
    async stop() {
      status.unsubscribe()
      live.close()
      await closed(server)
      await stopReading()
    },
  }
}

/** The browser part as vite builds it, beside a checkout's src/ or beside compiled code. */
function builtPages(): string | undefined {
  const places = ['../../dist/web/', '../../web/', '../web/'].map((place) => new URL(place, import.meta.url).pathname)
  return places.find((place) => fs.existsSync(`${place}index.html`) && fs.existsSync(`${place}assets`))
}

function listen({ host, port }: HostPort, handler: http.RequestListener): Promise<http.Server> {
  const server = http.createServer(handler)
  server.maxConnections = connectionsMax
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the port is taken; does another Tocsin run?' : error.message
      reject(new Error(`the console cannot listen on ${host}:${port}: ${why} (dashboards.listen)`))
    })
    server.listen(port, host, () => resolve(server))
  })
}

function warnWhenOpen({ listen: { host, port }, tokens, reading }: Config['dashboards'], log: Context['log']): void {
  if (reading === 'tokens') return
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return
  const commanders = tokens ? 'and reading needs no token (dashboards.reading)' : 'without tokens'
  log.warn(`the console listens on ${host}:${port} ${commanders}: whoever reaches it reads everything`)
}

function closed(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
