import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addressOf, asEnvironment } from '../../service/settings.ts'
import { until } from '../support/until.ts'
import { freePortBase, request, type StatsdSink, startStatsdSink } from './support.ts'

let portBase: number
let statsd: StatsdSink
let child: ChildProcess
let output: string

beforeEach(async () => {
  portBase = await freePortBase()
  statsd = await startStatsdSink()
  output = ''
  child = start()
  await until(async () => (await ask('/__heartbeat__')).text === 'ok')
})

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await statsd.close()
})

function start(): ChildProcess {
  const settings = { portBase, statsd: { host: '127.0.0.1', port: statsd.port }, logDirectory: undefined }
  const started = spawn(process.execPath, [path.resolve('test/service/crashing-process.ts')], {
    env: { ...process.env, ...asEnvironment(settings) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.stderr.on('data', (chunk) => (output += chunk))
  return started
}

const ask = (where: string, body?: object) => request(addressOf('proxy', portBase) + where, body)

test('an uncaught exception is counted, said, and ends the process', async () => {
  await ask('/crash')
  expect(await once(child, 'exit')).toEqual([1, null])
  await until(() => statsd.lines.includes('browserid.proxy.uncaught_exception:1|c'))
  expect(output).toContain('uncaught exception: Error: we were wrong')
})

test('an error in one request is a 500 and nothing more', async () => {
  expect(await ask('/error')).toEqual({ status: 500, text: '{"error":"only this request is lost"}' })
  expect((await ask('/__heartbeat__')).text).toBe('ok')
  await until(() => statsd.lines.includes('browserid.proxy.response.500:1|c'))
})

test('a process without a supervisor that is to be killed kills itself', async () => {
  await ask('/__break__', { kind: 'kill' })
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
})

test('SIGTERM ends it in order', async () => {
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('a port that is taken is named, and the process ends', async () => {
  const second = start()
  expect(await once(second, 'exit')).toEqual([1, null])
  expect(output).toContain(`port ${portBase + 6} on 127.0.0.1 is taken by another program`)
})
