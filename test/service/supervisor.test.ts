import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addressOf, asEnvironment, controlPort, mailboxPorts, type ProcessName } from '../../service/settings.ts'
import type { ProcessState } from '../../service/supervisor.ts'
import { until } from '../support/until.ts'
import { freePortBase, request, type StatsdSink, startStatsdSink } from './support.ts'

let portBase: number
let statsd: StatsdSink
let service: ChildProcess
let output: string

beforeEach(async () => {
  portBase = await freePortBase()
  statsd = await startStatsdSink()
  output = ''
  service = fork(path.resolve('service/index.ts'), [], {
    env: {
      ...process.env,
      ...asEnvironment({ portBase, statsd: { host: '127.0.0.1', port: statsd.port }, logDirectory: undefined }),
    },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  for (const stream of [service.stdout, service.stderr]) stream?.on('data', (chunk) => (output += chunk))
  await Promise.race([
    once(service, 'message'),
    once(service, 'exit').then(() => {
      throw new Error(`the service ended:\n${output}`)
    }),
  ])
})

afterEach(async () => {
  if (service.exitCode === null && service.signalCode === null) {
    service.kill('SIGTERM')
    await once(service, 'exit')
  }
  await statsd.close()
})

async function states(): Promise<ProcessState[]> {
  return JSON.parse((await request(`http://127.0.0.1:${controlPort(portBase)}/processes`)).text)
}

async function stateOf(name: string): Promise<ProcessState> {
  return (await states()).find((candidate) => candidate.name === name) as ProcessState
}

const breakIt = (name: ProcessName, fault: object) => request(`${addressOf(name, portBase)}/__break__`, fault)
const heartbeat = (name: ProcessName) =>
  request(`${addressOf(name, portBase)}/__heartbeat__`).then(
    ({ text }) => text,
    () => 'no answer',
  )
const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const count = (pattern: RegExp) => statsd.lines.filter((line) => pattern.test(line)).length

describe('the service', { timeout: 60_000 }, () => {
  test('runs seven processes, a mailbox and traffic, each a process of its own, all well', async () => {
    const running = await states()
    expect(running.map(({ name }) => name).sort()).toEqual(
      ['browserid', 'dbwriter', 'keysigner', 'mailbox', 'proxy', 'router', 'static', 'traffic', 'verifier'].sort(),
    )
    expect(new Set(running.map(({ pid }) => pid)).size).toBe(9)
    expect((await request(`http://127.0.0.1:${mailboxPorts(portBase).http}/mails`)).text).toBe('[]')
    for (const name of ['router', 'browserid', 'dbwriter', 'keysigner', 'verifier', 'static', 'proxy'] as const) {
      expect((await request(`${addressOf(name, portBase)}/__heartbeat__?deep`)).text).toBe('ok')
      await until(() => count(new RegExp(`^browserid\\.${name}\\.response\\.200:1`)) > 0, {
        what: `traffic at ${name}`,
      })
    }
  })

  test('a killed process is really gone, stays down for the given time and then comes back; the others go on', async () => {
    const { pid } = await stateOf('verifier')
    await breakIt('verifier', { kind: 'kill', forMs: 1500 })
    await until(() => !isRunning(pid as number))
    expect(await stateOf('verifier')).toMatchObject({ state: 'down', endsMs: expect.any(Number) })
    expect(await heartbeat('verifier')).toBe('no answer')
    const before = count(/^browserid\.static\.response\./)
    await until(() => count(/^browserid\.static\.response\./) > before, { what: 'traffic at static' })
    await until(async () => (await heartbeat('verifier')) === 'ok')
    expect((await stateOf('verifier')).pid).not.toBe(pid)
  })

  test('healing starts a killed process at once', async () => {
    await breakIt('proxy', { kind: 'kill', forMs: 600_000 })
    await until(async () => (await stateOf('proxy')).state === 'down')
    await request(`http://127.0.0.1:${controlPort(portBase)}/processes/proxy/heal`, {})
    await until(async () => (await heartbeat('proxy')) === 'ok')
  })

  test('a process that dies by itself is started again', async () => {
    const { pid } = await stateOf('dbwriter')
    process.kill(pid as number, 'SIGKILL')
    await until(async () => (await stateOf('dbwriter')).restarts === 1 && (await heartbeat('dbwriter')) === 'ok')
    expect(output).toContain('dbwriter  │ ended with SIGKILL; starting again in 0.25 s')
  })

  test('a hung process costs the others no traffic', async () => {
    await breakIt('verifier', { kind: 'hang', forMs: 600_000 })
    // Long enough for the verifier's share of requests in flight to be full.
    const before = count(/^browserid\.(router|static|proxy)\.response\./)
    await until(() => count(/^browserid\.(router|static|proxy)\.response\./) > before + 150, { timeoutMs: 30_000 })
  })

  test('SIGTERM stops all of it', async () => {
    const pids = (await states()).map(({ pid }) => pid as number)
    service.kill('SIGTERM')
    expect(await once(service, 'exit')).toEqual([0, null])
    expect(pids.filter(isRunning)).toEqual([])
  })

  test('when the supervisor is killed, nothing is left behind', async () => {
    const pids = (await states()).map(({ pid }) => pid as number)
    service.kill('SIGKILL')
    await until(() => pids.filter(isRunning).length === 0, { what: 'the children to end' })
  })
})
