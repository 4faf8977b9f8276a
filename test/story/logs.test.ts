/** Log files and deploys from end to end, as a user runs them: `tocsin up`, an nginx that writes, a person who deploys. */
import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../support/ports.ts'
import { folderWith, runTocsin, startTocsin, type TocsinProcess, untilReady } from '../support/tocsin.ts'
import { until } from '../support/until.ts'

const patient = { timeoutMs: 20_000 }

let folder: ReturnType<typeof folderWith>
let consolePort: number
let running: TocsinProcess | undefined

beforeEach(async () => {
  consolePort = await freePort()
  folder = folderWith({
    'rules/shop.yaml': `
metrics: [{match: "zeus.*.response.*", kind: count}]
rules:
  errors:
    every: 1s
    crit: sum(zeus.{site}.response.5*) over 5s >= 3
    say: "{site} fails"
  guessing:
    every: 1s
    crit: count(event:login_failed[ip={ip}]) over 10s >= 3
    say: "{ip} guesses passwords"
  bad_deploy:
    every: 1s
    let: {erroring: "sum(zeus.{process}.response.5*) over 2s >= 3"}
    crit: event:deploy[process={process}] then erroring within 5m, keep 10m
    say: "{process} fails since a deploy"
`,
    'checks/none.yaml': 'checks: {}\n',
    'nginx/verifier.access.log': '',
    'tocsin.yaml': `
ingest:
  statsd: {udp: 127.0.0.1:${await freePort()}, tcp: false}
  graphite: {tcp: false}
  logs:
    - path: nginx/{site}.access.log
      format: nginx
      metrics: [{counter: "zeus.{site}.response.{status}"}]
      events: [{event: login_failed, when: "{status} = 401", tags: {ip: "{remote_addr}"}}]
dashboards: {listen: 127.0.0.1:${consolePort}, files: []}
`,
  })
})

afterEach(async () => {
  await running?.end('SIGKILL')
  running = undefined
  folder.remove()
})

async function up(): Promise<void> {
  running = startTocsin(['up', '--config', `${folder.path}/tocsin.yaml`])
  await untilReady(consolePort, [running])
  // The console answers before ingest has opened the logs.
  await until(() => running?.output().includes('ready after'))
}

const log = (name = 'verifier') => `${folder.path}/nginx/${name}.access.log`

function serve(status: number, times: number, file = log()): void {
  const line = `10.0.0.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" ${status} 10 "-" "curl/8" 0.012 0.011\n`
  fs.appendFileSync(file, line.repeat(times))
}

async function firing(): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${consolePort}/api/alerts?state=firing`)
  const { alerts } = (await response.json()) as { alerts: { fingerprint: string }[] }
  return alerts.map(({ fingerprint }) => fingerprint).sort()
}

async function counter(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${consolePort}/metrics`)).text()
  return Number(new RegExp(`^tocsin_ingest_${name}\\{[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

test('lines of an access log fire rules over counters and events; only after "tocsin event deploy" is a deploy blamed', async () => {
  await up()
  serve(503, 5)
  serve(401, 5)
  await until(async () => (await firing()).length === 2, patient)
  expect(await firing()).toEqual(['errors/verifier', 'guessing/10.0.0.7'])
  await until(async () => !(await firing()).includes('errors/verifier'), patient)
  const deploy = ['event', 'deploy', 'process=verifier', 'version=42', '--config', `${folder.path}/tocsin.yaml`]
  expect((await runTocsin(deploy)).output).toContain('event:deploy process=verifier version=42')
  serve(503, 5)
  await until(async () => (await firing()).includes('bad_deploy/verifier'), patient)
})

test('after kill -9, and a rotation meanwhile, reading goes on where it was', async () => {
  await up()
  serve(200, 1000)
  await until(async () => (await counter('log_lines_total')) === 1000, patient)
  const kept = () =>
    (JSON.parse(fs.readFileSync(`${folder.path}/var/logs.json`, 'utf8')) as { files: { line: number }[] }).files
  await until(() => kept()[0]?.line === 1001, patient)
  await running?.end('SIGKILL')
  serve(200, 10)
  fs.renameSync(log(), `${log()}.1`)
  serve(200, 20)
  serve(200, 30, log('router'))
  await up()
  await until(async () => (await counter('log_lines_total')) >= 60, patient)
  serve(200, 1)
  await until(async () => (await counter('log_lines_total')) > 60, patient)
  expect(await counter('log_lines_total')).toBe(61)
  expect(kept()).toHaveLength(3)
})
