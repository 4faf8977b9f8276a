/** Checks as a whole: check files, real servers, the memory bus. */

import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Part } from '../../src/bus/part.ts'
import { startChecks } from '../../src/checks/index.ts'
import type { CheckResult } from '../../src/model/check.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/until.ts'
import { configFor, markers, metrics, openWorld, type World } from '../support/world.ts'

let world: World
let dir: string
let part: Part | undefined
/** The watched service: answers with `status`, or not at all when it is undefined. */
let service: http.Server
let status: number | undefined
let url: string

beforeEach(async () => {
  world = await openWorld()
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tocsin-checks-'))
  status = 200
  service = http.createServer((_request, response) => void (status && response.writeHead(status).end('ok')))
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/`
})

afterEach(async () => {
  await part?.stop()
  part = undefined
  service.closeAllConnections()
  service.close()
  await world.end()
  fs.rmSync(dir, { recursive: true, force: true })
})

function write(text: string, file = 'checks.yaml'): void {
  fs.writeFileSync(path.join(dir, file), text)
}

function config() {
  return configFor((change) => {
    change.checks = [dir]
  })
}

async function start(text: string): Promise<void> {
  write(text)
  part = await startChecks(config(), world.context)
}

function results(name?: string): CheckResult[] {
  return world.entries
    .flatMap((entry) => (entry.kind === 'checks' ? entry.message.results : []))
    .filter((result) => name === undefined || result.name === name)
}

test('a result is on the bus within a second of it, in its bucket, before the marker', async () => {
  await start(`checks: {web.a: {http: "${url}", interval: 1s}}`)
  const [first] = await until(() => results().length > 0 && results())
  expect(first).toMatchObject({ name: 'web.a', sequence: 1, state: 'ok', stepMs: 1000 })
  const at = world.entries.findIndex((entry) => entry.kind === 'checks')
  const entry = world.entries[at]
  if (entry?.kind !== 'checks' || !first) throw new Error('no checks')
  expect(entry.message.bucketMs - first.atMs).toBeGreaterThanOrEqual(0)
  expect(entry.message.bucketMs - first.atMs).toBeLessThanOrEqual(1000)
  expect(entry.hops?.packetMs).toBe(first.atMs)
  const marked = await until(() =>
    world.entries.findIndex(
      ({ kind, message }) => kind === 'markers' && 'bucketMs' in message && message.bucketMs === entry.message.bucketMs,
    ),
  )
  expect(marked).toBeGreaterThan(at)
})

test('results are numbered through, and how long each probe took travels along as a timer', async () => {
  await start(`checks: {a: {http: "${url}", interval: 200ms}, b: {http: "${url}", interval: 200ms}}`)
  await until(() => results().length >= 12)
  const sequences = results().map(({ sequence }) => sequence)
  expect(sequences).toEqual(sequences.map((_, i) => i + 1))
  const timers = metrics(world.entries).flatMap((message) => message.timers.names)
  expect(new Set(timers)).toEqual(new Set(['checks.a.time', 'checks.b.time']))
})

test('a failing check is asked more often and says for how long its result stands', async () => {
  status = 503
  await start(`checks: {a: {http: "${url}", interval: 20s, whileFailing: 300ms}}`)
  const failing = await until(() => results().length >= 4 && results())
  expect(failing.every(({ state, stepMs }) => state === 'crit' && stepMs === 300)).toBe(true)
  expect((failing[3]?.atMs ?? 0) - (failing[0]?.atMs ?? 0)).toBeLessThan(5_000)
  status = 200
  const well = await until(() => results().find(({ state }) => state === 'ok'))
  expect(well.stepMs).toBe(20_000)
})

test('a check that hangs delays no other and does not overlap itself', async () => {
  status = undefined
  let open = 0
  let openMax = 0
  service.on('request', (_request, response) => {
    openMax = Math.max(openMax, ++open)
    response.on('close', () => open--)
  })
  const port = await freePort()
  await start(`
    defaults: {interval: 200ms, timeout: 1s}
    checks: {hangs: {http: "${url}"}, refused: {http: "http://127.0.0.1:${port}/"}}
  `)
  await until(() => results('hangs').length >= 2)
  expect(results('hangs')[0]).toMatchObject({ state: 'crit', output: 'no answer within 1s' })
  expect(results('refused').length).toBeGreaterThanOrEqual(6)
  expect(openMax).toBe(1)
})

test('a reload takes over changed files; what did not change keeps its schedule', async () => {
  await start(`checks: {stays: {http: "${url}", interval: 30s}, goes: {http: "${url}", interval: 300ms}}`)
  await until(() => results('stays').length > 0)
  write(`checks: {stays: {http: "${url}", interval: 30s}, comes: {http: "${url}", interval: 300ms}}`)
  await part?.reload?.(config())
  await until(() => results('comes').length >= 2)
  const gone = results('goes').length
  await until(() => results('comes').length >= 8)
  expect(results('goes').length).toBe(gone)
  expect(results('stays')).toHaveLength(1)
})

test('a reload with a mistake anywhere keeps the running checks and says where it is', async () => {
  await start(`checks: {a: {http: "${url}", interval: 300ms}}`)
  write('checks:\n  a: {http: nowhere}\n')
  await expect(part?.reload?.(config())).rejects.toThrow(
    /checks\.yaml:2:13: a: expected an http:\/\/ or https:\/\/ address/,
  )
  const before = results('a').length
  await until(() => results('a').length > before + 2)
  await until(() => world.statuses.at(-1)?.problem?.includes('the former checks keep running'))
  write(`checks: {a: {http: "${url}", interval: 300ms}}`)
  await part?.reload?.(config())
  await until(() => world.statuses.at(-1)?.problem === undefined)
})

test('a mistake at the start is refused with its place', async () => {
  await expect(start('checks: {a: {htp: x}}')).rejects.toThrow(
    /checks\.yaml:1:14: checks\.a\.htp: there is no such key/,
  )
})

test('secrets come from the environment that the process was given', async () => {
  let authorization: string | undefined
  service.on('request', (request) => {
    authorization = request.headers.authorization
  })
  write(`checks: {a: {http: "${url}", headers: {Authorization: "Bearer \${CHECK_TOKEN}"}}}`)
  part = await startChecks(config(), { ...world.context, environment: { CHECK_TOKEN: 'a-token-of-tests' } })
  await until(() => authorization === 'Bearer a-token-of-tests')
})

test('the status counts probes, results and checks by their last state', async () => {
  const port = await freePort()
  await start(`
    defaults: {interval: 500ms}
    checks: {a: {http: "${url}"}, b: {http: "http://127.0.0.1:${port}/"}}
  `)
  await until(() =>
    world.statuses.some(
      ({ counters }) => counters['checks{state="ok"}'] === 1 && counters['checks{state="crit"}'] === 1,
    ),
  )
  const counters = world.statuses.at(-1)?.counters
  expect(counters?.checks).toBe(2)
  expect(counters?.probes_total).toBeGreaterThanOrEqual(2)
  expect(counters?.['results_total{state="crit"}']).toBeGreaterThanOrEqual(1)
})

test('without check files there is nothing to do but to say so every second', async () => {
  part = await startChecks(
    configFor((change) => {
      change.checks = [path.join(dir, 'absent')]
    }),
    world.context,
  )
  await until(() => markers(world.entries, 'checks').length >= 2)
})

test('stopping hands over the last results, says bye and leaves no probe behind', async () => {
  status = undefined
  await start(`checks: {hangs: {http: "${url}", timeout: 60s}}`)
  await once(service, 'request')
  await part?.stop()
  part = undefined
  await until(() => markers(world.entries, 'checks').at(-1)?.bye)
  await until(async () => new Promise((resolve) => service.getConnections((_error, count) => resolve(count === 0))))
  expect(results()).toEqual([])
})
