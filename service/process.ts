/**
 * Process: runs one of the seven as a process of its own.
 *
 * It ends when it is told to (SIGTERM, SIGINT) or when the supervisor that started it is gone, so nothing is left behind.
 * An uncaught exception is counted and ends it; carrying on in an unknown state is worse than a restart.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../src/runtime/clock.ts'
import { createLog, type Log } from '../src/runtime/log.ts'
import { createApp, type ProcessDefinition } from './app.ts'
import { LineFile } from './line-file.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { host, logFile, portOf, readSettings, type Settings } from './settings.ts'

export interface RunningProcess {
  port: number
  metrics: Metrics
  close(): Promise<void>
}

/** What a child tells its supervisor. */
export type ChildMessage = { ready: true } | { kill: { forMs: number } }

/** Starts a process inside this one; rejects when its port is taken. */
export async function startProcess(
  definition: ProcessDefinition,
  settings: Settings,
  log: Log,
  kill: (forMs: number) => void,
): Promise<RunningProcess> {
  const { portBase } = settings
  const metrics = createMetrics(definition.name, settings)
  const requestLog = new LineFile(logFile(definition.name, settings), log)
  const server = createServer(createApp(definition, { portBase, clock: systemClock, metrics, log, requestLog, kill }))
  const port = await listen(server, portOf(definition.name, portBase))
  return {
    port,
    metrics,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      await Promise.all([metrics.close(), requestLog.close()])
    },
  }
}

/** The main program of each process file. */
export async function runProcess(definition: ProcessDefinition): Promise<void> {
  const log = createLog({ format: 'text' })
  const settings = readSettings(process.env)
  if (!settings.ok) stopWith(log, settings.error)
  try {
    const running = await startProcess(definition, settings.value, log, killThis)
    countCrashes(running.metrics, log)
    endWithSupervisor(() => running.close())
    tellSupervisor({ ready: true })
    if (!process.send) log.info(`${definition.name} listens on ${host}:${running.port}`)
  } catch (error) {
    stopWith(log, (error as Error).message)
  }
}

/** Ends this process in order on a signal, and when the supervisor has gone. */
export function endWithSupervisor(close: () => Promise<void>): void {
  let isEnding = false
  const end = () => {
    if (isEnding) return
    isEnding = true
    close().finally(() => process.exit(0))
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'disconnect'] as const) process.on(signal as 'SIGTERM', end)
  process.stdout.on('error', end)
  process.stderr.on('error', end)
}

export function tellSupervisor(message: ChildMessage): void {
  if (process.connected) process.send?.(message)
}

export function stopWith(log: Log, problem: string): never {
  log.error(problem)
  process.exit(1)
}

export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} on ${host} is taken by another program`) : error)
    })
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** A supervisor sends the signal itself and knows how long to wait; alone, the process kills itself. */
function killThis(forMs: number): void {
  if (process.connected) tellSupervisor({ kill: { forMs } })
  else process.kill(process.pid, 'SIGKILL')
}

function countCrashes(metrics: Metrics, log: Log): void {
  process.on('uncaughtException', (error) => {
    log.error(`uncaught exception: ${error.stack ?? error.message}`)
    metrics.uncaughtException()
    metrics.close().finally(() => process.exit(1))
  })
}
