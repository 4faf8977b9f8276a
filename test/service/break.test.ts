import { execFile } from 'node:child_process'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { verifier } from '../../service/verifier.ts'
import { freePortBase, type RunningService, startService } from './support.ts'

let service: RunningService | undefined
afterEach(async () => {
  await service?.close()
  service = undefined
})

interface Ran {
  exitCode: number
  output: string
  problems: string
}

function run(portBase: number, ...args: string[]): Promise<Ran> {
  const env = { ...process.env, SERVICE_PORT_BASE: String(portBase) }
  return new Promise((resolve) => {
    execFile(process.execPath, [path.resolve('service/break.ts'), ...args], { env }, (error, output, problems) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, output, problems })
    })
  })
}

test('breaks the process, says what should happen and where to watch, and heals it again', async () => {
  service = await startService([verifier])
  const { portBase } = service.settings
  const { exitCode, output } = await run(portBase, 'verifier', '5xx', '100%', '--for', '2m')
  expect(exitCode).toBe(0)
  expect(output).toContain('verifier answers 100% of its requests with 503.')
  expect(output).toContain('It heals by itself in 2m')
  expect(output).toContain('http://127.0.0.1:8989/mailbox')
  expect((await service.ask('verifier', '/verify', {})).status).toBe(503)
  expect(await run(portBase, 'verifier', 'heal')).toMatchObject({ exitCode: 0, problems: '' })
  expect((await service.ask('verifier', '/verify', {})).status).toBe(400)
})

test('says that the service does not run, and how to start it', async () => {
  const ran = await run(await freePortBase(), 'verifier', '5xx')
  expect(ran).toMatchObject({ exitCode: 2, output: '' })
  expect(ran.problems).toContain('The example service is not running')
  expect(ran.problems).toContain('npm start')
})

test('a misspelled process is answered with what was meant', async () => {
  const ran = await run(1, 'verfier', '5xx')
  expect(ran).toMatchObject({ exitCode: 2, output: '' })
  expect(ran.problems).toContain('did you mean "verifier"?')
})

test('a process is broken also when the configuration cannot be read, and both are said', async () => {
  service = await startService([verifier])
  const { exitCode, output, problems } = await run(
    service.settings.portBase,
    'verifier',
    'hang',
    '--config',
    '/nowhere.yaml',
  )
  expect(exitCode).toBe(0)
  expect(output).toContain('answers nothing')
  expect(problems).toContain('/nowhere.yaml: cannot be read')
})

test('--help tells the kinds', async () => {
  const { exitCode, output } = await run(1, '--help')
  expect(exitCode).toBe(0)
  for (const kind of ['5xx', 'slow', 'hang', 'kill', 'dependency', 'heal']) expect(output).toContain(`    ${kind} `)
})
