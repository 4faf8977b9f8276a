/**
 * Supervisor: keeps the seven processes, the mailbox and the traffic running, each as a real process.
 *
 * Its control on 127.0.0.1 (port base + 90) tells the state of each and can end the time that a killed one stays down:
 *
 *     GET  /processes              [{name, state, pid, restarts, endsMs}]
 *     POST /processes/NAME/heal    starts a killed process at once
 *
 * The children end when the supervisor does, however it ends: their IPC channel closes.
 */
import { createServer } from 'node:http'
import path from 'node:path'
import express from 'express'
import type { Clock } from '../src/runtime/clock.ts'
import { Child } from './child.ts'
import { listen } from './process.ts'
import { asEnvironment, controlPort, processNames, type Settings } from './settings.ts'

export interface SupervisorOptions {
  settings: Settings
  clock: Clock
  print: (name: string, line: string) => void
  /** Factor on the usual traffic; 0 runs none. */
  rate?: number
}

export interface ProcessState {
  name: string
  state: string
  pid: number | undefined
  restarts: number
  endsMs: number | undefined
}

export interface Supervisor {
  /** Resolves when every child has been ready once. */
  ready: Promise<void>
  processes(): ProcessState[]
  stop(): Promise<void>
}

/** Rejects when the control's port is taken. */
export async function startSupervisor({ settings, clock, print, rate = 1 }: SupervisorOptions): Promise<Supervisor> {
  const environment = asEnvironment(settings)
  const child = (name: string, args: readonly string[] = []) =>
    new Child({ name, file: path.join(import.meta.dirname, `${name}.ts`), args, environment, clock, print })
  const servers = [child('mailbox'), ...processNames.map((name) => child(name))]
  const traffic = rate > 0 ? [child('traffic', ['--rate', String(rate)])] : []
  const children = [...servers, ...traffic]
  const control = await startControl(children, controlPort(settings.portBase))
  let isStopped = false
  for (const server of servers) server.start()
  const serversReady = Promise.all(servers.map(({ ready }) => ready))
  // Users come when the doors are open.
  const ready = serversReady.then(async () => {
    for (const child of isStopped ? [] : traffic) child.start()
    await Promise.all(traffic.map(({ ready }) => ready))
  })
  return {
    ready,
    processes: () => children.map(stateOf),
    async stop() {
      isStopped = true
      await Promise.all(traffic.map((child) => child.stop()))
      await Promise.all(servers.map((child) => child.stop()))
      await control.close()
    },
  }
}

const stateOf = ({ name, state, pid, restarts, endsMs }: Child): ProcessState => ({
  name,
  state,
  pid,
  restarts,
  endsMs,
})

async function startControl(children: readonly Child[], port: number): Promise<{ close(): Promise<void> }> {
  const app = express()
  app.disable('x-powered-by')
  app.get('/processes', (_request, response) => {
    response.json(children.map(stateOf))
  })
  app.post('/processes/:name/heal', (request, response) => {
    const child = children.find(({ name }) => name === request.params.name)
    child?.heal()
    response.status(child ? 200 : 404).json(child ? stateOf(child) : { error: 'there is no such process' })
  })
  const server = createServer(app)
  await listen(server, port)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
