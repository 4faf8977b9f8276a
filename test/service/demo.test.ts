import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { neededPorts, takenPorts } from '../../service/demo-ports.ts'
import { type Config, loadConfig } from '../../src/runtime/config.ts'
import { until } from '../support/until.ts'
import { freePortBase, request } from './support.ts'

let directory: string
let portBase: number
let config: Config
let demo: ChildProcess | undefined
let output: string
let extra: Record<string, string>

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-demo-'))
  portBase = await freePortBase()
  const [statsd, lines, listen] = [portBase + 30, portBase + 31, portBase + 32]
  fs.writeFileSync(
    path.join(directory, 'demo.yaml'),
    `
data: ./data
ingest: {statsd: {udp: ${statsd}, tcp: ${statsd}}, graphite: {tcp: ${lines}}}
rules: [${path.resolve('rules')}]
alerts:
  receivers: {oncall: {email: {to: oncall@example.org, smtp: "smtp://127.0.0.1:${portBase + 25}"}}}
  route: {receiver: oncall}
dashboards: {listen: ${listen}, mailbox: "http://127.0.0.1:${portBase + 81}/mails"}
`,
  )
  const loaded = loadConfig(path.join(directory, 'demo.yaml'), {})
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error))
  config = loaded.value
  output = ''
  extra = {}
})

afterEach(async () => {
  if (demo && demo.exitCode === null && demo.signalCode === null) {
    demo.kill('SIGKILL')
    await once(demo, 'exit')
  }
  await until(nothingIsLeft, { timeoutMs: 20_000, what: 'everything to have ended' })
  fs.rmSync(directory, { recursive: true, force: true })
})

function start(...command: string[]): ChildProcess {
  const [program = '', ...args] = command
  demo = spawn(program, args, {
    env: { ...process.env, ...extra, SERVICE_PORT_BASE: String(portBase), SERVICE_LOGS: path.join(directory, 'logs') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk) => (output += chunk))
  return demo
}

const startDemo = () => start(process.execPath, path.resolve('service/demo.ts'), '--config', config.file)
const banner = () =>
  until(() => output.includes('npm run break -- verifier 5xx'), { timeoutMs: 25_000, what: 'the banner' })
/** Everything that the demo starts listens somewhere. */
async function nothingIsLeft(): Promise<true> {
  const taken = await takenPorts(neededPorts(config, portBase))
  if (taken.length > 0) throw new Error(`still there: ${taken.map(({ port, what }) => `${port} ${what}`).join(', ')}`)
  return true
}

describe('the demo', { timeout: 60_000 }, () => {
  test('starts the service and Tocsin, says where to look, and stops both when it is told to', async () => {
    const child = startDemo()
    await banner()
    const console = `http://127.0.0.1:${config.dashboards.listen.port}`
    expect(output).toContain(console)
    expect((await request(`${console}/readyz`)).status).toBe(200)
    expect((await request(`http://127.0.0.1:${portBase}/__heartbeat__?deep`)).text).toBe('ok')
    expect(output).not.toMatch(/\u001b/)
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(output.indexOf('Stopping Tocsin')).toBeLessThan(output.indexOf('Stopping the example service'))
    expect(await nothingIsLeft()).toBe(true)
    expect(fs.readFileSync(path.join(directory, 'logs', 'tocsin.log'), 'utf8')).toContain('"msg":"stopped"')
  })

  test('leaves nothing behind when it is killed', async () => {
    const child = startDemo()
    await banner()
    child.kill('SIGKILL')
    await once(child, 'exit')
    await until(nothingIsLeft, { timeoutMs: 20_000 })
  })

  test.each([
    ['a program', '"$@" & wait', {}],
    ['npm, behind a shell of its own', 'sh -c \'"$@" & wait\' npm-shell "$@" & wait', { npm_lifecycle_event: 'start' }],
  ])('ends when what started it is killed: %s', async (_who, script, environment) => {
    Object.assign(extra, environment)
    const parent = start(
      'sh',
      '-c',
      script,
      'parent',
      process.execPath,
      path.resolve('service/demo.ts'),
      '--config',
      config.file,
    )
    await banner()
    parent.kill('SIGKILL')
    await until(nothingIsLeft, { timeoutMs: 20_000 })
  })

  test('stops what it has started when it is told to stop while starting', async () => {
    const child = startDemo()
    await until(() => output.includes('Starting the example service'))
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(await nothingIsLeft()).toBe(true)
  })

  test('says why when Tocsin cannot start, and stops the rest', async () => {
    fs.writeFileSync(path.join(directory, 'data'), 'a file where the data directory should be')
    const child = startDemo()
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(output).toContain('tocsin has ended (exit code 2)')
    expect(output).toMatch(/the data directory .* cannot be written/)
  })

  test('names a port that is taken, and starts nothing', async () => {
    const other = net.createServer().listen(portBase + 4, '127.0.0.1')
    await once(other, 'listening')
    const child = startDemo()
    const [exitCode] = await once(child, 'exit')
    other.close()
    expect(exitCode).toBe(2)
    expect(output).toContain(`Port ${portBase + 4} (tcp, 127.0.0.1) is taken; the example service's verifier needs it.`)
    expect(output).not.toContain('Starting')
  })

  test('says so when it is running already', async () => {
    startDemo()
    await banner()
    const first = demo
    output = ''
    const [exitCode] = await once(startDemo(), 'exit')
    demo = first
    expect(exitCode).toBe(2)
    expect(output).toContain('The demo is already running: http://127.0.0.1:')
  })
})
