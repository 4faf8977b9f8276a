/** What the tests of the example service share: its processes on ports of their own, and a statsd that listens. */
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { ProcessDefinition } from '../../service/app.ts'
import { type NeededPort, takenPorts } from '../../service/demo-ports.ts'
import { type RunningProcess, startProcess } from '../../service/process.ts'
import { addressOf, type ProcessName, type Settings } from '../../service/settings.ts'
import { silentLog } from '../../src/runtime/log.ts'

export interface StatsdSink {
  port: number
  /** Every line received, in order. */
  lines: string[]
  close(): Promise<void>
}

export async function startStatsdSink(): Promise<StatsdSink> {
  const socket = dgram.createSocket('udp4')
  const lines: string[] = []
  socket.on('message', (packet) => lines.push(...packet.toString().split('\n')))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    port: (socket.address() as AddressInfo).port,
    lines,
    close: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

/** A port base of which every port that the service may use, and 30 to 32 for Tocsin's own, is free; below the range that the kernel gives away. */
export async function freePortBase(): Promise<number> {
  for (;;) {
    const base = 11_000 + Math.floor(Math.random() * 210) * 100
    const offsets = [0, 1, 2, 3, 4, 5, 6, 25, 30, 31, 32, 80, 90]
    const ports = offsets.map((offset): NeededPort => {
      return { host: '127.0.0.1', port: base + offset, protocol: 'tcp', what: 'a test', cure: 'none' }
    })
    if ((await takenPorts(ports)).length === 0) return base
  }
}

export interface RunningService {
  settings: Settings
  /** Asked to be killed for so long. */
  kills: number[]
  /** `GET /path` or, with a body, `POST`. */
  ask(name: ProcessName, path: string, body?: unknown): Promise<{ status: number; text: string }>
  break(name: ProcessName, fault: unknown): Promise<{ status: number; text: string }>
  start(definition: ProcessDefinition): Promise<RunningProcess>
  close(): Promise<void>
}

/** Runs some of the seven inside the test's own process, over real sockets. */
export async function startService(definitions: readonly ProcessDefinition[], statsdPort = 9): Promise<RunningService> {
  const portBase = await freePortBase()
  const settings: Settings = { portBase, statsd: { host: '127.0.0.1', port: statsdPort }, logDirectory: undefined }
  const running: RunningProcess[] = []
  const kills: number[] = []
  const start = async (definition: ProcessDefinition) => {
    const process = await startProcess(definition, settings, silentLog, (forMs) => kills.push(forMs))
    running.push(process)
    return process
  }
  for (const definition of definitions) await start(definition)
  const ask: RunningService['ask'] = (name, path, body) => request(addressOf(name, portBase) + path, body)
  return {
    settings,
    kills,
    ask,
    start,
    break: (name, fault) => ask(name, '/__break__', fault),
    close: async () => {
      await Promise.all(running.map((process) => process.close()))
    },
  }
}

export async function request(url: string, body?: unknown): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    ...(body !== undefined && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
    signal: AbortSignal.timeout(10_000),
  })
  return { status: response.status, text: await response.text() }
}
